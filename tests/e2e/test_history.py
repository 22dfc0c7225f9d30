"""Commands that go on for long, while the store's log becomes another one behind their back."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.cli.terminal import PATIENCE
from tests.cli.watching.watcher import BEGUN, watching
from tests.e2e.history import copied, keys, rewrite
from tests.e2e.shared_store import ADMINISTRATOR, AUDITOR, PROVIDER, OnSqlite, Person, SharedStore
from tests.support.identity_provider import IdentityProvider
from tests.support.people import HOME, RESOURCE
from tests.support.program import installed_program
from tests.support.servers import until

from supportaccess.tlog.notes import read_checkpoint
from supportaccess.tlog.remembered import Memory

EVERYBODY = (*ADMINISTRATOR, *AUDITOR)


@pytest.fixture
def store(identity_provider: IdentityProvider, tmp_path: Path) -> SharedStore:
    """Return a store whose server is not running yet."""
    return SharedStore(tmp_path, OnSqlite(tmp_path), identity_provider)


def went_back(store: SharedStore, restore: Callable[[], None]) -> None:
    """Put the older copy back, and let it go on in another way for longer than the log was."""
    restore()
    shutil.rmtree(keys(store) / "heads")
    with store.running():
        store.raised("forged-1", "forged-2", "forged-3", "forged-4")
        store.raised("other-tenant", tenant=RESOURCE)


def was_rewritten(store: SharedStore, restore: Callable[[], None]) -> None:  # noqa: ARG001 - as the other one
    """Change what the entries say, hash them all again, and go on."""
    rewrite(store)
    shutil.rmtree(keys(store) / "heads")
    with store.running():
        store.raised("forged-1")
        store.raised("other-tenant", tenant=RESOURCE)


def is_shorter(store: SharedStore, restore: Callable[[], None]) -> None:
    """Put the older copy back as it was."""
    restore()
    shutil.rmtree(keys(store) / "heads")


@contextmanager
def following(person: Person) -> "Iterator[subprocess.Popen[str]]":
    """Run `audit log --follow` in a pipe; leave nothing running."""
    process = subprocess.Popen(
        [installed_program(), "audit", "log", "--follow", "-o", "jsonl"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=person.environment,
        text=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.communicate()


def has_seen(person: Person, size: int) -> Callable[[], bool]:
    """Return whether the command line remembers a head of that many entries, which is signed a moment after them."""

    def seen() -> bool:
        memory = Memory(person.folder / "data" / "logs")
        heads = [each.checkpoint for each in memory.all() if each.tenant_id == HOME]
        return any(head is not None and read_checkpoint(head.encode())[1].size >= size for head in heads)

    return seen


def evidence(person: Person) -> Path:
    """Return the one file of evidence."""
    (found,) = (person.folder / "data" / "logs").glob("*.evidence")
    told = json.loads(found.read_text())
    assert told["tenantId"] == HOME
    assert told["remembered"]["checkpoint"] != told["shown"].get("checkpoint")
    return found


@pytest.mark.parametrize(
    ("change", "tenants"),
    [
        (went_back, ["-t", "contoso"]),
        (went_back, ["--all-tenants"]),
        (was_rewritten, ["--all-tenants"]),
        (is_shorter, ["--all-tenants"]),
    ],
)
def test_a_watch_ends_when_the_log_is_another_one(
    store: SharedStore, change: Callable[[SharedStore, Callable[[], None]], None], tenants: list[str]
) -> None:
    """It ends with 9 and names the evidence; nothing of that tenant is printed or executed, nor of any after it."""
    with store.running() as server:
        port = server.address[1]
        store.raised("1")
        _, restore = copied(store)
        person = store.person("Ada", EVERYBODY)
        context = watching(person, *tenants, "--exec", f"tee -a '{store.folder}/executed'")
        watcher = context.__enter__()
        watcher.wait_for(BEGUN)
        store.raised("2")
        assert watcher.event()["supportRequestId"] == "2"
        until(has_seen(person, 2))
    try:
        change(store, restore)
        with store.running(port=port):
            code, events, said = watcher.finish()
    finally:
        context.__exit__(None, None, None)

    assert code == 9, said
    assert str(evidence(person)) in said
    assert said.count("Error:") == 1
    # The other tenant's log holds, and may have been asked first.
    assert {event["tenantId"] for event in events} <= {RESOURCE}
    assert len((store.folder / "executed").read_text().splitlines()) == 1 + len(events)


@pytest.mark.parametrize("change", [went_back, was_rewritten])
def test_following_ends_when_the_log_is_another_one(
    store: SharedStore, change: Callable[[SharedStore, Callable[[], None]], None]
) -> None:
    """It ends with 9 and names the evidence, and prints no entry of the other log."""
    with store.running() as server:
        port = server.address[1]
        store.raised("1")
        _, restore = copied(store)
        person = store.person("Ada", EVERYBODY)
        context = following(person)
        process = context.__enter__()
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["sequence"] == 0
        assert json.loads(process.stdout.readline())["activity"] == "Audit log read"
        store.raised("2")
        assert json.loads(process.stdout.readline())["sequence"] == 2
        until(has_seen(person, 3))
    try:
        change(store, restore)
        with store.running(port=port):
            printed, said = process.communicate(timeout=PATIENCE)
    finally:
        context.__exit__(None, None, None)

    assert (process.returncode, printed) == (9, ""), said
    assert str(evidence(person)) in said
    assert said.count("Error:") == 1


@pytest.mark.parametrize("command", [["log", "--checkpoint"], ["export", "out"], ["receipt", "--entry", "0"]])
def test_proofs_of_another_log_are_not_taken(store: SharedStore, command: list[str]) -> None:
    """What is kept to prove something later is not taken from a log that is not the one seen before."""
    with store.running() as server:
        port = server.address[1]
        store.raised("1")
        _, restore = copied(store)
        store.raised("2")
        person = store.person("Ada", EVERYBODY)
        assert person.run("audit", "log", "--checkpoint").code == 0
    went_back(store, restore)

    with store.running(port=port):
        result = person.run("audit", *command)

    assert (result.code, result.out) == (9, ""), result.err
    assert str(evidence(person)) in result.err
    assert not (person.folder / "out").exists()


def test_several_ids_after_a_contradiction(store: SharedStore) -> None:
    """Nothing is decided in a log that is another one, however many IDs are left to try."""
    with store.running() as server:
        port = server.address[1]
        store.raised("1")
        _, restore = copied(store)
        store.raised("2")
        person = store.person("Ada", EVERYBODY)
        assert person.run("audit", "log", "--checkpoint").code == 0
    went_back(store, restore)

    with store.running(port=port):
        result = person.run("approve", "1", "forged-1", "forged-2", "--reason", "all", "--yes")
        store.person("Eve", EVERYBODY)
        token = store.token("Eve", PROVIDER)
        statuses = {each["status"] for each in store.server.ask("/v1/access-requests", token=token).json["value"]}

    assert (result.code, result.out) == (9, ""), result.err
    assert statuses == {"pending"}
