"""The server starts with a word of where it is, stops without losing what is under way, and leaves nothing behind."""

import signal
import socket
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import pytest
from tests.support.issuer import Issuer
from tests.support.people import asking, caller
from tests.support.program import installed_program
from tests.support.servers import SECONDS, Answer, environment, running_server, settings_file, until

from supportaccess.domain.records import AccessRequest
from supportaccess.store.sql.sqlite.open import open_embedded
from supportaccess.store.sql.store import SqlStore


def trusting(issuer: Issuer) -> str:
    """Return the settings of a server that takes an issuer's tokens."""
    return f'authority = "{issuer.authority}"\nca_file = "{issuer.ca_file}"\n'


def token(issuer: Issuer) -> str:
    """Return a good token as of now."""
    now = int(time.time())
    return issuer.token(iat=now, nbf=now, exp=now + 3600)


def pending(folder: Path) -> AccessRequest:
    """Raise a request in the store of a server."""
    engine = open_embedded(folder / "store.db")
    try:
        return SqlStore(engine, caller()).raise_request(asking(), key="raised")
    finally:
        engine.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_decision_under_way_is_finished_and_answered(tmp_path: Path, issuer: Issuer, number: int) -> None:
    """A decision that waits for the database when the server is told to stop is made, answered and kept."""
    record = pending(tmp_path)
    with running_server(tmp_path, settings_file(tmp_path, identity=trusting(issuer))) as server:
        bearer = token(issuer)
        assert server.ask(f"/v1/access-requests/{record.id}", token=bearer).status == 200
        holder = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        answers: list[Answer] = []

        def decide() -> None:
            headers = {"If-Match": record.etag, "Idempotency-Key": "decided-once"}
            path = f"/v1/access-requests/{record.id}/approve"
            answers.append(server.ask(path, method="POST", token=bearer, body=b"{}", headers=headers))

        deciding = threading.Thread(target=decide)
        deciding.start()
        until(lambda: b"supportaccess_database_running 1.0" in server.ask("/metrics").body)
        server.process.send_signal(number)
        until(server.refuses)
        still_there = server.process.poll() is None
        holder.execute("ROLLBACK")
        holder.close()
        deciding.join(SECONDS)

        assert (still_there, server.wait()) == (True, 0)
        assert [answer.status for answer in answers] == [200], server.raw
        assert answers[0].json["status"] == "approved"
    engine = open_embedded(tmp_path / "store.db")
    assert SqlStore(engine, caller()).get(record.id).status == "approved"
    engine.close()


def test_a_decision_that_takes_too_long_is_told_as_unknown(tmp_path: Path, issuer: Issuer) -> None:
    """When the time to stop is over, what is under way is answered as of unknown outcome, and the server ends."""
    record = pending(tmp_path)
    settings = settings_file(tmp_path, identity=trusting(issuer), limits="stop_seconds = 1")
    with running_server(tmp_path, settings) as server:
        bearer = token(issuer)
        holder = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        answers: list[Answer] = []

        def decide() -> None:
            headers = {"If-Match": record.etag, "Idempotency-Key": "decided-once"}
            path = f"/v1/access-requests/{record.id}/approve"
            answers.append(server.ask(path, method="POST", token=bearer, body=b"{}", headers=headers))

        deciding = threading.Thread(target=decide)
        deciding.start()
        until(lambda: b"supportaccess_database_running 1.0" in server.ask("/metrics").body)
        server.process.terminate()
        deciding.join(SECONDS)

        assert server.wait() == 1
        assert server.wait_for("databaseHangs")
        holder.execute("ROLLBACK")
        holder.close()
    [answer] = answers
    assert (answer.status, answer.json["error"]["code"]) == (503, "OutcomeUnknown")
    assert int(answer.headers["retry-after"]) >= 1


def test_the_first_line_says_where_and_the_last_that_it_stopped(tmp_path: Path) -> None:
    """The server says where it listens, on what store, with how many processes; every line is JSON."""
    with running_server(tmp_path, settings_file(tmp_path)) as server:
        assert server.ask("/healthz").status == 200
        assert server.stop() == 0

        first, last = server.lines[0], server.lines[-1]
    assert (first["event"], first["store"], first["workers"]) == ("listening", f"SQLite {tmp_path / 'store.db'}", 1)
    assert first["url"].startswith("http://127.0.0.1:")
    assert last["event"] == "stopped"


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """The folder for the process's own files is gone after the stop."""
    with running_server(tmp_path, settings_file(tmp_path)) as server:
        during = [path.stat().st_mode & 0o777 for path in (tmp_path / "tmp").iterdir()]
        assert server.stop() == 0

    assert set(during) == {0o700}
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    """A port that somebody has is an error with its number, and no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = _fail_to_start(tmp_path, settings_file(tmp_path), {"SUPPORTACCESS_SERVER_PORT": str(port)})

    assert code == 1
    assert f"Error: cannot listen on 127.0.0.1 port {port}: Address already in use" in said
    assert "Traceback" not in said


def test_an_address_that_is_not_ours_is_told(tmp_path: Path) -> None:
    """An address of another machine is an error, and no traceback."""
    address = {"SUPPORTACCESS_SERVER_ADDRESS": "192.0.2.1", "SUPPORTACCESS_SERVER_BEHIND_PROXY": "true"}
    code, said = _fail_to_start(tmp_path, settings_file(tmp_path), address)

    assert code == 1
    assert "Error: cannot listen on 192.0.2.1" in said
    assert "Traceback" not in said


def test_a_store_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """A damaged file ends the start with its name."""
    (tmp_path / "store.db").write_bytes(b"no database" * 1000)
    code, said = _fail_to_start(tmp_path, settings_file(tmp_path))

    assert code == 1
    assert f"{tmp_path / 'store.db'} is damaged" in said
    assert "Traceback" not in said


def test_a_second_server_of_a_file_is_refused(tmp_path: Path) -> None:
    """One server has a SQLite file, and the next one only when that has ended, killed or not."""
    settings = settings_file(tmp_path)
    with running_server(tmp_path, settings) as server:
        code, said = _fail_to_start(tmp_path, settings)
        server.process.kill()
        server.process.wait()
    with running_server(tmp_path, settings) as server:
        assert server.ask("/healthz").status == 200

    assert (code, f"another server has {tmp_path / 'store.db'} open" in said) == (1, True), said


def test_a_role_table_that_is_none_is_told(tmp_path: Path) -> None:
    """What only shows when tokens are to be checked ends the start, before anything listens."""
    table = tmp_path / "roles.json"
    table.write_text("no table")
    settings = settings_file(tmp_path, identity=f'role_table = "{table}"\npermissions_from = "directoryRoles"')
    code, said = _fail_to_start(tmp_path, settings)

    assert code == 2
    assert str(table) in said
    assert "Traceback" not in said
    assert '"listening"' not in said


def _fail_to_start(folder: Path, settings: Path, more: dict[str, str] | None = None) -> tuple[int, str]:
    done = subprocess.run(
        [installed_program(), "serve", "--config", str(settings)],
        capture_output=True,
        env=environment(folder, more),
        cwd=folder,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stderr
