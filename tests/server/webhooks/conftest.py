from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from tests.server.webhooks.receiver import SECRET, Receiver, receiving
from tests.support.people import HOME, RESOURCE, SettableClock, caller
from tests.support.servers import CLIENT_ID, RunningServer, running_server

from supportaccess.domain.times import system_clock
from supportaccess.store.sql.sqlite.open import open_embedded
from supportaccess.store.sql.store import SqlStore


class Posting:
    """A server on SQLite that posts to a receiver, and the store under it for the test's own changes."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self.folder = folder
        self.receiver = receiver
        secret = folder / "secret"
        secret.write_text(SECRET)
        secret.chmod(0o600)

    def settings(self, more: str = "", *, url: str | None = None, networks: str = '"127.0.0.0/8"') -> Path:
        """Write settings, with one webhook, siem."""
        path = self.folder / "server.toml"
        path.write_text(
            f'sweep_seconds = 1\n[identity]\ntenants = ["{HOME}", "{RESOURCE}"]\nclient_id = "{CLIENT_ID}"\n'
            f'[database]\nsqlite = "store.db"\n[listen]\nport = 0\n'
            f'[[webhooks]]\nname = "siem"\nurl = "{url or self.receiver.url}"\nsecret_file = "secret"\n'
            f"allowed_networks = [{networks}]\n{more}\n"
        )
        return path

    @contextmanager
    def running(
        self, more: str = "", *, url: str | None = None, networks: str = '"127.0.0.0/8"'
    ) -> Iterator[RunningServer]:
        """Run the server, and wait until it follows the log."""
        with running_server(self.folder, self.settings(more, url=url, networks=networks)) as server:
            server.wait_for("webhookFollows")
            yield server

    @contextmanager
    def store(self, tenant_id: str = HOME, *, now: datetime | None = None) -> Iterator[SqlStore]:
        """Open the store in this process."""
        engine = open_embedded(self.folder / "store.db")
        try:
            also = [caller(RESOURCE)] if tenant_id == HOME else []
            clock = SettableClock(now) if now else system_clock
            yield SqlStore(engine, caller(tenant_id), also=also, clock=clock)
        finally:
            engine.close()


@pytest.fixture
def posting(tmp_path: Path) -> Iterator[Posting]:
    """Return a server's folder and a receiver."""
    with receiving() as receiver:
        yield Posting(tmp_path, receiver)
