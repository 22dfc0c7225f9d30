"""What a bearer token costs the server: `python -m benchmarks.token_check`.

CPU time of one thread; the best of several rounds, so that a busy machine changes little. Exit status 1 when a target
is missed.
"""

import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import jwt
from benchmarks.table import print_table
from tests.support.issuer import API, Issuer, private_key, running
from tests.support.people import HOME

from supportaccess.server.identity.authentication import Authenticator, TokenRefused
from supportaccess.server.identity.roles import load_role_table
from supportaccess.server.settings import IdentitySettings, PermissionsFrom

_TOKENS = 1000
_ROUNDS = 7
_LIFETIME = 3600


@dataclass(frozen=True)
class _Measured:
    name: str
    microseconds: float
    most: float | None = None
    """At most so many times the floor."""


def _best(act: Callable[[str], object], tokens: Sequence[str]) -> float:
    """Return the CPU time of one token in microseconds."""
    best = float("inf")
    for _ in range(_ROUNDS):
        began = time.process_time()
        for token in tokens:
            act(token)
        best = min(best, time.process_time() - began)
    return best / len(tokens) * 1e6


def _measure(issuer: Issuer) -> list[_Measured]:
    now = int(time.time())
    times = {"iat": now, "nbf": now, "exp": now + _LIFETIME}
    wids = list(load_role_table().names)[:3]
    tokens = [issuer.token(claims={**times, "wids": wids, "uti": str(number)}) for number in range(_TOKENS)]
    forged = [f"{token.rpartition('.')[0]}.{other.rpartition('.')[2]}" for token, other in pairwise(tokens)]
    settings = IdentitySettings(
        tenants=(HOME,),
        client_id=API,
        authority=issuer.authority,
        ca_file=issuer.ca_file,
        permissions_from=PermissionsFrom.DIRECTORY_ROLES,
    )
    authenticator = Authenticator(settings)
    authenticator.ready()
    print(f"tokens of {len(tokens[0]):,} characters, with three directory roles\n")
    return [
        _Measured("jwt.decode  (floor)", _best(_bare_decode(issuer), tokens)),
        _Measured("verify: the first check", _best(authenticator.verify, tokens), most=2),
        _Measured("recall: every later one", _best(authenticator.recall, tokens), most=0.05),
        _Measured("verify: a forged signature", _best(_refused(authenticator), forged), most=2),
    ]


def _refused(authenticator: Authenticator) -> Callable[[str], object]:
    def refuse(token: str) -> None:
        with suppress(TokenRefused):
            authenticator.verify(token)

    return refuse


def _bare_decode(issuer: Issuer) -> Callable[[str], object]:
    key = private_key("first").public_key()
    return lambda token: jwt.decode(token, key, ["RS256"], audience=API, issuer=issuer.issuer_of(HOME))


def _missed(measured: _Measured, floor: float) -> bool:
    return measured.most is not None and measured.microseconds > measured.most * floor


def main() -> int:
    """Measure and print; return the exit status."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("supportaccess", "pyjwt", "cryptography"))
    print(f"{platform.python_implementation()} {platform.python_version()}, {packages}")
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as issuer:
        measured = _measure(issuer)
    floor = measured[0].microseconds
    rows = [
        (
            one.name,
            f"{one.microseconds:.1f}",
            f"{one.microseconds / floor:.3f}",
            "" if one.most is None else f"{one.most:g}{' MISSED' * _missed(one, floor)}",
        )
        for one in measured
    ]
    print_table(("token", "us CPU", "x floor", "target"), rows)
    return int(any(_missed(one, floor) for one in measured))


if __name__ == "__main__":
    sys.exit(main())
