"""What is known of a request for its log line and its answer's headers, gathered while it is answered."""

from dataclasses import dataclass, field
from random import Random
from typing import cast
from uuid import UUID

from litestar.types import HTTPScope

from supportaccess.server.web.callers import Who

_NAME = "supportaccess"
_random = Random()  # noqa: S311 - an ID is no secret, and costs no call of the system this way


def _new_id() -> str:
    return str(UUID(int=_random.getrandbits(128), version=4))


@dataclass(slots=True)
class Trace:
    """One request: our ID for it, who called, and the error that it was answered with.

    `code` is the error's, `reason` why it refused a token.
    """

    request_id: str = field(default_factory=_new_id)
    who: Who | None = None
    code: str | None = None
    reason: str | None = None

    def meet(self, who: Who) -> None:
        """Take down who called."""
        self.who = who


def begin(scope: HTTPScope) -> Trace:
    """Start the trace of a request."""
    trace = scope.setdefault("state", {})[_NAME] = Trace()
    return trace


def trace_of(scope: HTTPScope) -> Trace:
    """Return the trace of a request that `begin` was called for."""
    return cast("Trace", scope["state"][_NAME])
