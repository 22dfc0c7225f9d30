"""Demands of a shared store's log, each time it is talked to, that it goes on from what was last seen of it.

The store says with its answers what it signed last. Only when that is not what was remembered is there one more
request: for the signed head, and the proof that it goes on.
"""

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from supportaccess.domain.errors import Forbidden, StoreUnavailable, VerificationFailed
from supportaccess.domain.times import Clock
from supportaccess.store.memory import Memory, Remembered

# Only needed when a log is not as it was remembered.
if TYPE_CHECKING:
    from supportaccess.store.proofs import LogProofs

_HINT = (
    "Ask who runs the store. If they restored a backup and told you so: supportaccess audit forget --tenant {}."
    "\nThe evidence is kept in {}."
)


class Witness:
    """One tenant's log at one endpoint. For any thread."""

    def __init__(self, proofs: "LogProofs", folder: Path, store: str, tenant_id: str, clock: Clock) -> None:
        self._proofs = proofs
        self._memory = Memory(folder)
        self._log = self._memory.of(store, tenant_id)
        self._clock = clock
        self._lock = Lock()
        self._seen: str | None = None
        self._checked = self._answered = False
        self.warning: str | None = None
        self.failed = False

    def notice(self, header: str | None, *, changed: bool) -> None:
        """Take what an answer says of the log. Raises VerificationFailed, unless it is the answer to a change."""
        with self._lock:
            self._seen, self._answered = header, True
            if changed:
                self._checked = False
            elif not self._checked and self._log.checkpoint is not None:
                self._checked = True
                self._check_if_new()

    def conclude(self) -> None:
        """Check at the end of a command what is left. Raises VerificationFailed."""
        with self._lock:
            if self._answered and not self._checked and not self.failed:
                self._check_if_new()

    def _check_if_new(self) -> None:
        known = _header_of(self._log)
        if self._seen == known:
            return
        try:
            self._check()
        except (Forbidden, StoreUnavailable) as error:
            self.warning = f"The audit log of tenant {self._log.tenant_id} was not held against what was seen before: "
            self.warning += error.message

    def _check(self) -> None:
        from supportaccess.store.consistency import accepted

        size = int((_header_of(self._log) or "0").partition(" ")[0])
        head = self._proofs.head(size)
        try:
            log = accepted(self._log, head)
        except VerificationFailed as error:
            self.failed = True
            evidence = self._memory.keep_evidence(self._log, head, self._clock())
            error.hint = _HINT.format(self._log.tenant_id, evidence)
            raise
        if log != self._log:
            self._memory.keep(log)
            self._log = log


def _header_of(log: Remembered) -> str | None:
    """Return what the store says while its log is as it was remembered."""
    if log.checkpoint is None:
        return None
    from supportaccess.domain.checkpoints import read_checkpoint

    checkpoint = read_checkpoint(log.checkpoint.encode())[1]
    return f"{checkpoint.size} {checkpoint.root.hex()}"
