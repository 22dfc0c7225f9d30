"""Entries of a log that means nothing: what a verification asks of entries, and no more."""

import json

from supportaccess.tlog.notes import Note, parse_note
from supportaccess.tlog.verify import BadEntry


def entry(sequence: int, text: str = "", *, rotation: Note | None = None) -> bytes:
    """Return an entry that knows its place, and may tell of a change of key."""
    note = None if rotation is None else rotation.encode().decode()
    return json.dumps({"sequence": sequence, "text": text, "rotation": note}).encode()


def read_entry(data: bytes, sequence: int, origin: str) -> Note | None:  # noqa: ARG001 - one log has such entries
    """Return the note of a change of key that an entry tells of. Raises BadEntry."""
    try:
        found = json.loads(data)
    except ValueError:
        raise BadEntry("is no JSON") from None
    if not isinstance(found, dict) or found.get("sequence") != sequence:
        raise BadEntry("belongs in another place")
    return None if found["rotation"] is None else parse_note(found["rotation"].encode())
