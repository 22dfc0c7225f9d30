"""What schemathesis cannot know of the values that it makes up. Loaded by its command line: SCHEMATHESIS_HOOKS.

Nothing of the program is imported: hypothesis would draw from the constants in its source, but not where the clone lies
below a folder named `test`, and there the same seed would try other values.
"""

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import schemathesis
from hypothesis import strategies as st

_SERVER_TIME = datetime.fromisoformat(os.environ["SERVER_TIME"])
_HEAD = b'{"details":{"file":"export.json"}}\n'

# Deadlines lie in the future, and no schema can say so.
_FUTURE = st.datetimes(datetime(2030, 1, 1), datetime(2033, 1, 1)).map(lambda moment: f"{moment.isoformat()}Z")
schemathesis.openapi.format("date-time", _FUTURE)

# It makes no lines of JSON by itself.
_LINES = Path(os.environ["EVENT_LINES"]).read_bytes().splitlines()
_EVENTS = st.lists(st.sampled_from(_LINES), max_size=3)
schemathesis.openapi.media_type("application/x-ndjson", _EVENTS.map(lambda lines: _HEAD + b"\n".join(lines)))


@schemathesis.serializer("application/x-ndjson")
def as_it_is(context: Any, value: Any) -> Any:  # noqa: ARG001 - the shape of a serializer
    """Send lines as they are, and anything else as JSON."""
    return value if isinstance(value, bytes | str) else msgspec.json.encode(value)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:  # noqa: ARG001 - the shape of a hook
    """Leave out made-up places in lists, and move deadlines on: it takes times of earlier answers for them, too."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if case.query:
        case.query.pop("skipToken", None)
    if isinstance(case.body, dict):
        for name in ("decideBy", "until"):
            if _is_past(case.body.get(name)):
                case.body[name] = "2030-01-01T00:00:00Z"


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Write whole numbers as such: to JSON Schema 1.0 is an integer, to this API it is not."""
    if isinstance(body, dict):
        return {name: map_body(context, value) for name, value in body.items()}
    return int(body) if isinstance(body, float) and body.is_integer() else body


def _is_past(value: object) -> bool:
    try:
        moment: datetime = msgspec.convert(value, Annotated[datetime, msgspec.Meta(tz=True)])
    except msgspec.ValidationError:
        return False
    return moment <= _SERVER_TIME
