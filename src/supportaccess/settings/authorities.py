"""Who may be asked for a token, and for what: a shared store names both, and its word is held against these rules.

Hosts: https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud and MSAL's own list.
"""

import re

from supportaccess.domain.tenants import is_guid
from supportaccess.errors import InvalidInput
from supportaccess.http.endpoints import is_loopback, split_url

GLOBAL_CLOUD = "https://login.microsoftonline.com"
US_GOVERNMENT = frozenset({"login.microsoftonline.us", "login.usgovcloudapi.net"})
CHINA = frozenset({"login.partner.microsoftonline.cn", "login.chinacloudapi.cn"})
MICROSOFTS = (
    frozenset(
        {
            "login.microsoftonline.com",
            "login.microsoft.com",
            "login.windows.net",
            "login.sovcloud-identity.fr",
            "login.sovcloud-identity.de",
            "login.sovcloud-identity.sg",
        }
    )
    | US_GOVERNMENT
    | CHINA
)
"""The hosts at which Entra signs people in, in all of its clouds."""

_SCOPE = r"api://([0-9A-Fa-f-]{36})/[A-Za-z0-9._-]{1,120}"
_FIRST_PARTY = (
    "-0000-0000-c000-000000000000",  # Graph, Exchange and their like
    "-0000-0ff1-ce00-000000000000",  # SharePoint
    "797f4846-ba00-4fd7-ba43-dac1f8f63013",  # Azure Resource Manager
    "cfa8b339-82a2-471a-a3c9-0fc0be7a4093",  # Key Vault
    "e406a681-f3d4-42a8-90b6-c2b029497af1",  # Storage
)
"""The ends of the IDs of Microsoft's own services. Their names are no such URIs today; a token for one is worth more
than any of ours."""


def check_authority(text: str) -> str:
    """Return an authority's base URL as it is kept: without the tenant, and without a slash at its end.

    Raises InvalidInput for what is no https URL, or has credentials, a query or a fragment in it.
    """
    url = split_url(text.strip())
    if url is None or url.scheme != "https" or not url.hostname:
        raise InvalidInput(f"{text!r} is not the https URL of an authority", hint=f"Such as {GLOBAL_CLOUD}")
    if url.username is not None or url.query or url.fragment or text.rstrip().endswith(("?", "#")):
        raise InvalidInput(f"an authority has no credentials, query or fragment in it, and {url.hostname!r} has")
    return f"https://{url.netloc.lower()}{url.path.rstrip('/')}"


def host_of(url: str) -> str:
    """Return the host of a URL that was checked."""
    parts = split_url(url)
    return (parts and parts.hostname) or ""


def is_microsofts(authority: str) -> bool:
    """Tell whether an authority is one of Microsoft's clouds: such a one has nothing but a host in its URL."""
    return authority.removeprefix("https://") in MICROSOFTS


def may_name(endpoint: str, authority: str) -> bool:
    """Tell whether an endpoint's own word is enough to sign in at an authority.

    It is for Microsoft's, and on this machine for one on this machine: whoever names another collects passwords.
    """
    return is_microsofts(authority) or (is_loopback(host_of(endpoint)) and is_loopback(host_of(authority)))


def check_scope(text: str) -> str:
    """Return a scope of a store's own API. Raises InvalidInput for any other, above all one of Microsoft's services."""
    found = re.fullmatch(_SCOPE, text, re.ASCII)
    if not found or not is_guid(found[1]) or found[1].lower().endswith(_FIRST_PARTY):
        raise InvalidInput(f"{text!r} is not a scope of a store", hint="It has the form api://CLIENT_ID/NAME.")
    return text


def application_scope(scope: str) -> str:
    """Return what an application without a person asks for: all that it was granted of the same API."""
    return f"{scope.rpartition('/')[0]}/.default"
