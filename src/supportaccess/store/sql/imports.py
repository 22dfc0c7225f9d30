"""Takes a provider's events in and keeps the mirrors rebuilt from them."""

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from supportaccess.domain.audit import Activity, Step
from supportaccess.domain.permissions import Caller, Permission
from supportaccess.domain.records import AccessRequest, Actor, canonical_json
from supportaccess.domain.source_events import SourceEvent
from supportaccess.errors import Conflict, InvalidInput
from supportaccess.sources.entra import rebuild
from supportaccess.store.protocol import Imported
from supportaccess.store.sql.engine import Engine, Row, Session, Statement
from supportaccess.store.sql.idempotency import Answers
from supportaccess.store.sql.log import LogWriter, lock_logs
from supportaccess.store.sql.rows import GET, record_from
from supportaccess.store.sql.writes import write_steps

_AT_ONCE = 200
_CHARACTERS_AT_ONCE = 4 * 1024**2
_INSERT_EVENT = """
    INSERT INTO source_events
        (tenant_id, source, event_id, first_request_id, request_id, placed, import_id, event, raw)
    VALUES (:tenant_id, :source, :event_id, :first_request_id, NULL, :placed, :import_id, :event, :raw)
    ON CONFLICT (tenant_id, source, event_id) DO NOTHING
"""
_INSERT_KEY = """
    INSERT INTO source_event_keys (tenant_id, key, source, event_id) VALUES (:tenant_id, :key, :source, :event_id)
    ON CONFLICT DO NOTHING
"""
_KNOWN_EVENT = """
    SELECT event FROM source_events WHERE tenant_id = :tenant_id AND source = :source AND event_id = :event_id
"""
_NEXT_UNPLACED = """
    SELECT event, request_id FROM source_events
    WHERE tenant_id = :tenant_id AND import_id = :import_id AND placed = 0 LIMIT 500
"""
_WITH_KEY = """
    SELECT e.event, e.request_id FROM source_event_keys AS k
    JOIN source_events AS e ON e.tenant_id = k.tenant_id AND e.source = k.source AND e.event_id = k.event_id
    WHERE k.tenant_id = :tenant_id AND k.key = :key
"""
_PLACE = """
    UPDATE source_events SET placed = 1, request_id = :request_id
    WHERE tenant_id = :tenant_id AND source = :source AND event_id = :event_id
"""
_OF_IMPORT = """
    SELECT source, event_id, first_request_id, event, raw FROM source_events
    WHERE tenant_id = :tenant_id AND import_id = :import_id ORDER BY event_id, source
"""
_OF_REQUEST = "SELECT event, raw FROM source_events WHERE tenant_id = :tenant_id AND request_id = :request_id"

_events = msgspec.json.Decoder(SourceEvent)


class _TakenBack(Exception):
    """Takes the transaction of a dry run back."""


def import_events(
    engine: Engine,
    events: Iterable[SourceEvent],
    *,
    callers: Sequence[Caller],
    key: str,
    details: Mapping[str, str | int],
    dry_run: bool,
    now: datetime,
) -> Imported:
    """Take the events of the first caller's tenant in, all or none, and rebuild the mirrors they touch.

    The halves of a cross-tenant request are joined where both tenants are among the callers'. The log gets no entry
    when no event is new. A dry run does it all and takes it back.
    """
    importing = _Importing(callers, now)
    answers = Answers(importing.caller, key, Imported)
    outcome = Imported()
    try:
        with engine.writing(importing.tenant_ids) as session:
            payload = ["import", dict(details), importing.take(session, events)]
            # Locked only now: decisions need not wait while the events come in.
            keys = {importing.caller.tenant_id: key}
            writer, (answered,) = lock_logs(engine, session, importing.tenant_ids, keys, [answers.asking()])
            # Known only now: whether it is the same import shows when all of it was read.
            known = None if dry_run else answers.known(answered.rows, payload)
            if known is not None:
                return known
            if importing.new:
                write_steps(session, writer, [importing.step(session, details)], more=True)
                importing.rebuild(session, writer)
            outcome = importing.outcome()
            if dry_run:
                raise _TakenBack  # noqa: TRY301 - leaving the block by an exception is what rolls back
            session.finish([*writer.finish(), answers.keeping(payload, outcome, now)])
    except _TakenBack:
        pass
    return outcome


def evidence_of(session: Session, tenant_id: str, import_id: str) -> str:
    """Return the hash (SHA-256, hex) over every event that an import brought, by event ID.

    It covers the raw text and what was read from it, which the mirrors are rebuilt from: all that is never changed.
    """
    digest = hashlib.sha256()
    for row in session.each(_OF_IMPORT, {"tenant_id": tenant_id, "import_id": import_id}):
        for value in row:
            digest.update(_hash(value))
    return digest.hexdigest()


def _hash(value: object) -> bytes:
    """Return the hash of a column's value, which differs for bytes and for the text that they encode."""
    match value:
        case str():
            return hashlib.sha256(b"text:" + value.encode()).digest()
        case bytes():
            return hashlib.sha256(b"bytes:" + value).digest()
        case _:
            return hashlib.sha256(b"neither").digest()


def events_of(session: Session, tenant_id: str, request_id: str) -> list[SourceEvent]:
    """Return the events of a mirror with their raw text, oldest first."""
    rows = session.all(_OF_REQUEST, {"tenant_id": tenant_id, "request_id": request_id})
    events = [replace(_events.decode(event), raw=raw) for event, raw in rows]
    return sorted(events, key=lambda event: (event.time, event.id))


class _Importing:
    """One import under way."""

    def __init__(self, callers: Sequence[Caller], now: datetime) -> None:
        self.caller = callers[0]
        self._now = now
        self._import_id = str(uuid.uuid4())
        # A tenant's events are read for the mirrors of another only for somebody who may import into both.
        self.tenant_ids = tuple(
            caller.tenant_id for caller in callers if Permission.WRITE_SOURCE_EVENTS in caller.permissions
        )
        self.new = 0
        self._known = self._differing = self._unrecognised = 0
        self._requests_new = self._requests_changed = 0

    def outcome(self) -> Imported:
        return Imported(
            new=self.new,
            known=self._known,
            unrecognised=self._unrecognised,
            differing=self._differing,
            requests_new=self._requests_new,
            requests_changed=self._requests_changed,
        )

    def take(self, session: Session, events: Iterable[SourceEvent]) -> str:
        """Keep the events that are not there yet. Return the hash of them all."""
        digest = hashlib.sha256()
        waiting = iter(events)
        while some := _next(waiting):
            for event in some:
                if event.tenant_id != self.caller.tenant_id:
                    raise InvalidInput(
                        f"event {event.id} is of tenant {event.tenant_id}, not of {self.caller.tenant_id}"
                    )
                digest.update(canonical_json(event))
            self._take(session, some)
        return digest.hexdigest()

    def _take(self, session: Session, events: Sequence[SourceEvent]) -> None:
        results = session.batch([self._inserting(event) for event in events])
        inserted = [event for event, result in zip(events, results, strict=True) if result.touched]
        known = [event for event, result in zip(events, results, strict=True) if not result.touched]
        session.batch(
            [
                Statement(_INSERT_KEY, _named(event) | {"key": key})
                for event in inserted
                if event.recognised
                for key in event.keys
            ]
        )
        stored = session.batch([Statement(_KNOWN_EVENT, _named(event)) for event in known])
        self.new += len(inserted)
        self._known += len(known)
        self._unrecognised += sum(not event.recognised for event in events)
        self._differing += sum(
            not _same(_events.decode(result.rows[0][0]), event) for event, result in zip(known, stored, strict=True)
        )

    def _inserting(self, event: SourceEvent) -> Statement:
        return Statement(
            _INSERT_EVENT,
            _named(event)
            | {
                "first_request_id": event.request_id,
                "placed": 0 if event.recognised else 1,
                "import_id": self._import_id,
                "event": msgspec.json.encode(replace(event, raw="")),
                "raw": event.raw,
            },
        )

    def step(self, session: Session, details: Mapping[str, str | int]) -> Step:
        """Return the step that records the import itself."""
        tenant_id = self.caller.tenant_id
        return Step(
            tenant_id=tenant_id,
            activity=Activity.IMPORT,
            actor=self.caller.actor,
            at=self._now,
            details={
                **details,
                "importId": self._import_id,
                "newEvents": self.new,
                "evidence": evidence_of(session, tenant_id, self._import_id),
            },
        )

    def rebuild(self, session: Session, writer: LogWriter) -> None:
        """Rebuild every request that a new event belongs to."""
        unplaced = {"tenant_id": self.caller.tenant_id, "import_id": self._import_id}
        while rows := session.all(_NEXT_UNPLACED, unplaced):
            events = [_events.decode(row[0]) for row in rows]
            with_key = self._with_keys(session, {key for event in events for key in event.keys})
            done: set[str] = set()
            steps: list[Step] = []
            placing: list[Statement] = []
            for event, row in zip(events, rows, strict=True):
                if event.id not in done:
                    connected = self._connected(session, row, with_key)
                    done.update(other.id for other, _ in connected if other.tenant_id == event.tenant_id)
                    self._replace(session, connected, steps, placing)
            write_steps(session, writer, steps, placing, more=True)

    def _with_keys(self, session: Session, keys: Iterable[str]) -> dict[str, list[Row]]:
        """Return the events with each key, in one round trip."""
        asking = [(key, {"tenant_id": tenant_id, "key": key}) for key in keys for tenant_id in self.tenant_ids]
        results = session.batch([Statement(_WITH_KEY, parameters) for _, parameters in asking])
        found: dict[str, list[Row]] = {}
        for (key, _), result in zip(asking, results, strict=True):
            found.setdefault(key, []).extend(result.rows)
        return found

    def _connected(
        self, session: Session, first: Row, with_key: dict[str, list[Row]]
    ) -> list[tuple[SourceEvent, str | None]]:
        """Return every event that shares a key with the first, or with another that does, and its request's ID.

        `with_key` are the events of the keys that were read; further ones are added.
        """
        found: dict[tuple[str, str], tuple[SourceEvent, str | None]] = {}
        keys: set[str] = set()
        waiting: list[Row] = [first]
        while waiting:
            data, request_id = waiting.pop()
            event = _events.decode(data)
            if (event.tenant_id, event.id) in found:
                continue
            found[event.tenant_id, event.id] = event, request_id
            with_key.update(self._with_keys(session, [key for key in event.keys if key not in with_key]))
            waiting += (row for key in event.keys if key not in keys for row in with_key[key])
            keys.update(event.keys)
        return list(found.values())

    def _replace(
        self,
        session: Session,
        connected: Sequence[tuple[SourceEvent, str | None]],
        steps: list[Step],
        placing: list[Statement],
    ) -> None:
        """Add what puts the mirrors rebuilt from the events in the place of those that were there."""
        rebuilt = rebuild.rebuild(event for event, _ in connected)
        place = {(event.tenant_id, event.id): mirror for mirror in rebuilt for event in mirror.events}
        earlier: dict[tuple[str, str], AccessRequest] = {}
        for event, request_id in connected:
            if request_id is None or (event.tenant_id, request_id) in earlier:
                continue
            row = session.one(GET, {"tenant_id": event.tenant_id, "id": request_id})
            if row is not None:
                earlier[event.tenant_id, request_id] = record_from(row)
                mirror = place.get((event.tenant_id, event.id))
                if mirror is not None:
                    mirror.record = rebuild.keep_partner(
                        mirror.record, earlier[event.tenant_id, request_id], self.tenant_ids
                    )
        remaining = {(mirror.tenant_id, mirror.record.id) for mirror in rebuilt}
        steps += (
            self._step(Activity.MIRROR_MERGED, tenant_id, record, None)
            for (tenant_id, request_id), record in earlier.items()
            if (tenant_id, request_id) not in remaining
        )
        for mirror in rebuilt:
            before = earlier.get((mirror.tenant_id, mirror.record.id))
            if before is not None and not before.status.is_known:
                raise Conflict(
                    f"{before.id} is {before.status}, which this version does not know; nothing was imported",
                    current_status=before.status,
                    hint="pip install --upgrade supportaccess",
                )
            if before is None or before.etag != mirror.record.etag:
                self._requests_new += before is None
                self._requests_changed += before is not None
                steps.append(self._step(Activity.MIRROR_UPDATED, mirror.tenant_id, before, mirror.record))
        placing += (_placing(event, place.get((event.tenant_id, event.id))) for event, _ in connected)

    def _step(
        self, activity: Activity, tenant_id: str, before: AccessRequest | None, after: AccessRequest | None
    ) -> Step:
        own = tenant_id == self.caller.tenant_id
        # The other tenant's log says that its mirror changed, not who in this tenant's directory imported.
        actor = self.caller.actor if own else Actor(kind=self.caller.actor.kind)
        return Step(tenant_id=tenant_id, activity=activity, actor=actor, at=self._now, before=before, after=after)


def _next(waiting: Iterator[SourceEvent]) -> list[SourceEvent]:
    """Return the next events: as many as go into one message, by their number and by the size of their raw text."""
    events, size = list[SourceEvent](), 0
    for event in waiting:
        events.append(event)
        size += len(event.raw)
        if len(events) == _AT_ONCE or size >= _CHARACTERS_AT_ONCE:
            break
    return events


def _named(event: SourceEvent) -> dict[str, object]:
    return {"tenant_id": event.tenant_id, "source": event.source.value, "event_id": event.id}


def _placing(event: SourceEvent, mirror: rebuild.Rebuilt | None) -> Statement:
    return Statement(_PLACE, _named(event) | {"request_id": mirror.record.id if mirror else None})


def _same(known: SourceEvent, event: SourceEvent) -> bool:
    return (known.time, known.activity, known.result, known.correlation_id) == (
        event.time,
        event.activity,
        event.result,
        event.correlation_id,
    )
