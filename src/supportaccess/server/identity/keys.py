"""A tenant's signing keys: fetched once for all who wait, refreshed in the background, kept while they cannot be.

Microsoft's advice on key rollover: refresh about hourly, keep for a day, look for an unknown key at once but at most
every five minutes.
"""

import base64
import binascii
import threading
import time
from collections.abc import Callable, Mapping

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from supportaccess.errors import StoreUnavailable
from supportaccess.server.identity.authority import FETCH_SECONDS, Published, Unpublished
from supportaccess.server.identity.refusals import Reason, TokenRefused
from supportaccess.server.identity.tokens import ALGORITHM

FRESH_SECONDS = 3600
"""A key set older than this is fetched again, while the old one is used."""
KEPT_SECONDS = 24 * 3600
"""A key set older than this is not used any more."""
UNKNOWN_KEY_SECONDS = 300
"""For unknown keys the key set is fetched at most this often."""
RETRY_SECONDS = 10
"""A fetch that failed is not tried again before this."""

_SMALLEST_KEY, _LARGEST_KEY = 2048, 8192


class Key(msgspec.Struct, frozen=True, eq=False):
    """A signing key. `issuer` is the key's own, if it has one: it may hold `{tenantid}`."""

    id: str
    issuer: str | None
    public: RSAPublicKey

    def is_same(self, other: "Key | None") -> bool:
        """Tell whether the other is this key, published again."""
        return other is not None and (self.id, self.issuer) == (other.id, other.issuer) and self.public == other.public


class KeySet(msgspec.Struct, frozen=True):
    """The keys of one tenant and version, and the issuer whose tokens they sign."""

    issuer: str
    keys: Mapping[str, Key]
    fetched_at: float


class TenantKeys:
    """Holds the key set of one tenant and version. Any thread may ask."""

    def __init__(self, tenant: str, fetch: Callable[[], Published], now: Callable[[], float]) -> None:
        self._tenant = tenant
        self._fetch = fetch
        self._now = now
        self._lock = threading.Lock()
        self._current: KeySet | None = None
        self._flight: _Flight | None = None
        self._failure = ""
        self._failed_at = self._looked_at = float("-inf")

    def find(self, key_id: str) -> tuple[Key, str]:
        """Return the key of this ID and the issuer.

        May wait for a fetch, FETCH_SECONDS at most. Raises TokenRefused for an unknown key, and StoreUnavailable when
        there is no key set that can be used.
        """
        keys = self.usable() or self._fetched()
        if key_id not in keys.keys:
            keys = self._looked_again() or keys
        key = keys.keys.get(key_id)
        if key is None:
            raise TokenRefused(Reason.UNKNOWN_KEY, "its key (kid) is not one of its tenant's")
        return key, keys.issuer

    def vouches_for(self, key: Key) -> bool:
        """Tell at once whether the key still stands. One that was withdrawn does not."""
        keys = self.usable()
        return keys is not None and keys.keys.get(key.id) is key

    def usable(self) -> KeySet | None:
        """Return the key set at once, if there is one that is young enough; one that is due is fetched meanwhile."""
        keys = self._current
        if keys is None:
            return None
        if not self._is_within(FRESH_SECONDS, keys.fetched_at):
            self.refresh()
        return keys if self._now() - keys.fetched_at < KEPT_SECONDS else None

    def refresh(self) -> "_Flight | None":
        """Begin a fetch, or join the one under way. None where there is no need, or right after one that failed."""
        with self._lock:
            if self._flight is not None and not self._flight.is_over():
                return self._flight
            fresh = self._current is not None and self._is_within(FRESH_SECONDS, self._current.fetched_at)
            return None if fresh or self._is_within(RETRY_SECONDS, self._failed_at) else self._begin()

    def problem(self) -> str:
        """Return what the last fetch failed at."""
        return self._failure

    def _fetched(self) -> KeySet:
        """Wait for the key set."""
        if flight := self.refresh():
            flight.wait()
        keys = self.usable()
        if keys is None:
            reason = self._failure or "the authority does not answer"
            raise StoreUnavailable(f"the signing keys of tenant {self._tenant} cannot be had: {reason}")
        return keys

    def _looked_again(self) -> KeySet | None:
        """Fetch for an unknown key, unless that was done lately: all unknown keys together have one fetch."""
        with self._lock:
            flight = self._flight
            if flight is None or flight.is_over():
                if self._is_within(UNKNOWN_KEY_SECONDS, self._looked_at):
                    return self._current
                self._looked_at = self._now()
                flight = self._begin()
        flight.wait()
        return self._current

    def _begin(self) -> "_Flight":
        self._flight = _Flight()
        threading.Thread(target=self._fly, args=(self._flight,), name="key set", daemon=True).start()
        return self._flight

    def _fly(self, flight: "_Flight") -> None:
        began = self._now()
        failure = "the fetch broke off"
        try:
            published = self._fetch()
            keys = _keys(published.entries, self._current)
            failure = "" if keys else "its key set has no key that can be used"
        except Unpublished as error:
            failure = str(error)
        finally:
            with self._lock:
                # One that took too long was given up; what it brings may be older than what is there.
                if flight is self._flight:
                    self._failure = failure
                    if failure:
                        self._failed_at = self._now()
                    else:
                        self._current = KeySet(published.issuer, keys, began)
            flight.land()

    def _is_within(self, seconds: float, moment: float) -> bool:
        return 0 <= self._now() - moment < seconds


class _Flight:
    """One fetch under way, which any number of callers wait for."""

    def __init__(self) -> None:
        self._gives_up_at = time.monotonic() + FETCH_SECONDS
        self._landed = threading.Event()

    def is_over(self) -> bool:
        return self._landed.is_set() or time.monotonic() > self._gives_up_at

    def wait(self) -> None:
        self._landed.wait(max(0, self._gives_up_at - time.monotonic()))

    def land(self) -> None:
        self._landed.set()


def _keys(entries: tuple[object, ...], known: KeySet | None) -> dict[str, Key]:
    """Return the keys that can be used. A bad one does not cost the others; one that is known stays the same object."""
    keys: dict[str, Key] = {}
    for entry in entries:
        key = _key(entry)
        if key is not None and key.id not in keys:
            before = known.keys.get(key.id) if known else None
            keys[key.id] = before if before is not None and key.is_same(before) else key
    return keys


def _key(entry: object) -> Key | None:
    """Return an RSA signing key (RFC 7517), and None for anything else."""
    if not isinstance(entry, dict):
        return None
    key_id, issuer = entry.get("kid"), entry.get("issuer")
    usable = entry.get("kty") == "RSA" and entry.get("use", "sig") == "sig" and entry.get("alg", ALGORITHM) == ALGORITHM
    if not usable or not isinstance(key_id, str) or not key_id or not isinstance(issuer, str | None):
        return None
    try:
        public = RSAPublicNumbers(e=_number(entry.get("e")), n=_number(entry.get("n"))).public_key()
    except (ValueError, binascii.Error):
        return None
    return Key(key_id, issuer, public) if _SMALLEST_KEY <= public.key_size <= _LARGEST_KEY else None


def _number(text: object) -> int:
    if not isinstance(text, str) or not text.isascii() or len(text) > _LARGEST_KEY:
        raise ValueError
    return int.from_bytes(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True), "big")
