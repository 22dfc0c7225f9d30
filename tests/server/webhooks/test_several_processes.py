"""Webhooks on PostgreSQL, with worker processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.acts import approved
from tests.server.webhooks.receiver import SECRET, receiving
from tests.support.people import HOME, RESOURCE, asking, caller
from tests.support.postgresql import MIGRATED, shared_cluster
from tests.support.servers import CLIENT_ID, running_server

from supportaccess.store.sql.postgresql.open import open_postgresql
from supportaccess.store.sql.postgresql.schema import SERVER_ROLE
from supportaccess.store.sql.store import SqlStore

pytestmark = pytest.mark.process


@pytest.fixture
def conninfo() -> Iterator[str]:
    """Return how the server's role connects to a database with the store's schema."""
    with shared_cluster().new_database(MIGRATED) as name:
        yield shared_cluster().conninfo(name, SERVER_ROLE)


def test_several_processes_post_once(conninfo: str, tmp_path: Path) -> None:
    """Of three processes one posts, a tenant's messages in order, one at a time; after a restart it goes on there."""
    engine = open_postgresql(conninfo)
    with receiving() as receiver:
        receiver.seconds = 0.1
        settings = tmp_path / "server.toml"
        settings.write_text(
            f'[identity]\ntenants = ["{HOME}", "{RESOURCE}"]\nclient_id = "{CLIENT_ID}"\n'
            "[listen]\nport = 0\nworkers = 3\n"
            f'[[webhooks]]\nname = "siem"\nurl = "{receiver.url}"\nsecret_variable = "SIEM"\n'
            'allowed_networks = ["127.0.0.0/8"]\n'
        )
        variables = {"SUPPORTACCESS_DATABASE": conninfo, "SIEM": SECRET}
        try:
            with running_server(tmp_path, settings, variables) as server:
                server.wait_for("webhookFollows")
                for number in range(5):
                    for tenant in (HOME, RESOURCE):
                        approved(SqlStore(engine, caller(tenant)), asking(f"{number}"))
                first = receiver.wait_for(20)
                assert server.stop() == 0
            approved(SqlStore(engine, caller(HOME)), asking("later"))
            with running_server(tmp_path, settings, variables):
                every = receiver.wait_for(22)
        finally:
            engine.close()

    assert len(every) == 22
    assert len(receiver.asked) <= 23  # the one that was under way when the server stopped may come again
    assert receiver.overlapping == []
    for tenant in (HOME, RESOURCE):
        told = [each.payload["data"] for each in first if each.tenant_id == tenant]
        assert [each["sequence"] for each in told] == list(range(10))
