"""Forged, stale and mixed-up tokens: each is refused, for its own reason."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from tests.server.identity.conftest import Authenticating
from tests.support.issuer import ADA, API, CLIENT, NOW, ROBOT, Issuer, encoded, private_key, published, signed
from tests.support.people import FOREIGN, HOME, RESOURCE

from supportaccess.errors import NotSignedIn
from supportaccess.server.identity.authentication import PERSONAL_ACCOUNTS, Reason, TokenRefused

Forging = Callable[[Issuer], str]

GRAPH = "00000003-0000-0000-c000-000000000000"
KELVIN = "\u212a"
FULL_WIDTH_ONE = "\uff11"


def parts(token: str) -> list[str]:
    return token.split(".")


def with_header(issuer: Issuer, header: dict[str, object]) -> str:
    """Return a good token under another header, with the signature that it had."""
    _, payload, signature = parts(issuer.token())
    return f"{encoded(json.dumps(header).encode())}.{payload}.{signature}"


def unsigned(issuer: Issuer, algorithm: str) -> str:
    _, payload, _ = parts(issuer.token())
    return f"{encoded(json.dumps({'alg': algorithm, 'typ': 'JWT', 'kid': 'first'}).encode())}.{payload}."


def with_public_key_as_secret(issuer: Issuer) -> str:
    public = private_key("first").public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    _, payload, _ = parts(issuer.token())
    start = f"{encoded(json.dumps({'alg': 'HS256', 'typ': 'JWT', 'kid': 'first'}).encode())}.{payload}"
    return f"{start}.{encoded(hmac.digest(pem, start.encode(), hashlib.sha256))}"


def with_pss(issuer: Issuer, algorithm: str) -> str:
    _, payload, _ = parts(issuer.token())
    start = f"{encoded(json.dumps({'alg': algorithm, 'typ': 'JWT', 'kid': 'first'}).encode())}.{payload}"
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    return f"{start}.{encoded(private_key('first').sign(start.encode(), pss, hashes.SHA256()))}"


def with_elliptic_curve(issuer: Issuer) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    _, payload, _ = parts(issuer.token())
    start = f"{encoded(json.dumps({'alg': 'ES256', 'typ': 'JWT', 'kid': 'first'}).encode())}.{payload}"
    return f"{start}.{encoded(key.sign(start.encode(), ec.ECDSA(hashes.SHA256())))}"


def with_payload(issuer: Issuer, change: Callable[[dict[str, object]], object]) -> str:
    """Return a good token whose payload was changed after it was signed."""
    header, _, signature = parts(issuer.token())
    claims = issuer.claims()
    change(claims)
    return f"{header}.{encoded(json.dumps(claims).encode())}.{signature}"


def raw(payload: bytes) -> str:
    return signed({"alg": "RS256", "typ": "JWT", "kid": "first"}, payload, "first")


def with_spare_bits(issuer: Issuer) -> str:
    """Return a good token whose last character says the same bytes in another way."""
    token = issuer.token()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) + 1]


def as_standard_base64(issuer: Issuer) -> str:
    header, payload, signature = parts(issuer.token())
    return f"{header}.{payload}.{base64.b64encode(base64.urlsafe_b64decode(signature + '==')).decode()}"


def claims_text(issuer: Issuer, extra: str) -> bytes:
    return f"{json.dumps(issuer.claims())[:-1]}, {extra}}}".encode()


FORGED: dict[str, tuple[Reason, Forging]] = {
    # What is not a token.
    "empty": (Reason.MALFORMED, lambda _: ""),
    "one part": (Reason.MALFORMED, lambda _: "abc"),
    "two parts": (Reason.MALFORMED, lambda i: ".".join(parts(i.token())[:2])),
    "four parts": (Reason.MALFORMED, lambda i: f"{i.token()}.abc"),
    "encrypted (five parts)": (Reason.MALFORMED, lambda i: f"{i.token()}.abc.def"),
    "five million characters": (Reason.TOO_LONG, lambda _: "a" * 5_000_000),
    "one character too long": (Reason.TOO_LONG, lambda i: i.token().ljust(16 * 1024 + 1, "A")),
    "padded base64": (Reason.MALFORMED, lambda i: f"{i.token()}=="),
    "standard base64": (Reason.MALFORMED, as_standard_base64),
    "spare bits in base64": (Reason.MALFORMED, with_spare_bits),
    "blank inside": (Reason.MALFORMED, lambda i: i.token().replace(".", ". ", 1)),
    "newline at the end": (Reason.MALFORMED, lambda i: f"{i.token()}\n"),
    "look-alike letter in base64": (Reason.MALFORMED, lambda i: KELVIN + i.token()[1:]),
    "lone surrogate": (Reason.MALFORMED, lambda i: "\ud800" + i.token()),
    "header is no JSON": (Reason.MALFORMED, lambda i: f"{encoded(b'{alg')}.{'.'.join(parts(i.token())[1:])}"),
    "header is a list": (Reason.MALFORMED, lambda i: f"{encoded(b'[]')}.{'.'.join(parts(i.token())[1:])}"),
    "payload is a list": (Reason.MALFORMED, lambda _: raw(b"[]")),
    "payload is not UTF-8": (Reason.MALFORMED, lambda _: raw(b'{"tid": "\xff"}')),
    "a claim twice": (Reason.MALFORMED, lambda i: raw(claims_text(i, f'"tid": "{HOME}"'))),
    "NaN as a claim": (Reason.MALFORMED, lambda i: raw(claims_text(i, '"x": NaN'))),
    "nested deeply": (Reason.MALFORMED, lambda i: raw(claims_text(i, f'"x": {"[" * 5000}{"]" * 5000}'))),
    "half a surrogate pair": (Reason.MALFORMED, lambda i: raw(claims_text(i, '"x": "\\ud800"'))),
    # The header is not what chooses how it is checked.
    "alg none": (Reason.ALGORITHM, lambda i: unsigned(i, "none") + "AA"),
    "alg None, without a signature": (Reason.MALFORMED, lambda i: unsigned(i, "None")),
    "alg rs256 in lower case": (Reason.ALGORITHM, lambda i: i.token(header={"alg": "rs256"})),
    "no alg": (Reason.ALGORITHM, lambda i: i.token(header={"alg": None})),
    "alg is a list": (Reason.ALGORITHM, lambda i: i.token(header={"alg": ["RS256"]})),
    "HS256 with the public key as secret": (Reason.ALGORITHM, with_public_key_as_secret),
    "PS256": (Reason.ALGORITHM, lambda i: with_pss(i, "PS256")),
    "PSS signature under RS256": (Reason.SIGNATURE, lambda i: with_pss(i, "RS256")),
    "RS512": (Reason.ALGORITHM, lambda i: i.token(header={"alg": "RS512"})),
    "ES256": (Reason.ALGORITHM, with_elliptic_curve),
    "no typ": (Reason.MALFORMED, lambda i: i.token(header={"typ": None})),
    "typ of a DPoP proof": (Reason.MALFORMED, lambda i: i.token(header={"typ": "dpop+jwt"})),
    "typ of a logout token": (Reason.MALFORMED, lambda i: i.token(header={"typ": "logout+jwt"})),
    "crit": (Reason.MALFORMED, lambda i: i.token(header={"crit": ["exp"]})),
    "b64 false": (Reason.MALFORMED, lambda i: i.token(header={"b64": False, "crit": ["b64"]})),
    "b64 false without crit": (Reason.MALFORMED, lambda i: i.token(header={"b64": False})),
    "no kid": (Reason.MALFORMED, lambda i: i.token(header={"kid": None})),
    "kid is a number": (Reason.MALFORMED, lambda i: i.token(header={"kid": 7})),
    "kid too long": (Reason.MALFORMED, lambda i: i.token(header={"kid": "k" * 300})),
    "kid as a path": (Reason.UNKNOWN_KEY, lambda i: i.token(header={"kid": "../../dev/null"})),
    "kid nobody knows": (Reason.UNKNOWN_KEY, lambda i: i.token(key="foreign")),
    "its own key in jwk": (
        Reason.SIGNATURE,
        lambda i: i.token(key="foreign", header={"kid": "first", "jwk": published("foreign")}),
    ),
    "its own keys by jku": (
        Reason.UNKNOWN_KEY,
        lambda i: i.token(key="foreign", header={"jku": "https://localhost:1/keys", "x5u": "https://localhost:1/x"}),
    ),
    "its own certificate in x5c": (
        Reason.SIGNATURE,
        lambda i: i.token(key="foreign", header={"kid": "first", "x5c": ["AAAA"]}),
    ),
    # The signature.
    "signature of another key": (Reason.SIGNATURE, lambda i: i.token(key="foreign", header={"kid": "first"})),
    "another known key's kid": (Reason.SIGNATURE, lambda i: i.token(header={"kid": "plain"})),
    "signature of another token": (
        Reason.SIGNATURE,
        lambda i: ".".join([*parts(i.token())[:2], parts(i.token(uti="other"))[2]]),
    ),
    "no signature": (Reason.MALFORMED, lambda i: ".".join([*parts(i.token())[:2], ""])),
    "signature too short": (Reason.SIGNATURE, lambda i: ".".join([*parts(i.token())[:2], "AAAA"])),
    "roles added": (Reason.SIGNATURE, lambda i: with_payload(i, lambda c: c.update(roles=["SourceEvents.Write"]))),
    "lifetime added": (Reason.SIGNATURE, lambda i: with_payload(i, lambda c: c.update(exp=NOW + 9000))),
    "header changed": (
        Reason.SIGNATURE,
        lambda i: with_header(i, {"alg": "RS256", "typ": "JWT", "kid": "first", "x": 1}),
    ),
    # Tenant, version and issuer.
    "no tid": (Reason.TENANT, lambda i: i.token(without=["tid"])),
    "tenant not served": (Reason.TENANT, lambda i: i.token(FOREIGN)),
    "personal account": (Reason.TENANT, lambda i: i.token(PERSONAL_ACCOUNTS)),
    "tid common": (Reason.TENANT, lambda i: i.token(tid="common")),
    "tid with a path": (Reason.TENANT, lambda i: i.token(tid=f"{HOME}/../{RESOURCE}")),
    "tid in braces": (Reason.TENANT, lambda i: i.token(tid=f"{{{HOME}}}")),
    "tid with a look-alike digit": (Reason.TENANT, lambda i: i.token(tid=HOME.replace("1", FULL_WIDTH_ONE, 1))),
    "tid with a newline": (Reason.TENANT, lambda i: i.token(tid=f"{HOME}\n")),
    "tid is a list": (Reason.TENANT, lambda i: i.token(tid=[HOME])),
    "tid of another tenant that is served": (Reason.ISSUER, lambda i: i.token(tid=RESOURCE)),
    "no ver": (Reason.VERSION, lambda i: i.token(without=["ver"])),
    "ver 3.0": (Reason.VERSION, lambda i: i.token(ver="3.0")),
    "ver is a number": (Reason.VERSION, lambda i: i.token(ver=2.0)),
    "ver 1.0 with the issuer of 2.0": (Reason.ISSUER, lambda i: i.token(key="plain", ver="1.0")),
    "ver 2.0 with the issuer of 1.0": (Reason.ISSUER, lambda i: i.token(iss=i.issuer_of(HOME, "1.0"))),
    "no iss": (Reason.ISSUER, lambda i: i.token(without=["iss"])),
    "iss of another tenant": (Reason.ISSUER, lambda i: i.token(iss=i.issuer_of(RESOURCE))),
    "iss with a slash more": (Reason.ISSUER, lambda i: i.token(iss=f"{i.issuer_of(HOME)}/")),
    "iss in capitals": (Reason.ISSUER, lambda i: i.token(iss=i.issuer_of(HOME).upper())),
    "iss with the placeholder": (Reason.ISSUER, lambda i: i.token(iss=i.issuer_of("{tenantid}"))),
    "iss is a list": (Reason.ISSUER, lambda i: i.token(iss=[i.issuer_of(HOME)])),
    # Times.
    "expired": (Reason.EXPIRED, lambda i: i.token(iat=NOW - 4000, nbf=NOW - 4000, exp=NOW - 50)),
    "no exp": (Reason.MALFORMED, lambda i: i.token(without=["exp"])),
    "no nbf": (Reason.MALFORMED, lambda i: i.token(without=["nbf"])),
    "no iat": (Reason.MALFORMED, lambda i: i.token(without=["iat"])),
    "exp as text": (Reason.MALFORMED, lambda i: i.token(exp=str(NOW + 4000))),
    "exp is true": (Reason.MALFORMED, lambda i: i.token(exp=True)),
    "not valid yet": (Reason.NOT_YET_VALID, lambda i: i.token(nbf=NOW + 71)),
    "issued in the future": (Reason.NOT_YET_VALID, lambda i: i.token(iat=NOW + 71)),
    "ten years long": (Reason.LIFETIME, lambda i: i.token(exp=NOW + 10 * 365 * 86400)),
    "a second too long": (Reason.LIFETIME, lambda i: i.token(exp=NOW + 28 * 3600 + 1)),
    "ends before it begins": (Reason.LIFETIME, lambda i: i.token(iat=NOW + 30, exp=NOW + 20)),
    # Whom it is for.
    "no aud": (Reason.AUDIENCE, lambda i: i.token(without=["aud"])),
    "for Microsoft Graph": (Reason.AUDIENCE, lambda i: i.token(aud=GRAPH)),
    "for the client": (Reason.AUDIENCE, lambda i: i.token(aud=CLIENT)),
    "aud is a list with ours": (Reason.AUDIENCE, lambda i: i.token(aud=[API, GRAPH])),
    "aud with ours in front": (Reason.AUDIENCE, lambda i: i.token(aud=f"api://{API}.example")),
    "aud with two slashes": (Reason.AUDIENCE, lambda i: i.token(aud=f"api://{API}//")),
    # What sort of token.
    "ID token": (Reason.KIND, lambda i: i.token(without=["scp", "azp", "azpacr"], nonce="n")),
    "ID token with its subject as object": (
        Reason.KIND,
        lambda i: i.token(without=["scp", "azp", "azpacr"], sub=ADA, nonce="n"),
    ),
    "a person without scopes": (Reason.KIND, lambda i: i.token(without=["scp"])),
    "a person without scopes, marked": (Reason.KIND, lambda i: i.token(without=["scp"], idtyp="user")),
    "an application with scopes": (Reason.KIND, lambda i: i.token(app_only=True, scp="AccessRequests.Use")),
    "an application without a client": (Reason.KIND, lambda i: i.token(app_only=True, without=["azp"])),
    "an application with the client of version 1.0": (
        Reason.KIND,
        lambda i: i.token(app_only=True, without=["azp"], appid=CLIENT),
    ),
    "a person as an application": (Reason.KIND, lambda i: i.token(idtyp="app")),
    "idtyp of another kind": (Reason.KIND, lambda i: i.token(idtyp="device")),
    "idtyp in capitals": (Reason.KIND, lambda i: i.token(app_only=True, idtyp="APP")),
    "scopes in a list": (Reason.KIND, lambda i: i.token(scp=["AccessRequests.Use"])),
    "unmarked application without a credential": (
        Reason.KIND,
        lambda i: i.token(app_only=True, without=["idtyp"], azpacr="0"),
    ),
    "unmarked application, other subject": (
        Reason.KIND,
        lambda i: i.token(app_only=True, without=["idtyp"], sub="other"),
    ),
    "unmarked application without roles": (Reason.KIND, lambda i: i.token(app_only=True, without=["idtyp", "roles"])),
    # Who it is.
    "no oid": (Reason.SUBJECT, lambda i: i.token(without=["oid"])),
    "oid is a name": (Reason.SUBJECT, lambda i: i.token(oid="ada@contoso.example")),
    "oid with a look-alike letter": (Reason.SUBJECT, lambda i: i.token(oid=ADA.replace("a1", f"{KELVIN}1"))),
    "oid is a list": (Reason.SUBJECT, lambda i: i.token(oid=[ADA, ROBOT])),
}


@pytest.mark.parametrize(("reason", "forged"), FORGED.values(), ids=FORGED)
def test_it_is_refused(good_issuer: Issuer, authenticating: Authenticating, reason: Reason, forged: Forging) -> None:
    """It proves nobody, the reason is the one of the list, and it is not remembered either."""
    authenticator = authenticating(good_issuer)
    token = forged(good_issuer)

    with pytest.raises(TokenRefused) as refused:
        authenticator.verify(token)

    assert refused.value.reason is reason
    assert isinstance(refused.value, NotSignedIn)
    assert authenticator.recall(token) is None


def test_the_table_is_long_enough_and_leaves_no_reason_out() -> None:
    """Every reason to refuse a token is in the table; key issuers have a test of their own, and so has step-up."""
    assert len(FORGED) >= 50
    assert {reason for reason, _ in FORGED.values()} == set(Reason) - {Reason.KEY_ISSUER, Reason.AUTH_CONTEXT}


@pytest.mark.parametrize("forged", [forged for _, forged in FORGED.values()], ids=FORGED)
def test_a_refusal_tells_nothing_of_the_token(
    good_issuer: Issuer, authenticating: Authenticating, forged: Forging
) -> None:
    """No part of a token reaches a message, which may go to a log."""
    token = forged(good_issuer)

    with pytest.raises(TokenRefused) as refused:
        authenticating(good_issuer).verify(token)

    told = f"{refused.value.message} {refused.value.hint}"
    assert not any(part in told for part in token.split(".") if len(part) > 8)
    assert ADA not in told


def test_keys_of_another_tenant_do_not_count(issuer: Issuer, authenticating: Authenticating) -> None:
    """A key that is published for one tenant signs nothing for another, though both see it."""
    issuer.keys = [published("first", issuer=issuer.issuer_of(RESOURCE))]
    authenticator = authenticating(issuer)

    assert authenticator.verify(issuer.token(RESOURCE)).caller.tenant_id == RESOURCE
    with pytest.raises(TokenRefused) as refused:
        authenticator.verify(issuer.token(HOME))

    assert refused.value.reason is Reason.KEY_ISSUER
