"""Everything that can be refused, by what the person who is refused has to do next.

SupportAccessError
├── InvalidInput          mend the input
├── UnreadableExport      export the file again
├── NotSignedIn           sign in, or choose a tenant
├── Forbidden             ask somebody who may
│   └── ProofRequired     sign in to the other tenant too
├── NotFound              look the ID up
├── Ambiguous             say which of the candidates
├── Conflict              look at the request as it now stands
│   ├── Stale             it changed since it was shown
│   └── KeyReused         another decision used this idempotency key
├── DecidedElsewhere      decide it at the provider
├── StoreUnavailable      try again
│   └── OutcomeUnknown    ask with the same idempotency key
├── StoreRefused          the store cannot be used as it is (damaged, too new)
│   └── StoreFull         make room on its disk
└── VerificationFailed    the audit log does not hold

`code` is a contract: it is what the REST API answers and what scripts may test.
"""

from typing import ClassVar


class SupportAccessError(Exception):
    """Base of every refusal: what happened, and the command or act that mends it.

    `request_id` is the server's name for the request, where a server was involved.
    """

    code: ClassVar[str] = "Failed"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.request_id: str | None = None


class InvalidInput(SupportAccessError):
    """A value that was given is not one that can be taken."""

    code = "InvalidInput"


class UnreadableExport(SupportAccessError):
    """A provider's exported record is not what it should be; nothing of it was taken."""

    code = "UnreadableExport"


class NotSignedIn(SupportAccessError):
    """No tenant is chosen, or the sign-in to it no longer works."""

    code = "NotSignedIn"


class Forbidden(SupportAccessError):
    """The caller is known, and may not do this."""

    code = "Forbidden"


class ProofRequired(Forbidden):
    """It takes a permission in another tenant too, and there is no proof of who the caller is there."""

    def __init__(self, message: str, *, resource_tenant_id: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.resource_tenant_id = resource_tenant_id


class NotFound(SupportAccessError):
    """Nothing of that name exists for this caller."""

    code = "NotFound"


class Ambiguous(SupportAccessError):
    """Several records answer to what was given."""

    code = "Ambiguous"


class Conflict(SupportAccessError):
    """The record's status does not allow it. `current_status` says what it is now."""

    code = "Conflict"

    def __init__(self, message: str, *, current_status: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.current_status = current_status


class Stale(Conflict):
    """The record changed after it was shown to the one who decides."""

    code = "Stale"


class KeyReused(Conflict):
    """The idempotency key belongs to another operation of the same caller."""

    code = "IdempotencyKeyReused"


class DecidedElsewhere(SupportAccessError):
    """The record is a mirror: only its provider can decide it."""

    code = "DecidedElsewhere"


class StoreUnavailable(SupportAccessError):
    """The store did not answer: nothing was changed."""

    code = "StoreUnavailable"


class OutcomeUnknown(StoreUnavailable):
    """The store may or may not have done it; the same idempotency key tells."""

    code = "OutcomeUnknown"


class StoreRefused(SupportAccessError):
    """The store cannot be used as it is: damaged, or made by a newer program."""

    code = "StoreRefused"


class StoreFull(StoreRefused):
    """The disk of the store is full: nothing was changed, and nothing can be until there is room. Reading goes on."""

    code = "StoreFull"


class VerificationFailed(SupportAccessError):
    """The audit log was altered or has a gap. `verdict` is what is wrong with it, in a verification's words."""

    code = "VerificationFailed"

    def __init__(self, message: str, *, verdict: str = "altered", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.verdict = verdict
