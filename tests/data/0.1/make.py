"""Makes what is beside it, with the program of commit f350651 and that commit's tests/support. No test runs this.

    git worktree add OLD f350651 && cd OLD
    python3 -m venv .venv && .venv/bin/pip install -c constraints.txt -e '.[test]'
    PYTHONPATH=. .venv/bin/python NEW/tests/data/0.1/make.py

What a user, an operator and an auditor of that version have, as it was written then:

    independent_verifier.py   tests/independent_verifier.py of that commit
    embedded/home             a home: settings, an embedded store, its key
    shared/home               a home whose tenants are in a shared store: settings, token caches, remembered log heads
    shared/store.sql.gz       the shared store's PostgreSQL database: a dump that no other program is needed for
    shared/keys               its signing key and heads
    */given                   what was given out: verifier keys, checkpoints, receipts, exports
    */printed                 what the program printed of it at the end

All keys were made for it and sign nothing else. The clock is set, random numbers come from a seed, and the account is
`ada` on `workstation`: run again, it makes the same to the byte. No status depends on the day on which it is read.
"""

import gzip
import json
import os
import platform
import pwd
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).parent
COMMIT = "f350651"
START = datetime(2025, 10, 6, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
PORT = 47113
ENDPOINT = f"http://127.0.0.1:{PORT}"


def be_repeatable(seed: str) -> None:
    """Draw what is random from a seed, and be the same account on any machine."""
    os.urandom = random.Random(seed).randbytes
    account = pwd.getpwuid(os.getuid())
    pwd.getpwuid = lambda _: pwd.struct_passwd(("ada", *account[1:]))
    platform.node = lambda: "workstation"


def be_the_program(moment: str, arguments: list[str]) -> None:
    """Run the command line at a moment."""
    be_repeatable(moment + repr(arguments))
    from supportaccess.domain import times

    times.system_clock = lambda: datetime.fromisoformat(moment)
    from supportaccess.__main__ import main

    sys.argv[1:] = arguments
    main()


if sys.argv[1:2] == ["--program"]:
    be_the_program(sys.argv[2], sys.argv[3:])

from tests.support import issuer as issuers  # noqa: E402
from tests.support.apis import NO_LIMITS, _serving, services_of  # noqa: E402
from tests.support.people import FOREIGN, HOME, RESOURCE, SettableClock, asking, caller  # noqa: E402
from tests.support.postgresql import OWNER, SERVER_ROLE, new_cluster, programs  # noqa: E402

import supportaccess  # noqa: E402
from supportaccess.domain.errors import SupportAccessError  # noqa: E402
from supportaccess.domain.limits import Limit  # noqa: E402
from supportaccess.domain.permissions import Permission  # noqa: E402
from supportaccess.domain.records import AccessRequest, Actor, ActorKind  # noqa: E402
from supportaccess.server.settings import DatabaseSettings, IdentitySettings, ServerSettings  # noqa: E402
from supportaccess.settings.paths import Paths  # noqa: E402
from supportaccess.settings.profiles import Profile, Settings  # noqa: E402
from supportaccess.settings.sign_in import Account, Discovered, Method, SignIn  # noqa: E402
from supportaccess.store.embedded import back_up, open_embedded  # noqa: E402
from supportaccess.store.keys import Keys  # noqa: E402
from supportaccess.store.postgresql import open_postgresql  # noqa: E402
from supportaccess.store.sql.checkpoints import sign_all  # noqa: E402
from supportaccess.store.sql.engine import Engine  # noqa: E402
from supportaccess.store.sql.key_rotation import record_rollbacks, rotate  # noqa: E402
from supportaccess.store.sql.maintenance import sweep  # noqa: E402
from supportaccess.store.sql.store import SqlStore  # noqa: E402

OPERATOR = Actor(kind=ActorKind.LOCAL, object_id="ada@workstation", display_name="ada")
NAMES = {HOME: "contoso", RESOURCE: "fabrikam", FOREIGN: "northwind"}
STATUSES = ("pending", "approved", "rejected", "canceled", "lapsed", "revoked", "completed", "expired")
EVERY_STATUS = [argument for status in STATUSES for argument in ("-s", status)]


class World:
    """A store, the clock that it goes by, and a home in which the program runs."""

    name: str
    engine: Engine
    keys: Keys

    def __init__(self) -> None:
        self.clock = SettableClock(START)
        self.folder = HERE / self.name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.home = self.folder / "home"
        for folder in (self.home, self.folder / "given", self.folder / "printed"):
            folder.mkdir(parents=True)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            **{f"SUPPORTACCESS_{part.upper()}_DIR": str(self.home / part) for part in ("config", "data", "cache")},
        }
        self.settings = Settings(Paths.from_environment(self.environment), self.environment)
        self._key = 0

    def key(self) -> str:
        """Return a new idempotency key."""
        self._key += 1
        return f"key-{self._key}"

    def store(self, tenant: str = HOME, *also: str, **named: object) -> SqlStore:
        """Open the store as a person of a tenant, with proofs for others."""
        proofs = [caller(other) for other in also]
        return SqlStore(self.engine, caller(tenant, **named), also=proofs, clock=self.clock)

    def sign(self) -> None:
        """Sign what is new."""
        sign_all(self.engine, self.keys)

    def run(self, *arguments: str) -> str:
        """Run the program, and return what it printed."""
        done = subprocess.run(
            [sys.executable, __file__, "--program", self.clock().isoformat(), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=self.environment,
            cwd=self.home,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"{arguments}: {done.returncode} {done.stderr}")
        return done.stdout

    @contextmanager
    def open(self) -> Iterator[None]:
        """Let the program come to the store meanwhile."""
        yield

    def print(self, name: str, *arguments: str) -> None:
        """Keep what the program prints."""
        (self.folder / "printed" / name).write_text(self.run(*arguments))

    def give_out(self, name: str, number: str, *decided: tuple[str, AccessRequest]) -> None:
        """Keep a tenant's verifier key, its checkpoint, and receipts of decisions."""
        given, tenant = self.folder / "given", ("--tenant", name)
        (given / f"{name}-{number}.vkey").write_text(self.verifier_key(name))
        (given / f"{name}-{number}.checkpoint").write_text(self.run("audit", "log", "--checkpoint", *tenant))
        for what, record in decided:
            receipt = self.run("audit", "receipt", record.id, *tenant)
            (given / f"{name}-{number}-{what}.tlog-proof").write_text(receipt)
        remembered = self.home / "data" / "logs"
        if number == "1" and remembered.exists():
            shutil.copytree(remembered, given / "remembered-1")

    def verifier_key(self, name: str) -> str:
        """Return the key that verifies a tenant's log now."""
        return self.run("store", "key", "show", "--tenant", name)

    def take_back(self, lost: Callable[[], object]) -> None:
        """Sign something, and then go back to a backup from before it."""
        raise NotImplementedError


class Embedded(World):
    """An embedded store, whose key has a name of its owner's."""

    name = "embedded"

    def __init__(self) -> None:
        super().__init__()
        for tenant_id in (HOME, RESOURCE, FOREIGN):
            self.settings.save(Profile(tenant_id=tenant_id, alias=NAMES[tenant_id]))
        self.settings.use(HOME)
        self.path = self.home / "data" / "store.db"
        self.engine = open_embedded(self.path)
        self.keys = Keys(self.home / "data" / "keys")
        self.keys.make("logs.contoso.example/support")
        self.run("tenant", "set", "northwind", "--silence", "SA002=Reviewed each quarter.")
        path = self.settings.file_of(RESOURCE)
        path.write_text(f'# Whom to ask: the identity team.\n{path.read_text()}newer_key = "kept"\n')

    def take_back(self, lost: Callable[[], object]) -> None:
        """Sign something, and then go back to a backup from before it."""
        backup = self.home / "backup.db"
        back_up(self.engine, backup)
        lost()
        self.sign()
        self.engine.close()
        backup.replace(self.path)
        for beside in ("-wal", "-shm"):
            self.path.with_name(f"store.db{beside}").unlink(missing_ok=True)
        self.engine = open_embedded(self.path)

    def close(self) -> None:
        """Leave the file alone."""
        self.engine.close()


class Shared(World):
    """A store on PostgreSQL behind a server, and somebody who is signed in to it."""

    name = "shared"

    def __init__(self, cluster: object, issuer: issuers.Issuer) -> None:
        super().__init__()
        self.cluster, self.database = cluster, "first"
        cluster.make_store(self.database)
        self.keys = Keys(self.folder / "keys")
        self._connect()
        self.issuer = issuer
        for tenant_id in (HOME, RESOURCE):
            self._sign_in(tenant_id)
        self.settings.use(HOME)

    def _connect(self) -> None:
        self.conninfo = self.cluster.conninfo(self.database, SERVER_ROLE)
        self.engine = open_postgresql(self.conninfo)

    def _sign_in(self, tenant_id: str) -> None:
        """Leave what a login with a browser leaves: a profile, and MSAL's cache of what the authority answered."""
        import msal

        authority, scopes = "https://login.microsoftonline.com", [f"api://{issuers.API}/{issuers.SCOPE}"]
        found = Discovered(
            fetched_at=START,
            stale_at=START + timedelta(days=1),
            api_version="v1",
            authority=authority,
            client_id=issuers.CLIENT,
            scopes=tuple(scopes),
        )
        self.settings.save(
            Profile(
                tenant_id=tenant_id,
                alias=NAMES[tenant_id],
                store=ENDPOINT,
                client_id=issuers.CLIENT,
                authority=authority,
                scopes=tuple(scopes),
                sign_in=SignIn(method=Method.BROWSER),
                account=Account(name="ada@contoso.example", id=f"{issuers.ADA}.{tenant_id}"),
                discovery=found,
            )
        )
        claims = {"oid": issuers.ADA, "tid": tenant_id, "sub": "ada", "preferred_username": "ada@contoso.example"}
        claims |= {"iss": f"{authority}/{tenant_id}/v2.0", "aud": issuers.CLIENT, "iat": 0, "exp": 4_000_000_000}
        roles = sorted(Permission)
        cache = msal.SerializableTokenCache()
        cache.add(
            {
                "client_id": issuers.CLIENT,
                "scope": scopes,
                "token_endpoint": f"{authority}/{tenant_id}/oauth2/v2.0/token",
                "grant_type": "authorization_code",
                "response": {
                    "token_type": "Bearer",
                    "access_token": self.issuer.token(tenant_id, roles=roles),
                    "refresh_token": "refresh-token-of-the-fixture",
                    "expires_in": 4_000_000_000 - int(START.timestamp()),
                    "scope": " ".join(scopes),
                    "id_token_claims": claims,
                    "id_token": "id.token.of-the-fixture",
                    "client_info": issuers.encoded(json.dumps({"uid": issuers.ADA, "utid": tenant_id}).encode()),
                },
            },
            now=int(START.timestamp()),
        )
        folder = self.home / "cache" / "tokens"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{tenant_id}.json"
        path.write_text(cache.serialize())
        path.chmod(0o600)

    def replace_tokens(self) -> None:
        """Leave no token that anybody could take for a real one."""
        for path in (self.home / "cache" / "tokens").glob("*.json"):
            text = path.read_text()
            for entry in json.loads(text)["AccessToken"].values():
                text = text.replace(entry["secret"], "access-token-of-the-fixture")
            path.write_text(text)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Run the server meanwhile."""
        settings = ServerSettings(
            identity=IdentitySettings(
                tenants=(HOME, RESOURCE, FOREIGN),
                client_id=issuers.API,
                authority=self.issuer.authority,
                ca_file=self.issuer.ca_file,
            ),
            database=DatabaseSettings(postgresql=self.conninfo, signing_keys=self.keys.folder, pool=4),
            limits=NO_LIMITS,
        )
        self.sign()
        with closing(socket.socket()) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(("127.0.0.1", PORT))
            listening.listen()
            with _serving(services_of(settings, self.clock), listening):
                yield
        self.sign()

    def verifier_key(self, name: str) -> str:
        """Return the key that verifies a tenant's log now: its operator prints it."""
        from supportaccess.store.signing import key_of

        (tenant_id,) = (each for each, alias in NAMES.items() if alias == name)
        return f"{key_of(self.keys.signers()[-1], self.keys.origin(tenant_id))}\n"

    def take_back(self, lost: Callable[[], object]) -> None:
        """Sign something, and then go back to a backup from before it."""
        self.engine.close()
        self.cluster.run(f"CREATE DATABASE second OWNER {OWNER} TEMPLATE {self.database}")
        self._connect()
        lost()
        self.sign()
        self.engine.close()
        self.database = "second"
        self._connect()

    def close(self) -> None:
        """Keep the database as SQL that any PostgreSQL from 15 on executes."""
        self.engine.close()
        self.replace_tokens()
        done = subprocess.run(
            [programs() / "pg_dump", "--inserts", self.cluster.conninfo(self.database)],
            capture_output=True,
            text=True,
            check=True,
        )
        # What only psql knows, or only the newest PostgreSQL.
        lines = [
            line
            for line in done.stdout.splitlines(keepends=True)
            if not line.startswith(("\\restrict", "\\unrestrict", "SET transaction_timeout"))
        ]
        (self.folder / "store.sql.gz").write_bytes(gzip.compress("".join(lines).encode(), mtime=0))


def one_of_each(world: World) -> dict[str, AccessRequest]:
    """Bring requests of one tenant to every status."""
    records = {}
    store = world.store()
    for number, status in enumerate(STATUSES):
        world.clock.advance(HOUR)
        asked = asking(
            f"25100600500000{number:02}",
            engineer=f"Engineer {status}",
            reason=f"Anmeldung schlägt fehl: “{status}” \\ 署名 \N{WAVING HAND SIGN}",
            title=None if status == "pending" else f"Sign-in, {status}",
            requested_seconds=8 * 3600 if status in {"expired", "revoked"} else None,
            decide_by=world.clock() + HOUR if status == "lapsed" else None,
        )
        records[status] = bring(world, store, status, store.raise_request(asked, key=world.key()))
    return records


def bring(world: World, store: SqlStore, status: str, record: AccessRequest) -> AccessRequest:
    """Bring a pending request to a status: to those of the clock once it went on and a sweep has run."""
    if status in {"approved", "revoked", "completed", "expired"}:
        limit = Limit(seconds=3600) if status == "expired" else None
        record = store.approve(record.id, etag=record.etag, key=world.key(), limit=limit, reason="Ticket is ours.")
    match status:
        case "rejected":
            record = store.reject(record.id, etag=record.etag, key=world.key(), reason="No such ticket.")
        case "canceled":
            record = store.withdraw(record.id, etag=record.etag, key=world.key(), reason="Solved.")
        case "revoked":
            record = store.revoke(record.id, etag=record.etag, key=world.key(), reason="No longer needed.")
        case "completed":
            (record,) = store.close(str(record.support_request_id), key=world.key())
    return record


def pairs(world: World) -> dict[str, AccessRequest]:
    """Bring cross-tenant requests to every status; revoked ones in their resource tenant, with a limit and without."""
    records = {}
    store = world.store(HOME, RESOURCE)
    for number, status in enumerate((*STATUSES, "revoked-with-limit")):
        world.clock.advance(HOUR / 2)
        asked = asking(
            f"25100700500000{number:02}",
            engineer=f"Engineer {status}",
            resource_tenant_id=RESOURCE,
            requested_seconds=3600 if status in {"expired", "revoked-with-limit"} else None,
            decide_by=world.clock() + HOUR if status == "lapsed" else None,
        )
        record = store.raise_request(asked, key=world.key())
        if status.startswith("revoked"):
            bring(world, store, "approved", record)
            theirs = world.store(RESOURCE)
            record = theirs.get(record.id)
            record = theirs.revoke(record.id, etag=record.etag, key=world.key(), reason="Not any more.")
        else:
            record = bring(world, store, status, record)
        records[status] = record
    return records


def let_the_clock_end(world: World) -> None:
    """Let every deadline and limit pass, and write that down."""
    world.clock.advance(12 * HOUR)
    sweep(world.engine, world.clock)
    world.sign()


def attempts(world: World, record: AccessRequest) -> None:
    """Try what is refused: some of it is told by an entry each, the rest is counted."""
    with suppress(SupportAccessError):
        world.store().reject(record.id, etag=record.etag, key=world.key(), reason="Too late.")
    for number in range(23):
        nobody = world.store(HOME, permissions={Permission.READ_REQUESTS}, name="Nora Newcomer")
        with suppress(SupportAccessError):
            nobody.approve(record.id, etag=record.etag, key=world.key(), reason=f"Try {number}")


def imports(world: World) -> None:
    """Read a provider's record in two parts, the later events first: mirrors begin, change and become one."""
    example = json.loads((Path(supportaccess.__file__).parents[2] / "examples" / "entra-audit-log.json").read_bytes())
    events = json.loads(json.dumps(example["value"]).replace("2026-", "2025-"))
    events.sort(key=lambda event: event["activityDateTime"])
    export = world.home / "entra-audit-log.json"
    for some in (events[len(events) // 2 :], events):
        export.write_text(json.dumps({"value": some}))
        world.run("import", export.name, "--tenant", "contoso")
        world.clock.advance(HOUR)
    export.unlink()


def make(world: World) -> None:
    """Make a history, and keep what is given out on the way and what is printed at the end."""
    own = one_of_each(world)
    world.store(FOREIGN).raise_request(asking("elsewhere", requested_seconds=None), key=world.key())
    let_the_clock_end(world)
    with world.open():
        world.give_out("contoso", "1", ("approved", own["approved"]), ("rejected", own["rejected"]))

    rotate(world.engine, world.keys, OPERATOR, world.clock)
    both = pairs(world)
    let_the_clock_end(world)
    with world.open():
        world.give_out("contoso", "2", ("crossing", both["completed"]), ("revoked", own["revoked"]))
        world.give_out("fabrikam", "2", ("revoked", both["revoked"]))

    world.take_back(lambda: world.store().raise_request(asking("lost"), key=world.key()))
    world.clock.advance(HOUR)
    record_rollbacks(world.engine, world.keys, OPERATOR, world.clock, "The disk failed; backup of the day before.")
    attempts(world, own["completed"])
    readings = 160 if world.name == "embedded" else 3  # so that one log has more than one tile
    for _ in range(readings):
        world.clock.advance(HOUR)
        world.store(name="Otto Auditor").audit_page(query(), top=1)
    world.clock.advance(HOUR)
    with world.open():
        imports(world)
    world.clock.advance(HOUR)
    sweep(world.engine, world.clock)
    attempts(world, own["rejected"])
    world.store().raise_request(asking("late", requested_seconds=None), key="kept-key")
    world.sign()
    with world.open():
        print_all(world)
        for name in ("contoso", "fabrikam"):
            world.run("audit", "verify", "--tenant", name)
            world.give_out(name, "3")
        for export in ("contoso", "contoso.zip", "fabrikam.zip"):
            world.run("audit", "export", f"../given/{export}", "--tenant", export.removesuffix(".zip"))


def query() -> object:
    """Return the question for a whole log."""
    from supportaccess.store.protocol import AuditQuery

    return AuditQuery()


def print_all(world: World) -> None:
    """Keep what the program prints of the store and of the settings, for scripts."""
    world.print("tenants.json", "tenant", "list", "-o", "json")
    for name in ("contoso", "fabrikam"):
        tenant = ("--tenant", name)
        # Whoever reads the log has an entry of that, once an hour: it is to be there already.
        world.run("audit", "log", "--limit", "1", *tenant)
        world.sign()
        world.print(f"{name}-verify.json", "audit", "verify", "-o", "json", *tenant)
        oldest = ("audit", "log", "--oldest-first", "-o", "json", *tenant)
        world.print(f"{name}-log.json", *oldest, "--limit", "20")
        world.print(f"{name}-log-graph.json", *oldest, "--limit", "8", "--shape", "directoryAudit")
        world.print(f"{name}-log-import.json", "audit", "log", "--activity", "Import", "-o", "json", *tenant)
        world.print(f"{name}-list.json", "list", *EVERY_STATUS, "-o", "json", *tenant)
        world.print(f"{name}-attention.json", "list", "-o", "json", *tenant)
        listed = json.loads((world.folder / "printed" / f"{name}-list.json").read_text())
        for number, record in enumerate(listed[::8]):
            world.print(f"{name}-show-{number}.json", "show", record["id"], "-o", "json", *tenant)


def clean() -> None:
    """Remove what is made anew by itself."""
    for path in HERE.rglob("*"):
        if path.suffix == ".lock" or path.name in {".lock", "__pycache__"}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def main() -> None:
    """Make both stores."""
    repository = Path(supportaccess.__file__).parents[2]
    subprocess.run(
        ["git", "-C", repository, "diff", "--quiet", COMMIT, "--", "src", "examples", "tests/support"], check=True
    )
    be_repeatable("0.1")
    embedded = Embedded()
    make(embedded)
    embedded.close()
    import tempfile

    with new_cluster() as cluster, tempfile.TemporaryDirectory() as folder, issuers.running(Path(folder)) as issuer:
        shared = Shared(cluster, issuer)
        make(shared)
        shared.close()
    clean()


if __name__ == "__main__":
    main()
