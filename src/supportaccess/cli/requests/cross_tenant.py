"""Approvals across two tenants: whether there is a sign-in to the resource tenant too, before anybody is asked."""

from supportaccess.cli.app.context import Context
from supportaccess.domain.lifecycle import check_proven
from supportaccess.errors import NotSignedIn, ProofRequired
from supportaccess.settings.profiles import EMBEDDED, Profile


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
