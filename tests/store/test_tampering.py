"""What a second program does to the file behind the store's back, and what a verification finds of it."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import pytest
from tests.contract.acts import approved, cross_tenant, new_key, raised, revoke
from tests.support.events import CREATED, event
from tests.support.people import FOREIGN, HOME, asking
from tests.support.worlds import StoreWorld

from supportaccess.domain.records import Status
from supportaccess.errors import NotFound, StoreRefused
from supportaccess.store.protocol import AuditQuery, Order, RequestQuery
from supportaccess.store.sql.rows import ROW
from supportaccess.store.verification import Finding
from supportaccess.tlog.merkle import leaf_hash
from supportaccess.tlog.verify import Verdict

Tamper = Callable[[sqlite3.Connection], object]
LAST = 14


@pytest.fixture
def world(world: StoreWorld) -> StoreWorld:
    """Return a store with 15 entries in the log of the home tenant, and something in another's."""
    store = world.store()
    for number in range(3):
        record = approved(store, asking(f"{number}", decide_by=world.clock().replace(year=2030)))
        revoke(store, record.id)
    cross_tenant(world)
    events = [event(CREATED, number, ticket=f"1{number}", event_id=f"event-{number}") for number in range(2)]
    store.import_events(events, key=new_key(), details={"file": "export.json"})
    raised(store, asking("open"))
    raised(world.store(FOREIGN))
    assert store.log_head().size == LAST + 1
    assert world.findings() == []
    return world


@contextmanager
def meddling(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file as any other program could, with the guards taken away."""
    connection = sqlite3.connect(path, isolation_level=None)
    for trigger in ("audit_events_are_not_changed", "audit_events_are_not_deleted"):
        connection.execute(f"DROP TRIGGER {trigger}")
    try:
        yield connection
    finally:
        connection.close()


def found(world: StoreWorld, path: Path, tamper: Tamper) -> list[Finding]:
    with meddling(path) as connection:
        tamper(connection)
    assert world.store(FOREIGN).verify().findings == []
    return world.store().verify().findings


def run(statement: str, **parameters: object) -> Tamper:
    return lambda connection: connection.execute(statement, {"tenant": HOME, **parameters})


OF_ENTRY = "WHERE tenant_id = :tenant AND sequence = :at"


def test_the_guards_refuse_what_is_done_by_mistake(world: StoreWorld) -> None:
    """Entries can be neither changed nor deleted by a statement, the store's own connection included."""
    for statement in ("UPDATE audit_events SET at = 0", "DELETE FROM audit_events"):
        with pytest.raises(sqlite3.IntegrityError, match="audit entries are never"):
            world.engine.connection.execute(statement)


class TestEntries:
    @pytest.mark.parametrize("at", [0, 7, LAST])
    @pytest.mark.parametrize("place", [1, 40, -2])
    def test_a_flipped_byte_names_its_entry(self, world: StoreWorld, path: Path, at: int, place: int) -> None:
        """One changed byte anywhere in an entry is found, and the entry is named first."""

        def flip(connection: sqlite3.Connection) -> None:
            (data,) = connection.execute(
                f"SELECT entry FROM audit_events {OF_ENTRY}", {"tenant": HOME, "at": at}
            ).fetchone()
            changed = bytearray(data)
            changed[place] ^= 1
            run(f"UPDATE audit_events SET entry = :entry {OF_ENTRY}", entry=bytes(changed), at=at)(connection)

        findings = found(world, path, flip)

        assert (findings[0].verdict, findings[0].sequence) == (Verdict.ALTERED, at)

    def test_a_change_with_its_leaf_hash_shows_in_the_root(self, world: StoreWorld, path: Path) -> None:
        """Whoever changes an entry and its leaf hash too is found out by the head."""

        def forge(connection: sqlite3.Connection) -> None:
            where = {"tenant": HOME, "at": 1}
            (data,) = connection.execute(f"SELECT entry FROM audit_events {OF_ENTRY}", where).fetchone()
            forged = data.replace(b"Ada", b"Eve")
            assert forged != data
            run(
                f"UPDATE audit_events SET entry = :entry, leaf_hash = :leaf {OF_ENTRY}",
                entry=forged,
                leaf=leaf_hash(forged),
                at=1,
            )(connection)

        findings = found(world, path, forge)

        assert Verdict.ALTERED in {finding.verdict for finding in findings}

    @pytest.mark.parametrize("column", ["at", "activity", "access_request_id", "actor_folded", "leaf_hash", "entry"])
    @pytest.mark.parametrize(
        "value",
        [0, 1.5, "other", b"other", "CAST(x'ff' AS TEXT)"],
        ids=["0", "1.5", "text", "blob", "bad"],
    )
    def test_a_column_that_differs_from_its_entry(
        self, world: StoreWorld, path: Path, column: str, value: object
    ) -> None:
        """Whatever is put into a column that repeats the entry, or into the entry, is found, and the entry named."""
        expression, parameters = (value, {}) if value == "CAST(x'ff' AS TEXT)" else (":value", {"value": value})
        tamper = run(f"UPDATE audit_events SET {column} = {expression} {OF_ENTRY}", at=3, **parameters)

        findings = found(world, path, tamper)

        assert (findings[0].verdict, findings[0].sequence) == (Verdict.ALTERED, 3)

    @pytest.mark.parametrize("place", [LAST + 5, -1, 2.5, "three", b"3"])
    def test_an_entry_in_another_place(self, world: StoreWorld, path: Path, place: object) -> None:
        """An entry that was moved is missing where it was, whatever is written as its place."""
        findings = found(world, path, run(f"UPDATE audit_events SET sequence = :place {OF_ENTRY}", place=place, at=3))

        assert (Verdict.MISSING, 3) in {(finding.verdict, finding.sequence) for finding in findings}

    def test_an_entry_of_another_tenant(self, world: StoreWorld, path: Path) -> None:
        """An entry that was moved into another tenant's log is missing in its own, and bad in the other."""
        with meddling(path) as connection:
            run(f"UPDATE audit_events SET tenant_id = :other, sequence = 1 {OF_ENTRY}", other=FOREIGN, at=3)(connection)

        assert (world.store().verify().findings[0].verdict, world.store().verify().findings[0].sequence) == (
            "missing",
            3,
        )
        assert world.store(FOREIGN).verify().findings[0].sequence == 1

    @pytest.mark.parametrize("at", [0, 7, LAST])
    def test_a_deleted_entry_is_missing(self, world: StoreWorld, path: Path, at: int) -> None:
        """The first, a middle or the last entry that was deleted is named as missing."""
        findings = found(world, path, run(f"DELETE FROM audit_events {OF_ENTRY}", at=at))

        assert (findings[0].verdict, findings[0].sequence) == (Verdict.MISSING, at)

    def test_a_tail_that_was_cut_off(self, world: StoreWorld, path: Path) -> None:
        """Several entries missing at the end are found, from the first of them on."""
        findings = found(world, path, run("DELETE FROM audit_events WHERE tenant_id = :tenant AND sequence > 9"))

        assert (findings[0].verdict, findings[0].sequence) == (Verdict.MISSING, 10)

    @pytest.mark.parametrize("with_head", [False, True])
    def test_a_log_that_was_emptied(self, world: StoreWorld, path: Path, with_head: bool) -> None:
        """A log without entries is found by its head, and without its head by the records that nothing vouches for."""

        def empty(connection: sqlite3.Connection) -> None:
            run("DELETE FROM audit_events WHERE tenant_id = :tenant")(connection)
            if with_head:
                run("DELETE FROM audit_log_heads WHERE tenant_id = :tenant")(connection)

        findings = found(world, path, empty)

        assert {finding.verdict for finding in findings} >= {Verdict.EXTRA if with_head else Verdict.MISSING}
        assert {finding.access_request_id for finding in findings} >= {record.id for record in world.records(HOME)}

    def test_two_entries_that_changed_places(self, world: StoreWorld, path: Path) -> None:
        """Entries that were swapped, hashes and columns with them, are found, the first of them first."""

        def swap(connection: sqlite3.Connection) -> None:
            for before, after in ((4, 1004), (5, 4), (1004, 5)):
                run(f"UPDATE audit_events SET sequence = :to {OF_ENTRY}", at=before, to=after)(connection)

        findings = found(world, path, swap)

        assert (findings[0].verdict, findings[0].sequence) == (Verdict.ALTERED, 4)

    def test_an_entry_that_was_put_in(self, world: StoreWorld, path: Path) -> None:
        """An entry at the end that the head does not know is extra."""
        columns = "at, activity, access_request_id, actor_folded, entry, leaf_hash"
        copy = (
            f"INSERT INTO audit_events (tenant_id, sequence, {columns})"
            f" SELECT tenant_id, {LAST + 1}, {columns} FROM audit_events {OF_ENTRY}"
        )
        findings = found(world, path, run(copy, at=3))

        assert (Verdict.EXTRA, LAST + 1) in {(finding.verdict, finding.sequence) for finding in findings}

    def test_a_list_of_an_entry_that_is_none(self, world: StoreWorld, path: Path) -> None:
        """Reading a log with an entry that cannot be decoded is refused, and names the entry."""
        with meddling(path) as connection:
            run(f"UPDATE audit_events SET entry = 'x' {OF_ENTRY}", at=3)(connection)
        with pytest.raises(StoreRefused, match="entry 3"):
            world.store().audit_page(AuditQuery(), top=100)


HEADS = [
    ("size", 3),
    ("size", 10**6),
    ("size", -1),
    ("size", "many"),
    ("size", 0),
    ("root", b"x" * 32),
    ("root", b""),
    ("root", "text"),
    ("frontier", b"x" * 128),
    ("frontier", b""),
    ("frontier", b"short"),
    ("frontier", "text"),
]


class TestHead:
    @pytest.mark.parametrize(("column", "value"), HEADS)
    def test_a_head_that_was_changed(self, world: StoreWorld, path: Path, column: str, value: object) -> None:
        """Whatever is written into a head is found."""
        findings = found(
            world, path, run(f"UPDATE audit_log_heads SET {column} = :value WHERE tenant_id = :tenant", value=value)
        )

        assert findings
        assert {finding.verdict for finding in findings} <= set(Verdict)

    @pytest.mark.parametrize(("column", "value"), HEADS)
    def test_nothing_can_be_decided_on_a_head_that_does_not_hold(
        self, world: StoreWorld, path: Path, column: str, value: object
    ) -> None:
        """On a broken head a decision is refused, or appends what verification still finds; it never crashes."""
        found(world, path, run(f"UPDATE audit_log_heads SET {column} = :value WHERE tenant_id = :tenant", value=value))
        before = world.records(HOME)
        try:
            raised(world.store())
        except StoreRefused:
            assert world.records(HOME) == before
        assert world.store().verify().findings

    def test_a_head_that_was_deleted(self, world: StoreWorld, path: Path) -> None:
        """Entries without a head are extra, from the first on."""
        findings = found(world, path, run("DELETE FROM audit_log_heads WHERE tenant_id = :tenant"))

        assert (findings[0].verdict, findings[0].sequence) == (Verdict.EXTRA, 0)


@pytest.mark.parametrize("change", ["hash = zeroblob(32)", "position = 7", "level = 2", "hash = 'text'"])
def test_a_kept_hash_of_the_tree(world: StoreWorld, path: Path, change: str) -> None:
    """What proofs are made of is held against the entries; one that is gone is made anew from them."""
    store = world.store()
    for number in range(257):
        raised(store, asking(f"{number}"))
    assert store.verify().findings == []
    (finding,) = found(world, path, run(f"UPDATE audit_log_nodes SET {change}"))
    assert finding.verdict is Verdict.ALTERED

    run("DELETE FROM audit_log_nodes")(world.engine.connection)
    assert world.store().verify().findings == []


def columns() -> list[str]:
    return ROW.split(", ")


def subject(world: StoreWorld) -> str:
    """Return the ID of a revoked request."""
    return next(record.id for record in world.records(HOME) if record.status is Status.REVOKED)


def uses(world: StoreWorld, request_id: str) -> list[Callable[[], object]]:
    """Return what is done with a record in the course of a day."""
    store = world.store()
    return [
        lambda: store.page(RequestQuery(), top=100),
        lambda: msgspec.json.decode(msgspec.json.encode(store.page_in_json(RequestQuery(), top=100)[0])),
        lambda: store.get(request_id),
        lambda: store.find(request_id, top=5),
        world.sweep,
    ]


class TestRecords:
    def test_the_columns_are_those_of_the_table(self, world: StoreWorld) -> None:
        """The columns that are tried below are all there are."""
        rows = world.engine.connection.execute("PRAGMA table_info(access_requests)")
        assert {row[1] for row in rows} == set(columns())

    @pytest.mark.parametrize("column", columns())
    @pytest.mark.parametrize(
        "value",
        [1, 1.5, "approved", b"approved", None, "CAST(x'ff' AS TEXT)"],
        ids=["1", "1.5", "text", "blob", "null", "bad"],
    )
    def test_a_column_that_was_changed(self, world: StoreWorld, path: Path, column: str, value: object) -> None:
        """Whatever is put into any column of a record is found and names it, and lists refuse or show it, uncrashed."""
        request_id = subject(world)
        expression, parameters = (value, {}) if value == "CAST(x'ff' AS TEXT)" else (":value", {"value": value})
        statement = f"UPDATE access_requests SET {column} = {expression} WHERE tenant_id = :tenant AND id = :id"
        with meddling(path) as connection:
            connection.text_factory = bytes
            query = f"SELECT {column} FROM access_requests WHERE id = ?"
            before = connection.execute(query, [request_id]).fetchone()
            try:
                run(statement, id=request_id, **parameters)(connection)
            except sqlite3.IntegrityError:
                return  # the schema itself refuses it
            after = connection.execute(query, [request_id]).fetchone()
        if after == before:
            return

        findings = world.store().verify().findings
        assert request_id in {finding.access_request_id for finding in findings}
        for use in uses(world, request_id):
            _refused_or_done(use)

    @pytest.mark.parametrize(
        "change",
        [
            "json_set(record, '$.engineer.displayName', 'Eve')",
            'json_set(record, \'$.decidedBy\', json(\'{"kind":"user","displayName":"Eve"}\'))',
            "json_set(record, '$.endedBy', 'x')",
            "json_set(record, '$.endedBy', NULL)",
            "json_set(record, '$.status', 'approved')",
            "json_set(record, '$.endedAt', '2031-01-01T00:00:00')",
            "json_set(record, '$.endedAt', '2031-01-01T00:00:00Z')",
            "json_set(record, '$.etag', 'other')",
            'json_set(record, \'$.mirror\', json(\'{"confidence":"read","events":1}\'))',
            "json_set(record, '$.weather', 'fine')",
            "json_remove(record, '$.reason')",
            "replace(record, '{\"id\"', '{ \"id\"')",
            'replace(record, \'{"id"\', \'{"title":"Another","id"\')',
            'replace(record, \'{"id"\', \'{"id":"another","id"\')',
            "replace(record, 'Erin', '\\u0045rin')",
            "'[' || record || ']'",
            "'{}'",
            "'null'",
            "'\"x\"'",
        ],
    )
    def test_a_record_that_was_changed(self, world: StoreWorld, path: Path, change: str) -> None:
        """Whatever is changed in a record's JSON is found, and so is the same record written in another way."""
        request_id = subject(world)
        tamper = run(
            f"UPDATE access_requests SET record = {change} WHERE tenant_id = :tenant AND id = :id", id=request_id
        )
        findings = found(world, path, tamper)

        assert [(finding.verdict, finding.access_request_id) for finding in findings] == [("altered", request_id)]
        for use in uses(world, request_id):
            _refused_or_done(use)

    @pytest.mark.parametrize("text", ["{", "x", "", '{"id":1},{"id":2}', "[" * 5000])
    def test_what_is_not_json_is_refused_by_the_table(self, world: StoreWorld, path: Path, text: str) -> None:
        """A record is JSON whoever writes it: a page, which is put together of them, stays JSON."""
        with meddling(path) as connection, pytest.raises(sqlite3.IntegrityError, match="CHECK"):
            run("UPDATE access_requests SET record = :text", text=text)(connection)
        assert world.findings() == []

    @pytest.mark.parametrize("order", Order)
    @pytest.mark.parametrize("column", ["listed_at", "urgency"])
    @pytest.mark.parametrize("place", [-(2**62), 2**62])
    def test_a_list_of_rows_in_other_places_ends(
        self, world: StoreWorld, path: Path, order: Order, column: str, place: int
    ) -> None:
        """Rows that were moved are found; a list that is read page by page is refused or comes to its end."""
        request_id = subject(world)
        update = f"UPDATE access_requests SET {column} = :place WHERE tenant_id = :tenant AND id = :id"
        findings = found(world, path, run(update, place=place, id=request_id))

        assert [(finding.verdict, finding.access_request_id) for finding in findings] == [("altered", request_id)]
        cursor, pages = None, 0
        with suppress(StoreRefused):
            while (page := world.store().page(RequestQuery(order=order), top=1, cursor=cursor)).next is not None:
                cursor, pages = page.next, pages + 1
                assert pages < 2 * len(world.records(HOME))

    def test_a_row_that_was_deleted(self, world: StoreWorld, path: Path) -> None:
        """A record that is gone is missing, and the last entry about it is named."""
        request_id = subject(world)
        findings = found(
            world, path, run("DELETE FROM access_requests WHERE tenant_id = :tenant AND id = :id", id=request_id)
        )

        last = world.store().history(request_id)[-1].sequence
        assert [(f.verdict, f.access_request_id, f.sequence) for f in findings] == [("missing", request_id, last)]

    def test_a_row_that_was_put_in(self, world: StoreWorld, path: Path) -> None:
        """A record that no entry tells of is extra."""
        listed = ", ".join(column for column in columns() if column not in {"tenant_id", "id"})
        copy = (
            f"INSERT INTO access_requests (tenant_id, id, {listed})"
            f" SELECT tenant_id, 'invented', {listed} FROM access_requests WHERE id = :id"
        )
        findings = found(world, path, run(copy, id=subject(world)))

        assert [(f.verdict, f.access_request_id) for f in findings] == [("extra", "invented")]


class TestEvents:
    @pytest.mark.parametrize(
        "change",
        [
            "raw = replace(raw, 'event-0', 'event-9')",
            "raw = CAST(raw AS BLOB)",
            "raw = CAST(x'ff' AS TEXT)",
            "event = CAST(replace(CAST(event AS TEXT), 'created', 'rejected') AS BLOB)",
            "event = 'text'",
            "event_id = 'event-00'",
            "first_request_id = 'another'",
            "import_id = 'another'",
            "tenant_id = 'another'",
        ],
    )
    def test_an_event_that_was_changed(self, world: StoreWorld, path: Path, change: str) -> None:
        """An event's text, what was read from it, or where it belongs: each change is found, and names the import."""
        update = f"UPDATE source_events SET {change} WHERE tenant_id = :tenant AND event_id = 'event-0'"
        findings = found(world, path, run(update))

        imported = next(e.sequence for e in world.entries(HOME) if e.activity == "Import")
        assert [f.sequence for f in findings if f.verdict is Verdict.ALTERED] == [imported]

    def test_an_event_that_was_deleted(self, world: StoreWorld, path: Path) -> None:
        """An event that is gone is found, and its import named."""
        findings = found(
            world, path, run("DELETE FROM source_events WHERE tenant_id = :tenant AND event_id = 'event-0'")
        )

        assert {finding.verdict for finding in findings} == {Verdict.ALTERED, Verdict.MISSING}
        assert all(finding.sequence is not None for finding in findings)

    def test_an_event_that_was_taken_from_its_request(self, world: StoreWorld, path: Path) -> None:
        """A mirror whose events are no longer tied to it is found: its history would be silently shorter."""
        (finding,) = found(world, path, run("UPDATE source_events SET request_id = NULL WHERE event_id = 'event-0'"))

        assert finding.verdict is Verdict.MISSING
        assert finding.access_request_id is not None

    @pytest.mark.parametrize("into", ["import_id", "'another'"])
    def test_an_event_that_was_put_in(self, world: StoreWorld, path: Path, into: str) -> None:
        """An event that was never imported is found, in an import that was or in one that was not."""
        copy = (
            "INSERT INTO source_events SELECT tenant_id, source, 'event-9', first_request_id, request_id, placed,"
            f" {into}, event, raw FROM source_events WHERE tenant_id = :tenant AND event_id = 'event-0'"
        )
        findings = found(world, path, run(copy))

        assert [finding.verdict for finding in findings] == [Verdict.EXTRA if "'" in into else Verdict.ALTERED]


@pytest.mark.parametrize(
    ("statement", "verdict"),
    [
        ("UPDATE support_requests SET state = 'open' WHERE id = '0'", Verdict.ALTERED),
        ("DELETE FROM support_requests WHERE id = '0'", Verdict.MISSING),
        ("INSERT INTO support_requests VALUES ('{home}', 'new', 'open')", Verdict.EXTRA),
    ],
)
def test_a_support_request_that_was_reopened(world: StoreWorld, path: Path, statement: str, verdict: Verdict) -> None:
    """Whether a support request is closed is vouched for, also when closing it ended nothing."""
    assert world.store().close("0", key=new_key()) == []
    assert world.findings() == []

    (finding,) = found(world, path, run(statement.format(home=HOME)))

    assert finding.verdict is verdict
    assert finding.sequence == (None if verdict is Verdict.EXTRA else LAST + 1)


def test_an_answer_that_was_changed_is_refused(world: StoreWorld, path: Path) -> None:
    """A kept answer that cannot be read is a refusal, not a crash."""
    store = world.store()
    store.raise_request(asking("again"), key="the key")
    for value in (b"{", "[" * 5000, 1):
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE idempotency SET answer = ? WHERE key = 'the key'", [value])
        connection.close()
        with pytest.raises(StoreRefused):
            store.raise_request(asking("again"), key="the key")


def _refused_or_done(use: Callable[[], object]) -> None:
    with suppress(StoreRefused, NotFound):
        use()
