"""Records, streams and hostile texts that the tests of the output share."""

import io
import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from supportaccess.cli.output.fields import ACCESS_REQUESTS, Layout
from supportaccess.cli.output.printer import Printer
from supportaccess.cli.output.streams import Streams
from supportaccess.domain.audit import Activity, AuditEntry
from supportaccess.domain.records import AccessRequest, Actor, ActorKind, Engineer, Side, Source, Status

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ID = "0f3c1a52-7d1e-4b7e-9a50-6f0d2d9c1e01"
TENANT = "b0b0b0b0-1111-2222-3333-444444444444"
HOSTILE = {
    "clear screen": "\x1b[2J",
    "title": "\x1b]0;owned\x07",
    "hyperlink": "\x1b]8;;https://evil.example\x1b\\here\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;ZXZpbA==\x07",
    "8-bit CSI": "\x9b2J",
    "right to left": "exe.\u202ecod",
    "Rich link": "[link=https://evil.example]here[/link]",
    "Rich closing tag": "[/nope]",
    "Rich emoji": ":warning:",
    "marks": "a" + "\u0301" * 1000,
    "NUL": "a\0b",
    "lone surrogate": "a\ud800b",
    "newline": "one\ntwo\r\nthree\u2028four\x85five",
    "tab": "one\ttwo",
    "DEL": "a\x7fb",
    "formula": '=HYPERLINK("https://evil.example")',
}
HARMFUL = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}


class Terminal(io.BytesIO):
    """Takes bytes as a terminal would."""

    def isatty(self) -> bool:
        return True


def request(**fields: Any) -> AccessRequest:
    """Return an access request with the usual fields set."""
    usual: dict[str, Any] = {
        "id": ID,
        "support_request_id": "2611230000000001",
        "status": Status.PENDING,
        "source": Source.STORE,
        "side": Side.BOTH,
        "support_request_tenant_id": TENANT,
        "resource_tenant_id": TENANT,
        "scope": "identityDiagnosticData",
        "access_level": "read",
        "engineer": Engineer(display_name="Ana Lopez"),
        "created_at": NOW - timedelta(days=3),
        "updated_at": NOW,
    }
    return AccessRequest(**usual | fields)


def entry(**fields: Any) -> AuditEntry:
    """Return an audit entry with the usual fields set."""
    usual: dict[str, Any] = {
        "format_version": 1,
        "sequence": 7,
        "time": NOW,
        "tenant_id": TENANT,
        "activity": Activity.REQUEST_APPROVED,
        "actor": person("Maria Silva"),
        "access_request_id": ID,
        "status_before": Status.PENDING,
        "status_after": Status.APPROVED,
        "reason": "ticket checked",
    }
    return AuditEntry(**usual | fields)


def person(name: str) -> Actor:
    """Return a user of that name."""
    return Actor(kind=ActorKind.USER, tenant_id=TENANT, object_id="o-1", display_name=name)


def filled_with(text: str) -> AccessRequest:
    """Return an access request that has the text in every field that takes one."""
    actor = Actor(kind=ActorKind.USER, tenant_id=text, object_id=text, display_name=text)
    return request(
        id=text,
        support_request_id=text,
        title=text,
        support_request_tenant_id=text,
        resource_tenant_id=text,
        scope=text,
        access_level=text,
        engineer=Engineer(id=text, display_name=text),
        reason=text,
        decided_by=actor,
        decision_reason=text,
        ended_by=actor,
        end_reason=text,
        etag=text,
    )


def written(
    records: Iterable[msgspec.Struct],
    output: str | None = None,
    *,
    layout: Layout = ACCESS_REQUESTS,
    to: io.BytesIO | None = None,
    environ: dict[str, str] | None = None,
    one: bool = False,
    **options: Any,
) -> str:
    """Return what a printer writes for the records."""
    stdout = to if to is not None else io.BytesIO()
    streams = Streams(stdout, None, None, environ=environ or {})
    printer = Printer(streams, layout, now=NOW, output=output, **options)
    if one:
        (record,) = records
        printer.print_one(record)
    else:
        printer.print_all(records)
    return stdout.getvalue().decode()


def uncoloured(text: str) -> str:
    """Return the text without the colours that this program writes itself."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def harm_in(text: str, allowed: str = "\n") -> list[str]:
    """Return the characters in the text that a terminal would obey, hide or reorder."""
    return [each for each in text if each not in allowed and unicodedata.category(each) in HARMFUL]
