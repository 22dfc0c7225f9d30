"""`serve --check`: what the server would do, in words, and everything that is wrong."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from textwrap import dedent

import pytest
from tests.contract.acts import raised
from tests.support.certificates import certificate_for_loopback
from tests.support.issuer import Issuer
from tests.support.people import HOME, caller
from tests.support.program import installed_program
from tests.support.servers import CLIENT_ID, SECONDS, environment, settings_file

from supportaccess.server.process import checks
from supportaccess.server.settings_file import read_settings
from supportaccess.store.sql.checkpoints import sign_all
from supportaccess.store.sql.sqlite.open import back_up, open_embedded
from supportaccess.store.sql.store import SqlStore
from supportaccess.tlog.keys import Keys


def check(folder: Path, settings: Path, more: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Run the check, and return its exit code and what it said."""
    done = subprocess.run(
        [installed_program(), "serve", "--config", str(settings), "--check"],
        capture_output=True,
        env=environment(folder, more),
        cwd=folder,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_everything_is_right(tmp_path: Path, issuer: Issuer) -> None:
    """A good set-up is told in words, ends with 0, and nothing was made."""
    settings = settings_file(
        tmp_path, identity=f'authority = "{issuer.authority}"\nca_file = "{issuer.ca_file}"', listen="workers = 1"
    )
    code, told, said = check(tmp_path, settings)

    assert (code, said) == (0, "Everything is right.\n")
    assert told == dedent(f"""\
        Listens      http://127.0.0.1:0, without TLS: for this machine alone
        Clients      call it by the address that they find it at
        Proxy        none: X-Forwarded-For and X-Forwarded-Proto are not believed
        Store        SQLite {tmp_path / "store.db"}
        Signs        the audit logs, with the key in {tmp_path / "keys"}
        Processes    one, with one thread that reads and one that writes
        Tenants      1: {HOME}
        Tokens       of {issuer.authority}, for {CLIENT_ID}, issued to any application
        Sign-in      as {CLIENT_ID} (its own, for want of identity.public_client_id), for api://{CLIENT_ID}/AccessRequests.Use
        Permissions  from the app roles of the registration (claim roles)
        Decisions    by people only
        Limits       a minute 1200 requests of an address, 600 of a caller, 60 refused tokens of an address
        Webhooks     none: nothing is posted anywhere
        Sweep        every 60 seconds, in one process at a time
        Stop         waits up to 30 seconds for what is under way
        """)
    assert not (tmp_path / "store.db").exists()


def test_the_words_for_a_larger_one(tmp_path: Path) -> None:
    """A certificate's days, a proxy, PostgreSQL without its password, many processes, applications that decide."""
    made = certificate_for_loopback(tmp_path)
    path = settings_file(
        tmp_path,
        identity=f'permissions_from = "directoryRoles"\napp_only_may_decide = ["{CLIENT_ID}"]',
        listen=f'certificate = "{made.certificate}"\nkey = "{made.key}"\nbehind_proxy = true\nworkers = 3\n'
        'public_url = "https://support.example/"\ntrusted_proxies = ["10.0.0.0/8"]',
    )
    database = {"SUPPORTACCESS_DATABASE": "postgresql://server:c4nary@db/supportaccess"}
    told = dict(checks.description(read_settings(path, database)))

    assert "TLS 1.2 or newer" in told["Listens"]
    assert told["Listens"].endswith("server.pem, which ends within a day")
    assert told["Clients"] == "call it https://support.example"
    assert told["Proxy"] == "X-Forwarded-For and X-Forwarded-Proto are believed from 10.0.0.0/8"
    assert told["Store"] == "PostgreSQL host=db dbname=supportaccess user=server"
    assert told["Processes"].endswith(
        " up to 8 connections to the database, one for verifications and one for signing: 30 in all"
    )
    assert "wids" in told["Permissions"]
    assert told["Decisions"] == f"by people, and by these applications alone: {CLIENT_ID}"


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ("", "by people whose sign-in met the authentication context c7 only"),
        (
            f'app_only_may_decide = ["{CLIENT_ID}"]',
            f"by people whose sign-in met the authentication context c7, and by these applications alone: {CLIENT_ID}",
        ),
    ],
)
def test_the_words_for_step_up(tmp_path: Path, others: str, words: str) -> None:
    """Whose decisions are taken is told with what they have to prove."""
    path = settings_file(tmp_path, identity=f'decision_auth_context = "c7"\n{others}')

    assert dict(checks.description(read_settings(path, {})))["Decisions"] == words


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path, issuer: Issuer) -> None:
    """A key that others may read, a damaged store and keys that cannot be had: all three, each with what mends it."""
    made = certificate_for_loopback(tmp_path)
    made.key.chmod(0o644)
    (tmp_path / "store.db").write_bytes(b"no database" * 1000)
    issuer.answers["/openid-configuration"] = lambda handler: handler.send_error(500)
    settings = settings_file(
        tmp_path,
        identity=f'authority = "{issuer.authority}"\nca_file = "{issuer.ca_file}"',
        listen='certificate = "server.pem"\nkey = "server.key"',
    )
    code, _, said = check(tmp_path, settings)

    assert code == 1
    assert "server.key is open to others (mode 0644)" in said
    assert f"{tmp_path / 'store.db'} is damaged" in said
    assert f"the keys of tenant {HOME} cannot be had" in said
    assert said.count("Try: ") == 3


def test_keys_alone_that_cannot_be_had(tmp_path: Path) -> None:
    """An authority that does not answer is exit code 8."""
    code, _, said = check(tmp_path, settings_file(tmp_path, identity='authority = "https://127.0.0.1:9"'))

    assert code == 8
    assert f"the keys of tenant {HOME} cannot be had" in said


def test_a_mistake_in_the_settings(tmp_path: Path) -> None:
    """It is exit code 2, with the place."""
    code, told, said = check(tmp_path, settings_file(tmp_path, listen="prot = 1"))

    assert (code, told) == (2, "")
    assert "there is no key listen.prot; did you mean port?" in said


def test_a_database_that_does_not_answer(tmp_path: Path, issuer: Issuer) -> None:
    """PostgreSQL that is not there is exit code 8, and its password is not told."""
    database = {"SUPPORTACCESS_DATABASE": "postgresql://server:c4nary@127.0.0.1:9/supportaccess"}
    identity = f'authority = "{issuer.authority}"\nca_file = "{issuer.ca_file}"'
    code, told, said = check(tmp_path, settings_file(tmp_path, identity=identity), database)

    assert code == 8
    assert "c4nary" not in told + said


@pytest.mark.parametrize(
    ("begins", "ends", "problem", "mend"),
    [
        (-400, -1, "server.pem ended on 2", "Renew it"),
        (1, 400, "server.pem holds only from 2", "clock of this machine"),
    ],
)
def test_a_certificate_out_of_its_term(
    tmp_path: Path, issuer: Issuer, begins: int, ends: int, problem: str, mend: str
) -> None:
    """A certificate of the past or of the future is a problem with its date, and exit code 1."""
    code, told, said = check_certificate(tmp_path, issuer, begins, ends)

    assert code == 1
    assert problem in said
    assert mend in said
    assert "Everything" not in said
    assert "which ends" not in told


@pytest.mark.parametrize(("days", "words"), [(1, "within a day"), (2, "in 1 day"), (14, "in 13 days")])
def test_a_certificate_that_ends_soon(tmp_path: Path, issuer: Issuer, days: int, words: str) -> None:
    """It is a warning: nothing is wrong yet, and not everything is right."""
    code, told, said = check_certificate(tmp_path, issuer, -1, days)

    assert code == 0
    assert f"which ends {words}" in told
    warning, closing = said.splitlines()
    assert warning.startswith(f"Warning: {tmp_path / 'server.pem'} ends on ")
    assert f", {words}. Renew it, " in warning
    assert closing == "Everything else is right."


def test_a_certificate_that_holds_for_long(tmp_path: Path, issuer: Issuer) -> None:
    """Two weeks and more are nothing to warn of."""
    code, told, said = check_certificate(tmp_path, issuer, -1, 16)

    assert (code, said) == (0, "Everything is right.\n")
    assert "which ends in 15 days" in told


def check_certificate(folder: Path, issuer: Issuer, begins: int, ends: int) -> tuple[int, str, str]:
    """Check a good set-up with a certificate of such a term, in days from now."""
    certificate_for_loopback(folder, begins=timedelta(days=begins), ends=timedelta(days=ends))
    identity = f'authority = "{issuer.authority}"\nca_file = "{issuer.ca_file}"'
    return check(
        folder, settings_file(folder, identity=identity, listen='certificate = "server.pem"\nkey = "server.key"')
    )


def test_an_existing_store_is_not_changed(tmp_path: Path, issuer: Issuer) -> None:
    """The check looks at a store, and leaves every byte of it."""
    open_embedded(tmp_path / "store.db").close()
    before = (tmp_path / "store.db").read_bytes()
    identity = f'authority = "{issuer.authority}"\nca_file = "{issuer.ca_file}"'
    code, _, said = check(tmp_path, settings_file(tmp_path, identity=identity))

    assert (code, said) == (0, "Everything is right.\n")
    assert (tmp_path / "store.db").read_bytes() == before


def test_an_older_copy_that_was_put_back(tmp_path: Path, issuer: Issuer) -> None:
    """The check finds what the server would refuse: logs that are shorter than what was signed of them."""
    path = tmp_path / "store.db"
    engine = open_embedded(path)
    raised(SqlStore(engine, caller(HOME)))
    back_up(engine, tmp_path / "older.db")
    raised(SqlStore(engine, caller(HOME)))
    sign_all(engine, Keys(tmp_path / "keys"))
    engine.close()
    (tmp_path / "older.db").replace(path)
    identity = f'authority = "{issuer.authority}"\nca_file = "{issuer.ca_file}"'
    code, _, said = check(tmp_path, settings_file(tmp_path, identity=identity))

    assert (code, "went back: it has 1 entries, and 2 were signed" in said) == (9, True), said


def test_settings_that_everybody_may_write(tmp_path: Path) -> None:
    """Whoever may write the settings is the operator, so that not everybody may."""
    settings = settings_file(tmp_path)
    settings.chmod(0o666)
    code, _, said = check(tmp_path, settings)

    assert code == 1
    assert f"{settings} can be written by everybody" in said


def test_a_missing_extra(tmp_path: Path) -> None:
    """Without the server's packages the command says what to install."""
    script = "import sys; sys.modules['uvicorn'] = None; from supportaccess.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "serve"],
        capture_output=True,
        env=environment(tmp_path),
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert done.returncode == 1
    assert "the server is not installed (uvicorn missing)" in done.stderr
    assert "pip install 'supportaccess[server]'" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["--check"]])
def test_without_settings(tmp_path: Path, arguments: list[str]) -> None:
    """Who gives no settings is shown a minimal file."""
    done = subprocess.run(
        [installed_program(), "serve", *arguments],
        capture_output=True,
        env=environment(tmp_path),
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert done.returncode == 2
    assert "name a file with --config or SUPPORTACCESS_SERVER_CONFIG" in done.stderr
    assert "[identity]\ntenants = [" in done.stderr
