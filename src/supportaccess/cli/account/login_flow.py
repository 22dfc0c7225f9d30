"""The steps of a login: how, where the tokens will be kept, the sign-in itself, and what the profile keeps of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from supportaccess.cli.app.context import Context
from supportaccess.cli.app.exit_codes import ExitCode, exit_code_of
from supportaccess.cli.app.token_provider import AtTerminal, understood
from supportaccess.errors import InvalidInput, NotSignedIn, SupportAccessError
from supportaccess.settings.profiles import Profile
from supportaccess.settings.sign_in import OPTIONS, Account, Method, SignIn, taken_by
from supportaccess.signin import token_storage
from supportaccess.signin.cache import TokenCache
from supportaccess.signin.discovered import settled
from supportaccess.signin.environment import ALLOW_PLAINTEXT, said_yes
from supportaccess.signin.method import Request, Result, sign_in
from supportaccess.signin.methods.browser import has_browser
from supportaccess.signin.problems import refusal
from supportaccess.signin.registration import login_line, registration_of
from supportaccess.signin.renewal import account_id_of, memory

if TYPE_CHECKING:
    from supportaccess.store.wire import Discovery

_LARGEST_SECRET = 64 * 1024
_STDIN = "-"


@dataclass(frozen=True, kw_only=True)
class Given:
    """What the options of `login` said; `sign_in` has the parts of a SignIn that were given, by their names."""

    method: Method | None = None
    client_id: str | None = None
    authority: str | None = None
    sign_in: Mapping[str, Any]
    allow_plaintext_cache: bool = False


def log_in(context: Context, profile: Profile, told: "Discovery | None", given: Given) -> ExitCode:
    """Sign in and keep it. Raises NotSignedIn, InvalidInput, StoreUnavailable; nothing is kept then."""
    how, note = _how(context, profile, given)
    kept = profile.sign_in if given.method in {None, profile.sign_in and profile.sign_in.method} else None
    chosen_id = given.client_id or _own_client_id(profile, kept, how)
    told = told or context.discover(profile.store)
    authority = given.authority or _own_authority(profile)
    profile = settled(profile, understood(told, context.clock()), client_id=chosen_id, authority=authority)
    if how.method.takes_client_id and chosen_id is None:
        raise InvalidInput(
            f"it is not said which application signs in by {how.method}",
            hint="Give its ID, not that of people's sign-in: --client-id ID",
        )
    secret = _piped_secret(context, how)
    place = _place(context, profile, how, given)
    if note:
        context.streams.note(note)
    cache = memory("")
    result = _sign_in(context, profile, how, cache, secret)
    if "access_token" not in result:
        raise refusal(result, tenant=profile.name, login=login_line(profile))
    profile = replace(profile, sign_in=how, account=_account(result, cache, profile, how))
    _keep(context, profile, place, cache)
    return _told(context, profile, place)


def _how(context: Context, profile: Profile, given: Given) -> tuple[SignIn, str]:
    """Return how to sign in, and what to say of that choice."""
    before = profile.sign_in
    method = given.method or (before.method if before is not None else None)
    note = ""
    if method is None or (method is Method.BROWSER and given.method is None):
        method = Method.BROWSER
        if not has_browser(context.environment):
            method, note = Method.DEVICE_CODE, "There is no browser here, so the sign-in is by a code."
    same = before if before is not None and before.method is method else SignIn(method=method)
    _refuse_misplaced(method, given.sign_in)
    forgotten = {part for name in given.sign_in for part in OPTIONS[name].replaces}
    parts: dict[str, Any] = {**dict.fromkeys(forgotten), **given.sign_in}
    return replace(same, **parts), note


def _refuse_misplaced(method: Method, told: Iterable[str]) -> None:
    """Raise InvalidInput for an option of another method: it would be passed over in silence."""
    misplaced = set(told) - set(taken_by(method))
    if misplaced:
        right = next(option.methods[0] for name, option in OPTIONS.items() if name in misplaced)
        raise InvalidInput(f"an option belongs to {right}, and the sign-in is by {method}", hint=f"Add --with {right}.")


def _own_client_id(profile: Profile, before: SignIn | None, how: SignIn) -> str | None:
    """Return the client ID that an earlier login was told, where the endpoint's own is not meant."""
    told = profile.discovery.client_id if profile.discovery is not None else None
    same = before is not None and before.method is how.method
    return profile.client_id if same and profile.client_id != told else None


def _own_authority(profile: Profile) -> str | None:
    """Return the authority that an earlier login was told, where the endpoint's own is not meant."""
    told = profile.discovery.authority if profile.discovery is not None else None
    return profile.authority if profile.authority != told else None


def _piped_secret(context: Context, how: SignIn) -> str | None:
    """Return the secret that comes by standard input: typed without an echo, or piped in."""
    if how.secret_file != _STDIN:
        return None
    stream = context.streams.stdin
    if stream is None:
        raise InvalidInput("there is no standard input to read the client secret from")
    if context.streams.can_ask:
        from getpass import getpass

        return getpass("Client secret: ").strip()
    return stream.read(_LARGEST_SECRET).strip()


def _place(context: Context, profile: Profile, how: SignIn, given: Given) -> token_storage.Place | None:
    """Return where the tokens will be kept; None when nowhere, as is enough for an application.

    Raises NotSignedIn when it would be for nothing: for a person's, or with a secret that only this command has.
    """
    cache = context.paths.cache
    place, why = token_storage.encrypted(cache, profile.tenant_id)
    if place is not None:
        return place
    plain = token_storage.PlainFile(token_storage.folder_of(cache), profile.tenant_id)
    allowed = (
        given.allow_plaintext_cache
        or said_yes(context.environment, ALLOW_PLAINTEXT)
        or context.settings.allows_plaintext_cache()
        or plain.path.exists()
    )
    if allowed:
        return plain
    piped = how.secret_file == _STDIN
    if not how.method.is_a_persons and not piped:
        context.streams.note(f"Tokens are not kept ({why}): every command signs in anew. --allow-plaintext-cache does.")
        return None
    if context.streams.can_ask:
        context.streams.warn(f"Tokens cannot be encrypted here: {why}.")
        question = f"Keep them in {plain.path}, which everything that runs as you can read?"
        if context.streams.confirm(question):
            return plain
    raise NotSignedIn(
        f"the sign-in could not be kept: {why}",
        hint=f"To keep it in a file of mode 0600: {login_line(profile)} --allow-plaintext-cache\n"
        "or for all tenants: allow_plaintext_cache = true in config.toml.",
    )


def _sign_in(context: Context, profile: Profile, how: SignIn, cache: Any, secret: str | None) -> Result:
    return sign_in(
        Request(
            how=how,
            registration=registration_of(profile),
            cache=cache,
            environment=context.environment,
            say=AtTerminal(context.streams).say,
            account=_same_account(profile),
            secret=secret,
        )
    )


def _same_account(profile: Profile) -> str | None:
    """Return whom to offer on the sign-in page: who was signed in there before. Without a logout, that is meant."""
    return profile.account.name if profile.account is not None and profile.account.id is not None else None


def _account(result: Result, cache: Any, profile: Profile, how: SignIn) -> Account:
    if not how.method.is_a_persons:
        return Account(name=str(profile.client_id) if how.method.takes_client_id else "managed identity")
    claims = result.get("id_token_claims") or {}
    account_id = account_id_of(cache)
    if account_id is None:
        raise NotSignedIn(f"{profile.authority} did not say who signed in", hint="Is it the right authority?")
    name = claims.get("preferred_username") or claims.get("name") or claims.get("sub") or account_id
    return Account(name=str(name), id=account_id)


def _keep(context: Context, profile: Profile, place: token_storage.Place | None, cache: Any) -> None:
    how = profile.sign_in
    if how is not None and how.secret_file == _STDIN:
        profile = replace(profile, sign_in=replace(how, secret_file=None))
        context.streams.note("The client secret is not kept: when the token ends, sign in again.")
    known = context.settings.readable_profiles()
    context.settings.save(profile)
    if not known:
        context.settings.use(profile.tenant_id)
    if place is None:
        return
    for other in token_storage.every(context.paths.cache, profile.tenant_id):
        if other.path != place.path and other.path.exists():
            _forget(context, other)
    with TokenCache(place, context.streams.warn).locked():
        place.save(cache.serialize())


def _forget(context: Context, place: token_storage.Place) -> None:
    """Forget older tokens. Where that cannot be done now, a later logout does."""
    try:
        place.forget()
    except SupportAccessError as error:
        context.streams.warn(f"Older tokens stay: {error.message}")


def _told(context: Context, profile: Profile, place: token_storage.Place | None) -> ExitCode:
    """Say what came of it, also by the server's word."""
    how, account = profile.sign_in, profile.account
    by = how.method if how is not None else "?"
    name = f"{profile.name} ({profile.tenant_id})" if profile.alias else profile.tenant_id
    context.streams.note(f"Signed in to {name} as {account.name if account else '?'}, by {by}.")
    if place is not None:
        context.streams.note(f"Tokens are kept in {place.description}.")
    try:
        me = context.http_store(profile).me()
    except SupportAccessError as error:
        context.streams.warn(f"But {profile.store} does not take it:")
        context.streams.tell(error)
        return exit_code_of(error)
    may = ", ".join(grant.permission for grant in me.permissions)
    context.streams.note(f"You may: {may}." if may else "You may nothing there: ask who runs the store for a role.")
    return ExitCode.DONE
