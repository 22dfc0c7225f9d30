"""Limits on requests: counted before a token is looked at, and after."""

from pathlib import Path

from msgspec.structs import replace
from tests.support.apis import NO_LIMITS, Answer, Api, running_api
from tests.support.issuer import Issuer

NONSENSE = "no.token.this"


def assert_limited(answer: Answer) -> None:
    assert (answer.status, answer.error["code"]) == (429, "TooManyRequests"), answer
    assert 1 <= int(answer.headers["retry-after"]) <= 60


def asked(api: Api, times: int, token: str | None = "") -> list[Answer]:
    return [api.ask("GET", "/v1/me", token=token) for _ in range(times)]


def test_an_address(tmp_path: Path, issuer: Issuer) -> None:
    """An address that asks too often is told so before its token is read; who watches the server is not."""
    with running_api(tmp_path, issuer, limits=replace(NO_LIMITS, requests_per_address=5)) as api:
        assert [answer.status for answer in asked(api, 5, token=None)] == [401] * 5
        assert_limited(asked(api, 1)[0])
        assert api.ask("GET", "/healthz").status == 200


def test_who_asks_without_a_token(tmp_path: Path, issuer: Issuer) -> None:
    """What takes no token counts for its address as well, but for the question whether the process lives."""
    with running_api(tmp_path, issuer, limits=replace(NO_LIMITS, requests_per_address=5)) as api:
        for path in ("/metrics", "/openapi.json", "/docs", "/readyz", "/metrics"):
            assert api.ask("GET", path, token=None).status != 429
        assert_limited(api.ask("GET", "/metrics", token=None))
        assert api.ask("GET", "/healthz", token=None).status == 200


def test_a_caller(tmp_path: Path, issuer: Issuer) -> None:
    """A caller who asks too often is told so; another one is not."""
    with running_api(tmp_path, issuer, limits=replace(NO_LIMITS, requests_per_caller=5)) as api:
        assert [answer.status for answer in asked(api, 5)] == [200] * 5
        assert_limited(asked(api, 1)[0])
        other = api.token(object_id="0da00000-0000-4000-8000-0000000000a9")
        assert asked(api, 1, token=other)[0].status == 200


def test_refused_tokens(tmp_path: Path, issuer: Issuer) -> None:
    """An address with too many refused tokens has no further new ones looked at; a token that is known still works."""
    with running_api(tmp_path, issuer, limits=replace(NO_LIMITS, refused_tokens_per_address=3)) as api:
        assert asked(api, 1)[0].status == 200
        assert [answer.status for answer in asked(api, 3, token=NONSENSE)] == [401] * 3
        assert_limited(asked(api, 1, token=NONSENSE)[0])
        assert asked(api, 1)[0].status == 200
