"""The doctor's checks of a tenant whose store is a shared one."""

from collections.abc import Iterator

from supportaccess.cli.checks import Check, Result, passed, skipped, tried
from supportaccess.cli.context import Context
from supportaccess.domain.errors import Forbidden, NotSignedIn
from supportaccess.settings.profiles import Profile
from supportaccess.store.http.client import Client
from supportaccess.store.http.store import discover
from supportaccess.store.protocol import RequestQuery
from supportaccess.store.wire import API_VERSION

_PATIENCE = 5.0


def shared_store_checks(context: Context, profile: Profile) -> Iterator[Check]:
    """Check that the endpoint answers, that it is of this version, who the caller is there, and its database."""
    endpoint = tried("endpoint", lambda: _endpoint(profile))
    yield endpoint
    if endpoint.result is Result.PASSED:
        signed_in = tried("sign-in", lambda: _sign_in(context, profile))
        yield signed_in
        if signed_in.result is Result.PASSED:
            yield tried("store", lambda: _store(context, profile))
    else:
        yield skipped("sign-in", "needs an endpoint that answers")


def _endpoint(profile: Profile) -> Check:
    version = discover(Client(profile.store, patience=_PATIENCE)).api_version
    if version != API_VERSION:
        return Check(
            name="endpoint",
            result=Result.FAILED,
            message=f"{profile.store} speaks version {version} of the API, and this program {API_VERSION}",
            mend="pip install --upgrade supportaccess",
        )
    return passed("endpoint", f"{profile.store} answers, version {version} of the API")


def _sign_in(context: Context, profile: Profile) -> Check:
    try:
        me = context.http_store(profile).me()
    except NotSignedIn as error:
        return Check(name="sign-in", result=Result.FAILED, message=error.message, mend=error.hint)
    name = me.actor.display_name or me.actor.object_id or "somebody"
    if not me.permissions:
        return Check(
            name="sign-in",
            result=Result.FAILED,
            message=f"you are {name} there, and may do nothing",
            mend="Ask who runs the store which role it takes.",
        )
    return passed("sign-in", f"you are {name} there, with {', '.join(grant.permission for grant in me.permissions)}")


def _store(context: Context, profile: Profile) -> Check:
    try:
        context.http_store(profile).count(RequestQuery(), at_most=1)
    except Forbidden as error:
        return skipped("store", error.message)
    return passed("store", "its database answers")
