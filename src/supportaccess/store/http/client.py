"""Asks an endpoint until it answers, for as long as is sensible, and turns refusals into the errors of the rules.

That is safe: reading changes nothing, and every change carries an idempotency key by which the server knows it again.
"""

import random
from collections.abc import Callable, Mapping
from time import monotonic, sleep
from typing import IO

from supportaccess.errors import (
    Conflict,
    DecidedElsewhere,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    ProofRequired,
    StoreUnavailable,
    SupportAccessError,
)
from supportaccess.http.failures import Failure
from supportaccess.store.http.refusals import TRY_AGAIN, failure_by, refusal_of, told_by
from supportaccess.store.http.transport import Answer, Transport

PATIENCE = 45.0
"""Seconds after which no new attempt is begun: longer than a database takes to fail over (30)."""
_HASTY = 2.0
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 5.0
ANSWER_SECONDS = 30.0
KEY_HEADER = "Idempotency-Key"
_SETTLING = (Conflict, DecidedElsewhere, InvalidInput, NotFound, ProofRequired)
"""Refusals that no server gives to a key under which something was done. Any other says nothing of earlier attempts."""


class Client:
    """One endpoint, however many tenants are asked for there."""

    def __init__(
        self, endpoint: str, *, patience: float = PATIENCE, waiting: Callable[[str], object] = lambda _: None
    ) -> None:
        """Take the URL of a store; `waiting` is told why something has to be sent again, each reason once.

        Raises InvalidInput for an endpoint or a setting of the environment that cannot be used.
        """
        self._transport = Transport(endpoint)
        self._patience = patience
        self._waiting = waiting
        self._told = ""

    @property
    def endpoint(self) -> str:
        """The URL that is asked."""
        return self._transport.endpoint

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def get(
        self, path: str, headers: Mapping[str, str], *, patience: float = ANSWER_SECONDS, hasty: bool = False
    ) -> Answer:
        """Return a successful answer. Raises what the server refuses with, StoreUnavailable, StoreRefused.

        `hasty` is for what nobody waits for: it is tried for two seconds, and nothing is told of it.
        """
        try:
            return self._persist(lambda: self._attempt("GET", path, headers, None, patience), hasty=hasty)
        except Failure as failure:
            raise failure.error from failure

    def post(
        self,
        path: str,
        headers: Mapping[str, str],
        body: bytes | IO[bytes],
        *,
        if_unknown: str,
        patience: float = ANSWER_SECONDS,
    ) -> Answer:
        """Return the answer to a change that carries a key. Raises like `get`, and OutcomeUnknown.

        `if_unknown` is what to do when it cannot be learned whether the change was made.
        """
        try:
            return self._persist(lambda: self._attempt("POST", path, headers, body, patience))
        except Failure as failure:
            raise (
                _outcome_unknown(failure.error, headers, if_unknown) if failure.in_doubt else failure.error
            ) from failure

    def _attempt(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | IO[bytes] | None, patience: float
    ) -> Answer:
        if body is not None and not isinstance(body, bytes):
            body.seek(0)
        answer = self._transport.send(method, path, headers, body, patience=patience)
        if answer.status in TRY_AGAIN or (answer.status >= 500 and told_by(answer) is None):
            raise failure_by(answer, self.endpoint)
        if not 200 <= answer.status < 300:
            raise refusal_of(answer, self.endpoint)
        return answer

    def _persist(self, attempt: Callable[[], Answer], *, hasty: bool = False) -> Answer:
        """Attempt it until there is an answer. Raises the last Failure, in doubt if any attempt left doubt."""
        until = monotonic() + (_HASTY if hasty else self._patience)
        pause, in_doubt = _FIRST_PAUSE, False
        while True:
            try:
                return attempt()
            except Failure as failure:
                failure.in_doubt = in_doubt = in_doubt or failure.in_doubt
                wait = failure.wait or pause * random.uniform(0.5, 1)  # noqa: S311 - spreads clients
                if not failure.again or monotonic() + wait > until:
                    raise
                if not hasty and failure.error.message != self._told:  # hundreds may wait for one thing
                    self._waiting(f"{failure.error.message}; trying for {self._patience:.0f} seconds.")
                    self._told = failure.error.message
            except SupportAccessError as refused:
                if in_doubt and not isinstance(refused, _SETTLING):
                    raise Failure(refused, again=False, in_doubt=True) from refused
                raise
            sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)


def _outcome_unknown(error: SupportAccessError, headers: Mapping[str, str], if_unknown: str) -> OutcomeUnknown:
    refused = not isinstance(error, StoreUnavailable)
    unknown = OutcomeUnknown(
        f"{error.message}; whether it was done is not known, and the idempotency key {headers[KEY_HEADER]} tells",
        hint=f"{error.hint}\n{if_unknown}" if refused and error.hint else if_unknown,
    )
    unknown.request_id = error.request_id
    return unknown
