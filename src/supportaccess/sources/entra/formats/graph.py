"""Items as Microsoft Graph gives them: the resource type directoryAudit.

Every other format is brought into this shape, which `events` reads.
Fields: https://learn.microsoft.com/graph/api/resources/directoryaudit
"""

from supportaccess.sources.readers.fields import Fields, get

_NEVER_NULL = ("activityDateTime", "activityDisplayName")


def looks_like(item: Fields) -> bool:
    """Tell whether the item is one: spelled as Graph does."""
    return any(name in item for name in _NEVER_NULL)


def may_be(item: Fields) -> bool:
    """Tell whether it may be one: the PowerShell module of Graph capitalises the names."""
    return any(get(item, name) for name in _NEVER_NULL)
