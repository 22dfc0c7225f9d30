"""A server whose audit logs a program signs: what it says of that, and that nobody waits for it."""

import asyncio
import json
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.server.api.acts import new_key, new_ticket
from tests.support.issuer import Issuer
from tests.support.people import HOME
from tests.support.postgresql import MIGRATED, shared_cluster
from tests.support.program import installed_program
from tests.support.servers import SECONDS, RunningServer, environment, running_server, settings_file, until
from tests.support.signers import OpenSsl, SoftHsm, program, shell

from supportaccess.domain.permissions import Permission
from supportaccess.errors import InvalidInput
from supportaccess.server.database import Database
from supportaccess.server.jobs import Signing
from supportaccess.server.metrics import Metrics
from supportaccess.server.process import checks
from supportaccess.server.settings import DatabaseSettings
from supportaccess.server.settings_file import read_settings
from supportaccess.store.sql.engine import Engine
from supportaccess.store.sql.postgresql.schema import SERVER_ROLE
from supportaccess.tlog.keys import Keys
from supportaccess.tlog.signers import SignerFailed

COMMAND = "SUPPORTACCESS_SERVER_SIGNING_COMMAND"
ARGUMENT = "c4nary-argument"


class Done(NamedTuple):
    """What a command ended with, and what it said."""

    code: int
    out: str
    err: str


class Operator:
    """A folder with the settings of a server, a key that OpenSSL has, and a token of somebody who may do everything."""

    def __init__(self, folder: Path, issuer: Issuer) -> None:
        self.folder = folder
        self.openssl = OpenSsl(folder)
        self._working = self.openssl.program.read_text()
        self.settings = settings_file(
            folder, identity=f'authority = "{issuer.authority}"\nca_file = "{issuer.ca_file}"'
        )
        self.variables = {COMMAND: f"'{self.openssl.program}' --key {ARGUMENT}"}
        now = int(time.time())
        self._token = issuer.token(HOME, roles=sorted(Permission), iat=now, nbf=now, exp=now + 3600)

    @property
    def keys(self) -> Keys:
        return Keys(self.folder / "keys")

    def run(self, *arguments: str) -> Done:
        done = subprocess.run(
            [installed_program(), *arguments, "--config", str(self.settings)],
            capture_output=True,
            env=environment(self.folder, self.variables),
            cwd=self.folder,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def make_key(self) -> None:
        made = self.run("store", "key", "make", "--public-key", str(self.openssl.public))
        assert made.code == 0, made.err

    def break_program(self, does: str) -> None:
        shell(self.openssl.program, does)

    def mend_program(self) -> None:
        program(self.openssl.program, self._working)

    def ask(self, server: RunningServer, path: str) -> Any:
        return server.ask(path, token=self._token)

    def raise_one(self, server: RunningServer) -> None:
        body = {"supportRequestId": new_ticket(), "engineer": {"displayName": "Erin"}, "reason": "sign-ins fail"}
        answer = server.ask(
            "/v1/access-requests",
            method="POST",
            token=self._token,
            body=json.dumps(body).encode(),
            headers={"Idempotency-Key": new_key()},
        )
        assert answer.status == 201, answer.body

    def signed(self, server: RunningServer) -> int:
        """Return how many entries the signed head has that others are shown."""
        answer = self.ask(server, "/v1/audit-events/checkpoint")
        assert answer.status == 200, answer.body
        return int(answer.json["checkpoint"].split("\n")[1])


@pytest.fixture
def operator(tmp_path: Path, issuer: Issuer) -> Operator:
    """Return a server's settings, with a program that signs."""
    return Operator(tmp_path, issuer)


def test_decisions_go_on_while_nobody_signs(operator: Operator) -> None:
    """Entries are written, others are shown what was signed last, all of it is told, and signed once it can be."""
    operator.make_key()
    with running_server(operator.folder, operator.settings, operator.variables) as server:
        operator.raise_one(server)
        assert operator.signed(server) == 1
        assert server.ask("/readyz").json == {"status": "ok", "signing": "ok"}

        operator.break_program("echo c4nary-said >&2; exit 7")
        operator.raise_one(server)
        failed = server.wait_for("notSigned")
        operator.raise_one(server)
        assert operator.signed(server) == 1
        receipt = operator.ask(server, "/v1/audit-events/1/receipt")
        assert (receipt.status, "not signed yet" in receipt.json["error"]["message"]) == (404, True)
        assert operator.ask(server, "/v1/audit-events/0/receipt").status == 200
        ready = server.ask("/readyz")
        assert (ready.status, ready.json) == (200, {"status": "ok", "signing": "failing"})
        metrics = server.ask("/metrics").body.decode()
        assert "supportaccess_signing_fails 1.0" in metrics
        assert 'supportaccess_signings_total{outcome="StoreUnavailable"}' in metrics

        operator.mend_program()
        server.wait_for("signedAgain")
        assert operator.signed(server) == 3
        assert server.ask("/readyz").json["signing"] == "ok"
        assert "supportaccess_signing_fails 0.0" in server.ask("/metrics").body.decode()

    assert failed["message"] == f"{operator.openssl.program} ended with 7 and signed nothing"
    assert "c4nary" not in "".join(server.raw)


def test_a_program_that_hangs_is_a_failure_too(operator: Operator) -> None:
    """It is ended, what others ask is answered meanwhile, and the server stops as it should."""
    operator.make_key()
    operator.break_program("sleep 600")
    with running_server(operator.folder, operator.settings, operator.variables) as server:
        operator.raise_one(server)
        operator.raise_one(server)
        assert "did not sign within 10 seconds" in server.wait_for("notSigned")["message"]
        answer = operator.ask(server, "/v1/audit-events/checkpoint")
        assert (answer.status, answer.json["size"], "checkpoint" in answer.json) == (200, 2, False)
        assert server.stop() == 0


def test_from_a_key_file_to_a_program_and_back(operator: Operator) -> None:
    """Rotations by the command line, under a server that goes on: the log is signed all along."""
    with running_server(operator.folder, operator.settings) as server:
        operator.raise_one(server)
        assert operator.signed(server) == 1
    first = operator.run("store", "key", "show", "-t", HOME).out

    with running_server(operator.folder, operator.settings, operator.variables) as server:
        to_program = operator.run("store", "key", "rotate", "--yes", "--public-key", str(operator.openssl.public))
        assert (to_program.code, operator.keys.is_kept_elsewhere) == (0, True), to_program.err
        operator.raise_one(server)
        assert operator.signed(server) == 3
        assert operator.ask(server, "/v1/audit-events/checkpoint").json["key"] == to_program.out.strip()
        to_file = operator.run("store", "key", "rotate", "--yes")
        assert (to_file.code, operator.keys.is_kept_elsewhere) == (0, False), to_file.err
        operator.raise_one(server)
        assert operator.signed(server) == 5

    assert len({first, to_program.out, to_file.out}) == 3


def test_a_key_in_an_hsm(operator: Operator, tmp_path: Path) -> None:
    """The documented program signs with a key that never leaves an HSM, asked by PKCS #11."""
    with running_server(operator.folder, operator.settings) as server:
        operator.raise_one(server)
        assert operator.signed(server) == 1
    hsm = SoftHsm(tmp_path)
    operator.variables = {COMMAND: str(hsm.program), **hsm.variables}
    with running_server(operator.folder, operator.settings, operator.variables) as server:
        rotated = operator.run("store", "key", "rotate", "--yes", "--public-key", str(hsm.public))
        assert (rotated.code, operator.keys.is_kept_elsewhere) == (0, True), rotated.err
        operator.raise_one(server)
        assert operator.signed(server) == 3
    checked = operator.run("serve", "--check")

    assert (checked.code, f"by {hsm.program}" in checked.out) == (0, True), checked.err


def test_several_processes_sign_with_one_program(operator: Operator) -> None:
    """Worker processes on PostgreSQL sign by turns, and what any of them wrote is signed."""
    operator.make_key()
    cluster = shared_cluster()
    with cluster.new_database(MIGRATED) as name:
        more = {
            "SUPPORTACCESS_DATABASE": cluster.conninfo(name, SERVER_ROLE),
            "SUPPORTACCESS_SERVER_WORKERS": "2",
        }
        with running_server(operator.folder, operator.settings, {**operator.variables, **more}) as server:
            for _ in range(6):
                operator.raise_one(server)
            until(lambda: operator.signed(server) == 6)
    last = operator.keys.last(HOME)
    assert last is not None
    assert last.size == 6


def test_who_asks_first_gets_what_was_signed_last(tmp_path: Path) -> None:
    """A failure that only a request meets is not its failure; further ones do not try, and signing is tried again."""
    database = Database(DatabaseSettings(sqlite=tmp_path / "store.db"))
    tried: list[Keys | None] = []

    def act(_: Engine, keys: Keys | None) -> str:
        tried.append(keys)
        if keys is not None:
            raise SignerFailed("nobody is there")
        return "what was signed last"

    async def main() -> None:
        signing = Signing(database, Keys(tmp_path / "keys"), Metrics())
        answers = [await signing.prove(act) for _ in range(2)]
        assert answers == ["what was signed last"] * 2
        assert tried == [signing.keys, None, None]
        assert signing.fails
        assert database.written.is_set()

    asyncio.run(main())
    database.close()


class TestCheck:
    def test_who_signs_is_said_and_tried(self, operator: Operator) -> None:
        """The program is named without its arguments, and one that does not sign is told with what it said: exit 8."""
        operator.make_key()
        right = operator.run("serve", "--check")
        assert right.code == 0, right.err
        assert (
            f"Signs        the audit logs, by {operator.openssl.program}, "
            f"with the key whose public half is in {operator.folder / 'keys'}\n"
        ) in right.out
        assert ARGUMENT not in right.out

        operator.break_program("echo 'the session has ended' >&2; exit 7")
        wrong = operator.run("serve", "--check")
        assert wrong.code == 8
        assert "ended with 7 and signed nothing: the session has ended" in wrong.err

    def test_a_key_file_that_still_signs(self, operator: Operator) -> None:
        """Before the rotation to it a program signs nothing, and that is said."""
        operator.keys.make()
        right = operator.run("serve", "--check")
        assert right.code == 0, right.err
        words = f"{operator.openssl.program} signs from the next store key rotate --public-key on"
        assert f"with the key in {operator.folder / 'keys'}; {words}" in right.out

    def test_a_program_without_a_key(self, operator: Operator) -> None:
        """A server does not make a key file in place of the key that a program is to sign with."""
        for arguments in (["serve", "--check"], ["serve"]):
            refused = operator.run(*arguments)
            assert (refused.code, "store key make --public-key" in refused.err) == (1, True), refused.err
        assert not operator.keys.exists

    def test_a_program_that_is_none(self, operator: Operator) -> None:
        """A path at which nothing can be run is told at the start."""
        operator.make_key()
        operator.openssl.program.chmod(0o600)
        refused = operator.run("serve")
        assert (refused.code, "is not a program that this account can run" in refused.err) == (1, True), refused.err

    def test_keys_that_cannot_be_made(self, operator: Operator) -> None:
        """What is no public key, a key that the program has not, and one where there is one already are refused."""
        other = OpenSsl(operator.folder, "other")
        make = ("store", "key", "make", "--public-key")
        assert operator.run(*make, str(operator.folder / "elsewhere.pem")).code == 2
        assert operator.run(*make, str(operator.folder / "missing")).code == 2
        not_by_it = operator.run(*make, str(other.public))
        assert (not_by_it.code, "is not by the key" in not_by_it.err) == (8, True)
        operator.make_key()
        assert operator.run(*make, str(operator.openssl.public)).code == 2


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ('["sign"]', "must be the whole path of a program"),
        ('[""]', "must be the whole path of a program"),
        ('["/bin/sign", "\\u0000"]', "zero byte"),
        ('"/bin/sign"', "a list"),
    ],
)
def test_commands_that_cannot_be_taken(tmp_path: Path, value: str, told: str) -> None:
    """A command is a list that begins with the whole path of a program."""
    path = settings_file(tmp_path)
    path.write_text(path.read_text().replace('"store.db"', f'"store.db"\nsigning_command = {value}'))
    with pytest.raises(InvalidInput, match=told) as refused:
        read_settings(path, {})
    assert "database.signing_command" in refused.value.message


def test_a_command_in_a_variable(tmp_path: Path) -> None:
    """A variable has the command as it is written in a shell; quotes that do not go in pairs are told."""
    path = settings_file(tmp_path)
    settings = read_settings(path, {COMMAND: "/bin/sign --key 'a b'"})

    assert settings.database.signing_command == ("/bin/sign", "--key", "a b")
    assert "by /bin/sign, with the key whose public half" in dict(checks.description(settings))["Signs"]
    with pytest.raises(InvalidInput, match=COMMAND):
        read_settings(path, {COMMAND: "/bin/sign 'a"})
