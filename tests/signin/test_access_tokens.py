"""Access tokens from a variable or a file."""

import base64
import json
import os
from pathlib import Path

import pytest
from tests.support.people import FOREIGN, HOME, RESOURCE

from supportaccess.errors import NotSignedIn
from supportaccess.signin.access_tokens import FILE_VARIABLE, VARIABLE, AccessTokens


def token(tenant_id: object, **claims: object) -> str:
    """Return what looks like a token of a tenant."""
    parts = ({"alg": "RS256"}, {"tid": tenant_id, **claims})
    return ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), "x"]
    )


HOMES, RESOURCES = token(HOME), token(RESOURCE.upper())


def test_the_one_of_the_tenant_is_found() -> None:
    """Of several tokens, however separated, each tenant has its own."""
    tokens = AccessTokens({VARIABLE: f"\n {HOMES}\n\t{RESOURCES} "})

    assert tokens.of(HOME) == HOMES
    assert tokens.of(RESOURCE) == RESOURCES


@pytest.mark.parametrize("environment", [{}, {VARIABLE: ""}, {VARIABLE: " \n"}, {FILE_VARIABLE: ""}])
def test_without_any_both_variables_are_named(environment: dict[str, str]) -> None:
    """Whoever has no token hears where to put one."""
    with pytest.raises(NotSignedIn, match=HOME) as refused:
        AccessTokens(environment).of(HOME)

    assert VARIABLE in str(refused.value.hint)
    assert FILE_VARIABLE in str(refused.value.hint)


@pytest.mark.parametrize(
    "text",
    [
        token(FOREIGN),
        token(None),
        token(5),
        token([HOME]),
        "opaque",
        "a.b",
        "a.b.c",
        "..",
        "a.%%%.c",
        f"x.{base64.urlsafe_b64encode(b'[' * 5000).decode()}.x",
        "\ud800.\ud800.\ud800",
        f"\u20ac{HOMES}",
        f"{HOMES}\x01",
    ],
)
def test_what_is_no_token_of_the_tenant_is_not_used_and_not_told(text: str) -> None:
    """Another tenant's token, or what is none, is not sent anywhere and in no message."""
    with pytest.raises(NotSignedIn, match=VARIABLE) as refused:
        AccessTokens({VARIABLE: text}).of(HOME)

    assert text not in f"{refused.value} {refused.value.hint}"


def test_a_file_is_read_each_time(tmp_path: Path) -> None:
    """A file that is renewed meanwhile gives the new token."""
    path = tmp_path / "tokens"
    path.write_text(HOMES)
    path.chmod(0o600)
    tokens = AccessTokens({FILE_VARIABLE: str(path)})
    assert tokens.of(HOME) == HOMES
    renewed = token(HOME, uti="2")
    path.write_text(f"{RESOURCES}\n{renewed}\n")

    assert tokens.of(HOME) == renewed


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o602])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """What others may have read is no proof of anybody."""
    path = tmp_path / "tokens"
    path.write_text(HOMES)
    path.chmod(mode)
    with pytest.raises(NotSignedIn, match="read by others") as refused:
        AccessTokens({FILE_VARIABLE: str(path)}).of(HOME)

    assert f"chmod 600 {path}" in str(refused.value.hint)


@pytest.mark.parametrize("contents", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, contents: bytes | None) -> None:
    """A missing or broken file is told by its path and variable."""
    path = tmp_path / "tokens"
    if contents is not None:
        path.write_bytes(contents)
        path.chmod(0o600)
    with pytest.raises(NotSignedIn, match=FILE_VARIABLE) as refused:
        AccessTokens({FILE_VARIABLE: str(path)}).of(HOME)

    assert str(path) in str(refused.value)
