"""How a request is decided at Microsoft: by a person, in the Entra admin center, since there is no API for it.

The way through the center: docs/entra-audit-log.md names Microsoft's pages that it is from.
"""

from supportaccess.domain.records import AccessRequest, Side
from supportaccess.domain.vendors import Vendor

_PORTAL = "https://entra.microsoft.com"
_BUTTONS = {
    "approve": ("Manage pending requests", "Approve"),
    "reject": ("Manage pending requests", "Reject"),
    "revoke": ("Approved access", "Remove access"),
}


def handoff(record: AccessRequest, verb: str) -> str:
    """Return where a mirror is decided, and how that decision then gets here."""
    confirm = f"export the audit log again, supportaccess import FILE, supportaccess show {record.id}"
    if verb == "withdraw":
        return f"Only Microsoft can take its request back. To see whether it did: {confirm}"
    page, button = _BUTTONS[verb]
    number = record.support_request_id or "(its support request ID is not known here)"
    elsewhere = verb == "revoke" and record.side is Side.SUPPORT_REQUEST
    where = "In the resource tenant, " if elsewhere else ""
    return (
        f"{where}{_PORTAL} > Learn & support > Diagnose and solve problems > "
        f"Microsoft Support Access Requests (Preview) > {page} > support request {number} > {button}.\n"
        f"Then confirm it here: {confirm}"
    )


ENTRA = Vendor(
    company="Microsoft",
    product="Microsoft Entra",
    short="Entra",
    place="the Entra admin center",
    page="Diagnose and solve problems > Microsoft Support Access Requests",
    has_time_limits=False,
    handoff=handoff,
)
