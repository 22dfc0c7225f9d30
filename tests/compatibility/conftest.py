"""What a user of an earlier version has, copied to where this program may change it."""

import gzip
import hashlib
import json
import shutil
import socket
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from runpy import run_path
from typing import Any, NamedTuple

import psycopg
import pytest
from tests.cli.home import Home
from tests.support import issuer as issuers
from tests.support.apis import NO_LIMITS, _serving, services_of
from tests.support.people import FOREIGN, HOME, RESOURCE, SettableClock, caller
from tests.support.postgresql import OWNER, programs, shared_cluster
from tests.support.requirements import require

from supportaccess.domain.permissions import Permission
from supportaccess.domain.times import system_clock
from supportaccess.server.settings import DatabaseSettings, IdentitySettings, ServerSettings
from supportaccess.store.sql.engine import Engine
from supportaccess.store.sql.key_rotation import rotate
from supportaccess.store.sql.maintenance import sweep
from supportaccess.store.sql.postgresql.open import open_postgresql
from supportaccess.store.sql.postgresql.schema import SERVER_ROLE
from supportaccess.store.sql.sqlite.open import open_embedded
from supportaccess.store.sql.store import SqlStore
from supportaccess.tlog.keys import Keys

DATA = Path(__file__).parents[1] / "data"
ENTRIES = "SELECT tenant_id, sequence, entry, leaf_hash FROM audit_events ORDER BY tenant_id, sequence"
RECORDS = "SELECT tenant_id, id, etag, record FROM access_requests ORDER BY tenant_id, id"


class Rows(NamedTuple):
    """What must never change: every entry with its hash, and every record with its ETag, by tenant and place or ID."""

    entries: dict[tuple[str, int], tuple[bytes, bytes]]
    records: dict[tuple[str, str], tuple[str, str]]


class Kept:
    """A store of an earlier version with a home, and what was given out of it and printed of it then."""

    home: Home
    keys: Keys

    def __init__(self, data: Path) -> None:
        self.given = data / "given"
        self.printed = data / "printed"
        self.verifier = data.parent / "independent_verifier.py"

    def anchors(self, name: str) -> list[str]:
        """Return a tenant's checkpoints that were kept, oldest first."""
        return sorted(map(str, self.given.glob(f"{name}-*.checkpoint")))

    def verifier_keys(self, name: str) -> list[str]:
        """Return a tenant's verifier keys that were kept, oldest first."""
        return [path.read_text().strip() for path in sorted(self.given.glob(f"{name}-*.vkey"))]

    def verified_independently(self, export: Path, key: str, anchors: Sequence[str]) -> list[tuple[str, int | None]]:
        """Return what the verifier of that version finds wrong with an export."""
        then = run_path(str(self.verifier))["verify"]
        found: list[tuple[str, int | None]] = then(export, key, [Path(anchor).read_bytes() for anchor in anchors])
        return found

    def migrate(self) -> None:
        """Bring the store to this program's schema, where that is a step of its own."""

    def rows(self) -> Rows:
        """Return what is stored, without this program."""
        entries, records = self.query(ENTRIES), self.query(RECORDS)
        return Rows({(a, b): (c, d) for a, b, c, d in entries}, {(a, b): (c, d) for a, b, c, d in records})

    def query(self, statement: str) -> list[Any]:
        """Return the rows of a statement."""
        raise NotImplementedError

    def engine(self) -> Engine:
        """Open the database."""
        raise NotImplementedError

    @contextmanager
    def store(self, tenant_id: str = HOME) -> Iterator[SqlStore]:
        """Open the store without a command line, which would look after it first."""
        with closing(self.engine()) as engine:
            yield SqlStore(engine, caller(tenant_id))

    def sweep(self) -> int:
        """Write down what is over by now."""
        with closing(self.engine()) as engine:
            return sweep(engine, system_clock)

    def rotate(self) -> None:
        """Replace the key."""
        with closing(self.engine()) as engine:
            rotate(engine, self.keys, caller(HOME).actor, system_clock)


class Embedded(Kept):
    """An embedded store."""

    def __init__(self, version: str, folder: Path) -> None:
        super().__init__(DATA / version / "embedded")
        private_copy(DATA / version / "embedded" / "home", folder)
        self.home = Home(folder)
        self.keys = Keys(folder / "data" / "keys")

    def query(self, statement: str) -> list[Any]:
        """Return the rows of a statement."""
        with closing(sqlite3.connect(self.home.database)) as database:
            return database.execute(statement).fetchall()

    def engine(self) -> Engine:
        """Open the database."""
        return open_embedded(self.home.database)


class Shared(Kept):
    """A store on PostgreSQL behind a server of this program, and the home of somebody who is signed in to it."""

    def __init__(self, version: str, folder: Path, database: str) -> None:
        data = DATA / version / "shared"
        super().__init__(data)
        self.database = database
        private_copy(data / "home", folder / "home")
        private_copy(data / "keys", folder / "keys")
        self.home = Home(folder / "home")
        self.keys = Keys(folder / "keys")
        dump = gzip.decompress((data / "store.sql.gz").read_bytes())
        with psycopg.connect(shared_cluster().conninfo(database), autocommit=True) as connection:
            connection.execute(dump)

    def migrate(self) -> None:
        """Bring the store to this program's schema, as its owner."""
        owner = {"SUPPORTACCESS_DATABASE": shared_cluster().conninfo(self.database, OWNER)}
        migrated = self.home.run("store", "migrate", env=owner)
        assert migrated.code == 0, migrated.err

    def query(self, statement: str) -> list[Any]:
        """Return the rows of a statement."""
        return shared_cluster().run(statement, self.database)

    def engine(self) -> Engine:
        """Open the database."""
        return open_postgresql(shared_cluster().conninfo(self.database, SERVER_ROLE), pool=2)

    @contextmanager
    def served(self, issuer: issuers.Issuer) -> Iterator[None]:
        """Run the server, and lead the home there: to its address, with tokens that it takes."""
        settings = ServerSettings(
            identity=IdentitySettings(
                tenants=(HOME, RESOURCE, FOREIGN),
                client_id=issuers.API,
                authority=issuer.authority,
                ca_file=issuer.ca_file,
            ),
            database=DatabaseSettings(
                postgresql=shared_cluster().conninfo(self.database, SERVER_ROLE),
                signing_keys=self.keys.folder,
                pool=4,
            ),
            limits=NO_LIMITS,
        )
        with closing(socket.socket()) as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            lead_to(self.home, f"http://127.0.0.1:{listening.getsockname()[1]}")
            for tenant_id in (HOME, RESOURCE):
                give_token(self.home, tenant_id, issuer.token(tenant_id, roles=sorted(Permission)))
            with _serving(services_of(settings, SettableClock(datetime.now(UTC))), listening):
                yield


def private_copy(source: Path, target: Path) -> None:
    """Copy a folder, and give its files the modes that git does not keep."""
    shutil.copytree(source, target, dirs_exist_ok=True)
    for path in (target, *target.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)


def endpoint_of(home: Home) -> str:
    """Return the endpoint that a home's profiles have."""
    profile = (home.config / "tenants" / f"{HOME}.toml").read_text()
    return profile.partition('store = "')[2].partition('"')[0]


def lead_to(home: Home, endpoint: str) -> None:
    """Move a home's shared store to another endpoint: in its profiles, and in what is remembered of the logs."""
    before = endpoint_of(home)
    for profile in (home.config / "tenants").glob("*.toml"):
        profile.write_text(profile.read_text().replace(before, endpoint))
    for log in (home.folder / "data" / "logs").glob("*.json"):
        before = json.loads(log.read_text())["store"]
        log.write_text(log.read_text().replace(before, endpoint))
        log.rename(log.with_name(log.name.replace(digest(before), digest(endpoint))))


def digest(endpoint: str) -> str:
    """Return how a remembered log's file names the endpoint."""
    return hashlib.sha256(endpoint.encode()).hexdigest()[:16]


def give_token(home: Home, tenant_id: str, token: str) -> None:
    """Put another access token in the place of the one that a token cache has."""
    path = home.folder / "cache" / "tokens" / f"{tenant_id}.json"
    cache = json.loads(path.read_text())
    (entry,) = cache["AccessToken"].values()
    entry["secret"] = token
    path.write_text(json.dumps(cache))


@pytest.fixture
def embedded(tmp_path: Path) -> Callable[[str], Kept]:
    """Return what copies the embedded store of a version."""
    return lambda version: Embedded(version, tmp_path / "home")


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[issuers.Issuer]:
    """Return an issuer whose tokens the servers take."""
    with issuers.running(tmp_path_factory.mktemp("issuer")) as issuer:
        yield issuer


@pytest.fixture
def shared(tmp_path: Path, issuer: issuers.Issuer) -> Iterator[Callable[[str], Shared]]:
    """Return what restores the shared store of a version and serves it."""
    require(programs(), "PostgreSQL's programs (apt-get install postgresql)")
    name, cluster = f"kept_{uuid.uuid4().hex}", shared_cluster()
    cluster.make_database(name)
    with ExitStack() as stack:
        stack.callback(cluster.run, f"DROP DATABASE {name} WITH (FORCE)")

        def served(version: str) -> Shared:
            kept = Shared(version, tmp_path, name)
            kept.migrate()
            stack.enter_context(kept.served(issuer))
            return kept

        yield served
