import psycopg
import pytest
from tests.contract.acts import raised
from tests.support.people import HOME
from tests.support.postgresql import STORE, Cluster
from tests.support.worlds import SqlWorld

from supportaccess.errors import InvalidInput, StoreFull, StoreRefused, StoreUnavailable
from supportaccess.store.sql.engine import Raced
from supportaccess.store.sql.postgresql.engine import PostgresqlEngine
from supportaccess.store.sql.postgresql.errors import explain, explain_commit
from supportaccess.store.sql.postgresql.schema import SERVER_ROLE


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("23505", Raced),
        ("40001", Raced),
        ("40P01", Raced),
        ("22012", Raced),
        ("55P03", StoreUnavailable),
        ("57014", StoreUnavailable),
        ("25P03", StoreUnavailable),
        ("25006", StoreUnavailable),
        ("57P01", StoreUnavailable),
        ("57P03", StoreUnavailable),
        ("53300", StoreUnavailable),
        ("53200", StoreUnavailable),
        ("08006", StoreUnavailable),
        ("53100", StoreFull),
        ("42501", StoreRefused),
        ("42P01", StoreRefused),
        ("3D000", StoreRefused),
        ("28P01", StoreRefused),
        ("58030", StoreRefused),
        ("XX001", StoreRefused),
        ("22021", InvalidInput),
        ("22003", InvalidInput),
    ],
)
def test_each_code_has_its_meaning(code: str, kind: type[Exception]) -> None:
    """Each kind of error of PostgreSQL is the domain's error that says what to do next."""
    error = psycopg.errors.lookup(code)("told")
    assert type(explain(error)) is kind
    assert type(explain_commit(error, lost=False)) is kind
    assert type(explain_commit(error, lost=True)).__name__ == "OutcomeUnknown"


def test_a_lost_connection_has_no_code() -> None:
    """What the driver itself says of a lost connection is unavailable, and nothing changed."""
    assert type(explain(psycopg.OperationalError("server closed the connection"))) is StoreUnavailable


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_text_that_cannot_be_kept_is_refused(world: SqlWorld, text: str) -> None:
    """A NUL character and half a surrogate pair are refused as input, wherever they come in."""
    with pytest.raises(InvalidInput):
        world.store().get(text)
    with pytest.raises(InvalidInput):
        world.store().find(text, top=1)
    with pytest.raises(InvalidInput):
        world.store().withdraw(text, etag=text, key="key")


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE access_requests; --", "\\'", "%s %(id)s :id ::id", "E'\\047", "$$", "\\x00"]
)
def test_hostile_text_is_only_text(world: SqlWorld, text: str) -> None:
    """Whatever a value looks like, it is kept and found as it is."""
    store = world.store()
    record = raised(store)
    assert store.withdraw(record.id, etag=record.etag, key="key", reason=text).end_reason == text.strip()
    assert store.get(record.id).end_reason == text.strip()
    assert store.find(text, top=5) == []


def test_a_pool_that_is_used_up_is_waited_for_and_then_named(world: SqlWorld, shared: Cluster) -> None:
    """Who gets no connection in time is told so; nobody waits for ever."""
    assert world
    engine = PostgresqlEngine(shared.conninfo(STORE, SERVER_ROLE), pool=1)
    with engine.reading([HOME]):
        engine.pool.timeout = 0.2
        with pytest.raises(StoreUnavailable, match="no connection"), engine.reading([HOME]):
            pass
    engine.close()
    with pytest.raises(StoreUnavailable), engine.reading([HOME]):
        pass


def test_a_read_only_connection_is_given_up(shared: Cluster) -> None:
    """A standby takes no writes: the connection to it is closed, so that the next one may find the primary."""
    engine = PostgresqlEngine(f"{shared.conninfo(STORE, SERVER_ROLE)} options='-c transaction_read_only=on'", pool=1)
    with pytest.raises(StoreUnavailable), engine.writing([HOME]) as session:
        session.run("SET TRANSACTION READ ONLY; DELETE FROM idempotency", {})
    with engine.reading([HOME]) as session:
        assert session.all("SELECT 1", {}) == [(1,)]
    assert engine.pool.get_stats().get("returns_bad") == 1
    engine.close()
