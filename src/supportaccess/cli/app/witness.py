"""Demands of a shared store's log, each time it is talked to, that it goes on from what was last seen of it.

The store says with its answers what it signed last. Only when that is new is there one more request: for the signed
head, and the proof that it goes on.
"""

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from supportaccess.domain.times import Clock
from supportaccess.errors import Forbidden, StoreUnavailable, VerificationFailed
from supportaccess.tlog.remembered import Memory, Remembered

# Only needed when a log is not as it was remembered.
if TYPE_CHECKING:
    from supportaccess.tlog.files import LogProofs

_HINT = (
    "Ask who runs the store. If they restored a backup and told you so: supportaccess audit forget --tenant {}."
    "\nThe evidence is kept in {}."
)


class Witness:
    """One tenant's log at one endpoint. For any thread.

    `failed` is how it did not go on. `patient` is for a command that waits for a store that is away: it takes no answer
    whose head could not be asked for; any other command has a `warning` of it at its end.
    """

    def __init__(
        self, proofs: "LogProofs", folder: Path, store: str, tenant_id: str, clock: Clock, *, patient: bool
    ) -> None:
        self._proofs = proofs
        self._memory = Memory(folder)
        self._log = self._memory.of(store, tenant_id)
        self._clock = clock
        self._lock = Lock()
        self._patient = patient
        self._held = self._seen = _header_of(self._log)
        """What the store said when its log was held last, and what it says now."""
        self.warning: str | None = None
        self.failed: VerificationFailed | None = None

    def notice(self, header: str | None, *, changed: bool) -> None:
        """Take what an answer says of the log.

        Raises VerificationFailed, for every answer from then on, and of a patient one StoreUnavailable; neither for the
        answer to a change, which stands: the next answer, or the end, tells.
        """
        with self._lock:
            self._seen = header
            if not changed:
                self._hold()

    def conclude(self) -> None:
        """Hold at the end of a command what is left. Raises VerificationFailed, unless that was raised before."""
        with self._lock:
            if self.failed is None:
                self._patient = False
                self._hold()

    def _hold(self) -> None:
        if self.failed is not None:
            raise self.failed
        if self._seen == self._held:
            return
        try:
            self._check()
            self.warning = None
        except (Forbidden, StoreUnavailable) as error:
            if self._patient and isinstance(error, StoreUnavailable):
                raise
            self.warning = f"The audit log of tenant {self._log.tenant_id} was not held against what was seen before: "
            self.warning += error.message
        self._held = self._seen

    def _check(self) -> None:
        from supportaccess.tlog.consistency import accepted

        size = int((_header_of(self._log) or "0").partition(" ")[0])
        head = self._proofs.head(size)
        try:
            log = accepted(self._log, head)
        except VerificationFailed as error:
            self.failed = error
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
    from supportaccess.tlog.notes import read_checkpoint

    checkpoint = read_checkpoint(log.checkpoint.encode())[1]
    return f"{checkpoint.size} {checkpoint.root.hex()}"
