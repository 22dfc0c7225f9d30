"""Signatures, against the specification's library, and secrets."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook
from tests.server.webhooks.receiver import SECRET

from supportaccess.errors import StoreRefused
from supportaccess.server.settings import WebhookSettings
from supportaccess.server.webhooks.signing import headers_of, keys_of, signatures

OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def keys(*secrets: str) -> list[bytes]:
    return keys_of(WebhookSettings(name="siem", url="https://x", secret_variable="S"), {"S": " ".join(secrets)})  # noqa: S106


def test_the_librarys_own_vector() -> None:
    """The vector that the libraries of Standard Webhooks share."""
    body = b'{"test": 2432232314}'
    signed = signatures(keys(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.text(min_size=1, alphabet="abc_019"), st.text(), st.integers(0, 2**33))
def test_an_independent_implementation_signs_the_same(message_id: str, text: str, at: int) -> None:
    """Whatever is signed, the library signs it the same."""
    try:
        body = text.encode()
    except UnicodeEncodeError:
        return
    moment = datetime.fromtimestamp(at, UTC)

    assert signatures(keys(SECRET), message_id, at, body) == Webhook(SECRET).sign(message_id, moment, text)


def test_two_secrets_sign_while_one_is_changed() -> None:
    """A receiver with the old secret and one with the new both verify."""
    now = int(datetime.now(UTC).timestamp())
    headers = headers_of(keys(OTHER, SECRET), "evt_1", now, b"{}")

    for secret in (OTHER, SECRET):
        assert Webhook(secret).verify(b"{}", headers) == {}


@pytest.mark.parametrize(
    "secret", ["", "hunter2", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!!!", "whsec_ä"]
)
def test_what_is_no_secret_is_refused_and_not_repeated(secret: str) -> None:
    """Too short, no base64, without its prefix, nothing: each is refused, and the message has none of it."""
    with pytest.raises(StoreRefused) as refused:
        keys(secret)
    assert not secret or secret not in f"{refused.value.message}".replace("whsec_ and the base64", "")


def test_a_file_is_for_the_server_alone(tmp_path: Path) -> None:
    """A secret that others can read is refused, unless the operator lets a group; a missing file is told."""
    file = tmp_path / "secret"
    webhook = WebhookSettings(name="siem", url="https://x", secret_file=file)
    with pytest.raises(StoreRefused, match="cannot be read"):
        keys_of(webhook)
    file.write_text(f"{SECRET}\n")
    for mode, wrong in ((0o644, True), (0o640, True), (0o600, False)):
        file.chmod(mode)
        if wrong:
            with pytest.raises(StoreRefused, match="open to others"):
                keys_of(webhook)
        else:
            assert len(keys_of(webhook)) == 1
    file.chmod(0o640)
    grouped = WebhookSettings(name="siem", url="https://x", secret_file=file, group_may_read_secret=True)
    assert len(keys_of(grouped)) == 1
