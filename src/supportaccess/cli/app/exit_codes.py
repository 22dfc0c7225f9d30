"""The exit codes: a contract (docs/contract.md), the same for every command."""

from enum import IntEnum

from supportaccess import errors


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_SIGNED_IN = 3
    NOT_PERMITTED = 4
    NOT_FOUND = 5
    CONFLICT = 6
    SOME_FAILED = 7
    STORE_UNAVAILABLE = 8
    VERIFICATION_FAILED = 9
    MATCHED = 10
    DECIDED_ELSEWHERE = 11
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "failed for another reason",
    ExitCode.USAGE: "wrong usage",
    ExitCode.NOT_SIGNED_IN: "not signed in, no tenant chosen, or the sign-in no longer works",
    ExitCode.NOT_PERMITTED: "signed in, but not permitted",
    ExitCode.NOT_FOUND: "not found, or ambiguous",
    ExitCode.CONFLICT: "conflict: the status or the version no longer allows it",
    ExitCode.SOME_FAILED: "some of several failed",
    ExitCode.STORE_UNAVAILABLE: "store unreachable, throttled or timed out",
    ExitCode.VERIFICATION_FAILED: "verification failed: the log was altered or has a gap",
    ExitCode.MATCHED: "--fail-if-any, and there was a match",
    ExitCode.DECIDED_ELSEWHERE: "decided elsewhere: the record is a mirror",
    ExitCode.INTERRUPTED: "interrupted",
}

_BY_ERROR: dict[type[errors.SupportAccessError], ExitCode] = {
    errors.InvalidInput: ExitCode.USAGE,
    errors.UnreadableExport: ExitCode.FAILED,
    errors.NotSignedIn: ExitCode.NOT_SIGNED_IN,
    errors.Forbidden: ExitCode.NOT_PERMITTED,
    errors.NotFound: ExitCode.NOT_FOUND,
    errors.Ambiguous: ExitCode.NOT_FOUND,
    errors.Conflict: ExitCode.CONFLICT,
    errors.DecidedElsewhere: ExitCode.DECIDED_ELSEWHERE,
    errors.StoreUnavailable: ExitCode.STORE_UNAVAILABLE,
    errors.StoreRefused: ExitCode.FAILED,
    errors.VerificationFailed: ExitCode.VERIFICATION_FAILED,
}


def exit_code_of(error: errors.SupportAccessError) -> ExitCode:
    """Return the exit code of a refusal."""
    return next((_BY_ERROR[kind] for kind in type(error).__mro__ if kind in _BY_ERROR), ExitCode.FAILED)
