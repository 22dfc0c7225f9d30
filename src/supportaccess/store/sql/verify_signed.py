"""Verifies a stored log against its signatures, and what was signed of it that is kept outside the database."""

from collections.abc import Sequence

from msgspec.structs import replace

from supportaccess.domain.permissions import Caller
from supportaccess.errors import StoreRefused, VerificationFailed
from supportaccess.store.log_entries import read_entry
from supportaccess.store.sql.engine import Engine
from supportaccess.store.sql.log import read_head
from supportaccess.store.sql.proofs import SqlProofs
from supportaccess.tlog.files import Live
from supportaccess.tlog.keys import Keys
from supportaccess.tlog.notes import VerifierKey, parse_key
from supportaccess.tlog.published import SignedHead
from supportaccess.tlog.remembered import Verified
from supportaccess.tlog.signers import key_of
from supportaccess.tlog.verify import Finding, LogVerification, Verdict, verify_log


def verify_signed(
    engine: Engine,
    keys: Keys,
    caller: Caller,
    given: Sequence[VerifierKey] = (),
    anchors: Sequence[bytes] = (),
    since: Verified | None = None,
) -> LogVerification:
    """Return what does not hold of a log: against the given keys, or else the store's own, and the given anchors.

    What was written after the last signature is signed first, where the log leads there.
    """
    refusal: VerificationFailed | None = None
    proofs = SqlProofs(engine, caller, keys)
    try:
        head = proofs.head()
    except (VerificationFailed, StoreRefused) as error:
        if isinstance(error, VerificationFailed):
            refusal = error
        elif not given:  # without the store's own key there is nothing to verify with
            raise
        proofs = SqlProofs(engine, caller, None)
        head = proofs.head()
    with engine.reading([caller.tenant_id]) as session:
        end = read_head(session, caller.tenant_id)[0].size
    last = keys.head(caller.tenant_id)
    if head.checkpoint is None and last is None:
        return LogVerification(origin=None, size=head.size, root=head.root, entries=0, findings=[])
    believed = list(given) or _own(keys, caller.tenant_id)
    if since is not None:
        believed += map(parse_key, since.keys)
    kept = [*anchors, *([last[0]] if last else [])]
    checked = verify_log(Live(proofs, _shown(head, last), end), read_entry, believed, kept, since)
    return checked if refusal is None else _with(checked, refusal)


def _own(keys: Keys, tenant_id: str) -> list[VerifierKey]:
    return [key_of(signer, keys.origin(tenant_id)) for signer in keys.signers()] if keys.exists else []


def _shown(head: SignedHead, last: tuple[bytes, object] | None) -> SignedHead:
    """Return a head with a checkpoint: where the database has lost its own, the one that is kept outside it."""
    if head.checkpoint is not None or last is None:
        return head
    return replace(head, checkpoint=last[0].decode())


def _with(checked: LogVerification, refusal: VerificationFailed) -> LogVerification:
    """Return an outcome with why the log was not signed, unless that was found anyway."""
    verdict = Verdict(refusal.verdict)
    if any(each.verdict == verdict for each in checked.findings):
        return checked
    return replace(
        checked, findings=[*checked.findings, Finding(verdict=verdict, message=refusal.message)], verified=None
    )
