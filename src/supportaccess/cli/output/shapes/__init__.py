"""Audit entries in the forms that others' programs read."""

from collections.abc import Callable
from enum import StrEnum

import msgspec

from supportaccess.cli.output.fields import AUDIT_ENTRIES, Layout
from supportaccess.domain.audit import AuditEntry


class Shape(StrEnum):
    """What is written of an audit entry: itself, Microsoft Graph's directoryAudit, or an event of OCSF."""

    ENTRY = "entry"
    DIRECTORY_AUDIT = "directoryAudit"
    OCSF = "ocsf"


def shape_of(shape: Shape) -> tuple[Layout, Callable[[AuditEntry], msgspec.Struct]]:
    """Return how entries of that shape are listed, and what makes one of an entry."""
    match shape:
        case Shape.ENTRY:
            return AUDIT_ENTRIES, lambda entry: entry
        case Shape.DIRECTORY_AUDIT:
            from supportaccess.cli.output.shapes.directory_audit import DIRECTORY_AUDITS, directory_audit

            return DIRECTORY_AUDITS, directory_audit
        case Shape.OCSF:
            from supportaccess.cli.output.shapes.ocsf import OCSF_EVENTS, ocsf_event

            return OCSF_EVENTS, ocsf_event
