"""The vendors that this version knows, by the source that their mirrors name."""

from supportaccess.domain.records import Source
from supportaccess.domain.vendors import Vendor


def vendor_of(source: Source) -> Vendor | None:
    """Return the vendor of a source. Each is imported when it is asked for."""
    if source is Source.ENTRA:
        from supportaccess.sources.entra.handoff import ENTRA

        return ENTRA
    return None


def vendor_of_the_store() -> Vendor:
    """Return the vendor to whose engineers the requests give access that the store itself keeps."""
    from supportaccess.sources.entra.handoff import ENTRA

    return ENTRA
