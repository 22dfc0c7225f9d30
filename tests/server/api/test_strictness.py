"""What is not exactly as documented is refused, and never with a 500."""

import json
import socket
from collections.abc import Mapping
from urllib.parse import quote

import pytest
from tests.server.api.acts import ASKING, REQUESTS, approved, decide, new_key, raised
from tests.support.apis import Answer, Api
from tests.support.people import FOREIGN, HOME, RESOURCE

KEY = {"Idempotency-Key": "k"}
JSON = {"Content-Type": "application/json"}


def assert_refused(answer: Answer, status: int, code: str, *, target: str | None = None) -> None:
    assert (answer.status, answer.error["code"]) == (status, code), answer
    assert answer.headers["x-ms-error-code"] == code
    assert answer.headers["x-ms-request-id"]
    assert target is None or answer.error["target"] == target


def raising(**changes: object) -> bytes:
    return json.dumps({**ASKING, **changes}).encode()


@pytest.mark.parametrize(
    ("query", "target"),
    [
        ("unknown=1", "unknown"),
        ("Top=1", "Top"),
        ("top=1&top=2", "top"),
        ("top=0", "top"),
        ("top=1001", "top"),
        ("top=1.0", "top"),
        ("top=1e2", "top"),
        ("top=+5", "top"),
        ("top=%D9%A1", "top"),
        ("top=", "top"),
        ("top=" + "9" * 1000, "top"),
        ("status=Pending", "status"),
        ("status=suspended", "status"),
        ("status=", "status"),
        ("status=pending&status=open", "status"),
        ("approvedAccess=1", "approvedAccess"),
        ("approvedAccess=True", "approvedAccess"),
        ("since=yesterday", "since"),
        ("since=2026-03-01", "since"),
        ("since=2026-03-01T00:00:00", "since"),
        ("since=1772323200", "since"),
        ("since=2026-02-30T00:00:00Z", "since"),
        ("since=0001-01-01T00:00:00%2B14:00", "since"),
        ("resourceTenantId=home", "resourceTenantId"),
        ("orderBy=id", "orderBy"),
        ("orderBy=attention&orderBy=createdAt", "orderBy"),
        ("search=%00", "search"),
        ("search=" + "x" * 257, "search"),
        ("search=%ff", "query"),
        ("search=%ed%a0%80", "query"),
        ("atMost=5", "atMost"),
    ],
)
def test_queries(api: Api, query: str, target: str) -> None:
    """A parameter that is unknown, repeated or not of its kind is refused, and named."""
    assert_refused(api.ask("GET", f"{REQUESTS}?{query}"), 400, "InvalidInput", target=target)


@pytest.mark.parametrize("place", ["", "zz", "5b5d", "00", "5b" * 200, "☃", "-1", "1" * 400])
@pytest.mark.parametrize("path", [REQUESTS, "/v1/audit-events"])
def test_places_in_lists(api: Api, path: str, place: str) -> None:
    """A skipToken that no answer gave is refused, or is a place as good as another; never a failure."""
    answer = api.ask("GET", f"{path}?skipToken={quote(place)}")

    assert answer.status in {200, 400}


@pytest.mark.parametrize(
    "path", ["/v1/me?x=1", "/healthz?x=1", "/v1/audit-events/checkpoint?top=1", "/openapi.json?v=2"]
)
def test_routes_without_parameters(api: Api, path: str) -> None:
    """A route that takes no parameter refuses every one."""
    assert_refused(api.ask("GET", path), 400, "InvalidInput")


BAD_BODIES = {
    "empty": b"",
    "blank": b"  ",
    "not JSON": b"{",
    "array": b"[]",
    "null": b"null",
    "text": b'"x"',
    "after its end": raising() + b"{}",
    "unknown member": raising(comment="x"),
    "other case": raising(Reason="x"),
    "server's own member": raising(status="approved"),
    "twice": raising()[:-1] + b', "reason": "another"}',
    "twice inside": raising().replace(b'"displayName"', b'"displayName": "x", "displayName"'),
    "escaped twice": raising()[:-1] + b', "reas\\u006fn": "another"}',
    "NaN": raising(requestedSeconds=float("nan")),
    "Infinity": raising(requestedSeconds=float("inf")),
    "float": raising(requestedSeconds=1.0),
    "exponent": raising(requestedSeconds=1).replace(b": 1", b": 1e2"),
    "huge number": raising(requestedSeconds=1).replace(b": 1}", b": " + b"9" * 5000 + b"}"),
    "past 64 bits": raising(requestedSeconds=2**64),
    "past the store": raising(requestedSeconds=2**62),
    "negative": raising(requestedSeconds=-1),
    "boolean": raising(requestedSeconds=True),
    "number as text": raising(requestedSeconds="60"),
    "null for text": raising(reason=None),
    "number for text": raising(reason=1),
    "half a pair": raising().replace(b"fails", b"\\ud800"),
    "other half": raising().replace(b"fails", b"\\udc00\\ud800"),
    "not UTF-8": raising().replace(b"fails", b"\xff"),
    "UTF-16": raising().decode().encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + raising(),
    "NUL": raising(reason="a\x00b"),
    "raw control": raising().replace(b"fails", b"\x01"),
    "deep": b'{"engineer":' + b"[" * 20_000,
    "deep in order": b'{"engineer":' * 5000 + b"1" + b"}" * 5000,
    "time without offset": raising(decideBy="2030-01-01T00:00:00"),
    "time as number": raising(decideBy=1_900_000_000),
    "time outside UTC": raising(decideBy="9999-12-31T23:59:59-14:00"),
    "past time": raising(decideBy="2020-01-01T00:00:00Z"),
    "not a tenant": raising(resourceTenantId="contoso"),
    "empty text": raising(reason=" "),
    "long text": raising(reason="x" * 1001),
    "blank in ID": raising(supportRequestId="1 2"),
    "comment": raising()[:-1] + b"/* x */}",
    "trailing comma": raising()[:-1] + b",}",
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_bodies(api: Api, name: str) -> None:
    """A body that is not exactly what is asked for is refused."""
    before = api.done()

    answer = api.ask("POST", REQUESTS, body=BAD_BODIES[name], headers=KEY | JSON)

    assert_refused(answer, 400, "InvalidInput")
    assert api.done() == before


SERVERS_OWN = [
    "id", "status", "source", "side", "supportRequestTenantId", "scope", "accessLevel", "createdAt", "decidedAt",
    "decidedBy", "decisionReason", "startsAt", "expiresAt", "endedAt", "endedBy", "endReason", "updatedAt", "etag",
    "mirror", "tenantId", "actor", "permissions",
]  # fmt: skip


@pytest.mark.parametrize("member", SERVERS_OWN)
@pytest.mark.parametrize("verb", ["", "approve", "reject", "revoke", "withdraw", "close"])
def test_what_the_server_decides_is_in_no_body(api: Api, verb: str, member: str) -> None:
    """A member that only the server sets is refused in every body, whatever it says."""
    path = {"": REQUESTS, "close": "/v1/support-requests/1/close"}.get(verb, f"{REQUESTS}/x/{verb}")
    body = {"": ASKING, "reject": {"reason": "no"}}.get(verb, {})

    answer = api.ask("POST", path, json_body={**body, member: "x"}, headers=KEY | {"If-Match": '"x"'})

    assert_refused(answer, 400, "InvalidInput", target="the body")


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Content-Type": "text/plain"}, 415, "UnsupportedMediaType"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415, "UnsupportedMediaType"),
        ({"Content-Type": "application/jsonp"}, 415, "UnsupportedMediaType"),
        ({}, 415, "UnsupportedMediaType"),
        (JSON | {"Content-Encoding": "gzip"}, 415, "UnsupportedMediaType"),
        (JSON | {"Content-Encoding": "identity, br"}, 415, "UnsupportedMediaType"),
    ],
)
def test_kinds_of_bodies(api: Api, headers: Mapping[str, str], status: int, code: str) -> None:
    """A body that is said to be something else, or packed, is not taken."""
    assert_refused(api.ask("POST", REQUESTS, body=raising(), headers={**KEY, **headers}), status, code)


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
def test_the_kind_of_a_body_may_have_parameters(api: Api, kind: str) -> None:
    """A charset beside the media type is fine, and letters of either case."""
    headers = {"Idempotency-Key": new_key(), "Content-Type": kind}

    assert api.ask("POST", REQUESTS, body=raising(), headers=headers).status == 201


@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_over_the_limit(api: Api, chunked: bool) -> None:
    """A body over 64 KiB is refused, whether its length was told or it came in chunks."""
    body = raising(reason="x" * 65_536)

    answer = api.ask("POST", REQUESTS, body=iter([body[:1000], body[1000:]]) if chunked else body, headers=KEY | JSON)

    assert_refused(answer, 413, "PayloadTooLarge")


def test_a_body_in_chunks(api: Api) -> None:
    """A body may come in chunks."""
    headers = {"Idempotency-Key": new_key(), **JSON}

    assert api.ask("POST", REQUESTS, body=iter([raising()[:9], raising()[9:]]), headers=headers).status == 201


@pytest.mark.parametrize("verb", ["approve", "revoke", "withdraw"])
def test_bodies_that_may_be_left_out(api: Api, verb: str) -> None:
    """Where nothing has to be said, no body is needed."""
    record = approved(api) if verb == "revoke" else raised(api)

    assert decide(api, verb, record).status == 200


def test_closing_needs_no_body(api: Api) -> None:
    """A support request is closed by its ID alone, with or without an empty object."""
    paths = [f"/v1/support-requests/{raised(api)['supportRequestId']}/close" for _ in range(2)]

    assert api.ask("POST", paths[0], headers={"Idempotency-Key": new_key()}).status == 200
    assert api.ask("POST", paths[1], json_body={}, headers={"Idempotency-Key": new_key()}).status == 200


@pytest.mark.parametrize(
    ("header", "value", "status", "code"),
    [
        ("If-Match", None, 428, "PreconditionRequired"),
        ("If-Match", "*", 400, "InvalidInput"),
        ("If-Match", 'W/"x"', 400, "InvalidInput"),
        ("If-Match", '"x", "y"', 400, "InvalidInput"),
        ("If-Match", "x", 400, "InvalidInput"),
        ("If-Match", "", 400, "InvalidInput"),
        ("If-Match", '"x"', 412, "Stale"),
        ("Idempotency-Key", None, 400, "InvalidInput"),
        ("Idempotency-Key", "", 400, "InvalidInput"),
        ("Idempotency-Key", "x" * 129, 400, "InvalidInput"),
        ("Idempotency-Key", "\xe9", 400, "InvalidInput"),
    ],
)
def test_headers_of_decisions(api: Api, header: str, value: str | None, status: int, code: str) -> None:
    """A decision says what was shown, with one strong tag, and under which key; and it is not done otherwise."""
    record = raised(api)
    headers: dict[str, str | None] = {"If-Match": record["etag"], "Idempotency-Key": new_key(), header: value}
    sent = [(name, text) for name, text in headers.items() if text is not None]

    answer = api.ask("POST", f"{REQUESTS}/{record['id']}/approve", headers=sent)

    assert_refused(answer, status, code)
    assert api.ask("GET", f"{REQUESTS}/{record['id']}").json == record


@pytest.mark.parametrize("name", ["If-Match", "Idempotency-Key"])
def test_headers_that_are_there_twice(api: Api, name: str) -> None:
    """Two keys or two tags are one too many."""
    record = raised(api)
    headers = [("If-Match", record["etag"]), ("Idempotency-Key", "k"), (name, record["etag"])]

    assert_refused(
        api.ask("POST", f"{REQUESTS}/{record['id']}/approve", headers=headers), 400, "InvalidInput", target=name
    )


@pytest.mark.parametrize(
    ("values", "challenge"),
    [
        ([], "Bearer"),
        (["Bearer"], 'Bearer error="invalid_token"'),
        (["Bearer "], 'Bearer error="invalid_token"'),
        (["Basic dTpw"], 'Bearer error="invalid_token"'),
        (["Bearer a b"], 'Bearer error="invalid_token"'),
        (["Bearer a, Bearer b"], 'Bearer error="invalid_token"'),
        (["Bearer nonsense"], 'Bearer error="invalid_token"'),
        (["Bearer \xe9"], 'Bearer error="invalid_token"'),
        (["Bearer " + "x" * 20_000], 'Bearer error="invalid_token"'),
        (["GOOD", "GOOD"], 'Bearer error="invalid_token"'),
    ],
)
def test_authorization_headers(api: Api, values: list[str], challenge: str) -> None:
    """Exactly one bearer token proves who calls; the answer to anything else says what is wanted."""
    good = f"Bearer {api.token()}"
    headers = [("Authorization", good if value == "GOOD" else value) for value in values]

    answer = api.ask("GET", "/v1/me", token=None, headers=headers)

    assert_refused(answer, 401, "NotSignedIn")
    assert answer.headers["www-authenticate"] == challenge


def test_the_scheme_in_any_case(api: Api) -> None:
    """The name of the scheme has no case (RFC 9110, section 11.1)."""
    assert api.ask("GET", "/v1/me", token=None, headers={"Authorization": f"bEARER {api.token()}"}).status == 200


@pytest.mark.parametrize(
    ("tokens", "status"),
    [
        (["RESOURCE"], 200),
        (["RESOURCE", "FOREIGN"], 200),
        (["HOME"], 400),
        (["RESOURCE", "RESOURCE"], 400),
        (["RESOURCE"] * 4, 400),
        (["nonsense"], 401),
        ([""], 401),
    ],
)
def test_auxiliary_tokens(api: Api, tokens: list[str], status: int) -> None:
    """Tokens beside the caller's own are verified like it, and each is of another tenant."""
    known = {"HOME": HOME, "RESOURCE": RESOURCE, "FOREIGN": FOREIGN}
    sent = ", ".join(f"Bearer {api.token(known[each]) if each in known else each}" for each in tokens)

    assert api.ask("GET", "/v1/me", headers={"x-ms-authorization-auxiliary": sent}).status == status


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 404),
        ("/v1", 404),
        ("/v1/", 404),
        ("/V1/me", 404),
        ("/v1/ME", 404),
        ("/v1/me/", 404),
        ("//v1/me", 404),
        ("/v1//me", 404),
        ("/v1/me/x", 404),
        ("/v1/./me", 404),
        ("/v1/%6de", 404),
        ("/v2/me", 404),
        ("/v1/access-requests/..%2F..%2Fme", 404),
        ("/v1/access-requests/%00", 404),
        ("/v1/access-requests/%ff", 404),
        ("/v1/access-requests/%0a", 404),
        ("/v1/access-requests/%C2%85", 404),
        ("/v1/access-requests/%E2%80%AE", 404),
        ("/v1/access-requests/%zz", 404),
        ("/v1/access-requests/%27%20OR%201=1", 404),
        ("/v1/access-requests/" + "x" * 1900, 404),
        ("/v1/access-requests/" + "x" * 2100, 414),
        ("/v1/access-requests?search=" + "x" * 2100, 414),
        ("/schema", 404),
        ("/docs/", 404),
    ],
)
def test_paths(api: Api, path: str, status: int) -> None:
    """A path is taken as it stands; what is at none is not found, and nobody is told more."""
    code = {404: "NotFound", 414: "UriTooLong"}[status]

    assert_refused(api.ask("GET", path), status, code)


def test_a_support_request_with_a_slash_in_it(api: Api) -> None:
    """An ID is one part of the path, whatever characters are encoded in it."""
    raised(api, supportRequestId="A/B%2F?#é")

    answer = api.ask(
        "POST", "/v1/support-requests/A%2FB%252F%3F%23%C3%A9/close", headers={"Idempotency-Key": new_key()}
    )

    assert [each["status"] for each in answer.json["value"]] == ["canceled"]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "POST"])
def test_methods(api: Api, method: str) -> None:
    """A method that a path does not have is refused with those that it has."""
    answer = api.ask(method, "/v1/me")

    assert_refused(answer, 405, "MethodNotAllowed")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


def test_options(api: Api) -> None:
    """OPTIONS tells the methods, and nothing that lets pages of other origins in."""
    answer = api.ask(
        "OPTIONS",
        REQUESTS,
        token=None,
        headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"},
    )

    assert (answer.status, answer.headers["allow"], answer.body) == (204, "GET, HEAD, OPTIONS, POST", b"")
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_head(api: Api) -> None:
    """HEAD answers as GET does, without the body."""
    record = raised(api)
    get, head = (api.ask(method, f"{REQUESTS}/{record['id']}") for method in ("GET", "HEAD"))

    assert (head.status, head.body) == (200, b"")
    assert {**head.headers, "x-ms-request-id": ""} == {**get.headers, "x-ms-request-id": ""}
    assert api.ask("HEAD", f"{REQUESTS}/x").status == 404


@pytest.mark.parametrize("path", ["/v1/me", "/healthz", "/nothing", "/openapi.json", REQUESTS])
def test_headers_of_every_answer(api: Api, path: str) -> None:
    """Every answer has an ID of its own, is kept by no cache, and does not say what made it."""
    first, second = api.ask("GET", path), api.ask("GET", path, token=None)

    assert first.headers["x-ms-request-id"] != second.headers["x-ms-request-id"]
    for answer in (first, second):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers


def test_a_request_line_that_is_no_http(api: Api) -> None:
    """What is no HTTP is refused by the protocol, and the server goes on."""
    with socket.create_connection(api.address, timeout=60) as connection:
        connection.sendall(b"BREW /pot HTCPCP/1.0\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400")

    assert api.ask("GET", "/healthz").status == 200


@pytest.mark.parametrize("host", ["", "a b", "x/y", "evil.example/path?"])
def test_hosts(api: Api, host: str) -> None:
    """A Host header that is none gets into no link."""
    with socket.create_connection(api.address, timeout=60) as connection:
        path = "/.well-known/supportaccess-configuration"
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        status = connection.recv(15)

    assert status[9:12] in ({b"200"} if not host else {b"400"})


def test_no_host(api: Api) -> None:
    """A request of HTTP/1.1 without a Host header is refused (RFC 9112, section 3.2); one of HTTP/1.0 is not."""
    statuses = []
    for version in ("1.1", "1.0"):
        with socket.create_connection(api.address, timeout=60) as connection:
            connection.sendall(f"GET /healthz HTTP/{version}\r\nConnection: close\r\n\r\n".encode())
            statuses.append(connection.recv(15)[9:12])

    assert statuses == [b"400", b"200"]


def test_two_hosts(api: Api) -> None:
    """A request for two hosts at once is refused before anything is done for it."""
    before = api.ask("GET", f"{REQUESTS}/count").json
    headers = [("Host", "elsewhere"), ("Idempotency-Key", new_key())]

    answer = api.ask("POST", REQUESTS, json_body=ASKING, headers=headers)

    assert_refused(answer, 400, "InvalidInput", target="Host")
    assert api.ask("GET", f"{REQUESTS}/count").json == before
