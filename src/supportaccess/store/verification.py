"""What the entries of an audit log mean to the transparency log that they are in, and what a check of both finds."""

import msgspec

from supportaccess.domain.audit import Activity, AuditEntry
from supportaccess.store.protocol import LogHead
from supportaccess.structs import Struct
from supportaccess.tlog import verify
from supportaccess.tlog.notes import Note, parse_note
from supportaccess.tlog.trust import Rotation, parse_rotation
from supportaccess.tlog.verify import BadEntry

ROTATION_NOTE = "note"
"""The name under which an entry's details have the note of a change of key."""
_entries = msgspec.json.Decoder(AuditEntry)


class Finding(verify.Finding, frozen=True, kw_only=True):
    """One thing wrong with an audit log or with what it vouches for: of a record, whose."""

    access_request_id: str | None = None


class Verification(Struct, frozen=True, kw_only=True):
    """The outcome of a verification: what was checked, and what is wrong, the first bad entry first."""

    entries: int
    access_requests: int
    source_events: int
    head: LogHead
    findings: list[Finding]


def decode_entry(data: bytes) -> AuditEntry:
    """Return an entry from the bytes that were hashed. Raises BadEntry."""
    try:
        return _entries.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadEntry("is not an audit entry") from None


def read_entry(data: bytes, sequence: int, origin: str) -> Note | None:
    """Return the note of the change of key that an entry tells of, if it does: what a verification asks of entries.

    Raises BadEntry for an entry that is none or belongs elsewhere, and BadNote.
    """
    entry = decode_entry(data)
    if entry.sequence != sequence or not origin.endswith(f"/{entry.tenant_id}"):
        raise BadEntry("belongs in another place or log")
    return _note(entry)


def rotation_of(entry: AuditEntry) -> tuple[Note, Rotation] | None:
    """Return the change of key that an entry tells of, or None; its signatures are not verified yet. Raises BadNote."""
    note = _note(entry)
    return None if note is None else (note, parse_rotation(note.text, entry.sequence))


def _note(entry: AuditEntry) -> Note | None:
    if entry.activity is not Activity.KEY_ROTATED:
        return None
    return parse_note(str((entry.details or {}).get(ROTATION_NOTE, "")).encode())
