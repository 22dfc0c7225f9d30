"""Remembers the answer to each idempotency key, so that a repeated act answers as it did and changes nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Generic, TypeVar

import msgspec

from supportaccess.domain.permissions import Caller
from supportaccess.domain.records import canonical_json
from supportaccess.domain.times import to_microseconds
from supportaccess.errors import InvalidInput, KeyReused, StoreRefused
from supportaccess.store.sql.engine import Row, Statement

_ANSWER = """
    SELECT payload_hash, answer FROM idempotency WHERE tenant_id = :tenant_id AND caller = :caller AND key = :key
"""
_KEEP_ANSWER = """
    INSERT INTO idempotency (tenant_id, caller, key, payload_hash, answer, at)
    VALUES (:tenant_id, :caller, :key, :payload_hash, :answer, :at)
"""

LONGEST_KEY = 128

T = TypeVar("T")


class Answers(Generic[T]):
    """The answer of one kind to one key of one caller."""

    def __init__(self, caller: Caller, key: str, kind: type[T]) -> None:
        if not (1 <= len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
            raise InvalidInput(f"an idempotency key has 1 to {LONGEST_KEY} printable ASCII characters")
        self._kind = kind
        self._named = {
            "tenant_id": caller.tenant_id,
            "caller": caller.actor.key,
            "key": key,
        }

    def asking(self) -> Statement:
        """Return the statement that looks the answer up."""
        return Statement(_ANSWER, self._named)

    def known(self, rows: Sequence[Row], payload: object) -> T | None:
        """Return the answer that was given before. Raises KeyReused when that was to something else."""
        if not rows:
            return None
        row = rows[0]
        if row[0] != _hash(payload):
            raise KeyReused("this idempotency key was used for something else")
        try:
            return msgspec.json.decode(row[1], type=self._kind)
        except (msgspec.MsgspecError, TypeError, RecursionError) as error:
            raise StoreRefused(f"the answer kept for this idempotency key cannot be read: {error}") from error

    def keeping(self, payload: object, answer: T, now: datetime) -> Statement:
        """Return the statement that remembers the answer, for the transaction of what it answers to."""
        told = {"payload_hash": _hash(payload), "answer": msgspec.json.encode(answer), "at": to_microseconds(now)}
        return Statement(_KEEP_ANSWER, self._named | told)


def _hash(payload: object) -> bytes:
    from hashlib import sha256

    return sha256(canonical_json(payload)).digest()
