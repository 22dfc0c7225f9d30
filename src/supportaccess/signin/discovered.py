"""What an endpoint says that it takes to sign in there: what of it is believed, and when it is asked again."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from supportaccess.errors import InvalidInput, NotSignedIn
from supportaccess.settings.authorities import check_authority, check_scope, may_name
from supportaccess.settings.profiles import Profile
from supportaccess.settings.sign_in import Discovered, check_client_id

LONGEST = timedelta(days=1)
_SHORTEST = timedelta(minutes=1)
_NAMED = "If you know it, and it is yours: supportaccess login --tenant {} --authority URL"


def discovered(
    now: datetime, *, api_version: str, authority: str, client_id: str, scopes: tuple[str, ...], seconds: int
) -> Discovered:
    """Return what an endpoint said, in the form in which it is kept. Raises InvalidInput for what is not to be used."""
    if not scopes:
        raise InvalidInput("the endpoint names no scope to ask for", hint="Ask who runs the store: its settings.")
    keep = min(max(timedelta(seconds=seconds), _SHORTEST), LONGEST)
    return Discovered(
        fetched_at=now,
        stale_at=now + keep,
        api_version=api_version,
        authority=check_authority(authority),
        client_id=check_client_id(client_id),
        scopes=tuple(check_scope(scope) for scope in scopes),
    )


def settled(
    profile: Profile, told: Discovered, *, client_id: str | None = None, authority: str | None = None
) -> Profile:
    """Return the profile with what to sign in by: what was given, else what the endpoint told.

    Raises NotSignedIn for an authority to which the endpoint's own word is not enough.
    """
    chosen = check_authority(authority) if authority is not None else told.authority
    if authority is None and not may_name(profile.store, chosen):
        raise NotSignedIn(
            f"{profile.store} names {chosen} to sign in at, which is none of Microsoft's: it would get your password",
            hint=_NAMED.format(profile.name),
        )
    return replace(
        profile,
        client_id=check_client_id(client_id) if client_id is not None else told.client_id,
        authority=chosen,
        scopes=told.scopes,
        discovery=told,
    )


def is_stale(profile: Profile, now: datetime) -> bool:
    """Tell whether the endpoint should be asked again. A clock that was set back makes nothing good for longer."""
    kept = profile.discovery
    return kept is None or now >= kept.stale_at or now < kept.fetched_at - LONGEST


def refuse_changed(profile: Profile, told: Discovered) -> None:
    """Raise NotSignedIn when the endpoint now leads elsewhere: that takes a person's look, and a new login."""
    kept = profile.discovery
    if kept is None or not kept.differs(told):
        return
    changes = [
        f"{name} {new} (before: {old})"
        for name, old, new in (
            ("authority", kept.authority, told.authority),
            ("client ID", kept.client_id, told.client_id),
            ("scopes", " ".join(kept.scopes), " ".join(told.scopes)),
        )
        if old != new
    ]
    raise NotSignedIn(
        f"{profile.store} now says to sign in otherwise: {'; '.join(changes)}",
        hint=f"If that is right: supportaccess login --tenant {profile.name}",
    )
