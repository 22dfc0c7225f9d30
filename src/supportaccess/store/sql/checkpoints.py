"""Signs the heads of the audit logs: after the commit, and only what goes on from what was signed before.

Whatever was written between a commit and its signature (a crash, another process) is signed the next time. Before that
every new entry is hashed again, and the tree built on from the last signed checkpoint, which is kept outside the
database: a log that was altered, is shorter or is another one is not signed.
"""

from supportaccess.errors import StoreRefused, VerificationFailed
from supportaccess.store.protocol import LogHead
from supportaccess.store.sql.engine import EVERY_TENANT, Engine, Row, Session
from supportaccess.store.sql.log import read_head
from supportaccess.tlog.keys import Keys
from supportaccess.tlog.merkle import Frontier, leaf_hash
from supportaccess.tlog.notes import BadNote, Checkpoint, VerifierKey, parse_note
from supportaccess.tlog.signers import BadSignature, key_of, sign, signers_of

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

_KeyName = tuple[str, bytes]
"""How a signature names its key: the log's name, and the key's ID."""


def sign_all(engine: Engine, keys: Keys) -> int:
    """Sign every log that has entries beyond its last checkpoint, and return how many those were."""
    with engine.reading(EVERY_TENANT) as session:
        tenants = [row[0] for row in session.all(_UNSIGNED, {})]
    for tenant_id in tenants:
        sign_log(engine, keys, tenant_id)
    return len(tenants)


def sign_log(engine: Engine, keys: Keys, tenant_id: str) -> bytes | None:
    """Return the signed checkpoint of a tenant's log as it stands, or None for a log that has not begun.

    Raises VerificationFailed when the log does not go on from what was signed before, or the key is not the one that
    signed before and no rotation leads to it, and StoreRefused.
    """
    with keys.locked():
        refuse_second_key(engine, keys)
        with engine.snapshot([tenant_id]) as session:
            head, _ = read_head(session, tenant_id)
            last = keys.head(tenant_id)
            if last is None and not head.size:
                return None
            signers = keys.signers()
            origin = keys.origin(tenant_id)
            checkpoint = _checked(session, tenant_id, head, last, [key_of(signer, origin) for signer in signers])
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
    if head.size > last.size and _frontier(session, tenant_id, last.size).root() != last.root:
        raise _forked(tenant_id, last)


def _frontier(session: Session, tenant_id: str, size: int) -> Frontier:
    from supportaccess.store.sql.nodes import LogNodes  # where a log grew since it was signed: no list waits for it

    return LogNodes(session, tenant_id).frontier(size)


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


def refuse_second_key(engine: Engine, keys: Keys) -> None:
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
    session: Session, tenant_id: str, head: LogHead, last: tuple[bytes, Checkpoint] | None, ours: list[VerifierKey]
) -> Checkpoint:
    """Return the head as a checkpoint to sign with our keys, once the log was found to lead to it, and to them."""
    root, names = bytes.fromhex(head.root), [(each.name, each.key_id) for each in ours]
    checkpoint = Checkpoint(origin=ours[-1].name, size=head.size, root=root)
    frontier, signer = Frontier(), None
    if last is not None:
        refuse_earlier(tenant_id, last[1], head.size, root)
        signer = _signer_of(last[0])
        if head.size == last[1].size:
            if signer not in names:
                raise _other_key(tenant_id)
            return checkpoint
        frontier = _frontier(session, tenant_id, last[1].size)
        if frontier.root() != last[1].root:
            raise _forked(tenant_id, last[1])
    before = signer
    for row in session.each(_TAIL, {"tenant_id": tenant_id, "begin": frontier.size, "end": head.size}):
        _append(frontier, row, tenant_id)
        signer = _next_signer(row[1], signer)
    if frontier.size != head.size or frontier.root() != root:
        raise _altered(tenant_id, frontier.size)
    if signer is not None and signer not in names:
        raise _other_key(tenant_id) if signer == before else _old_key()
    return checkpoint


def _append(frontier: Frontier, row: Row, tenant_id: str) -> None:
    sequence, data, leaf = row
    if sequence != frontier.size or not isinstance(data, bytes) or leaf_hash(data) != leaf:
        raise _altered(tenant_id, frontier.size)
    frontier.append(leaf)


def _signer_of(note: bytes) -> _KeyName:
    """Return whose signature is the last on a checkpoint of ours: of two in a rotation, the new key's."""
    last = parse_note(note).signatures[-1]
    return last.name, last.key_id


def _next_signer(data: bytes, signer: _KeyName | None) -> _KeyName | None:
    """Return who signs after an entry: who did before, unless it is a rotation from that key, signed by both."""
    if b'"Key rotated"' not in data:
        return signer
    from supportaccess.store.verification import decode_entry, rotation_of
    from supportaccess.tlog.verify import BadEntry

    try:
        found = rotation_of(decode_entry(data))
        if found is None:
            return signer
        note, rotation = found
        if signer not in {None, (rotation.old.name, rotation.old.key_id)}:
            return signer
        if len(signers_of(note, [rotation.old, rotation.new])) < 2:
            return signer
    except (BadNote, BadSignature, BadEntry):
        return signer  # a verification tells; it moves no key
    return rotation.new.name, rotation.new.key_id


def _old_key() -> StoreRefused:
    return StoreRefused(
        "the signing key was replaced, and this machine has the old one",
        hint="Copy signing.key from where supportaccess store key rotate was run.",
    )


def _other_key(tenant_id: str) -> VerificationFailed:
    return VerificationFailed(
        f"the audit log of tenant {tenant_id} was last signed with another key than the one that is here now",
        verdict="unknownKey",
        hint="Put signing.key back from where you keep a copy of it; docs/audit-log.md says what to do without one.",
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
