"""As what and where one signs in: what a profile or the environment settled on."""

import msgspec

from supportaccess.errors import NotSignedIn
from supportaccess.settings.authorities import application_scope, host_of
from supportaccess.settings.profiles import Profile


class Registration(msgspec.Struct, frozen=True):
    """An application at an authority, the tenant in which it signs in, and the scopes that it asks for."""

    tenant_id: str
    client_id: str
    authority: str
    scopes: tuple[str, ...]

    @property
    def environment(self) -> str:
        """The authority's name in the token cache."""
        return host_of(self.authority)

    @property
    def application_scopes(self) -> tuple[str, ...]:
        """What it asks for without a person."""
        return tuple(dict.fromkeys(application_scope(scope) for scope in self.scopes))


def registration_of(profile: Profile) -> Registration:
    """Return what a profile settled on. Raises NotSignedIn before the first login."""
    if profile.client_id is None or profile.authority is None or not profile.scopes:
        raise NotSignedIn(f"there is no sign-in to {profile.name}", hint=login_line(profile))
    return Registration(profile.tenant_id, profile.client_id, profile.authority, profile.scopes)


def login_line(profile: Profile) -> str:
    """Return the command that signs in to a tenant."""
    return f"supportaccess login --tenant {profile.name}"
