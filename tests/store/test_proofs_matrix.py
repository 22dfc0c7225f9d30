"""The ways in which logs are tampered with, on each database: what each is called, in the store and in an export of it.

A second verifier that shares no code with the program has to come to the same verdicts.
"""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from msgspec.structs import replace
from tests import independent_verifier
from tests.contract.acts import approved, raised, revoke
from tests.support.people import FOREIGN, HOME, asking, caller
from tests.support.postgresql import STORE, _shared_engine, empty_the_shared_store, programs, shared_cluster
from tests.support.requirements import require
from tests.support.worlds import SqlWorld, StoreWorld

from supportaccess.errors import StoreRefused
from supportaccess.store.sql.checkpoints import sign_all, sign_log
from supportaccess.store.sql.key_rotation import rotate
from supportaccess.store.sql.proofs import SqlProofs
from supportaccess.store.sql.verify import verify_signed
from supportaccess.store.verification import read_entry
from supportaccess.tlog.archive import export_archive, open_archive
from supportaccess.tlog.files import Folder, Live, export
from supportaccess.tlog.keys import Keys
from supportaccess.tlog.merkle import Frontier, leaf_hash
from supportaccess.tlog.notes import VerifierKey
from supportaccess.tlog.signers import SeedSigner, key_of, sign
from supportaccess.tlog.tiles import encode_bundle, split_bundle
from supportaccess.tlog.verify import Finding, LogVerification, verify_log, verify_receipt

SIZE = 12
EARLIER = 6
OF = "WHERE tenant_id = ? AND sequence = ?"


def packed(folder: Path) -> Path:
    """Return a zip file of a folder as it is now."""
    return Path(shutil.make_archive(str(folder.with_name("packed")), "zip", folder))


class Place(NamedTuple):
    """A signed store, and a way into its database behind its back. `earlier` is a checkpoint that somebody kept."""

    world: SqlWorld
    keys: Keys
    run: Callable[..., list[Any]]
    earlier: bytes

    @property
    def vkey(self) -> VerifierKey:
        return key_of(self.keys.signers()[-1], self.keys.origin(HOME))

    def live(self) -> list[Finding]:
        """Return what verifying the store itself finds in its log."""
        checked = verify_signed(self.world.engine, self.keys, caller(HOME), anchors=[self.earlier])
        return [*self.world.store().verify().findings, *checked.findings]

    def exported(self, folder: Path) -> Path:
        """Write the log out as it is now, with the checkpoint that the database has: as a folder and as a zip file."""
        proofs = SqlProofs(self.world.engine, caller(HOME), None)
        head = proofs.head()
        log = Live(proofs, head)
        archive = folder.with_name(f"{folder.name}.zip")
        assert export_archive(log, head.size, archive) == export(log, head.size, folder)
        assert independent_verifier.files_of(folder) == independent_verifier.files_of(archive)
        return folder

    def verified(self, folder: Path, *anchors: bytes, key: VerifierKey | None = None) -> LogVerification:
        """Verify an export with both verifiers, as a folder and in one file: all of them have to agree."""
        key = key or self.vkey
        ours = verify_log(Folder(folder), read_entry, [key], anchors)
        archive = packed(folder)
        with open_archive(archive) as files:
            assert verify_log(files, read_entry, [key], anchors) == ours
        theirs = independent_verifier.verify(folder, str(key), anchors)
        assert independent_verifier.verify(archive, str(key), anchors) == theirs
        assert {each.verdict.value for each in ours.findings} == {verdict for verdict, _ in theirs}
        if theirs and theirs[0][1] is not None:
            assert (ours.findings[0].verdict.value, ours.findings[0].sequence) == theirs[0]
        return ours


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Return a store of twelve signed entries in the home tenant's log, and of others in another's."""
    with ExitStack() as stack:
        if request.param == "SQLite":
            world: SqlWorld = StoreWorld(tmp_path / "store.db", durable=False)
            stack.callback(world.close)
            run = _into_sqlite(tmp_path / "store.db", stack)
        else:
            require(programs(), "PostgreSQL's programs (apt-get install postgresql)")
            empty_the_shared_store()
            world = SqlWorld(_shared_engine())
            run = _into_postgresql(stack)
        keys = Keys(tmp_path / "keys")
        store = world.store()
        for number in range(4):
            revoke(store, approved(store, asking(str(number))).id)
            if number == 1:
                earlier = sign_log(world.engine, keys, HOME)
        raised(world.store(FOREIGN))
        sign_all(world.engine, keys)
        assert earlier is not None
        yield Place(world, keys, run, earlier)


def _into_sqlite(path: Path, stack: ExitStack) -> Callable[..., list[Any]]:
    connection = sqlite3.connect(path, isolation_level=None)
    stack.callback(connection.close)
    for trigger in ("audit_events_are_not_changed", "audit_events_are_not_deleted"):
        connection.execute(f"DROP TRIGGER {trigger}")
    return lambda statement, *values: connection.execute(statement, values).fetchall()


def _into_postgresql(stack: ExitStack) -> Callable[..., list[Any]]:
    conninfo = shared_cluster().conninfo(STORE, options="-c session_replication_role=replica")
    connection = stack.enter_context(psycopg.connect(conninfo, autocommit=True))

    def run(statement: str, *values: object) -> list[Any]:
        cursor = connection.execute(statement.replace("?", "%s").encode(), values)
        return cursor.fetchall() if cursor.description else []

    return run


def entry(place: Place, sequence: int) -> bytes:
    return bytes(place.run(f"SELECT entry FROM audit_events {OF}", HOME, sequence)[0][0])


def forged(place: Place, sequence: int) -> bytes:
    data = entry(place, sequence)
    return data.replace(b"Ada", b"Eve")


def flip(place: Place) -> None:
    data = bytearray(entry(place, 4))
    data[data.index(b"Ada")] ^= 1
    place.run(f"UPDATE audit_events SET entry = ? {OF}", bytes(data), HOME, 4)


def edit_payload(place: Place) -> None:
    place.run(f"UPDATE audit_events SET entry = ? {OF}", forged(place, 4), HOME, 4)


def edit_payload_and_hash(place: Place) -> None:
    data = forged(place, 4)
    place.run(f"UPDATE audit_events SET entry = ?, leaf_hash = ? {OF}", data, leaf_hash(data), HOME, 4)


def delete(place: Place) -> None:
    place.run(f"DELETE FROM audit_events {OF}", HOME, 4)


def swap(place: Place) -> None:
    for before, after in ((4, 1004), (5, 4), (1004, 5)):
        place.run(f"UPDATE audit_events SET sequence = ? {OF}", after, HOME, before)


def insert(place: Place) -> None:
    """Put an entry in the middle, and move all later ones up by one, head included."""
    for sequence in reversed(range(4, SIZE)):
        place.run(f"UPDATE audit_events SET sequence = ? {OF}", sequence + 1, HOME, sequence)
    columns = "at, activity, access_request_id, actor_folded, entry, leaf_hash"
    place.run(
        f"INSERT INTO audit_events (tenant_id, sequence, {columns})"
        f" SELECT tenant_id, 4, {columns} FROM audit_events {OF}",
        HOME,
        2,
    )
    rebuild(place)


def cut_rows(place: Place) -> None:
    place.run("DELETE FROM audit_events WHERE tenant_id = ? AND sequence >= ?", HOME, EARLIER + 2)


def cut_tail(place: Place) -> None:
    """Take the tail away, and everything in the database that tells of it."""
    cut_rows(place)
    rebuild(place)
    place.run("DELETE FROM audit_checkpoints WHERE tenant_id = ?", HOME)


def restore(place: Place) -> None:
    """Put the log back to where it was when the earlier checkpoint was signed, that checkpoint with it."""
    place.run("DELETE FROM audit_events WHERE tenant_id = ? AND sequence >= ?", HOME, EARLIER)
    rebuild(place)
    replay(place)


def empty(place: Place) -> None:
    place.run("DELETE FROM audit_events WHERE tenant_id = ?", HOME)
    place.run("DELETE FROM audit_log_heads WHERE tenant_id = ?", HOME)


def fork(place: Place) -> None:
    """Write another history, from the earlier checkpoint's middle on, with every hash as it should be."""
    for sequence in range(4, SIZE):
        data = forged(place, sequence)
        place.run(f"UPDATE audit_events SET entry = ?, leaf_hash = ? {OF}", data, leaf_hash(data), HOME, sequence)
    rebuild(place)


def replay(place: Place) -> None:
    place.run("UPDATE audit_checkpoints SET size = ?, note = ? WHERE tenant_id = ?", EARLIER, place.earlier, HOME)


def legacy(place: Place) -> None:
    """Write a row of an older kind, which no chain vouches for, in the middle."""
    data = b'{"event":"approved","user":"ada"}'
    place.run(f"UPDATE audit_events SET entry = ?, leaf_hash = ? {OF}", data, leaf_hash(data), HOME, 4)


def append(place: Place) -> None:
    """Write an entry at the end with every hash and the head as they should be."""
    data = entry(place, SIZE - 1).replace(b'"sequence":11', b'"sequence":12')
    columns = "at, activity, access_request_id, actor_folded"
    place.run(
        f"INSERT INTO audit_events (tenant_id, sequence, entry, leaf_hash, {columns})"
        f" SELECT tenant_id, ?, ?, ?, {columns} FROM audit_events {OF}",
        SIZE,
        data,
        leaf_hash(data),
        HOME,
        SIZE - 1,
    )
    rebuild(place)


def rebuild(place: Place) -> None:
    """Write the head that fits the entries, as whoever knows the program could."""
    frontier = Frontier()
    for (leaf,) in place.run("SELECT leaf_hash FROM audit_events WHERE tenant_id = ? ORDER BY sequence", HOME):
        frontier.append(bytes(leaf))
    place.run(
        "UPDATE audit_log_heads SET size = ?, root = ?, frontier = ? WHERE tenant_id = ?",
        frontier.size,
        frontier.root(),
        frontier.to_bytes(),
        HOME,
    )


class Case(NamedTuple):
    """How it is done; the verdicts of the store and of an export; the first bad entry, where it can be told."""

    tamper: Callable[[Place], None]
    live: set[str]
    exported: set[str]
    first: int | None


CASES = {
    "nothing": Case(lambda _: None, set(), set(), None),
    "flip": Case(flip, {"altered"}, {"altered"}, 4),
    "payload edited with the head intact": Case(edit_payload, {"altered"}, {"altered"}, 4),
    "payload and its hash edited": Case(edit_payload_and_hash, {"altered"}, {"altered"}, 0),
    "delete": Case(delete, {"missing"}, {"missing"}, 4),
    "swap": Case(swap, {"altered"}, {"altered"}, 4),
    "insert": Case(insert, {"altered", "forked", "unsigned"}, {"altered"}, 4),
    "rows of the tail cut off": Case(cut_rows, {"missing", "altered", "extra"}, {"missing"}, 8),
    "tail truncated": Case(cut_tail, {"truncated", "missing", "altered", "extra"}, {"missing"}, None),
    "restored to an earlier checkpoint": Case(restore, {"truncated", "extra"}, {"truncated"}, 6),
    "emptied": Case(empty, {"truncated", "missing", "extra"}, {"missing"}, 0),
    "old checkpoint replayed": Case(replay, set(), {"truncated"}, 6),
    "fork": Case(fork, {"altered", "forked"}, {"altered"}, 0),
    "legacy rows in the middle": Case(legacy, {"altered"}, {"altered"}, 4),
}


@pytest.mark.parametrize("name", CASES)
def test_each_way_of_tampering_has_its_verdict(place: Place, name: str, tmp_path: Path) -> None:
    """What is done behind the store's back is named, in the store and in an export of it, by both verifiers."""
    case = CASES[name]
    last = place.keys.head(HOME)
    assert last is not None
    case.tamper(place)

    outcome = place.verified(place.exported(tmp_path / "export"), place.earlier, last[0])
    live = {each.verdict.value for each in place.live()}

    assert (case.exported, case.live) == ({each.verdict.value for each in outcome.findings}, live)
    if outcome.findings:
        assert case.first == outcome.findings[0].sequence


def change(path: Path, before: bytes, after: bytes) -> None:
    data = path.read_bytes()
    assert before in data
    path.write_bytes(data.replace(before, after))


class TestExports:
    """What is done to the files of an export."""

    @pytest.fixture
    def export(self, place: Place, tmp_path: Path) -> Path:
        """Return the export of a log that holds, and of which the last checkpoint was kept as well."""
        folder = place.exported(tmp_path / "export")
        assert place.verified(folder, place.earlier, (folder / "checkpoint").read_bytes()).findings == []
        return folder

    def test_an_old_checkpoint(self, place: Place, export: Path) -> None:
        """With an older checkpoint put back, the entries after it are unsigned, from the first of them on."""
        kept = (export / "checkpoint").read_bytes()
        (export / "checkpoint").write_bytes(place.earlier)
        (export / f"tile/0/000.p/{EARLIER}").write_bytes((export / f"tile/0/000.p/{SIZE}").read_bytes()[: EARLIER * 32])
        bundle = (export / f"tile/entries/000.p/{SIZE}").read_bytes()
        for _ in range(EARLIER):
            bundle = bundle[2 + int.from_bytes(bundle[:2]) :]
        whole = (export / f"tile/entries/000.p/{SIZE}").read_bytes()
        (export / f"tile/entries/000.p/{EARLIER}").write_bytes(whole[: len(whole) - len(bundle)])

        (finding,) = place.verified(export, kept).findings

        assert (finding.verdict, finding.sequence) == ("unsigned", EARLIER)
        assert "older than one that was kept" in finding.message

    def test_another_key(self, place: Place, export: Path) -> None:
        """Held against another key of the same name, the checkpoint's key is unknown."""
        other = key_of(SeedSigner(bytes(32)), place.vkey.name)
        assert [each.verdict for each in place.verified(export, key=other).findings] == ["unknownKey"]

    def test_a_forged_signature(self, place: Place, export: Path) -> None:
        """A checkpoint with another root under the old signature is altered."""
        note = (export / "checkpoint").read_bytes().split(b"\n")
        (export / "checkpoint").write_bytes(b"\n".join([note[0], note[1], place.earlier.split(b"\n")[2], *note[3:]]))
        assert {each.verdict for each in place.verified(export).findings} == {"altered"}

    def test_another_tenants_checkpoint(self, place: Place, export: Path) -> None:
        """The checkpoint of another tenant's log is not this log's, though the same store signed it."""
        other = place.keys.head(FOREIGN)
        assert other is not None
        (export / "checkpoint").write_bytes(other[0])
        findings = verify_log(Folder(export), read_entry, [place.vkey], [place.earlier]).findings
        assert {"unknownKey", "forked"} <= {each.verdict for each in findings}

    def test_another_tenants_receipt(self, place: Place) -> None:
        """A receipt from another tenant's log is not by this log's key."""
        receipt = SqlProofs(place.world.engine, caller(FOREIGN), place.keys).receipt(0)
        assert (
            verify_receipt(receipt, read_entry, [key_of(place.keys.signers()[0], place.keys.origin(FOREIGN))]).findings
            == []
        )
        assert [each.verdict for each in verify_receipt(receipt, read_entry, [place.vkey]).findings] == ["unknownKey"]

    def test_a_receipt_that_was_edited(self, place: Place) -> None:
        """A receipt with another place or size does not hold."""
        proofs = SqlProofs(place.world.engine, caller(HOME), place.keys)
        data = proofs.receipt(1)
        checkpoint = place.keys.head(HOME)
        assert checkpoint is not None
        assert verify_receipt(data, read_entry, [place.vkey], [checkpoint[0]]).findings == []
        for before, after in ((b"index 1", b"index 2"), (b"\n12\n", b"\n64\n")):
            assert [
                each.verdict for each in verify_receipt(data.replace(before, after), read_entry, [place.vkey]).findings
            ] == ["altered"]

    def test_a_fork_that_the_log_itself_signed(self, place: Place, export: Path, tmp_path: Path) -> None:
        """Two histories, both signed by the log's key, are told apart by a checkpoint of the one."""
        kept = (export / "checkpoint").read_bytes()
        other = Keys(tmp_path / "other")
        other.folder.mkdir(mode=0o700)
        (other.folder / "signing.key").write_bytes((place.keys.folder / "signing.key").read_bytes())
        (other.folder / "signing.key").chmod(0o600)
        fork(place)
        place.run("DELETE FROM audit_checkpoints WHERE tenant_id = ?", HOME)
        sign_log(place.world.engine, other, HOME)

        forked = place.exported(tmp_path / "forked")

        assert place.verified(forked).findings == []
        assert {each.verdict for each in place.verified(forked, kept).findings} == {"forked"}
        assert {each.verdict for each in place.verified(forked, place.earlier).findings} == {"forked"}

    def test_a_log_that_ends_before_what_was_kept(self, place: Place, export: Path, tmp_path: Path) -> None:
        """An honest earlier state of a log is truncated against a later checkpoint."""
        kept = (export / "checkpoint").read_bytes()
        restore(place)
        earlier = place.exported(tmp_path / "earlier")

        assert place.verified(earlier, place.earlier).findings == []
        (finding,) = place.verified(earlier, kept).findings
        assert (finding.verdict, finding.sequence) == ("truncated", EARLIER)

    def test_across_a_change_of_key(self, place: Place, tmp_path: Path) -> None:
        """Who knows the old key or the new one can verify; the old one alone signs nothing any more."""
        old = place.vkey
        rotate(place.world.engine, place.keys, caller(HOME).actor, place.world.clock)
        both = place.exported(tmp_path / "both")
        raised(place.world.store(), asking("after"))
        sign_all(place.world.engine, place.keys)
        after = place.exported(tmp_path / "after")

        assert old != place.vkey
        for key in (old, place.vkey):
            assert place.verified(both, place.earlier, key=key).findings == []
            assert place.verified(after, place.earlier, key=key).findings == []
        assert place.live() == []
        assert verify_log(Folder(after), read_entry, [place.vkey], [place.earlier]).signed_by == str(place.vkey)

    def test_the_old_key_after_the_cut_over(self, place: Place, tmp_path: Path) -> None:
        """A checkpoint that the old key signs after it was replaced is refused, and says why."""
        stolen = Keys(tmp_path / "stolen")
        stolen.folder.mkdir(mode=0o700)
        (stolen.folder / "signing.key").write_bytes((place.keys.folder / "signing.key").read_bytes())
        (stolen.folder / "signing.key").chmod(0o600)
        rotate(place.world.engine, place.keys, caller(HOME).actor, place.world.clock)
        raised(place.world.store(), asking("after"))
        sign_all(place.world.engine, place.keys)
        after = place.exported(tmp_path / "after")
        text = (after / "checkpoint").read_text().partition("\n\n")[0] + "\n"
        origin = place.keys.origin(HOME)
        (after / "checkpoint").write_bytes(sign(text, origin, stolen.signers()).encode())

        (finding,) = place.verified(after).findings

        assert finding.verdict == "unknownKey"
        assert "replaced at 13 entries" in finding.message
        with pytest.raises(StoreRefused, match="has the old one"):
            sign_log(place.world.engine, stolen, HOME)


def test_a_bad_entry_among_many_is_narrowed_down(tmp_path: Path) -> None:
    """With all hashes of a full tile changed along, the 256 entries that the first bad one is among are named."""
    world = StoreWorld(tmp_path / "store.db", durable=False)
    keys = Keys(tmp_path / "keys")
    for number in range(300):
        approved(world.store(), asking(str(number)))
    proofs = SqlProofs(world.engine, caller(HOME), keys)
    head = proofs.head()
    folder = tmp_path / "export"
    export(Live(proofs, head), head.size, folder)
    tile, bundle = folder / "tile/0/001", folder / "tile/entries/001"
    entries = split_bundle(bundle.read_bytes(), 256)
    entries[7] = entries[7].replace(b"Ada", b"Eve")
    bundle.write_bytes(encode_bundle(entries))
    tile.write_bytes(b"".join(map(leaf_hash, entries)))
    key = key_of(keys.signers()[0], keys.origin(HOME))

    (finding,) = verify_log(Folder(folder), read_entry, [key]).findings

    assert (finding.verdict, finding.sequence) == ("altered", 256)
    assert "among 256 to 511" in finding.message
    assert [verdict for verdict, _ in independent_verifier.verify(folder, str(key))] == ["altered"]
    world.close()


def test_going_on_from_an_earlier_verification(tmp_path: Path) -> None:
    """Only what came since is read, and a log that does not go on from there is found out."""
    world = StoreWorld(tmp_path / "store.db", durable=False)
    keys = Keys(tmp_path / "keys")
    for number in range(140):
        approved(world.store(), asking(str(number)))
    first = verify_signed(world.engine, keys, caller(HOME))
    raised(world.store(), asking("more"))

    second = verify_signed(world.engine, keys, caller(HOME), since=first.verified)

    assert (first.entries, second.entries, second.findings) == (280, 1, [])
    assert second.verified is not None
    assert second.verified.frontier == verify_signed(world.engine, keys, caller(HOME)).verified.frontier  # type: ignore[union-attr]  # it holds
    assert first.verified is not None
    other = replace(first.verified, frontier=bytes(len(first.verified.frontier)))
    assert {each.verdict for each in verify_signed(world.engine, keys, caller(HOME), since=other).findings} == {
        "altered"
    }
    beyond = replace(second.verified, size=283, frontier=bytes(32 * (283).bit_count()))
    found = verify_signed(world.engine, keys, caller(HOME), since=beyond).findings
    assert [(each.verdict, each.sequence) for each in found] == [("truncated", 281)]
    world.close()
