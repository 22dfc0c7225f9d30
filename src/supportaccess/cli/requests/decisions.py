"""`supportaccess approve`, `reject` and `revoke`.

An approval across two tenants needs a sign-in to the resource tenant too: that is looked at before anybody is asked.
"""

from datetime import datetime, timedelta
from typing import Annotated

import typer

from supportaccess.cli.app.context import Context
from supportaccess.cli.app.group import examples
from supportaccess.cli.output.times import parse_duration, parse_time
from supportaccess.cli.requests.deciding import Options, Verb, approving, decide, takes_options
from supportaccess.domain.expiry import Limit, end_of
from supportaccess.domain.lifecycle import check_proven, check_revocable_here
from supportaccess.domain.records import AccessRequest, Side, Status
from supportaccess.errors import InvalidInput, NotSignedIn, ProofRequired
from supportaccess.settings.profiles import EMBEDDED, Profile


@takes_options
@examples(
    ("For as long as was asked for", "supportaccess approve 3f2a"),
    ("For eight hours, with a reason", "supportaccess approve 3f2a --for 8h --reason 'outage of sign-in'"),
    ("In a script", "supportaccess approve 2610070040001234 --for 2h --yes -o json"),
)
def approve(
    ctx: typer.Context,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="8h", help="How long; never longer than asked for.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Until when instead.")] = None,
    *,
    asked: Options,
) -> int:
    """Approve pending access requests.

    Opens read-only access for as long as was asked for, or shorter. A cross-tenant request needs a profile for both
    tenants. This store records the decision; it cannot make the vendor's own approval happen.
    """
    context: Context = ctx.obj
    now = context.clock()
    if for_ is not None and until is not None:
        raise InvalidInput("--for and --until say the same thing twice", hint="Give one of them.")
    limit = Limit(
        seconds=parse_duration(for_) if for_ is not None else None,
        until=parse_time(until, now, future=True) if until is not None else None,
    )
    verb = Verb(
        infinitive="approve",
        participle="approved",
        start=Status.PENDING,
        end=Status.APPROVED,
        act=lambda store, record, key: store.approve(
            record.id, etag=record.etag, key=key, limit=limit, reason=asked.reason
        ),
        effect=lambda record: approving(context, record, limit, now),
        check=lambda record: _check_approval(context, asked.tenant, record, limit, now),
        stands=lambda record: _stands(record, limit),
        is_of_a_tenant=True,
    )
    return decide(context, verb, asked)


@takes_options
@examples(
    ("Refuse", "supportaccess reject 3f2a --reason 'not our ticket'"),
    (
        "Refuse everything that waits",
        "supportaccess list --pending --all -o ids \\\n    | supportaccess reject - --yes -r 'not ours'",
    ),
)
def reject(ctx: typer.Context, asked: Options) -> int:
    """Reject pending access requests. A reason is required.

    A rejection is final: the provider has to ask again.
    """
    if (reason := asked.reason) is None:
        raise InvalidInput("a rejection needs a reason", hint="Give it with --reason TEXT.")
    verb = Verb(
        infinitive="reject",
        participle="rejected",
        start=Status.PENDING,
        end=Status.REJECTED,
        act=lambda store, record, key: store.reject(record.id, etag=record.etag, key=key, reason=reason),
        effect=lambda _: "refused for good; the provider would have to ask again.",
        is_of_a_tenant=True,
    )
    return decide(ctx.obj, verb, asked)


@takes_options
@examples(
    ("End one access", "supportaccess revoke 3f2a"),
    (
        "End all that is open",
        "supportaccess list --active --all -o ids \\\n    | supportaccess revoke - --yes -r 'incident 42'",
    ),
    ("See first what it would do", "supportaccess revoke 3f2a --dry-run"),
)
def revoke(ctx: typer.Context, asked: Options) -> int:
    """Revoke access that is open, before its time.

    From then on this store says that the access is revoked; it cannot end what the vendor itself allows. Of a
    cross-tenant request only the resource tenant can revoke the access, and only its own record changes.
    """
    verb = Verb(
        infinitive="revoke",
        participle="revoked",
        start=Status.APPROVED,
        end=Status.REVOKED,
        check=check_revocable_here,
        act=lambda store, record, key: store.revoke(record.id, etag=record.etag, key=key, reason=asked.reason),
        effect=lambda _: "the access ends at once, for whoever asks this store.",
        is_of_a_tenant=True,
    )
    return decide(ctx.obj, verb, asked)


def _check_approval(context: Context, tenant: str | None, record: AccessRequest, limit: Limit, now: datetime) -> None:
    """Refuse before the question what would be refused after it."""
    end_of(record, limit, now)
    if record.side is Side.SUPPORT_REQUEST:
        check_both(context, context.settings.chosen(tenant), record.resource_tenant_id)


def _stands(record: AccessRequest, limit: Limit) -> bool:
    """Whether an approval has the limit that is asked for: any, when none is."""
    if limit.until is not None:
        return record.expires_at == limit.until
    if limit.seconds is None or record.starts_at is None:
        return limit.seconds is None
    return record.expires_at == record.starts_at + timedelta(seconds=limit.seconds)


def check_both(context: Context, profile: Profile, resource_tenant_id: str | None) -> None:
    """Check that who approves in the tenant of the profile can prove to be of the resource tenant, in the same store.

    Raises ProofRequired without a profile there, NotSignedIn without a good sign-in; both with what to run.
    """
    known = {each.tenant_id: each for each in context.settings.readable_profiles()}
    resource = known.get(resource_tenant_id or "")
    try:
        check_proven(resource_tenant_id, context.tenants_on(profile.store))
    except ProofRequired as error:
        if profile.is_remote:
            error.hint = _login(resource_tenant_id, profile)
        if resource is not None:
            error.message = (
                f"a cross-tenant request is approved in one store by somebody who may decide in both tenants; this one "
                f"is in {_where(profile)}, and the profile of {resource.shown} is for {_where(resource)}"
            )
            if not profile.is_remote:
                error.hint = f"supportaccess tenant set {resource_tenant_id} --endpoint {EMBEDDED}"
        raise
    if resource is not None and resource.is_remote:
        _check_sign_in(context, profile, resource)


def _check_sign_in(context: Context, profile: Profile, resource: Profile) -> None:
    try:
        context.tokens(resource).token()
    except NotSignedIn as error:
        error.message = f"a cross-tenant request takes a sign-in to the resource tenant too: {error.message}"
        login = _login(resource.tenant_id, profile)
        also = error.hint if error.hint and not error.hint.startswith("supportaccess login") else None
        error.hint = f"{login}\n{also}" if also else login
        raise


def _login(tenant_id: str | None, profile: Profile) -> str:
    return f"supportaccess login --tenant {tenant_id} --endpoint {profile.store}"


def _where(profile: Profile) -> str:
    return profile.store if profile.is_remote else "the embedded store"
