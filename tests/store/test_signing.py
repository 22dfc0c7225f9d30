"""The key that signs, and what it signs: its life, crashes, restored copies, other signers."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.acts import approved, raised
from tests.support.people import FOREIGN, HOME, asking, caller
from tests.support.servers import until
from tests.support.worlds import StoreWorld
from tests.tlog.test_notes import PETER, PETER_LINE, TEXT

from supportaccess.domain.audit import Activity
from supportaccess.errors import StoreRefused, VerificationFailed
from supportaccess.store.sql.checkpoints import refuse_rollback, sign_all, sign_log
from supportaccess.store.sql.key_rotation import record_rollbacks, rollbacks, rotate
from supportaccess.store.sql.sqlite.open import back_up
from supportaccess.store.sql.verify import verify_signed
from supportaccess.tlog.keys import Keys
from supportaccess.tlog.notes import Note, Signature, VerifierKey, parse_key, parse_note, read_checkpoint
from supportaccess.tlog.signers import BadSignature, SeedSigner, key_of, sign, signers_of

# golang.org/x/mod/sumdb/note, note_test.go
PETER_SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"  # noqa: S105 - published


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """Name a folder of keys, which is not there yet."""
    return Keys(tmp_path / "keys")


@pytest.fixture
def signed(world: StoreWorld, keys: Keys) -> StoreWorld:
    """Return a store of which two entries were signed."""
    approved(world.store())
    assert sign_all(world.engine, keys) == 1
    return world


def size_of(note: bytes | None) -> int:
    assert note is not None
    return read_checkpoint(note)[1].size


def last_size(keys: Keys) -> int:
    last = keys.last(HOME)
    assert last is not None
    return last.size


def with_key(folder: Path, data: bytes) -> bytes:
    """Put another key file into a folder of keys, and return the one that was there."""
    path = folder / "signing.key"
    before = path.read_bytes()
    path.write_bytes(data)
    return before


def refused_key(world: StoreWorld, keys: Keys) -> None:
    """Hold that nothing is signed with the key that is there, whether or not something is new, and that it is named."""
    for _ in range(2):
        with pytest.raises(VerificationFailed, match="with another key") as refused:
            sign_log(world.engine, keys, HOME)
        assert refused.value.verdict == "unknownKey"
        found = verify_signed(world.engine, keys, caller(HOME)).findings
        assert "unknownKey" in {each.verdict for each in found}
        raised(world.store())


class TestSignatures:
    def test_the_published_signature(self, keys: Keys) -> None:
        """A well-known key file signs a well-known text with the well-known signature, to the byte."""
        keys.folder.mkdir(mode=0o700)
        (keys.folder / "signing.key").write_text(PETER_SECRET + "\n")
        (keys.folder / "signing.key").chmod(0o600)

        note = sign(TEXT, keys.name, keys.signers())

        assert f"{TEXT}\n{PETER_LINE}".encode() == note.encode()
        assert [parse_key(PETER)] == signers_of(note, [parse_key(PETER)])

    def test_a_forged_one(self) -> None:
        """A signature that names a known key and is not by it is refused, and one by an unknown key is passed over."""
        key = parse_key(PETER)
        note = parse_note(f"{TEXT}\n{PETER_LINE}".encode())
        forged = Note(text="other\n", signatures=note.signatures)
        with pytest.raises(BadSignature):
            signers_of(forged, [key])
        assert signers_of(forged, [VerifierKey(name="PeterNeumann", public_key=bytes(32))]) == []

    def test_a_key_that_is_no_point(self) -> None:
        """Whatever 32 bytes a key has, and whatever a signature is, verifying refuses and does not fail."""
        key = VerifierKey(name="a", public_key=b"\xff" * 32)
        bad = Note(text="x\n", signatures=(Signature(name="a", key_id=key.key_id, signature=b"short"),))
        with pytest.raises(BadSignature):
            signers_of(bad, [key])


class TestKeyFile:
    def test_it_is_made_once_and_for_its_owner_alone(self, keys: Keys) -> None:
        """The key is made on first use, 0600 in a folder 0700, and stays the same."""
        first = keys.signers()[0].public_key

        assert first == Keys(keys.folder).signers()[0].public_key
        assert (keys.folder / "signing.key").stat().st_mode & 0o777 == 0o600
        assert keys.folder.stat().st_mode & 0o777 == 0o700
        assert not keys.make()

    def test_many_at_once_make_one(self, keys: Keys) -> None:
        """Threads that all make the key end with the same one."""
        found: list[bytes] = []
        threads = [
            threading.Thread(target=lambda: found.append(Keys(keys.folder).signers()[0].public_key)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(found) == 8
        assert len(set(found)) == 1

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
    def test_one_that_others_can_read_is_refused(self, keys: Keys, mode: int) -> None:
        """A key file with rights for others is not used, and the command that mends it is named."""
        keys.make()
        (keys.folder / "signing.key").chmod(mode)
        with pytest.raises(StoreRefused, match="read by others") as refused:
            Keys(keys.folder).signers()
        assert "chmod 600" in (refused.value.hint or "")

    @pytest.mark.parametrize(
        "data",
        [b"", b"\xff", b"PRIVATE+KEY+a+00000000+AAAA\n", PETER[:-4].encode(), PETER_SECRET[:-4].encode(), b"x" * 5000],
    )
    def test_what_is_no_key(self, keys: Keys, data: bytes) -> None:
        """A broken key file is refused, is not replaced, and nothing of it is told."""
        keys.folder.mkdir(mode=0o700)
        path = keys.folder / "signing.key"
        path.write_bytes(data)
        path.chmod(0o600)
        with pytest.raises(StoreRefused) as refused:
            keys.signers()
        assert path.read_bytes() == data
        assert "AYEK" not in refused.value.message

    def test_a_symbolic_link_is_not_followed(self, keys: Keys, tmp_path: Path) -> None:
        """A key file that is a link to somewhere else is refused."""
        keys.make()
        (keys.folder / "signing.key").rename(tmp_path / "elsewhere")
        (keys.folder / "signing.key").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(StoreRefused):
            Keys(keys.folder).signers()

    def test_one_that_is_gone_is_not_replaced_by_itself(self, signed: StoreWorld, keys: Keys) -> None:
        """Where logs were signed, a missing key is told of, here and where only the database is known."""
        (keys.folder / "signing.key").unlink()
        raised(signed.store())
        with pytest.raises(StoreRefused, match="not in"):
            sign_all(signed.engine, keys)
        with pytest.raises(StoreRefused, match="not in"):
            sign_all(signed.engine, Keys(keys.folder.parent / "another machine"))
        assert keys.make("a.new/name")
        assert sign_all(signed.engine, keys) == 1
        assert verify_signed(signed.engine, keys, caller(HOME)).origin == f"a.new/name/{HOME}"

    @pytest.mark.parametrize("name", ["the same", "of/another"])
    def test_one_that_was_exchanged_signs_nothing(
        self, signed: StoreWorld, keys: Keys, tmp_path: Path, name: str
    ) -> None:
        """Another store's key, under whatever name, does not go on with this store's logs; the right one does."""
        other = Keys(tmp_path / "other")
        other.make(keys.name if name == "the same" else name)
        own = with_key(keys.folder, (other.folder / "signing.key").read_bytes())
        refused_key(signed, keys)
        with_key(keys.folder, own)

        assert size_of(sign_log(signed.engine, keys, HOME)) == 4

    def test_the_one_before_signs_nothing_after_a_rotation(self, signed: StoreWorld, keys: Keys) -> None:
        """The old key that was put back is not taken for the new one, though both signed the rotation."""
        old = (keys.folder / "signing.key").read_bytes()
        rotate(signed.engine, keys, caller(HOME).actor, signed.clock)
        new = with_key(keys.folder, old)
        refused_key(signed, keys)
        with_key(keys.folder, new)

        assert size_of(sign_log(signed.engine, keys, HOME)) == 5

    def test_a_machine_that_slept_through_two_rotations(self, signed: StoreWorld, keys: Keys, tmp_path: Path) -> None:
        """Its last head is by the first key: with the third it goes on, with the second it is told to copy the key."""
        asleep = Keys(tmp_path / "asleep")
        shutil.copytree(keys.folder, asleep.folder)
        rotate(signed.engine, keys, caller(HOME).actor, signed.clock)
        with_key(asleep.folder, (keys.folder / "signing.key").read_bytes())
        rotate(signed.engine, keys, caller(HOME).actor, signed.clock)
        with pytest.raises(StoreRefused, match="has the old one"):
            sign_log(signed.engine, asleep, HOME)
        with_key(asleep.folder, (keys.folder / "signing.key").read_bytes())

        assert size_of(sign_log(signed.engine, asleep, HOME)) == 4

    def test_one_that_is_lost_is_replaced_on_demand(self, signed: StoreWorld, keys: Keys) -> None:
        """The logs go on under the new key from where the lost one had signed; what that had signed is kept."""
        before = (keys.folder / "heads" / HOME).read_bytes()
        (keys.folder / "signing.key").unlink()
        assert keys.make()
        raised(signed.store())

        assert size_of(sign_log(signed.engine, keys, HOME)) == 3
        assert verify_signed(signed.engine, keys, caller(HOME)).findings == []
        (kept,) = (keys.folder / "heads").glob(f"{HOME}.before-*")
        assert kept.read_bytes() == before


class TestSigning:
    def test_what_a_crash_left_unsigned_is_signed_next(self, signed: StoreWorld, keys: Keys) -> None:
        """Entries that were committed and not signed are in the next checkpoint, which goes on from the last."""
        raised(signed.store(), asking("2"))
        raised(signed.store(), asking("3"))

        assert sign_all(signed.engine, Keys(keys.folder)) == 1
        assert size_of(sign_log(signed.engine, keys, HOME)) == 4
        assert verify_signed(signed.engine, keys, caller(HOME)).findings == []

    def test_a_crash_between_file_and_database(self, signed: StoreWorld, keys: Keys) -> None:
        """A checkpoint that was signed and did not reach the database is the same one, once it does."""
        raised(signed.store())
        note = sign_log(signed.engine, keys, HOME)
        with signed.engine.writing([HOME]) as session:
            session.run("DELETE FROM audit_checkpoints", {})

        assert note == sign_log(signed.engine, Keys(keys.folder), HOME)
        with signed.engine.reading([HOME]) as session:
            assert session.one("SELECT note FROM audit_checkpoints", {}) == (note,)

    def test_nothing_is_signed_twice(self, signed: StoreWorld, keys: Keys) -> None:
        """A log that has not grown keeps its checkpoint."""
        head = keys.head(HOME)
        assert sign_all(signed.engine, keys) == 0
        assert head == keys.head(HOME)
        assert head is not None
        assert head[0] == sign_log(signed.engine, keys, HOME)

    def test_what_was_signed_last(self, signed: StoreWorld, keys: Keys) -> None:
        """Whoever signs knows it at once, and another process of the same folder soon."""
        elsewhere = Keys(keys.folder)
        before = last_size(keys), last_size(elsewhere)
        raised(signed.store())
        sign_all(signed.engine, keys)
        after = last_size(keys)

        assert (before, after) == ((2, 2), 3)
        until(lambda: last_size(elsewhere) == 3)
        assert keys.last(FOREIGN) is None

    def test_a_log_that_has_not_begun(self, signed: StoreWorld, keys: Keys) -> None:
        """Of a tenant without entries nothing is signed."""
        assert sign_log(signed.engine, keys, FOREIGN) is None

    def test_an_altered_tail_is_not_signed(self, signed: StoreWorld, keys: Keys, path: Path) -> None:
        """An entry that was changed after its commit and before its signature stays unsigned."""
        raised(signed.store())
        signed.engine.connection.execute("DROP TRIGGER audit_events_are_not_changed")
        signed.engine.connection.execute("UPDATE audit_events SET entry = x'7b7d' WHERE sequence = 2")
        before = keys.head(HOME)

        with pytest.raises(VerificationFailed, match="at entry 2"):
            sign_all(signed.engine, keys)
        assert before == keys.head(HOME)
        assert path.exists()

    def test_another_signer(self, signed: StoreWorld, keys: Keys) -> None:
        """Whatever has the two members of a signer signs with a key that is kept elsewhere."""
        external = SeedSigner(bytes(32))
        elsewhere = Keys(keys.folder.parent / "elsewhere", signer={external.public_key: external}.__getitem__)
        assert elsewhere.make(keys.name, external.public_key)
        raised(signed.store())

        note = sign_log(signed.engine, elsewhere, HOME)

        assert note is not None
        origin = keys.origin(HOME)
        assert signers_of(parse_note(note), [key_of(external, origin)])


class TestRollback:
    @pytest.fixture
    def restored(self, signed: StoreWorld, keys: Keys, path: Path, tmp_path: Path) -> Iterator[StoreWorld]:
        """Return the store put back to an older copy, after more was signed."""
        back_up(signed.engine, tmp_path / "copy.db")
        approved(signed.store(), asking("2"))
        sign_all(signed.engine, keys)
        signed.close()
        for file in path.parent.glob("store.db*"):
            file.unlink()
        shutil.copy(tmp_path / "copy.db", path)
        world = StoreWorld(path)
        yield world
        world.close()

    def test_it_is_refused_and_never_signed(self, restored: StoreWorld, keys: Keys) -> None:
        """A log that went back is refused at the start, and no smaller head is signed."""
        with pytest.raises(VerificationFailed, match="went back: it has 2 entries, and 4 were signed"):
            refuse_rollback(restored.engine, keys)
        raised(restored.store(), asking("other"))
        with pytest.raises(VerificationFailed, match="went back: it has 3 entries"):
            sign_all(restored.engine, keys)
        head = keys.head(HOME)
        assert head is not None
        assert head[1].size == 4

    def test_one_that_grew_past_what_was_signed_is_a_fork(self, restored: StoreWorld, keys: Keys) -> None:
        """A restored log that became as long again with other entries is not signed either."""
        for number in range(3):
            approved(restored.store(), asking(f"other{number}"))
        with pytest.raises(VerificationFailed, match="forked"):
            sign_all(restored.engine, keys)

    def test_recording_it(self, restored: StoreWorld, keys: Keys) -> None:
        """The rollback is an entry that says what was lost; the old head is kept, and signing goes on from here."""
        lost = keys.head(HOME)
        assert lost is not None

        (found,) = record_rollbacks(restored.engine, keys, caller(HOME).actor, restored.clock, "the disk failed")

        assert (found.signed.size, found.size) == (4, 2)
        last = restored.entries(HOME)[-1]
        assert (last.activity, last.reason) == (Activity.ROLLBACK_RECORDED, "the disk failed")
        assert last.details == {"signedSize": 4, "signedRoot": lost[1].root.hex()}
        assert rollbacks(restored.engine, keys) == []
        refuse_rollback(restored.engine, keys)
        assert verify_signed(restored.engine, keys, caller(HOME)).findings == []
        assert [path.read_bytes() for path in (keys.folder / "heads").glob("*.before-*")] == [lost[0]]


class TestRotation:
    def test_one_that_was_broken_off_is_gone_on_with(self, signed: StoreWorld, keys: Keys) -> None:
        """After a crash in the middle both keys sign; once more, and each log tells of it once."""
        raised(signed.store(FOREIGN))
        sign_all(signed.engine, keys)
        old = keys.signers()[0].public_key
        keys.make_next()
        new = keys.signers()[1].public_key
        raised(signed.store(), asking("meanwhile"))
        sign_all(signed.engine, keys)

        rotate(signed.engine, keys, caller(HOME).actor, signed.clock)

        assert [new] == [signer.public_key for signer in keys.signers()]
        assert old != new
        for tenant_id in (HOME, FOREIGN):
            told = [entry.activity for entry in signed.entries(tenant_id)]
            assert told.count(Activity.KEY_ROTATED) == 1
            assert verify_signed(signed.engine, keys, caller(tenant_id)).findings == []

    def test_a_log_that_is_altered_stops_it(self, signed: StoreWorld, keys: Keys) -> None:
        """Nothing is rotated, and no key made, where a log could not be signed."""
        raised(signed.store())
        signed.engine.connection.execute("UPDATE audit_log_heads SET size = 1")
        with pytest.raises((VerificationFailed, StoreRefused)):
            rotate(signed.engine, keys, caller(HOME).actor, signed.clock)
        assert not (keys.folder / "next.key").exists()
