"""Writes down what was tried and not done, and who read the log: so many entries in a window, and the rest as a count.

How many is held by the database, whatever number of processes there are. What is only counted takes no lock on the log,
so that nobody who decides waits for it.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from supportaccess.domain.attempts import MOST, WINDOW, counted, only_counted
from supportaccess.domain.audit import Activity, Step
from supportaccess.domain.permissions import Caller
from supportaccess.domain.records import Actor
from supportaccess.domain.times import from_microseconds, to_microseconds
from supportaccess.store.sql.engine import Engine, Parameters, Row, Session, Statement, unless_raced
from supportaccess.store.sql.log import lock_logs
from supportaccess.store.sql.writes import write_steps

_ONE = "tenant_id = :tenant_id AND caller = :caller AND activity = :activity"
_COUNT = f"""
    UPDATE attempt_counts SET not_logged = not_logged + 1 WHERE {_ONE} AND since > :over AND logged >= :most
"""
# Locked as they are read, against whoever counts and so does not lock the log.
_READ = f"SELECT since, not_logged FROM attempt_counts WHERE {_ONE}"
_BEGIN = """
    INSERT INTO attempt_counts (tenant_id, caller, activity, since, logged, not_logged, actor)
    VALUES (:tenant_id, :caller, :activity, :now, 1, 0, :actor)
"""
_GO_ON = f"UPDATE attempt_counts SET logged = logged + 1 WHERE {_ONE}"
_BEGIN_ANEW = f"UPDATE attempt_counts SET since = :now, logged = 1, not_logged = 0, actor = :actor WHERE {_ONE}"
_FORGET = f"DELETE FROM attempt_counts WHERE {_ONE}"
_UNDER_WAY = f"SELECT 1 FROM attempt_counts WHERE {_ONE} AND since > :over"
_AT_ONCE = 500
_OVER = f"""
    SELECT caller, activity, since, not_logged, actor FROM attempt_counts
    WHERE tenant_id = :tenant_id AND since <= :over ORDER BY since, caller, activity LIMIT {_AT_ONCE}
"""
WITH_SOMETHING_COUNTED = "SELECT DISTINCT tenant_id || '' FROM attempt_counts WHERE since <= :over"
"""The tenants whose logs lack what was counted until `:over`."""

_actors = msgspec.json.Decoder(Actor)


def record(engine: Engine, attempt: Step) -> None:
    """Write the entry of an attempt or a reading, or count it where its caller has had as many as are written.

    An entry tells what was only counted in the window before. Raises StoreUnavailable, StoreRefused: then it is neither
    written nor counted.
    """
    unless_raced(lambda: _record(engine, attempt))


def settle(engine: Engine, tenant_id: str, now: datetime) -> None:
    """Write what was only counted in windows that are over, an entry each. Raises StoreUnavailable, StoreRefused."""
    while _settle(engine, tenant_id, now) == _AT_ONCE:
        pass


def end_of_windows(now: datetime) -> int:
    """Return, in microseconds, the beginning of windows that are over."""
    return to_microseconds(now - WINDOW)


def reads_already(session: Session, caller: Caller, now: datetime) -> bool:
    """Tell whether the log has an entry, in the window under way, of its being read by the caller."""
    named = _named(caller.tenant_id, caller.actor, Activity.LOG_READ) | {"over": end_of_windows(now)}
    return session.one(_UNDER_WAY, named) is not None


def _record(engine: Engine, attempt: Step) -> None:
    named = _named(attempt.tenant_id, attempt.actor, attempt.activity)
    counting = Statement(_COUNT, named | {"over": end_of_windows(attempt.at), "most": MOST[attempt.activity]})
    with engine.writing([attempt.tenant_id]) as session:
        if session.batch([counting])[0].touched:
            return
        # Once more behind the lock: somebody else's may have been the last one that is written.
        then = [counting, Statement(_READ + engine.lock_rows, named)]
        writer, (count, found) = lock_logs(engine, session, [attempt.tenant_id], {}, then)
        if not count.touched:
            step, window = _told(attempt, named, found.rows)
            write_steps(session, writer, [step], [window])


def _told(attempt: Step, named: Parameters, window: Sequence[Row]) -> tuple[Step, Statement]:
    """Return what is to be written of an attempt, and the statement that takes note of that in its window."""
    told = {**named, "now": to_microseconds(attempt.at), "actor": msgspec.json.encode(attempt.actor).decode()}
    if not window:
        return attempt, Statement(_BEGIN, told)
    since, not_logged = window[0]
    if since > end_of_windows(attempt.at):
        return attempt, Statement(_GO_ON, named, one_row=True)
    details = counted(attempt.details, from_microseconds(since), not_logged)
    return replace(attempt, details=details), Statement(_BEGIN_ANEW, told, one_row=True)


def _settle(engine: Engine, tenant_id: str, now: datetime) -> int:
    over = Statement(_OVER + engine.lock_rows, {"tenant_id": tenant_id, "over": end_of_windows(now)})
    with engine.writing([tenant_id]) as session:
        writer, (windows,) = lock_logs(engine, session, [tenant_id], {}, [over])
        steps, forgetting = list[Step](), list[Statement]()
        for caller, activity, since, not_logged, actor in windows.rows:
            window = {"tenant_id": tenant_id, "caller": caller, "activity": activity}
            forgetting.append(Statement(_FORGET, window, one_row=True))
            if not_logged:
                began, who = from_microseconds(since), _actors.decode(actor)
                steps.append(only_counted(tenant_id, Activity(activity), who, now, began, not_logged))
        if forgetting:
            write_steps(session, writer, steps, forgetting)
    return len(windows.rows)


def _named(tenant_id: str, actor: Actor, activity: Activity) -> dict[str, object]:
    return {"tenant_id": tenant_id, "caller": actor.key, "activity": activity.value}
