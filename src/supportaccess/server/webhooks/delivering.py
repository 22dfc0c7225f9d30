"""Posts what the audit log tells, tenant by tenant and in order, until it has arrived.

One thread for each webhook, with a connection to the database of its own: no decision waits for a receiver. Of several
processes one at a time posts for a webhook. What was posted is noted after the receiver took it, so that a message may
come twice, under the same ID, but none is lost.
"""

import hashlib
import logging
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Event as Flag
from threading import Thread
from zlib import crc32

import msgspec
from msgspec.structs import replace

from supportaccess.domain.attention import urgency
from supportaccess.domain.events import Event, announcement
from supportaccess.domain.times import Clock
from supportaccess.errors import StoreRefused, SupportAccessError
from supportaccess.server import logs
from supportaccess.server.database import open_engine
from supportaccess.server.metrics import Metrics
from supportaccess.server.settings import DatabaseSettings, ServerSettings, WebhookSettings
from supportaccess.server.webhooks.outcomes import Gone, Undelivered
from supportaccess.server.webhooks.posting import post
from supportaccess.server.webhooks.signing import headers_of, keys_of
from supportaccess.store.sql.engine import Engine
from supportaccess.store.sql.outbox import MOST_NEAR, Cursor, Outbox, read_events
from supportaccess.store.sql.sqlite.engine import SqliteEngine
from supportaccess.structs import Struct

GIVES_UP = timedelta(days=3)
"""How long a webhook may fail before it is disabled, and how old an event may be that is still posted."""

_SECONDS = 2.0
_SECONDS_AFTER_TROUBLE = 30.0
_AT_ONCE = 50
_PAUSES = (5, 30, 120, 600, 1800)
_CONNECTIONS = 2
# The first key is any number; the second is of the webhook's name. It ends with its transaction, as the sweep's does.
_TRY_LOCK = """
    SELECT pg_try_advisory_xact_lock(78234409, :key), set_config('idle_in_transaction_session_timeout', '0', true)
"""
_encode = msgspec.json.Encoder().encode


class Message(Struct, frozen=True, kw_only=True):
    """What is posted: the payload as Standard Webhooks recommends it."""

    type: str
    timestamp: datetime
    data: Event


class Deliverer:
    """Delivers to one webhook."""

    def __init__(self, webhook: WebhookSettings, settings: DatabaseSettings, clock: Clock, metrics: Metrics) -> None:
        self._webhook = webhook
        self._settings = replace(settings, pool=_CONNECTIONS)
        self._clock = clock
        self._metrics = metrics
        self._ahead = timedelta(seconds=webhook.ahead_seconds)
        self._stop = Flag()
        self._has_begun = False
        self._thread = Thread(target=self._run, name=f"webhook {webhook.name}", daemon=True)

    def start(self) -> None:
        """Begin, in a thread."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Take no further event."""
        self._stop.set()

    def wait(self, seconds: float) -> None:
        """Wait for the end of what is under way. What is not noted by then is posted again by the next process."""
        self._thread.join(seconds)

    def _run(self) -> None:
        engine: Engine | None = None
        pause = 0.0
        while not self._stop.wait(pause * random.uniform(0.8, 1.2)):  # noqa: S311 - spreads processes
            pause = _SECONDS
            try:
                engine = engine or open_engine(self._settings)
                self._round(engine)
            except SupportAccessError as error:
                pause = _SECONDS_AFTER_TROUBLE
                self._log("webhookWaits", code=error.code, message=error.message)
            except Exception as error:  # noqa: BLE001 - a round that failed must not be the last one
                pause = _SECONDS_AFTER_TROUBLE
                logs.failure(error)
        if engine is not None:
            engine.close()

    def _round(self, engine: Engine) -> None:
        # Not the URL itself, which may have a secret in it.
        target = hashlib.sha256(self._webhook.url.encode()).hexdigest()
        outbox = Outbox(engine, self._webhook.name, target)
        self._measure(outbox)
        with self._alone(engine) as is_alone:
            if not is_alone:
                return
            now = self._clock()
            if not self._has_begun:
                outbox.begin(self._webhook.tenants, now)
                self._has_begun = True
                logs.event("webhookFollows", webhook=self._webhook.name, tenants=len(self._webhook.tenants))
            tenants = [each for each in outbox.waiting(now, now + self._ahead) if each in self._webhook.tenants]
            for tenant_id in tenants:
                if self._stop.is_set():
                    return
                delivery = _Delivery(self._webhook, engine, outbox, tenant_id, self._clock, self._metrics, self._stop)
                try:
                    delivery.run()
                except StoreRefused as error:  # of one tenant, or of the secret: the others may fare better
                    self._log("webhookWaits", tenantId=tenant_id, code=error.code, message=error.message)
                self._measure(outbox)

    def _measure(self, outbox: Outbox) -> None:
        """Take down what is not delivered yet: of all tenants together, for the operator."""
        entries, oldest = outbox.undelivered(self._webhook.tenants)
        age = 0.0 if oldest is None else max(0.0, (self._clock() - oldest).total_seconds())
        self._metrics.webhook_backlog(self._webhook.name, entries, age)

    @contextmanager
    def _alone(self, engine: Engine) -> Iterator[bool]:
        """Hold off other processes, and say whether this one is the one to post."""
        if isinstance(engine, SqliteEngine):  # its server is one process
            yield True
            return
        with engine.writing(()) as session:
            key = crc32(self._webhook.name.encode()) - 2**31
            locked = session.one(_TRY_LOCK, {"key": key})
            yield bool(locked and locked[0])

    def _log(self, name: str, **fields: str | int | float | None) -> None:
        logs.event(name, level=logging.WARNING, webhook=self._webhook.name, **fields)


class _Delivery:
    """What one tenant has to tell, in order, as far as it arrives."""

    def __init__(
        self,
        webhook: WebhookSettings,
        engine: Engine,
        outbox: Outbox,
        tenant_id: str,
        clock: Clock,
        metrics: Metrics,
        stop: Flag,
    ) -> None:
        self._webhook = webhook
        self._engine = engine
        self._outbox = outbox
        self._tenant_id = tenant_id
        self._clock = clock
        self._metrics = metrics
        self._stop = stop
        self._ahead = timedelta(seconds=webhook.ahead_seconds)

    def run(self) -> None:
        """Post what there is. The first message that does not arrive ends it, until its next time."""
        with self._engine.reading([self._tenant_id]) as session:
            cursor = self._outbox.read(session, self._tenant_id, self._clock())
        if cursor is None:
            return
        try:
            following = self._tell_log(cursor)
            if following is not None:
                self._tell_near(following)
        except Undelivered as trouble:
            self._failed(cursor, trouble)

    def _tell_log(self, cursor: Cursor) -> Cursor | None:
        """Post what the log has; return where that ends, None when this process is to go no further."""
        while True:
            with self._engine.reading([self._tenant_id]) as session:
                page = read_events(session, self._tenant_id, cursor.sequence, _AT_ONCE, self._clock())
            for event in page.value:
                if self._stop.is_set():
                    return None
                if self._posted(event):
                    moved = self._moved(cursor, replace(cursor, sequence=(event.sequence or 0) + 1))
                    if moved is None:
                        return None
                    cursor = moved
            after = replace(cursor, sequence=page.next)
            if after.sequence != cursor.sequence:
                moved = self._moved(cursor, after)
                if moved is None:
                    return None
                cursor = moved
            if page.next >= page.size:
                return cursor

    def _tell_near(self, cursor: Cursor) -> None:
        """Announce deadlines and limits. Those of one moment are noted together, once all of them have arrived."""
        now = self._clock()
        until = now + self._ahead
        after = max(cursor.announced_until, now)
        if after >= until:
            return
        with self._engine.reading([self._tenant_id]) as session:
            records = self._outbox.near(session, self._tenant_id, after, until)
        for record, following in zip(records, [*records[1:], None], strict=True):
            if self._stop.is_set():
                return
            event = announcement(record, self._tenant_id, self._ahead, now)
            if event is not None:
                self._posted(event)
            is_last = following is None or urgency(following) != urgency(record)
            moment = record.decide_by if record.starts_at is None else record.expires_at
            if is_last and moment is not None and not (following is None and len(records) == MOST_NEAR):
                end = until if following is None else moment
                moved = self._moved(cursor, replace(cursor, announced_until=end))
                if moved is None:
                    return
                cursor = moved

    def _posted(self, event: Event) -> bool:
        """Post an event that is wanted; say whether it was. Raises Undelivered."""
        if self._webhook.events and event.what not in self._webhook.events:
            return False
        if event.sequence is not None and self._clock() - event.time > GIVES_UP:
            self._metrics.webhook(self._webhook.name, "tooOld")
            self._log("webhookSkipped", eventId=event.id)
            return False
        body = _encode(Message(type=f"accessRequest.{event.what}", timestamp=event.time, data=event))
        keys = keys_of(self._webhook)
        post(self._webhook, headers_of(keys, event.id, int(self._clock().timestamp()), body), body)
        self._metrics.webhook(self._webhook.name, "done")
        return True

    def _moved(self, before: Cursor, after: Cursor) -> Cursor | None:
        # As it stands in the database now: an attempt that worked leaves no trouble behind.
        moved = self._outbox.move(self._tenant_id, before, after)
        return replace(after, failures=0, failing_since=None) if moved else None

    def _failed(self, begun: Cursor, trouble: Undelivered) -> None:
        now = self._clock()
        with self._engine.reading([self._tenant_id]) as session:
            cursor = self._outbox.read(session, self._tenant_id, now) or begun
        since = min(cursor.failing_since or now, now)
        gone = isinstance(trouble, Gone)
        disabled = gone or now - since > GIVES_UP
        pause = _pause(cursor.failures, trouble.wait)
        self._outbox.fail(
            self._tenant_id,
            failures=cursor.failures + 1,
            since=since,
            next_attempt=now + timedelta(seconds=pause),
            disabled=now if disabled else None,
        )
        self._metrics.webhook(self._webhook.name, "failed")
        self._log("webhookFailed", reason=trouble.reason, status=trouble.status, failures=cursor.failures + 1)
        if disabled:
            self._metrics.webhook(self._webhook.name, "disabled")
            self._log("webhookDisabled", reason="gone" if gone else "failsForLong")

    def _log(self, name: str, **fields: str | int | float | None) -> None:
        level = logging.ERROR if name == "webhookDisabled" else logging.WARNING
        logs.event(name, level=level, webhook=self._webhook.name, tenantId=self._tenant_id, **fields)


def deliverers(settings: ServerSettings, clock: Clock, metrics: Metrics) -> Sequence[Deliverer]:
    """Return what delivers to each webhook of the settings."""
    return [Deliverer(webhook, settings.database, clock, metrics) for webhook in settings.webhooks]


def _pause(failures: int, wanted: float) -> float:
    """Return the seconds to the next attempt: longer and longer, and never sooner than the receiver wants."""
    usual = _PAUSES[min(failures, len(_PAUSES) - 1)] * random.uniform(0.8, 1.2)  # noqa: S311 - spreads attempts
    return max(usual, wanted)
