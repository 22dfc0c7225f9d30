"""The lines of an import: what it is, then one source event a line.

They come from whoever may import, and are held to what the readers of exports hold theirs to.
"""

from collections.abc import Iterator
from typing import IO, Annotated

from msgspec import Meta
from msgspec.structs import replace

from supportaccess.domain.records import Actor, ActorKind, Moment, Source
from supportaccess.domain.source_events import SourceEvent
from supportaccess.domain.text import LONGEST_NAME, check_support_request_id
from supportaccess.errors import InvalidInput
from supportaccess.server.web.bodies import decode
from supportaccess.server.web.errors import BadInput
from supportaccess.sources.entra.rebuild import ENTRA_ACTIVITIES
from supportaccess.store.wire import ImportHead, in_utc

NDJSON = "application/x-ndjson"
LARGEST_RAW = 1024**2
"""Bytes of the text that an event was read from."""
LARGEST_LINE = 8 * LARGEST_RAW
"""Bytes of one line: JSON writes some characters of a text as escapes of six."""

_LONGEST_WORD = 256
_LARGEST_NUMBER = 2**53 - 1  # what every reader of JSON can tell exactly (RFC 8259, section 6)

_Word = Annotated[str, Meta(min_length=1, max_length=_LONGEST_WORD)]
_Name = Annotated[str, Meta(max_length=LONGEST_NAME)]


class InitiatorLine(Actor, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who did what an event tells of, as its provider named them."""

    object_id: _Word | None = None
    tenant_id: _Word | None = None
    display_name: _Name | None = None


class EventLine(SourceEvent, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source event, as a client sends it."""

    id: _Word
    tenant_id: _Word
    time: Moment
    activity: _Word
    format: _Word
    category: _Word | None = None
    service: _Word | None = None
    result: _Word | None = None
    correlation_id: _Word | None = None
    initiator: InitiatorLine | None = None
    target_ids: tuple[_Word, ...] = ()


def read_head(lines: IO[bytes]) -> ImportHead:
    """Return the first line. Raises BadInput."""
    head = decode(_line(lines, 1), ImportHead, "line 1")
    if any(isinstance(value, int) and abs(value) > _LARGEST_NUMBER for value in head.details.values()):
        raise BadInput(f"line 1: a number is beyond {_LARGEST_NUMBER}", target="line 1")
    return head


def read_lines(lines: IO[bytes]) -> Iterator[SourceEvent]:
    """Yield the events of the further lines. Raises BadInput, which names the line."""
    number = 2
    while line := _line(lines, number):
        event = decode(line, EventLine, f"line {number:,}")
        try:
            _check(event)
            yield replace(event, time=in_utc(event.time))
        except InvalidInput as error:
            raise BadInput(f"line {number:,}: {error.message}", target=f"line {number:,}") from None
        number += 1


def _line(lines: IO[bytes], number: int) -> bytes:
    line = lines.readline(LARGEST_LINE + 1)
    if len(line) > LARGEST_LINE:
        raise BadInput(f"line {number:,} is larger than {LARGEST_LINE:,} bytes, which is the most", target="body")
    return line


def _check(event: EventLine) -> None:
    if not event.source.is_known:
        raise InvalidInput(f"its source is not one of: {', '.join(Source)}")
    if event.source is Source.STORE:
        raise InvalidInput("its source is this store, which has no events of its own to be imported")
    if event.recognised and event.activity not in ENTRA_ACTIVITIES:
        raise InvalidInput("it is marked as recognised, and its activity is none of those that are")
    if event.support_request_id is not None:
        check_support_request_id(event.support_request_id)
    if event.initiator is not None and event.initiator.kind not in {ActorKind.USER, ActorKind.APPLICATION}:
        raise InvalidInput("its initiator is neither a user nor an application")
    if len(event.raw.encode()) > LARGEST_RAW:
        raise InvalidInput(f"its raw text is larger than {LARGEST_RAW:,} bytes, which is the most")
    if any("\x00" in text for text in _texts(event)):
        raise InvalidInput("a NUL character is in it")


def _texts(event: EventLine) -> Iterator[str]:
    yield from (event.id, event.activity, event.format, event.raw, *event.target_ids)
    yield from filter(None, (event.category, event.service, event.result, event.correlation_id))
    if event.initiator is not None:
        yield from filter(None, (event.initiator.object_id, event.initiator.tenant_id, event.initiator.display_name))
