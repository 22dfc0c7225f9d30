"""Where a command has a log's proofs from, and the key to hold them against."""

from typing import TYPE_CHECKING

from supportaccess.cli.app.context import Context
from supportaccess.cli.app.exit_codes import ExitCode
from supportaccess.errors import InvalidInput, StoreRefused
from supportaccess.settings.profiles import Profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from supportaccess.tlog.files import LogProofs, SignedHead
    from supportaccess.tlog.notes import VerifierKey


def proofs_of(context: Context, profile: Profile) -> "LogProofs":
    """Return the proofs of a tenant's log."""
    if profile.is_remote:
        return context.http_proofs(profile, witnessed=True)
    from supportaccess.store.sql.proofs import SqlProofs

    caller = context.local_caller(profile.tenant_id)
    return SqlProofs(context.engine, caller, context.keys, clock=context.clock, note=context.write_down)


def print_checkpoint(context: Context, tenants: "Sequence[str] | None") -> ExitCode:
    """Print the signed checkpoint of one tenant's log, and nothing else."""
    if len(tenants or ()) > 1:
        raise InvalidInput("a checkpoint is of one tenant's log", hint="Name one tenant.")
    profile = context.settings.chosen(next(iter(tenants or ()), None))
    context.streams.write(signed(proofs_of(context, profile).head()))
    return ExitCode.DONE


def signed(head: "SignedHead") -> str:
    """Return the checkpoint of a head. Raises StoreRefused when nothing was signed."""
    if head.checkpoint is None:
        raise StoreRefused(
            "nothing of this log was signed yet",
            hint="A log begins with the first access request; a shared store signs where it has a key.",
        )
    return head.checkpoint


def known_keys(context: Context, origin: str) -> "list[VerifierKey]":
    """Return the keys that are known of a log by its name: the embedded store's own, and what was remembered."""
    from supportaccess.tlog.notes import parse_key
    from supportaccess.tlog.remembered import Memory
    from supportaccess.tlog.signers import key_of

    found: dict[VerifierKey, None] = {}
    if context.keys.exists and origin.startswith(f"{context.keys.name}/"):
        found |= dict.fromkeys(key_of(signer, origin) for signer in context.keys.signers())
    for log in Memory(context.paths.logs).all():
        keys = map(parse_key, log.keys)
        found |= dict.fromkeys(key for key in keys if key.name == origin)
    return list(found)
