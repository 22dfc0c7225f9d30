"""What is known of a request for its log line and its answer's headers, gathered while it is answered."""

from dataclasses import dataclass, field
from typing import cast
from uuid import uuid4

from litestar.types import HTTPScope

from supportaccess.server.callers import Who

_NAME = "supportaccess"


@dataclass(slots=True)
class Trace:
    """One request: our ID for it, who called, and the error that it was answered with.

    `code` is the error's, `reason` why it refused a token.
    """

    request_id: str = field(default_factory=lambda: str(uuid4()))
    who: Who | None = None
    code: str | None = None
    reason: str | None = None


def begin(scope: HTTPScope) -> Trace:
    """Start the trace of a request."""
    trace = scope.setdefault("state", {})[_NAME] = Trace()
    return trace


def trace_of(scope: HTTPScope) -> Trace:
    """Return the trace of a request that `begin` was called for."""
    return cast("Trace", scope["state"][_NAME])
