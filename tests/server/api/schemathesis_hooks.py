"""What schemathesis cannot know of the values that it makes up. Loaded by its command line: SCHEMATHESIS_HOOKS."""

from datetime import datetime
from typing import Any

import msgspec
import schemathesis
from hypothesis import strategies as st
from tests.support.events import CREATED, event

_HEAD = b'{"details":{"file":"export.json"}}\n'

# Deadlines lie in the future, and no schema can say so. The server's clock says 2026.
_FUTURE = st.datetimes(datetime(2030, 1, 1), datetime(2033, 1, 1)).map(lambda moment: f"{moment.isoformat()}Z")
schemathesis.openapi.format("date-time", _FUTURE)

# It makes no lines of JSON by itself.
_EVENTS = st.lists(st.integers(0, 10_000).map(lambda minute: msgspec.json.encode(event(CREATED, minute))), max_size=3)
schemathesis.openapi.media_type("application/x-ndjson", _EVENTS.map(lambda lines: _HEAD + b"\n".join(lines)))


@schemathesis.serializer("application/x-ndjson")
def as_it_is(context: Any, value: Any) -> Any:  # noqa: ARG001 - the shape of a serializer
    """Send lines as they are, and anything else as JSON."""
    return value if isinstance(value, bytes | str) else msgspec.json.encode(value)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:  # noqa: ARG001 - the shape of a hook
    """Leave out made-up places in lists: only what an answer gave is one."""
    if case.query and case.meta is not None and case.meta.generation.mode.is_positive:
        case.query.pop("skipToken", None)


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Write whole numbers as such: to JSON Schema 1.0 is an integer, to this API it is not."""
    if isinstance(body, dict):
        return {name: map_body(context, value) for name, value in body.items()}
    return int(body) if isinstance(body, float) and body.is_integer() else body
