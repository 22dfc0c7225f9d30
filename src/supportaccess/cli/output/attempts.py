"""What an audit entry tells of what was not done."""

from supportaccess.domain.audit import Activity, AuditEntry, Outcome, outcome_of


def tried(entry: AuditEntry) -> str:
    """Return what was tried, how it was refused, and how often more; empty for an entry of what was done."""
    if outcome_of(entry.activity) is Outcome.SUCCESS and entry.activity is not Activity.LOG_READ:
        return ""
    details = entry.details or {}
    told = [": ".join(str(details[name]) for name in ("operation", "error") if name in details)]
    if "currentStatus" in details:
        told.append(f"it is {details['currentStatus']}")
    if "notLogged" in details:
        told.append(f"{details['notLogged']} more, not logged")
    return ", ".join(filter(None, told))
