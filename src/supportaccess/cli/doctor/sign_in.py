"""Checks of the sign-in to a shared store: how its tokens are kept; as whom one is there, by what and until when."""

from datetime import datetime

from supportaccess.cli.doctor.checks import Check, failed, passed, skipped
from supportaccess.cli.output.times import local_time
from supportaccess.errors import SupportAccessError
from supportaccess.settings.paths import Paths
from supportaccess.settings.profiles import Profile
from supportaccess.settings.rights import trouble_of
from supportaccess.signin.access_tokens import ends_of
from supportaccess.signin.registration import login_line
from supportaccess.signin.token_storage import found
from supportaccess.signin.tokens import Token, Tokens
from supportaccess.store.wire import Me


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
