"""Signs the heads of the audit logs: after the commit, and only what goes on from what was signed before.

Whatever was written between a commit and its signature (a crash, another process) is signed the next time. Before that
every new entry is hashed again, and the tree built on from the last signed checkpoint, which is kept outside the
database: a log that was altered, is shorter or is another one is not signed.
"""

import msgspec

from supportaccess.domain.audit import AuditEntry
from supportaccess.domain.checkpoints import Checkpoint
from supportaccess.domain.errors import StoreRefused, VerificationFailed
from supportaccess.domain.merkle import Frontier, leaf_hash
from supportaccess.domain.notes import BadNote
from supportaccess.domain.rotations import rotation_of
from supportaccess.store.keys import Keys
from supportaccess.store.protocol import LogHead
from supportaccess.store.signing import Signer, key_of, sign
from supportaccess.store.sql.engine import EVERY_TENANT, Engine, Row, Session
from supportaccess.store.sql.log import read_head
from supportaccess.store.sql.nodes import LogNodes

_UNSIGNED = """
    SELECT heads.tenant_id FROM audit_log_heads AS heads
    LEFT JOIN audit_checkpoints AS signed ON signed.tenant_id = heads.tenant_id
    WHERE signed.size IS NULL OR signed.size <> heads.size ORDER BY 1
"""
_TAIL = """
    SELECT sequence, entry, leaf_hash FROM audit_events
    WHERE tenant_id = :tenant_id AND sequence >= :begin AND sequence < :end ORDER BY sequence
"""
_NOTE = "SELECT note FROM audit_checkpoints WHERE tenant_id = :tenant_id"
_ANY_NOTE = "SELECT 1 FROM audit_checkpoints LIMIT 1"
_KEEP = """
    INSERT INTO audit_checkpoints (tenant_id, size, note) VALUES (:tenant_id, :size, :note)
    ON CONFLICT (tenant_id) DO UPDATE SET size = excluded.size, note = excluded.note
    WHERE excluded.size >= audit_checkpoints.size
"""
_HEADS = "SELECT tenant_id, size, root FROM audit_log_heads"
_WHAT_NOW = (
    "Was a backup restored? Then record it: supportaccess store rollback --reason TEXT. If not, keep the database and"
    " the heads as evidence: docs/audit-log.md."
)

_entries = msgspec.json.Decoder(AuditEntry)


def sign_all(engine: Engine, keys: Keys) -> int:
    """Sign every log that has entries beyond its last checkpoint, and return how many those were."""
    with engine.reading(EVERY_TENANT) as session:
        tenants = [row[0] for row in session.all(_UNSIGNED, {})]
    for tenant_id in tenants:
        sign_log(engine, keys, tenant_id)
    return len(tenants)


def sign_log(engine: Engine, keys: Keys, tenant_id: str) -> bytes | None:
    """Return the signed checkpoint of a tenant's log as it stands, or None for a log that has not begun.

    Raises VerificationFailed when the log does not go on from what was signed before, and StoreRefused.
    """
    with keys.locked():
        _refuse_second_key(engine, keys)
        with engine.snapshot([tenant_id]) as session:
            head, _ = read_head(session, tenant_id)
            last = keys.head(tenant_id)
            if last is None and not head.size:
                return None
            signers = keys.signers()
            origin = keys.origin(tenant_id)
            checkpoint = _checked(session, tenant_id, head, last[1] if last else None, signers, origin)
            kept = session.one(_NOTE, {"tenant_id": tenant_id})
        if last is not None and last[1] == checkpoint:
            note = last[0]
        else:
            note = sign(checkpoint.text, origin, signers).encode()
            keys.keep_head(tenant_id, note)
        if kept != (note,):
            with engine.writing([tenant_id]) as session:
                session.run(_KEEP, {"tenant_id": tenant_id, "size": checkpoint.size, "note": note})
    return note


def refuse_rollback(engine: Engine, keys: Keys) -> None:
    """Raise VerificationFailed when a log is shorter than what was signed of it, or another one of the same length."""
    signed = keys.tenants()
    if not signed:
        return
    with engine.reading(EVERY_TENANT) as session:
        heads = {row[0]: row for row in session.all(_HEADS, {})}
    for tenant_id in signed:
        if (last := keys.head(tenant_id)) is not None:
            row = heads.get(tenant_id, (tenant_id, 0, None))
            refuse_earlier(tenant_id, last[1], row[1], row[2])


def refuse_other_log(engine: Engine, keys: Keys, tenant_id: str) -> None:
    """Raise VerificationFailed when a log does not go on from what was signed of it. One read, where nothing is new."""
    last = keys.head(tenant_id)
    if last is None:
        return
    with engine.snapshot([tenant_id]) as session:
        head, _ = read_head(session, tenant_id)
        _refuse_other(session, tenant_id, head, last[1])


def _refuse_other(session: Session, tenant_id: str, head: LogHead, last: Checkpoint) -> None:
    refuse_earlier(tenant_id, last, head.size, bytes.fromhex(head.root))
    if head.size > last.size and LogNodes(session, tenant_id).frontier(last.size).root() != last.root:
        raise _forked(tenant_id, last)


def refuse_earlier(tenant_id: str, last: Checkpoint, size: object, root: object) -> None:
    """Raise VerificationFailed unless a head of that size and root may go on from the last signed checkpoint."""
    if not isinstance(size, int) or size < last.size:
        raise VerificationFailed(
            f"the audit log of tenant {tenant_id} went back: it has {size} entries, and {last.size} were signed",
            verdict="truncated",
            hint=_WHAT_NOW,
        )
    if size == last.size and root != last.root:
        raise _forked(tenant_id, last)


def _refuse_second_key(engine: Engine, keys: Keys) -> None:
    """Raise StoreRefused where a key would be made on first use, and another machine has signed with its own."""
    if keys.exists:
        return
    with engine.reading(EVERY_TENANT) as session:
        signed = session.one(_ANY_NOTE, {})
    if signed is not None:
        raise StoreRefused(
            f"the logs of this database were signed with a key that is not in {keys.folder}",
            hint="Copy signing.key there from where it is. If it is lost: supportaccess store key make.",
        )


def stored_note(session: Session, tenant_id: str) -> bytes | None:
    """Return the signed checkpoint that the database has of a log."""
    row = session.one(_NOTE, {"tenant_id": tenant_id})
    return row[0] if row is not None and isinstance(row[0], bytes) else None


def _checked(
    session: Session, tenant_id: str, head: LogHead, last: Checkpoint | None, signers: list[Signer], origin: str
) -> Checkpoint:
    """Return the head as a checkpoint to sign, once the log was found to lead to it."""
    root = bytes.fromhex(head.root)
    frontier = Frontier()
    if last is not None:
        refuse_earlier(tenant_id, last, head.size, root)
        if head.size == last.size:
            return Checkpoint(origin=origin, size=head.size, root=root)
        frontier = LogNodes(session, tenant_id).frontier(last.size)
        if frontier.root() != last.root:
            raise _forked(tenant_id, last)
    names = {"tenant_id": tenant_id, "begin": frontier.size, "end": head.size}
    for row in session.each(_TAIL, names):
        _append(frontier, row, tenant_id, signers, origin)
    if frontier.size != head.size or frontier.root() != root:
        raise _altered(tenant_id, frontier.size)
    return Checkpoint(origin=origin, size=head.size, root=root)


def _append(frontier: Frontier, row: Row, tenant_id: str, signers: list[Signer], origin: str) -> None:
    sequence, data, leaf = row
    if sequence != frontier.size or not isinstance(data, bytes) or leaf_hash(data) != leaf:
        raise _altered(tenant_id, frontier.size)
    frontier.append(leaf)
    if b'"Key rotated"' in data:
        _refuse_old_key(data, signers, origin)


def _refuse_old_key(data: bytes, signers: list[Signer], origin: str) -> None:
    try:
        found = rotation_of(_entries.decode(data))
    except (BadNote, msgspec.MsgspecError):
        return  # a verification tells; it moves no key
    if found is not None and found[1].new not in {key_of(signer, origin) for signer in signers}:
        raise StoreRefused(
            "the signing key was replaced, and this machine has the old one",
            hint="Copy signing.key from where supportaccess store key rotate was run.",
        )


def _forked(tenant_id: str, last: Checkpoint) -> VerificationFailed:
    return VerificationFailed(
        f"the audit log of tenant {tenant_id} was forked: its first {last.size} entries are not those that were signed",
        verdict="forked",
        hint=_WHAT_NOW,
    )


def _altered(tenant_id: str, sequence: int) -> VerificationFailed:
    return VerificationFailed(
        f"the audit log of tenant {tenant_id} is not as it was written, at entry {sequence}: it is not signed",
        hint="supportaccess audit verify",
    )
