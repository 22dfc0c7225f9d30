"""Webhooks on PostgreSQL, with worker processes."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.acts import approved
from tests.server.webhooks.receiver import SECRET, receiving
from tests.support.people import HOME, RESOURCE, asking, caller
from tests.support.postgresql import OWNER, Cluster, new_cluster
from tests.support.program import installed_program
from tests.support.servers import CLIENT_ID, SECONDS, running_server

from supportaccess.store.postgresql import open_postgresql
from supportaccess.store.sql.store import SqlStore

pytestmark = pytest.mark.process


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Return a PostgreSQL of this test's own."""
    with new_cluster() as cluster:
        yield cluster


def test_several_processes_post_once(cluster: Cluster, tmp_path: Path) -> None:
    """Of three processes one posts, each tenant in order; when that is killed another goes on where it was."""
    conninfo = cluster.make_database("store")
    owner = {"PATH": os.environ["PATH"], "SUPPORTACCESS_DATABASE": cluster.conninfo("store", OWNER)}
    subprocess.run([installed_program(), "store", "migrate", "-q"], env=owner, check=True, timeout=SECONDS)
    engine = open_postgresql(conninfo)
    with receiving() as receiver:
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

    assert len({each.id for each in every}) == 22 == len(every)
    for tenant in (HOME, RESOURCE):
        told = [each.payload["data"] for each in first if each.payload["data"]["tenantId"] == tenant]
        assert [each["sequence"] for each in told] == list(range(10))
