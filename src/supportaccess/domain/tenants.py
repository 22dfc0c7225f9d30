"""Tenant IDs."""

import re
from typing import Annotated

from supportaccess.errors import InvalidInput
from supportaccess.structs import described

TenantId = Annotated[str, described(format="uuid")]

# ASCII only: a look-alike such as U+212A lower-cases to a letter that was never typed.
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)


def is_guid(text: str) -> bool:
    """Tell whether the text is a GUID in its usual form of 36 characters."""
    return _GUID.fullmatch(text) is not None


def parse_tenant_id(text: str) -> str:
    """Return the tenant ID in lower case. Raises InvalidInput for what is not a GUID."""
    if not is_guid(text):
        raise InvalidInput(
            f"{text!r} is not a tenant ID",
            hint="A tenant ID is a GUID such as 8d3fc0a1-5a52-4c6e-9c0e-3f5b0a6d2e71. "
            "Your directory's overview page shows it.",
        )
    return text.lower()
