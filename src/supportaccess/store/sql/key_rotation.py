"""Acts on a whole store's proofs: a new key, and a restored backup. Each is an entry in every log that it is about."""

from supportaccess.domain.audit import Activity, Step
from supportaccess.domain.records import Actor
from supportaccess.domain.times import Clock
from supportaccess.errors import StoreUnavailable
from supportaccess.store.sql.checkpoints import sign_log
from supportaccess.store.sql.engine import EVERY_TENANT, Engine
from supportaccess.store.sql.log import lock_logs, read_head
from supportaccess.store.sql.nodes import LogNodes
from supportaccess.store.sql.writes import write_steps
from supportaccess.store.verification import ROTATION_NOTE
from supportaccess.structs import Struct
from supportaccess.tlog.keys import Keys
from supportaccess.tlog.notes import Checkpoint, VerifierKey
from supportaccess.tlog.signers import key_of, sign
from supportaccess.tlog.trust import Rotation

_TENANTS = "SELECT tenant_id FROM audit_log_heads WHERE size > 0 ORDER BY 1"
_TRIES = 10
_NEWEST_ROTATION = """
    SELECT entry FROM audit_events WHERE tenant_id = :tenant_id AND activity = 'Key rotated'
    ORDER BY sequence DESC LIMIT 1
"""


class Rollback(Struct, frozen=True, kw_only=True):
    """A log that is not what was signed: what was signed of it, and how much of it there is."""

    tenant_id: str
    signed: Checkpoint
    size: int


def rotate(engine: Engine, keys: Keys, actor: Actor, clock: Clock, public_key: bytes | None = None) -> list[str]:
    """Replace the key, and return the tenants whose logs tell of it. One that was broken off is gone on with.

    With a public key that is the new key, and it is kept elsewhere. Until the end both keys sign, so that whoever knows
    either can verify. Raises, before anything is changed, VerificationFailed when a log is not one that can be signed,
    and SignerFailed when nobody signs with the new key.
    """
    with engine.reading(EVERY_TENANT) as session:
        tenants = [row[0] for row in session.all(_TENANTS, {})]
    for tenant_id in tenants:
        sign_log(engine, keys, tenant_id)
    with keys.locked():
        keys.signers()
        keys.make_next(public_key)
    for tenant_id in tenants:
        _tell(engine, keys, tenant_id, actor, clock)
        sign_log(engine, keys, tenant_id)
    with keys.locked():
        keys.take_next()
    return tenants


def rollbacks(engine: Engine, keys: Keys) -> list[Rollback]:
    """Return the logs that do not go on from what was signed of them."""
    found = []
    for tenant_id in keys.tenants():
        last = keys.head(tenant_id)
        if last is None:
            continue
        with engine.snapshot([tenant_id]) as session:
            head, _ = read_head(session, tenant_id)
            goes_on = head.size >= last[1].size and (
                LogNodes(session, tenant_id).frontier(last[1].size).root() == last[1].root
            )
        if not goes_on:
            found.append(Rollback(tenant_id=tenant_id, signed=last[1], size=head.size))
    return found


def record_rollbacks(engine: Engine, keys: Keys, actor: Actor, clock: Clock, reason: str) -> list[Rollback]:
    """Write into each log that went back what was lost, and go on signing from there. The old head is kept aside."""
    found = rollbacks(engine, keys)
    for each in found:
        now = clock()
        lost: dict[str, str | int] = {"signedSize": each.signed.size, "signedRoot": each.signed.root.hex()}
        step = Step(
            tenant_id=each.tenant_id,
            activity=Activity.ROLLBACK_RECORDED,
            actor=actor,
            at=now,
            reason=reason,
            details=lost,
        )
        with engine.writing([each.tenant_id]) as session:
            writer, _ = lock_logs(engine, session, [each.tenant_id], {})
            write_steps(session, writer, [step])
        with keys.locked():
            keys.set_head_aside(each.tenant_id, now.strftime("%Y%m%dT%H%M%S.%fZ"))
        sign_log(engine, keys, each.tenant_id)
    return found


def _tell(engine: Engine, keys: Keys, tenant_id: str, actor: Actor, clock: Clock) -> None:
    origin = keys.origin(tenant_id)
    old, new = keys.signers()
    for _ in range(_TRIES):
        with engine.reading([tenant_id]) as session:
            size = read_head(session, tenant_id)[0].size
            if _told(session.one(_NEWEST_ROTATION, {"tenant_id": tenant_id}), key_of(new, origin)):
                return
        # Signed before the log is locked: who signs may take long, and nobody is to wait for that to decide.
        rotation = Rotation(origin=origin, sequence=size, old=key_of(old, origin), new=key_of(new, origin))
        note = sign(rotation.text, origin, [old, new]).encode().decode()
        step = Step(
            tenant_id=tenant_id, activity=Activity.KEY_ROTATED, actor=actor, at=clock(), details={ROTATION_NOTE: note}
        )
        with engine.writing([tenant_id]) as session:
            writer, _ = lock_logs(engine, session, [tenant_id], {})
            if writer.size(tenant_id) == size:
                write_steps(session, writer, [step])
                return
    raise StoreUnavailable(
        f"the audit log of tenant {tenant_id} grew each time before its change of key was signed",
        hint="supportaccess store key rotate goes on with it.",
    )


def _told(row: tuple[bytes, ...] | None, new: VerifierKey) -> bool:
    return row is not None and str(new).encode() in row[0]
