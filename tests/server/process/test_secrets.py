"""No secret leaves the server, and no address is believed that a stranger named."""

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tests.support.issuer import Issuer
from tests.support.servers import running_server, settings_file, until

CANARY = "c4nary"


def test_nothing_that_a_caller_sends_shows_in_the_log(tmp_path: Path, issuer: Issuer) -> None:
    """Tokens in odd places, queries, bodies and names are in no line, at debug and through a failure of the server."""
    settings = settings_file(
        tmp_path, 'log_level = "debug"', identity=f'authority = "{issuer.authority}"\nca_file = "{issuer.ca_file}"'
    )
    now = int(time.time())
    token = issuer.token(iat=now, nbf=now, exp=now + 3600, name=f"{CANARY} of a name")
    with running_server(tmp_path, settings) as server:
        assert server.ask("/v1/me", token=token).status == 200
        for path in (f"/v1/access-requests?search={CANARY}", f"/{CANARY}", f"/v1/access-requests/{CANARY}"):
            server.ask(path, token=token)
        for headers in (
            {"aUTHORIZATION": f"bEARER {CANARY}.a.b"},
            {"Cookie": CANARY, "User-Agent": f"{CANARY}\tx", "traceparent": CANARY, "x-ms-client-request-id": CANARY},
            {"x-ms-authorization-auxiliary": f"Bearer {CANARY}", "Authorization": f"Bearer {token}"},
        ):
            server.ask("/v1/me", headers=headers)
        server.ask("/v1/access-requests", method="POST", token=token, body=json.dumps({CANARY: CANARY}).encode())
        with server.connect() as connection:
            connection.sendall(CANARY.encode() * 100 + b"\r\n\r\n")
            connection.recv(65536)
        with closing(sqlite3.connect(tmp_path / "store.db")) as database:
            database.execute("ALTER TABLE access_requests RENAME TO gone")
        failed = server.ask(f"/v1/access-requests?search={CANARY}", token=token)
        assert server.stop() == 0

    told = "".join(server.raw)
    assert failed.status == 500
    assert "store.db" not in failed.body.decode()
    assert any(line["event"] == "failed" for line in server.lines)
    assert CANARY not in told
    assert not any(part in told for part in token.split("."))


def test_forwarded_addresses_are_believed_from_trusted_proxies_alone(tmp_path: Path) -> None:
    """Without a trusted proxy the header is nothing; with one, the last address before it counts."""
    claimed = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7", "X-Forwarded-Proto": "https"}
    addresses = []
    for listen in ("", 'behind_proxy = true\ntrusted_proxies = ["192.0.2.0/24"]', _TRUSTED):
        with running_server(tmp_path, settings_file(tmp_path, listen=listen)) as server:
            assert server.ask("/healthz", headers=claimed).status == 200
            addresses.append(server.wait_for("request")["address"])

    assert addresses == ["127.0.0.1", "127.0.0.1", "198.51.100.7"]


_TRUSTED = 'behind_proxy = true\ntrusted_proxies = ["127.0.0.1"]'


def test_a_limit_is_told_with_its_wait(tmp_path: Path) -> None:
    """One address that asks too much gets 429 with Retry-After, and is served again later."""
    with running_server(tmp_path, settings_file(tmp_path, limits="requests_per_address = 12")) as server:
        answers = [server.ask("/v1/me") for _ in range(30)]
        refused = [answer for answer in answers if answer.status == 429]

        assert refused
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
        until(lambda: server.ask("/v1/me").status == 401)
