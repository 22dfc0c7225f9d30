import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.contract.acts import approved, new_key, raised
from tests.support.children import run
from tests.support.people import HOME
from tests.support.requirements import require
from tests.support.worlds import StoreWorld

from supportaccess.domain.records import Status
from supportaccess.errors import StoreRefused, StoreUnavailable
from supportaccess.store.protocol import RequestQuery
from supportaccess.store.sql import migrations
from supportaccess.store.sql.engine import KNOWN_VERSION, Result, Statement
from supportaccess.store.sql.sqlite import engine as sqlite
from supportaccess.store.sql.sqlite import open as embedded
from supportaccess.store.sql.sqlite.open import back_up, open_embedded, schema_version

Opened = Callable[[Path], StoreWorld]


def modes(folder: Path) -> dict[str, str]:
    return {file.name: oct(stat.S_IMODE(file.stat().st_mode)) for file in (folder, *folder.iterdir())}


class TestFiles:
    def test_nobody_else_may_read_them(self, tmp_path: Path) -> None:
        """Files are made 0600 and folders 0700 even where the umask would allow everything."""
        script = """
            os.umask(0)
            store = store_at(sys.argv[1])
            store.raise_request(asking(), key="key")
            folder = Path(sys.argv[1]).parent
            for file in (folder.parent, folder, *sorted(folder.iterdir())):
                print(file.name, oct(file.stat().st_mode & 0o777))
        """
        told = dict(line.split() for line in run(script, tmp_path / "outer" / "inner" / "store.db").splitlines())

        assert {"store.db", "store.db-wal", "store.db-shm"} <= told.keys()
        assert {told.pop("outer"), told.pop("inner")} == {"0o700"}
        assert set(told.values()) == {"0o600"}

    def test_a_backup_is_for_its_owner_alone(self, world: StoreWorld, tmp_path: Path) -> None:
        """A backup is made 0600."""
        before = os.umask(0)
        try:
            back_up(world.engine, tmp_path / "copy.db")
        finally:
            os.umask(before)

        assert modes(tmp_path)["copy.db"] == "0o600"

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        """Where a file is in the way of the folder, the store is refused, and the file stays."""
        (tmp_path / "file").write_text("mine")
        for path in (tmp_path / "file" / "store.db", tmp_path / "file" / "deeper" / "store.db"):
            with pytest.raises(StoreRefused):
                open_embedded(path)

        assert (tmp_path / "file").read_text() == "mine"

    def test_a_folder_in_the_place_of_the_file(self, tmp_path: Path) -> None:
        """A folder of the store's name is refused."""
        with pytest.raises(StoreRefused):
            open_embedded(tmp_path)

    @pytest.mark.parametrize(
        ("folder_mode", "file_mode"), [(0o500, None), (0o000, None), (0o500, 0o600), (0o000, 0o600), (0o700, 0o000)]
    )
    def test_what_may_not_be_written(self, tmp_path: Path, folder_mode: int, file_mode: int | None) -> None:
        """A store in a folder, or with a file, that the user may not read or write is refused, never a crash."""
        require(os.geteuid() == 0, "root, to become a user without rights")
        script = """
            path, folder_mode, file_mode = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
            os.chdir("/")
            path.parent.mkdir()
            if file_mode >= 0:
                open_embedded(path).close()
                path.chmod(file_mode)
            nobody = 65534
            for file in (path.parent, *path.parent.iterdir()):
                os.chown(file, nobody, nobody)
            path.parent.chmod(folder_mode)
            import filelock  # while it can still be read
            os.setgroups([]); os.setgid(nobody); os.setuid(nobody)
            try:
                store = store_at(path)
                store.raise_request(asking(), key="another")
            except StoreRefused as error:
                print("refused", error.message)
        """
        base = Path("/tmp") / f"supportaccess-{os.getpid()}-{tmp_path.name}"
        base.mkdir()
        base.chmod(0o755)
        try:
            told = run(script, base / "data" / "store.db", folder_mode, -1 if file_mode is None else file_mode)
        finally:
            shutil.rmtree(base)

        assert told.startswith("refused")

    def test_opening_again_changes_nothing(self, world: StoreWorld, path: Path, opened: Opened) -> None:
        """What was written is there for the next one who opens the store, while others have it open too."""
        record = raised(world.store())
        another = opened(path)

        assert another.store().get(record.id) == record
        approval = another.store().approve(record.id, etag=record.etag, key=new_key())
        assert world.store().get(record.id) == approval

    def test_it_is_kept_in_wal_mode_and_synced_in_full(self, world: StoreWorld) -> None:
        """The file is in write-ahead mode, and every connection syncs each commit."""
        connection = world.engine.connection

        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


class TestSchema:
    def test_a_newer_one_is_refused(self, world: StoreWorld, path: Path) -> None:
        """A store of a newer program is refused with what to do, and not a byte of it is changed."""
        raised(world.store())
        world.engine.connection.execute(f"PRAGMA user_version = {KNOWN_VERSION + 1}")
        world.close()
        before, files = path.read_bytes(), sorted(path.parent.iterdir())
        with pytest.raises(StoreRefused, match="newer supportaccess") as refused:
            open_embedded(path)

        assert refused.value.hint == "pip install --upgrade supportaccess"
        assert path.read_bytes() == before
        assert sorted(path.parent.iterdir()) == files

    @pytest.fixture
    def version_2(self, monkeypatch: pytest.MonkeyPatch) -> dict[int, str]:
        """Let the program know a second migration."""
        known = {
            1: migrations.migrations("sqlite")[1],
            2: "ALTER TABLE support_requests ADD COLUMN colour TEXT; UPDATE support_requests SET colour = 'blue';",
        }
        monkeypatch.setattr(migrations, "migrations", lambda _: known)
        monkeypatch.setattr(embedded, "KNOWN_VERSION", 2)
        return known

    def older(self, path: Path) -> StoreWorld:
        """Make a store of schema 1 with something in it."""
        world = StoreWorld(path)
        raised(world.store())
        world.close()
        return world

    def test_an_older_one_is_migrated_after_a_backup(
        self, path: Path, opened: Opened, version_2: dict[int, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A store of an older program is copied, then migrated; what was in it is in both."""
        with monkeypatch.context() as patch:
            patch.setattr(embedded, "KNOWN_VERSION", 1)
            patch.setattr(migrations, "migrations", lambda _: {1: version_2[1]})
            self.older(path)

        world = opened(path)

        assert schema_version(world.engine) == 2
        assert world.engine.connection.execute("SELECT colour FROM support_requests").fetchall() == [("blue",)]
        assert len(world.records(HOME)) == 1
        (copy,) = path.parent.glob("store-schema-1-*.db")
        assert modes(path.parent)[copy.name] == "0o600"
        with sqlite3.connect(copy) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (1,)
            assert connection.execute("SELECT count(*) FROM access_requests").fetchone() == (1,)
        connection.close()

    def test_a_migration_that_fails_leaves_the_old_schema(
        self, path: Path, version_2: dict[int, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When a migration breaks in the middle the store is as it was, and the refusal says so."""
        with monkeypatch.context() as patch:
            patch.setattr(embedded, "KNOWN_VERSION", 1)
            patch.setattr(migrations, "migrations", lambda _: {1: version_2[1]})
            self.older(path)
        version_2[2] += "DROP TABLE nothing_of_this_name;"
        with pytest.raises(StoreRefused, match="nothing_of_this_name"):
            open_embedded(path)

        with sqlite3.connect(path) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (1,)
            columns = [row[1] for row in connection.execute("PRAGMA table_info(support_requests)")]
        connection.close()
        assert "colour" not in columns

    def test_the_known_version_is_the_last_migration(self) -> None:
        """The program knows exactly the migrations it brings, numbered without a gap."""
        numbers = sorted(migrations.migrations("sqlite"))

        assert numbers == list(range(1, KNOWN_VERSION + 1))


class TestBackup:
    def test_a_copy_is_the_whole_store(self, world: StoreWorld, tmp_path: Path, opened: Opened) -> None:
        """A backup opens as a store with the same records and entries, verifies, and goes its own way."""
        record = approved(world.store())
        back_up(world.engine, tmp_path / "copy.db")
        copy = opened(tmp_path / "copy.db")

        assert copy.records(HOME) == [record]
        assert copy.store().log_head() == world.store().log_head()
        raised(copy.store())
        assert copy.findings() == []
        assert world.records(HOME) == [record]

    def test_a_file_that_is_there_is_left_alone(self, world: StoreWorld, tmp_path: Path, path: Path) -> None:
        """A backup never writes over a file, the store's own included, nor through a link."""
        (tmp_path / "mine").write_text("mine")
        (tmp_path / "link").symlink_to(tmp_path / "nowhere")
        for target in (tmp_path / "mine", path, tmp_path / "link"):
            with pytest.raises(StoreRefused, match="exists already"):
                back_up(world.engine, target)

        assert (tmp_path / "mine").read_text() == "mine"
        assert not (tmp_path / "nowhere").exists()

    def test_a_place_that_is_not_there(self, world: StoreWorld, tmp_path: Path) -> None:
        """A backup into a folder that does not exist is refused."""
        with pytest.raises(StoreRefused):
            back_up(world.engine, tmp_path / "nowhere" / "copy.db")


class TestDamage:
    @pytest.fixture
    def data(self, world: StoreWorld, path: Path) -> bytearray:
        """Return the bytes of a store with something in it."""
        for _ in range(30):
            approved(world.store())
        world.close()
        return bytearray(path.read_bytes())

    def use(self, path: Path) -> None:
        """Do all that a user might; when none of it was refused, everything must be there and in order."""
        world = StoreWorld(path)
        try:
            record = raised(world.store())
            world.store().get(record.id)
            world.sweep()
            if not world.findings():
                assert len(world.records(HOME)) == 31
        finally:
            world.close()

    def test_a_store_that_was_emptied_is_refused(self, path: Path) -> None:
        """A file of no bytes was a store that lost everything: it is not silently begun anew."""
        path.parent.mkdir()
        path.write_bytes(b"")

        with pytest.raises(StoreRefused, match="is not a store of this program, or was emptied"):
            open_embedded(path)

        assert path.read_bytes() == b""

    def test_another_programs_database_is_refused(self, path: Path) -> None:
        """A SQLite file without our schema is left alone."""
        path.parent.mkdir()
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE theirs (id INTEGER)")
            other.commit()

        with pytest.raises(StoreRefused, match="is not a store of this program"):
            open_embedded(path)

    def test_a_first_use_that_was_interrupted_is_begun_again(self, path: Path) -> None:
        """What a killed first use left behind does no harm."""
        path.parent.mkdir()
        path.with_name(f"{path.name}.new").write_bytes(b"half a store")

        open_embedded(path).close()

        assert path.exists()
        assert not path.with_name(f"{path.name}.new").exists()

    @pytest.mark.parametrize("garbage", [b"x" * 100, b"x" * 100_000, b"SQLite format 3\x00" + b"\xff" * 5000])
    def test_what_is_no_database_is_refused(self, path: Path, garbage: bytes) -> None:
        """A file of something else is refused as damaged, and stays as it is."""
        path.parent.mkdir()
        path.write_bytes(garbage)
        with pytest.raises(StoreRefused):
            open_embedded(path)

        assert path.read_bytes() == garbage

    def test_a_refused_file_is_closed(self, path: Path) -> None:
        """Nothing keeps a refused file open, not even the error while it is looked at."""
        path.parent.mkdir()
        path.write_bytes(b"x" * 100_000)
        with pytest.raises(StoreRefused) as refused:
            open_embedded(path)

        assert refused.tb is not None
        assert str(path) not in {os.path.realpath(file) for file in Path("/proc/self/fd").iterdir()}

    @pytest.mark.parametrize("part", [0.02, 0.1, 0.5, 0.9])
    def test_what_was_cut_off_is_refused_or_found(self, data: bytearray, path: Path, part: float) -> None:
        """A file that lost its end is refused when it is opened, used or verified."""
        path.write_bytes(data[: int(len(data) * part)])
        with pytest.raises(StoreRefused):
            self.use(path)

    @pytest.mark.parametrize("page", range(1, 12))
    def test_a_page_of_noise_is_refused_or_found(self, data: bytearray, path: Path, page: int) -> None:
        """A file with a page overwritten is refused, or verifying finds it, or nothing of it is missing."""
        size = int.from_bytes(data[16:18], "big")
        assert len(data) // size > page
        data[page * size : (page + 1) * size] = bytes((7 * n + page) % 256 for n in range(size))
        path.write_bytes(data)
        with suppress(StoreRefused):
            self.use(path)


class TestErrors:
    def test_another_writer_is_waited_for_and_then_named(self, world: StoreWorld, path: Path, opened: Opened) -> None:
        """While another program holds the store an act waits, and is then refused as unavailable, unchanged."""
        record = raised(world.store())
        other = opened(path)
        world.engine.connection.execute("PRAGMA busy_timeout = 50")
        with other.engine.writing(()):
            assert world.store().get(record.id) == record
            with pytest.raises(StoreUnavailable, match="nothing was changed") as refused:
                world.store().approve(record.id, etag=record.etag, key=new_key())

        assert type(refused.value) is StoreUnavailable
        assert world.store().get(record.id).status is Status.PENDING

    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            (sqlite3.SQLITE_FULL, "StoreFull"),
            (sqlite3.SQLITE_IOERR_WRITE, "StoreRefused"),
            (sqlite3.SQLITE_IOERR_FSYNC, "OutcomeUnknown"),
            (sqlite3.SQLITE_IOERR_DIR_FSYNC, "OutcomeUnknown"),
            (sqlite3.SQLITE_BUSY, "StoreUnavailable"),
        ],
    )
    def test_a_commit_that_fails_says_whether_it_may_have_happened(
        self, world: StoreWorld, monkeypatch: pytest.MonkeyPatch, code: int, kind: str
    ) -> None:
        """What could not be written was not done; what was written and could not be synced may have been."""
        real = world.engine.connection

        class FailingAtCommit:
            in_transaction = property(lambda _: real.in_transaction)

            def execute(self, statement: str) -> sqlite3.Cursor:
                if statement == "COMMIT":
                    error = sqlite3.OperationalError("injected")
                    error.sqlite_errorcode = code
                    raise error
                return real.execute(statement)

        with monkeypatch.context() as patch:
            patch.setattr(world.engine, "connection", FailingAtCommit())
            with pytest.raises((StoreRefused, StoreUnavailable)) as refused, world.engine.writing(()):
                pass

        assert type(refused.value).__name__ == kind
        assert not real.in_transaction
        raised(world.store())

    @pytest.mark.parametrize("number", range(1, 8))
    def test_a_failure_at_any_statement_leaves_nothing(
        self, world: StoreWorld, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        """Whichever statement of an approval fails, nothing of it is there, and the same key serves again."""
        record = raised(world.store())
        done = 0
        original = sqlite._Session._execute

        def failing(self: sqlite._Session, statement: Statement) -> Result:
            nonlocal done
            done += 1
            if done == number:
                raise StoreRefused("injected")
            return original(self, statement)

        with monkeypatch.context() as patch:
            patch.setattr(sqlite._Session, "_execute", failing)
            try:
                world.store().approve(record.id, etag=record.etag, key="the key")
            except StoreRefused:
                assert world.store().get(record.id) == record
                assert len(world.entries(HOME)) == 1
        assert world.store().approve(record.id, etag=record.etag, key="the key").status is Status.APPROVED
        assert len(world.entries(HOME)) == 2
        assert world.findings() == []
        assert done >= min(number, 4)

    def test_a_page_is_read_whatever_another_writes(self, world: StoreWorld, path: Path, opened: Opened) -> None:
        """A list can be read while another program is in the middle of a change, and does not show it."""
        record = raised(world.store())
        other = opened(path)
        with other.engine.writing(()) as session:
            session.run("UPDATE access_requests SET record = json_set(record, '$.title', 'half')", {})
            assert world.store().page(RequestQuery(), top=10).value == [record]
            session.run(
                "UPDATE access_requests SET record = json_set(record, '$.title', :title)", {"title": record.title}
            )
