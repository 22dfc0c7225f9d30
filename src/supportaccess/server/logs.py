"""The log: JSON lines on standard error.

What may be logged of a request is a closed list of fields. Tokens, bodies, queries and names are not among them.
Text that others made (the messages of libraries and exceptions) is not written: it could hold a password or a token.
"""

import json
import logging
import os
import re
from contextlib import suppress
from datetime import UTC, datetime
from traceback import walk_tb
from types import TracebackType
from typing import Any

import msgspec

from supportaccess.errors import StoreRefused, StoreUnavailable

# Version 00 ends after the flags; a later one may go on (W3C Trace Context 1, section 3.2.4).
_TRACEPARENT = re.compile(r"((?!ff)[0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
_STANDARD_ERROR = 2
_MOST_FRAMES = 40
_MOST_CHARACTERS = 500


class AccessLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What is logged of a request: all that ever is.

    `route` is the template, `bytes` those of the answer's body, `reason` why a token was refused.
    """

    request_id: str
    method: str
    route: str
    status: int
    milliseconds: float
    trace_id: str | None = None
    tenant_id: str | None = None
    object_id: str | None = None
    client_id: str | None = None
    token_id: str | None = None
    address: str | None = None
    code: str | None = None
    reason: str | None = None
    bytes: int | None = None


def access(line: AccessLine) -> None:
    """Log a request that was answered."""
    if logging.getLogger("supportaccess").isEnabledFor(logging.INFO):
        _write("info" if line.status < 500 else "error", "request", line)


def event(name: str, *, level: int = logging.INFO, **fields: str | int | float | None) -> None:
    """Log something that happened. The fields are ours: never text of a request or of a library."""
    if logging.getLogger("supportaccess").isEnabledFor(level):
        _write(logging.getLevelName(level).lower(), name, fields)


def failure(error: BaseException, *, request_id: str | None = None) -> None:
    """Log an exception that nobody expected: its kind and where it came from, not what it says."""
    _write("error", "failed", {"requestId": request_id, **_told(error)})


def trace_id(traceparent: str | None) -> str | None:
    """Return the trace ID of a `traceparent` header (W3C Trace Context 1, section 3.2), or None if it is not one."""
    match = _TRACEPARENT.fullmatch(traceparent or "")
    if match is None or (match[3] and match[1] == "00"):
        return None
    return match[2]


def configuration(level: str) -> dict[str, Any]:
    """Return the set-up of `logging`: everybody's records as our lines, from a level on."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"lines": {"class": "supportaccess.server.logs.Lines"}},
        "root": {"handlers": ["lines"], "level": "WARNING"},
        "loggers": {
            "supportaccess": {"level": level.upper()},
            "uvicorn": {"level": "WARNING" if level == "info" else level.upper()},
        },
    }


class Lines(logging.Handler):
    """Writes the records of libraries: who, how bad, and the message before anything was filled in but numbers."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        error = record.exc_info[1] if record.exc_info else None
        told = {**(_told(error) if error else {}), "logger": record.name, "message": _message(record)}
        _write(record.levelname.lower(), "library", told)


def _message(record: logging.LogRecord) -> str:
    # asyncio puts what an exception says into its second line, psycopg's pool into its arguments.
    first = str(record.msg).partition("\n")[0][:_MOST_CHARACTERS] if isinstance(record.msg, str) else ""
    arguments = record.args if isinstance(record.args, tuple) else ()
    if arguments and all(isinstance(each, int | float) for each in arguments):
        try:
            return first % arguments
        except (TypeError, ValueError):
            return first
    return first


def _told(error: BaseException) -> dict[str, Any]:
    # The errors of the store have our own words, and an operator needs them.
    message = error.message if isinstance(error, StoreRefused | StoreUnavailable) else None
    causes: list[dict[str, object]] = []
    at: BaseException | None = error
    while at is not None and len(causes) < _MOST_FRAMES:
        causes.append({"type": f"{type(at).__module__}.{type(at).__qualname__}", "at": _frames(at.__traceback__)})
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return {"message": message, "exception": causes}


def _frames(traceback: TracebackType | None) -> list[str]:
    frames = [(frame.f_code, line) for frame, line in walk_tb(traceback)][-_MOST_FRAMES:]
    return [f"{code.co_filename}:{line} {code.co_qualname}" for code, line in frames]


def _write(level: str, event: str, fields: AccessLine | dict[str, Any]) -> None:
    time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = f'{{"time":"{time}","level":"{level}","event":"{event}"'
    body = _encoded(fields)
    line = f"{head},{body[1:]}\n" if len(body) > len("{}") else f"{head}}}\n"
    # A log that cannot be written must not stop decisions. In one call, so that the lines of processes do not mix.
    with suppress(OSError):
        os.write(_STANDARD_ERROR, line.encode())


def _encoded(fields: AccessLine | dict[str, Any]) -> str:
    """Return JSON in which everything beyond printable ASCII is escaped: nothing can end a line or reach a terminal."""
    if not isinstance(fields, AccessLine):
        fields = {name: value for name, value in fields.items() if value is not None}
    try:
        text = msgspec.json.encode(fields).decode()
    except UnicodeEncodeError:  # a lone surrogate
        text = "\x7f"
    if text.isascii() and "\x7f" not in text:
        return text
    return json.dumps(msgspec.to_builtins(fields), ensure_ascii=True).replace("\x7f", "\\u007f")
