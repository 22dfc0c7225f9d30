"""What is said where no tenant can be chosen: for a name that nobody has, or without any name."""

from typing import TYPE_CHECKING

from supportaccess.errors import NotFound, NotSignedIn

if TYPE_CHECKING:
    from supportaccess.settings.profiles import Profile


def nobody_has(name: str, origin: str, profiles: "list[Profile]") -> NotFound:
    """Return the error for an alias that nobody has, with the nearest one."""
    from difflib import get_close_matches

    aliases = {profile.alias.lower(): profile.alias for profile in profiles if profile.alias}
    near = get_close_matches(name.lower(), aliases, n=1)
    question = f"; did you mean {aliases[near[0]]!r}?" if near else ""
    return NotFound(
        f"no tenant has the alias {name!r}, named by {origin}{question}",
        hint="See which there are: supportaccess tenant list",
    )


def nothing_chosen(profiles: "list[Profile]") -> NotSignedIn:
    """Return the error where nothing names a tenant and several, or none, are set up."""
    if not profiles:
        return NotSignedIn(
            "no tenant is set up yet",
            hint="Read an Entra audit log export: supportaccess import FILE --tenant TENANT_ID\n"
            "or set a tenant up: supportaccess tenant set TENANT_ID",
        )
    return NotSignedIn(
        f"several tenants are set up and none is the default: {', '.join(profile.name for profile in profiles)}",
        hint="Choose a default: supportaccess tenant use ALIAS\nor name one for this command: --tenant ALIAS",
    )
