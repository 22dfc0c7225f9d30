"""What rules and commands may say of a vendor whose records are mirrored. Each vendor's folder of `sources` says it."""

from collections.abc import Callable
from typing import NamedTuple

from supportaccess.domain.records import AccessRequest, Source


class Vendor(NamedTuple):
    """A vendor in words, each as it stands within a sentence: its company, its product in full and in short.

    `place` is where its administrators decide and `page` what they open there; `handoff` says, of a mirror and a verb
    (approve, reject, revoke, withdraw), how that is done at the vendor.
    """

    company: str
    product: str
    short: str
    place: str
    page: str
    has_time_limits: bool
    handoff: Callable[[AccessRequest, str], str]


VendorOf = Callable[[Source], Vendor | None]
"""Gives the vendor of a source: None for the store itself, and for a source that this version does not know."""
