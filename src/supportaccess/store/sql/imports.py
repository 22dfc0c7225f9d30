"""Takes a provider's events in and keeps the mirrors rebuilt from them."""

import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from supportaccess.domain import mirrors
from supportaccess.domain.audit import Activity, Step
from supportaccess.domain.errors import InvalidInput
from supportaccess.domain.permissions import Caller, Permission
from supportaccess.domain.records import AccessRequest, Actor, canonical_json
from supportaccess.domain.source_events import SourceEvent
from supportaccess.store.protocol import Imported
from supportaccess.store.sql.answers import Answers
from supportaccess.store.sql.changes import write_row
from supportaccess.store.sql.engine import Engine, Row, Session
from supportaccess.store.sql.log import LogWriter
from supportaccess.store.sql.rows import GET, record_from

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
    """Takes the transaction of a dry run, or of an import that was answered before, back."""


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
        with engine.writing() as session:
            payload = ["import", dict(details), importing.take(session, events)]
            # Known only now: whether it is the same import shows when all of it was read.
            known = None if dry_run else answers.known(session, payload)
            if known is not None:
                outcome = known
                raise _TakenBack  # noqa: TRY301 - leaving the block by an exception is what rolls back
            if importing.new:
                writer = LogWriter(engine, session, importing.tenant_ids, {importing.caller.tenant_id: key})
                writer.append(importing.step(session, details))
                importing.rebuild(session, writer)
                writer.finish()
            outcome = importing.outcome()
            if dry_run:
                raise _TakenBack  # noqa: TRY301 - as above
            answers.keep(session, payload, outcome, now)
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
        for event in events:
            if event.tenant_id != self.caller.tenant_id:
                raise InvalidInput(f"event {event.id} is of tenant {event.tenant_id}, not of {self.caller.tenant_id}")
            digest.update(canonical_json(event))
            if not event.recognised:
                self._unrecognised += 1
            told = replace(event, raw="")
            named = {"tenant_id": event.tenant_id, "source": event.source.value, "event_id": event.id}
            inserted = session.run(
                _INSERT_EVENT,
                named
                | {
                    "first_request_id": event.request_id,
                    "placed": 0 if event.recognised else 1,
                    "import_id": self._import_id,
                    "event": msgspec.json.encode(told),
                    "raw": event.raw,
                },
            )
            if inserted:
                self.new += 1
                if event.recognised:
                    session.run_many(_INSERT_KEY, [named | {"key": key} for key in event.keys])
            else:
                self._known += 1
                known = session.one(_KNOWN_EVENT, named)
                if known is not None and not _same(_events.decode(known[0]), event):
                    self._differing += 1
        return digest.hexdigest()

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
            done: set[str] = set()
            for row in rows:
                event = _events.decode(row[0])
                if event.id not in done:
                    connected = self._connected(session, row)
                    done.update(other.id for other, _ in connected if other.tenant_id == event.tenant_id)
                    self._replace(session, writer, connected)

    def _connected(self, session: Session, first: Row) -> list[tuple[SourceEvent, str | None]]:
        """Return every event that shares a key with the first, or with another that does, and its request's ID."""
        found: dict[tuple[str, str], tuple[SourceEvent, str | None]] = {}
        keys: set[str] = set()
        waiting: list[Row] = [first]
        while waiting:
            data, request_id = waiting.pop()
            event = _events.decode(data)
            if (event.tenant_id, event.id) in found:
                continue
            found[event.tenant_id, event.id] = event, request_id
            for key in event.keys:
                if key not in keys:
                    keys.add(key)
                    for tenant_id in self.tenant_ids:
                        waiting += session.all(_WITH_KEY, {"tenant_id": tenant_id, "key": key})
        return list(found.values())

    def _replace(
        self, session: Session, writer: LogWriter, connected: Sequence[tuple[SourceEvent, str | None]]
    ) -> None:
        """Put the mirrors rebuilt from the events in the place of those that were there."""
        rebuilt = mirrors.rebuild(event for event, _ in connected)
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
                    mirror.record = mirrors.keep_partner(
                        mirror.record, earlier[event.tenant_id, request_id], self.tenant_ids
                    )
        remaining = {(mirror.tenant_id, mirror.record.id) for mirror in rebuilt}
        for (tenant_id, request_id), record in earlier.items():
            if (tenant_id, request_id) not in remaining:
                self._write(session, writer, Activity.MIRROR_MERGED, tenant_id, record, None)
        for mirror in rebuilt:
            before = earlier.get((mirror.tenant_id, mirror.record.id))
            if before is None or before.etag != mirror.record.etag:
                self._requests_new += before is None
                self._requests_changed += before is not None
                self._write(session, writer, Activity.MIRROR_UPDATED, mirror.tenant_id, before, mirror.record)
        session.run_many(_PLACE, (_placing(event, place.get((event.tenant_id, event.id))) for event, _ in connected))

    def _write(
        self,
        session: Session,
        writer: LogWriter,
        activity: Activity,
        tenant_id: str,
        before: AccessRequest | None,
        after: AccessRequest | None,
    ) -> None:
        own = tenant_id == self.caller.tenant_id
        # The other tenant's log says that its mirror changed, not who in this tenant's directory imported.
        actor = self.caller.actor if own else Actor(kind=self.caller.actor.kind)
        step = Step(tenant_id=tenant_id, activity=activity, actor=actor, at=self._now, before=before, after=after)
        write_row(session, step)
        writer.append(step)


def _placing(event: SourceEvent, mirror: mirrors.Rebuilt | None) -> dict[str, object]:
    return {
        "tenant_id": event.tenant_id,
        "source": event.source.value,
        "event_id": event.id,
        "request_id": mirror.record.id if mirror else None,
    }


def _same(known: SourceEvent, event: SourceEvent) -> bool:
    return (known.time, known.activity, known.result, known.correlation_id) == (
        event.time,
        event.activity,
        event.result,
        event.correlation_id,
    )
