"""Posts one message: to an address that was looked at, by TLS, within its time, and nowhere else."""

import ssl
from collections.abc import Mapping, Sequence

from requests import Response

from supportaccess.errors import StoreRefused
from supportaccess.http.failures import Failure, retry_after
from supportaccess.http.session import Session
from supportaccess.http.trust import tls_context
from supportaccess.server.settings import WebhookSettings
from supportaccess.server.webhooks.addresses import addresses_of
from supportaccess.server.webhooks.outcomes import Gone, Undelivered

_CONNECT_SECONDS = 5.0
_LONGEST_WAIT = 3600


def post(webhook: WebhookSettings, headers: Mapping[str, str], body: bytes) -> None:
    """Post it; a status of 2xx says that it arrived. No redirect is followed, no proxy used, no cookie kept.

    Raises Undelivered, also when that takes longer than the webhook's `timeout_seconds`.
    """
    sent = {"Content-Type": "application/json", "Connection": "close", **headers}
    try:
        # What the answer has besides its head is not read.
        with _session(webhook) as session, session.post(webhook.url, data=body, headers=sent, stream=True) as answer:
            _judge(answer)
    except Failure as failure:
        raise Undelivered(failure.reason) from None


def tls_of(webhook: WebhookSettings) -> ssl.SSLContext:
    """Return what TLS is spoken with. Raises StoreRefused for a file of certificates that cannot be used."""
    try:
        return tls_context(webhook.ca_file)
    except OSError as error:  # of which ssl.SSLError is one
        raise StoreRefused(
            f"webhook {webhook.name}: {webhook.ca_file} cannot be used: {error.strerror or 'it holds no certificate'}",
            hint="Name a PEM file of certificates.",
        ) from None


def _session(webhook: WebhookSettings) -> Session:
    """Return what connects to addresses that may be posted to, and to no others."""

    def look_up(host: str, port: int, seconds: float) -> Sequence[str]:
        return addresses_of(host, port, webhook.allowed_networks, seconds=seconds)

    return Session(
        seconds=webhook.timeout_seconds,
        connect_seconds=_CONNECT_SECONDS,
        tls=tls_of(webhook),
        use_proxy=False,
        look_up=look_up,
    )


def _judge(answer: Response) -> None:
    """Raise Undelivered for a status that does not say that it arrived."""
    if 200 <= answer.status_code < 300:
        return
    if answer.status_code == 410:
        raise Gone("gone", status=answer.status_code)
    wait = min(retry_after(answer.headers.get("Retry-After", "")), _LONGEST_WAIT)
    raise Undelivered("status", status=answer.status_code, wait=wait)
