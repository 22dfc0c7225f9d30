"""What an operator may set for webhooks, and what can be found out before the first message."""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import NoReturn
from urllib.parse import urlsplit

from msgspec.structs import replace

from supportaccess.domain.events import What
from supportaccess.errors import StoreRefused, StoreUnavailable, SupportAccessError
from supportaccess.http.endpoints import is_loopback
from supportaccess.server.settings import ServerSettings, WebhookSettings
from supportaccess.server.webhooks.addresses import addresses_of, is_allowed
from supportaccess.server.webhooks.outcomes import NotAllowed, Undelivered
from supportaccess.server.webhooks.posting import tls_of
from supportaccess.server.webhooks.signing import keys_of

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}", re.ASCII)
_HEADER = re.compile(r"[\x21-\x7e]+", re.ASCII)

Refuse = Callable[[str, str], NoReturn]


def checked(webhooks: Sequence[WebhookSettings], tenants: Sequence[str], refuse: Refuse) -> tuple[WebhookSettings, ...]:
    """Return the webhooks, each with the tenants that it is for. Calls `refuse` with the key and what is wrong."""
    names = [webhook.name for webhook in webhooks]
    for name in names:
        if not _NAME.fullmatch(name):
            refuse("webhooks.name", f"{name!r} is not a name: 1 to 32 characters of a-z 0-9 . _ -")
        if names.count(name) > 1:
            refuse("webhooks.name", f"{name!r} is there more than once")
    return tuple(_checked(webhook, tenants, refuse) for webhook in webhooks)


def problems(settings: ServerSettings, environment: Mapping[str, str] = os.environ) -> Iterator[SupportAccessError]:
    """Yield what would keep messages from arriving, as far as it can be told without sending one."""
    for webhook in settings.webhooks:
        for check in (lambda each: keys_of(each, environment), tls_of, _look_up):
            try:
                check(webhook)
            except SupportAccessError as error:
                yield error


def in_words(webhook: WebhookSettings) -> str:
    """Return what is posted where. Of the URL only its host: the rest of it may be a secret."""
    url = urlsplit(webhook.url)
    what = ", ".join(webhook.events) or "every event"
    where = f"{url.scheme}://{url.netloc}"
    signed = webhook.secret_file or f"the variable {webhook.secret_variable}"
    also = f", which may be in {', '.join(webhook.allowed_networks)}" if webhook.allowed_networks else ""
    return (
        f"{webhook.name} posts {what} of {', '.join(webhook.tenants)} to {where}{also}, signed by {signed}; "
        f"deadlines and limits {webhook.ahead_seconds} seconds ahead"
    )


def _checked(webhook: WebhookSettings, tenants: Sequence[str], refuse: Refuse) -> WebhookSettings:
    for network in webhook.allowed_networks:
        try:
            ip_network(network)
        except ValueError:
            refuse("webhooks.allowed_networks", f"{network!r} is neither an IP address nor a network (10.0.0.0/8)")
    for event in webhook.events:
        if not event.is_known:
            refuse("webhooks.events", f"{event!r} is not one of {', '.join(What)}")
    _check_url(webhook, refuse)
    if (webhook.secret_file is None) == (webhook.secret_variable is None):
        refuse("webhooks.secret_file", f"{webhook.name} needs one of secret_file and secret_variable")
    wanted = tuple(dict.fromkeys(each.lower() for each in webhook.tenants)) or tuple(tenants)
    for tenant in wanted:
        if tenant not in tenants:
            refuse("webhooks.tenants", f"{tenant!r} is not in identity.tenants")
    return replace(webhook, tenants=wanted)


def _check_url(webhook: WebhookSettings, refuse: Refuse) -> None:
    try:
        url = urlsplit(webhook.url)
        host, port = url.hostname, url.port
    except ValueError:
        refuse("webhooks.url", f"that of {webhook.name} is not a URL")
    if not _HEADER.fullmatch(webhook.url) or not host or port == 0 or url.scheme not in {"https", "http"}:
        refuse("webhooks.url", f"that of {webhook.name} is not a URL that begins with https://")
    if url.username is not None or url.fragment:
        refuse("webhooks.url", f"that of {webhook.name} must have neither a user nor a fragment in it")
    if url.scheme == "http" and not (is_loopback(host) and is_allowed("127.0.0.1", webhook.allowed_networks)):
        refuse(
            "webhooks.url",
            f"that of {webhook.name} must begin with https://: others could read and hold back what is sent there "
            '(http to this machine itself: allowed_networks = ["127.0.0.0/8"])',
        )


def _look_up(webhook: WebhookSettings) -> None:
    url = urlsplit(webhook.url)
    host = url.hostname or ""
    try:
        addresses_of(host, url.port or 443, webhook.allowed_networks, seconds=webhook.timeout_seconds)
    except NotAllowed as refused:
        raise StoreRefused(
            f"webhook {webhook.name}: {host} is at {refused.address}, which is no public address",
            hint=f'If it is to be posted to: allowed_networks = ["{refused.address}"]',
        ) from None
    except Undelivered as failed:
        slow = failed.reason == "lookUpTooSlow"
        raise StoreUnavailable(
            f"webhook {webhook.name}: "
            + (f"{host} was not looked up within {webhook.timeout_seconds} s" if slow else f"there is no host {host}"),
            hint="Is its URL right, and can this machine look it up?",
        ) from None
