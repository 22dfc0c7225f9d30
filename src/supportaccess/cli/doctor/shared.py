"""Checks of a tenant whose store is a shared one: the way there, what it says of itself, and who one is to it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from supportaccess.cli.app.context import Context
from supportaccess.cli.doctor.checks import Check, Result, failed, passed, refused, skipped, tried
from supportaccess.cli.doctor.network import Way, name_check, proxy_check, tls_checks
from supportaccess.cli.output.times import duration, local_time
from supportaccess.domain.permissions import Permission
from supportaccess.errors import Forbidden, SupportAccessError
from supportaccess.settings.paths import Paths, trouble_of
from supportaccess.settings.profiles import Profile
from supportaccess.signin.access_tokens import ends_of
from supportaccess.signin.registration import login_line
from supportaccess.signin.token import Token
from supportaccess.signin.token_storage import found
from supportaccess.signin.tokens import Tokens
from supportaccess.store.http.client import Client
from supportaccess.store.http.store import HttpStore, discovery_in
from supportaccess.store.http.transport import Answer
from supportaccess.store.protocol import RequestQuery
from supportaccess.store.wire import API_VERSION, DISCOVERY_PATH, Discovery, Me

_PATIENCE = 5.0
_SKEW = timedelta(seconds=60)
"""As far as a server lets the times of a token be off."""

_VERBS = {
    Permission.READ_REQUESTS: "list, show",
    Permission.DECIDE: "approve, reject, revoke",
    Permission.READ_AUDIT: "audit log, audit verify",
    Permission.RAISE: "provider raise, withdraw, close",
    Permission.WRITE_SOURCE_EVENTS: "import",
}
"""What each permission is for."""


class SharedStoreChecks:
    """The checks of one tenant. Made in the command's own thread; the checks may be made in another one."""

    def __init__(self, context: Context, profile: Profile) -> None:
        """Take the tenant. Raises InvalidInput for an endpoint or an environment that cannot be used."""
        self._context = context
        self._profile = profile
        self._client = Client(profile.store, patience=_PATIENCE)
        self._store: HttpStore = context.http_store(profile)
        self._tokens = context.tokens(profile)

    def run(self) -> list[Check]:
        """Make them, each on what the ones before it found."""
        try:
            return list(self._checks())
        finally:
            self._client.close()

    def _checks(self) -> Iterator[Check]:
        yield tried("token cache", lambda: token_cache_check(self._profile, self._context.paths, self._tokens))
        way = Way(self._profile.store)
        found = [proxy_check(way), name_check(way)]
        if all(check.result is not Result.FAILED for check in found):
            found += tls_checks(way, self._context)
        yield from found
        if any(check.result is Result.FAILED and check.name != "certificate" for check in found):
            yield skipped("discovery", "needs a way to the endpoint")
            return
        before = self._context.clock()
        try:
            answer = self._client.get(DISCOVERY_PATH, {})
            told = discovery_in(answer)
        except SupportAccessError as error:
            yield refused("discovery", error)
            return
        yield _discovery(self._profile, told)
        yield _api_version(told)
        yield _clock(answer, before, self._context.clock())
        yield from self._of_the_caller()

    def _of_the_caller(self) -> Iterator[Check]:
        try:
            me = self._store.me()
        except SupportAccessError as error:
            yield refused("sign-in", error)
            yield skipped("permission", "needs a sign-in")
            return
        yield sign_in_check(self._profile, me, self._tokens)
        yield from _permissions(me)
        yield tried("store", self._database)

    def _database(self) -> Check:
        try:
            self._store.count(RequestQuery(), at_most=1)
        except Forbidden as error:
            return skipped("store", error.message)
        return passed("store", "its database answers")


def _discovery(profile: Profile, told: Discovery) -> Check:
    if told.endpoint.rstrip("/") != profile.store:
        message = f"{profile.store} calls itself {told.endpoint}, so that lists cannot be followed to their next page"
        mend = f"supportaccess tenant set {profile.name} --endpoint {told.endpoint}, or the operator sets public_url."
        return failed("discovery", message, mend)
    return passed("discovery", f"{profile.store} answers; one signs in at {told.authority} for {told.client_id}")


def _api_version(told: Discovery) -> Check:
    if told.api_version != API_VERSION:
        message = f"it speaks version {told.api_version} of the API, and this program {API_VERSION}"
        return failed("API version", message, "pip install --upgrade supportaccess")
    return passed("API version", f"both speak {API_VERSION}")


def _clock(answer: Answer, before: datetime, after: datetime) -> Check:
    """Hold the clock against the server's, which is known to the second and to the time that the answer took."""
    try:
        theirs = parsedate_to_datetime(answer.headers.get("Date", ""))
    except ValueError:
        return skipped("clock", "the server does not say what time it is there")
    behind, ahead = theirs - after, before - theirs - timedelta(seconds=1)
    off, how = (behind, "behind") if behind > ahead else (ahead, "ahead of")
    if off > _SKEW:
        message = f"this machine's clock is {duration(int(off.total_seconds()))} {how} the server's"
        mend = "Set the clock, or ask who runs the store to: tokens and time limits are measured by it."
        return failed("clock", message, mend)
    return passed("clock", f"within {_SKEW.total_seconds():.0f} seconds of the server's")


def _permissions(me: Me) -> Iterator[Check]:
    """Say of each verb by which role it is allowed, or which role would do. Only what nobody can do without fails."""
    granted = {grant.permission: ", ".join(grant.granted_by) for grant in me.permissions}
    lacking = {lack.permission: lack.message for lack in me.lacking}
    for permission, verbs in _VERBS.items():
        name = f"permission: {verbs}"
        if permission in granted:
            yield passed(name, f"{permission}, by {granted[permission]}")
        elif permission is Permission.READ_REQUESTS:
            yield failed(name, f"{permission} is not held", lacking.get(permission))
        else:
            yield skipped(name, f"{permission} is not held", lacking.get(permission))


def token_cache_check(profile: Profile, paths: Paths, tokens: Tokens) -> Check:
    """Tell by what the tenant's tokens are protected where they are kept. Reads none of them."""
    name = "token cache"
    place = found(paths.cache, profile.tenant_id)
    if place is None:
        if (given := tokens.comes_from_elsewhere) is not None:
            return skipped(name, f"there is none, and none is needed: one signs in by {given}")
        return skipped(name, "there is none yet: a login makes it", login_line(profile))
    if (trouble := trouble_of(place.path)) is not None:
        told, _, mend = trouble.rpartition(": ")
        again = "" if place.is_encrypted else f" and, as the tokens may have been read: {login_line(profile)}"
        return failed(name, f"{place.path}: {told}", f"{mend}{again}")
    if place.is_encrypted:
        return passed(name, f"encrypted: it is in {place.title}")
    return passed(name, f"{place.description}, by explicit choice; it is for your account alone (0600)")


def sign_in_check(profile: Profile, me: Me, tokens: Tokens) -> Check:
    """Tell as whom one is signed in, how, where the token comes from and until when it is good."""
    name = me.actor.display_name or me.actor.object_id or "somebody"
    if not me.permissions:
        lacking = me.lacking[0].message if me.lacking else "Ask who runs the store which role it takes."
        return failed("sign-in", f"you are {name} there, and may do nothing", lacking)
    there = f"you are {name} ({me.actor.object_id or me.actor.kind}) there"
    try:
        token = tokens.token()
    except SupportAccessError as error:  # gone since it was sent: the next command would not get one
        return failed("sign-in", f"{there}, and not any more: {error.message}", error.hint)
    return passed("sign-in", f"{there}, {_by(profile, token)}; the token is from {token.origin}{_until(token)}")


def _by(profile: Profile, token: Token) -> str:
    if token.method is None:
        return "by an access token that somebody else got"
    account = profile.account.name if profile.account is not None and token.method.is_a_persons else None
    return f"signed in by {token.method}" + (f" as {account}" if account else "")


def _until(token: Token) -> str:
    ends: datetime | None = token.ends or ends_of(token.text)
    return "" if ends is None else f", good until {local_time(ends)}"
