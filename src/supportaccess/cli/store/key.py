"""`supportaccess store key` and `store rollback`: the key that signs the audit logs, and a restored backup."""

from pathlib import Path
from typing import Annotated

import typer

from supportaccess.cli.app import options
from supportaccess.cli.app.confirm import agreed
from supportaccess.cli.app.exit_codes import ExitCode
from supportaccess.cli.app.group import examples
from supportaccess.cli.app.operator_store import Operated, operated
from supportaccess.cli.output.text import counted
from supportaccess.errors import InvalidInput
from supportaccess.tlog.notes import VerifierKey

_LARGEST_PUBLIC_KEY = 64 * 1024

Config = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Of the server with these settings; default: the embedded store.",
        show_default=False,
    ),
]  # fmt: skip
PublicKey = Annotated[
    Path | None,
    typer.Option(
        "--public-key", metavar="FILE", show_default=False,
        help="The public half (PEM or DER, Ed25519) of a key that database.signing_command of the server signs with.",
    ),
]  # fmt: skip


@examples(
    ("For auditors of a tenant", "supportaccess store key show > contoso.vkey"),
    ("Of a server's store", "supportaccess store key show --config /etc/supportaccess/server.toml -t TENANT"),
)
def show(ctx: typer.Context, tenant: options.Tenant = None, config: Config = None) -> None:
    """Print the verifier key of a tenant's log (name+ID+key, c2sp.org/signed-note): what signatures are checked with.

    Keep it where nobody who runs the store can change it. The key is made if there is none yet.
    """
    from supportaccess.store.sql.checkpoints import refuse_second_key

    with operated(ctx.obj, config) as store:
        refuse_second_key(store.engine, store.keys)
        tenant_id = ctx.obj.settings.chosen(tenant).tenant_id if config is None else _tenant_id(ctx, tenant)
        for key in _keys(store, tenant_id):
            ctx.obj.streams.write(f"{key}\n")


@examples(
    ("Under a name of your organisation", "supportaccess store key make --name logs.contoso.example/support"),
    ("One that a KMS has", "supportaccess store key make --public-key kms.pem --config /etc/supportaccess/server.toml"),
)
def make(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="The store's name, as a URL without https://.", show_default=False),
    ] = None,
    public_key: PublicKey = None,
    config: Config = None,
) -> None:
    """Make the key that signs the audit logs, and name the store. Without this it is made on first use.

    A log's name is the store's, with the tenant's ID. It never changes. With --public-key the key stays where it is,
    and the server's program that signs with it is tried once.
    """
    given = _given(public_key)
    with operated(ctx.obj, config) as store:
        if not store.keys.make(name, given):
            raise InvalidInput(f"there is a key already, in {store.keys.folder}", hint="supportaccess store key rotate")
        ctx.obj.streams.note(f"Made {store.keys.folder / 'signing.key'}; the store's name is {store.keys.name}.")
        ctx.obj.streams.note("Keep a copy of it, apart from backups of the store.")


@examples(
    ("Once a year, or when somebody has left who could read it", "supportaccess store key rotate --yes"),
    ("To one that a KMS has",
     "supportaccess store key rotate --public-key kms.pem --config /etc/supportaccess/server.toml"),
)  # fmt: skip
def rotate_key(
    ctx: typer.Context, public_key: PublicKey = None, yes: options.Yes = False, config: Config = None
) -> ExitCode:
    """Replace the key by a new one. Each log tells of it in an entry that both keys sign; then the old one is no more.

    Whoever knows the old key can verify on from there: the entry says which key follows. One that was broken off is
    gone on with. With --public-key the new key is one that is kept elsewhere; without it, a file.
    """
    from supportaccess.store.sql.key_rotation import rotate

    given = _given(public_key)
    with operated(ctx.obj, config) as store:
        if not agreed(ctx.obj, f"Replace the key in {store.keys.folder}?", yes=yes):
            return ExitCode.FAILED
        tenants = rotate(store.engine, store.keys, store.actor, ctx.obj.clock, given)
        ctx.obj.streams.note(f"The key was replaced; {counted(len(tenants), 'log')} tell of it.")
        for tenant_id in tenants:
            ctx.obj.streams.write(f"{_keys(store, tenant_id)[-1]}\n")
    return ExitCode.DONE


@examples(("After a restore", "supportaccess store rollback --reason 'disk failed; backup of 2026-11-23' --yes"))
def rollback(
    ctx: typer.Context,
    reason: Annotated[
        str | None, typer.Option("--reason", "-r", metavar="TEXT", help="Why it went back. Required.")
    ] = None,
    yes: options.Yes = False,
    config: Config = None,
) -> int:
    """Record that an older backup was restored: until then the store is refused, as its logs are not those signed.

    Each log that went back gets an entry that says how far it had been signed, and why. What was lost stays lost, and
    whoever kept a later checkpoint will still see that.
    """
    from supportaccess.store.sql.key_rotation import record_rollbacks, rollbacks

    if not reason:
        raise InvalidInput("a rollback is recorded with its reason", hint="Add --reason TEXT.")
    with operated(ctx.obj, config) as store:
        found = rollbacks(store.engine, store.keys)
        for each in found:
            ctx.obj.streams.warn(
                f"Tenant {each.tenant_id}: {each.signed.size:,} entries were signed, the store has {each.size:,}."
            )
        if not found:
            ctx.obj.streams.note("Every log goes on from what was signed: there is nothing to record.")
            return ExitCode.DONE
        if not agreed(ctx.obj, f"Record it in {counted(len(found), 'log')}?", yes=yes):
            return ExitCode.FAILED
        record_rollbacks(store.engine, store.keys, store.actor, ctx.obj.clock, reason)
        ctx.obj.streams.note(
            f"Recorded. The checkpoints that were signed before are kept in {store.keys.folder / 'heads'}."
        )
    return ExitCode.DONE


def _given(public_key: Path | None) -> bytes | None:
    if public_key is None:
        return None
    from supportaccess.private_files import read_bounded
    from supportaccess.tlog.signers import parse_public_key

    data = read_bounded(public_key, _LARGEST_PUBLIC_KEY, follow=True)
    if data is None:
        raise InvalidInput(f"{public_key} does not exist")
    try:
        return parse_public_key(data)
    except InvalidInput as error:
        raise InvalidInput(f"{public_key}: {error.message}", hint=error.hint) from None


def _keys(store: Operated, tenant_id: str) -> list[VerifierKey]:
    from supportaccess.tlog.signers import key_of

    return [key_of(signer, store.keys.origin(tenant_id)) for signer in store.keys.signers()]


def _tenant_id(ctx: typer.Context, tenant: str | None) -> str:
    if tenant is None:
        raise InvalidInput("which tenant's?", hint="Name it with --tenant.")
    found: str = ctx.obj.tenant_id(tenant, by="--tenant")
    return found
