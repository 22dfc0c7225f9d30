"""What `audit verify` does: a store as a whole, or what was given out of one."""

import os.path
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from msgspec.structs import replace

from supportaccess.cli.app.context import Context
from supportaccess.domain.audit import AuditEntry
from supportaccess.errors import InvalidInput, StoreRefused
from supportaccess.private_files import read_bounded
from supportaccess.settings.profiles import Profile
from supportaccess.store.protocol import LogHead
from supportaccess.store.sql.verify import verify_signed
from supportaccess.store.verification import Finding, Verification, decode_entry, read_entry
from supportaccess.structs import Struct
from supportaccess.tlog import verify
from supportaccess.tlog.files import Folder, Live, LogFiles, is_archive
from supportaccess.tlog.notes import LARGEST_NOTE, BadNote, VerifierKey, parse_key, read_checkpoint
from supportaccess.tlog.receipts import HEADER, LARGEST_RECEIPT, parse_receipt
from supportaccess.tlog.remembered import Memory, Remembered, Verified
from supportaccess.tlog.verify import LogVerification, verify_log, verify_receipt


class Outcome(Struct, frozen=True, kw_only=True):
    """The outcome of a verification: what was checked, and what is wrong, the first bad entry first.

    Records and raw events are there for a store alone, the entry for a receipt; origin and signer where there is a
    signed checkpoint.
    """

    entries: int
    access_requests: int | None = None
    source_events: int | None = None
    head: LogHead
    origin: str | None = None
    signed_by: str | None = None
    findings: list[Finding]
    entry: AuditEntry | None = None
    verified: Verified | None = None


def given_keys(texts: Iterable[str]) -> list[VerifierKey]:
    """Return the verifier keys that were given, each as it is or as a file's first line. Raises InvalidInput."""
    keys = []
    for text in texts:
        if not text:
            raise InvalidInput("--key is empty", hint="supportaccess store key show prints the log's own.")
        data = text if "+" in text else (_read(Path(text), LARGEST_NOTE).decode("utf-8", "replace").split("\n")[0])
        try:
            keys.append(parse_key(data.strip()))
        except BadNote as error:
            raise InvalidInput(
                f"{text!r} is no verifier key: {error}", hint="supportaccess store key show prints the log's own."
            ) from None
    return keys


def given_anchors(paths: Iterable[Path]) -> list[bytes]:
    """Return the checkpoints that were kept in files. Raises InvalidInput for what is none."""
    anchors = []
    for path in paths:
        data = _read(path, LARGEST_NOTE)
        try:
            read_checkpoint(data)
        except BadNote as error:
            raise InvalidInput(
                f"{path} is no checkpoint: {error}", hint="supportaccess audit log --checkpoint prints one."
            ) from None
        anchors.append(data)
    return anchors


def verify_files(path: Path, anchors: Sequence[bytes], keys_of: Callable[[str], Sequence[VerifierKey]]) -> Outcome:
    """Verify an export or a receipt. `keys_of` gives the keys of a log by its name."""
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for a name that is too long
        return _outcome(_verify_export(Folder(path), anchors, keys_of))
    if is_archive(path):
        from supportaccess.tlog.archive import open_archive

        with open_archive(Path(os.path.realpath(path))) as files:
            return _outcome(_verify_export(files, anchors, keys_of))
    data = _read(path, LARGEST_RECEIPT)
    if not data.startswith(HEADER.encode()):
        raise StoreRefused(
            f"{path} is neither a receipt nor an export",
            hint=f"A receipt begins with {HEADER}; an export is a folder, or a zip file whose name ends in .zip.",
        )
    try:
        origin = _origin(parse_receipt(data).checkpoint)
    except BadNote:
        origin = ""
    return _outcome(verify_receipt(data, read_entry, keys_of(origin), anchors))


def verify_store(
    context: Context, profile: Profile, keys: Sequence[VerifierKey], anchors: Sequence[bytes], *, incremental: bool
) -> Outcome:
    """Verify a store's log, and what it vouches for."""
    memory = Memory(context.paths.logs)
    log = memory.of(profile.store, profile.tenant_id)
    since = log.verified if incremental else None
    if profile.is_remote:
        checked = _shared(context, profile, log, keys, anchors, since)
    else:
        caller = context.local_caller(profile.tenant_id)
        checked = verify_signed(context.engine, context.keys, caller, keys, anchors, since)
    outcome = _outcome(checked) if incremental else _together(context.unchecked_store(profile).verify(), checked)
    if not outcome.findings and checked.verified is not None:
        memory.keep(replace(log, verified=checked.verified))
    return outcome


def _verify_export(
    files: LogFiles, anchors: Sequence[bytes], keys_of: Callable[[str], Sequence[VerifierKey]]
) -> LogVerification:
    try:
        origin = _origin(files.checkpoint())
    except BadNote:
        origin = ""
    return verify_log(files, read_entry, keys_of(origin), anchors)


def _shared(
    context: Context,
    profile: Profile,
    log: Remembered,
    keys: Sequence[VerifierKey],
    anchors: Sequence[bytes],
    since: Verified | None,
) -> LogVerification:
    """Fetch a shared store's log and verify it here: against the given keys, or those remembered, or the one shown."""
    proofs = context.http_proofs(profile)
    head = proofs.head()
    if head.checkpoint is None:
        return LogVerification(origin=None, size=head.size, root=head.root, entries=0, findings=[])
    believed = [*keys] or [parse_key(key) for key in log.keys or (() if head.key is None else (head.key,))]
    if since is not None:
        believed += map(parse_key, since.keys)
    kept = [*anchors, *([log.checkpoint.encode()] if log.checkpoint is not None else [])]
    return verify_log(Live(proofs, head), read_entry, believed, kept, since)


def _together(whole: Verification, checked: LogVerification) -> Outcome:
    """Return both outcomes as one: what both found is told once."""
    known = {(each.verdict, each.sequence) for each in whole.findings if each.sequence is not None}
    more = [each for each in checked.findings if each.sequence is None or (each.verdict, each.sequence) not in known]
    return Outcome(
        entries=whole.entries,
        access_requests=whole.access_requests,
        source_events=whole.source_events,
        head=whole.head,
        origin=checked.origin,
        signed_by=checked.signed_by,
        findings=[*whole.findings, *map(_of_record, more)],
        verified=checked.verified,
    )


def _outcome(checked: LogVerification) -> Outcome:
    return Outcome(
        entries=checked.entries,
        head=_head(checked),
        origin=checked.origin,
        signed_by=checked.signed_by,
        findings=[*map(_of_record, checked.findings)],
        entry=None if checked.entry is None else decode_entry(checked.entry),
        verified=checked.verified,
    )


def _of_record(found: verify.Finding) -> Finding:
    return Finding(verdict=found.verdict, message=found.message, sequence=found.sequence)


def _head(checked: LogVerification) -> LogHead:
    return LogHead(size=checked.size, root=checked.root)


def _origin(data: bytes | None) -> str:
    try:
        return read_checkpoint(data or b"")[1].origin
    except BadNote:
        return ""


def _read(path: Path, most: int) -> bytes:
    data = read_bounded(path, most, follow=True)
    if data is None:
        raise InvalidInput(f"{path} does not exist")
    return data
