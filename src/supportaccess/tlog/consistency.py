"""Holds what a store shows of its log against what was remembered of it."""

from collections.abc import Iterable

from msgspec.structs import replace

from supportaccess.errors import VerificationFailed
from supportaccess.tlog.files import SignedHead
from supportaccess.tlog.merkle import LONGEST_PATH, BadProof, check_consistency
from supportaccess.tlog.notes import BadNote, Checkpoint, decode_base64, parse_key, parse_note, read_checkpoint
from supportaccess.tlog.remembered import Remembered
from supportaccess.tlog.signers import BadSignature
from supportaccess.tlog.trust import Trust, parse_rotation


def accepted(log: Remembered, head: SignedHead) -> Remembered:
    """Return what to remember of a log from now on: the key at first sight, and then only what goes on from there.

    Raises VerificationFailed when the log went back, was forked, or is signed by a key that is not the one remembered
    and does not follow it.
    """
    if head.checkpoint is None:
        if log.checkpoint is not None:
            raise _failed(log, "truncated", "has no signed head any more")
        return log
    try:
        note, checkpoint = read_checkpoint(head.checkpoint.encode())
        trust = Trust(map(parse_key, log.keys or ((head.key,) if head.key else ())))
        _rotate(trust, head.rotations)
        if trust.signer(note, checkpoint) is None:
            raise _failed(log, "unknownKey", "is signed by a key that does not follow the one that was remembered")
        if log.checkpoint is not None:
            _check(log, read_checkpoint(log.checkpoint.encode())[1], checkpoint, head.consistency)
    except (BadNote, BadSignature) as error:
        raise _failed(log, "altered", f"has no head that can be believed: {error}") from error
    return replace(log, checkpoint=head.checkpoint, keys=tuple(map(str, trust.current)))


def _rotate(trust: Trust, notes: Iterable[str]) -> None:
    for text in notes:
        note = parse_note(text.encode())
        trust.rotate(note, parse_rotation(note.text))


def _check(log: Remembered, before: Checkpoint, now: Checkpoint, proof: tuple[str, ...]) -> None:
    if before.origin != now.origin:
        raise _failed(log, "forked", f"is another one: {now.origin}, and {before.origin} was remembered")
    if now.size < before.size:
        raise _failed(log, "truncated", f"went back: it has {now.size} entries, and {before.size} were seen")
    if len(proof) > LONGEST_PATH:
        raise BadNote("its proof is longer than any")
    try:
        check_consistency(before.size, now.size, before.root, now.root, [decode_base64(each) for each in proof])
    except BadProof as error:
        raise _failed(
            log, "forked", f"was forked: its first {before.size} entries are not those seen before"
        ) from error


def _failed(log: Remembered, verdict: str, what: str) -> VerificationFailed:
    return VerificationFailed(f"the audit log of tenant {log.tenant_id} at {log.store} {what}", verdict=verdict)
