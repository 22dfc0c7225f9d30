"""An event in words: for a chat, and for the line below the live table."""

import re
from collections.abc import Mapping

from supportaccess.cli.output.text import safe
from supportaccess.domain.events import Event, What
from supportaccess.domain.times import format_rfc3339

_LONGEST = 80
# What chat programs take for markup, a mention or a link, as its full-width form: readable, and nothing else.
_PLAIN = {ord(each): ord(each) + 0xFEE0 for each in "<>[]()`*_~|@#&\\/!"}
_INNER_DOT = re.compile(r"(?<=\w)\.(?=\w)")

_TOLD = {
    What.CREATED: "access requested",
    What.APPROVED: "access approved",
    What.REJECTED: "request rejected",
    What.CANCELED: "request canceled",
    What.LAPSED: "request lapsed without a decision",
    What.REVOKED: "access revoked",
    What.COMPLETED: "access ended: the support request was closed",
    What.EXPIRED: "access ended: its time limit was reached",
    What.UPDATED: "more was read of a mirror",
    What.MERGED: "a mirror became part of another",
    What.DEADLINE_NEAR: "still no decision, and the deadline is near",
    What.LIMIT_NEAR: "access will end soon",
}


def headline(event: Event) -> str:
    """Return what happened, in a few words of ours; of an event that this version does not know, its name."""
    return _TOLD.get(event.what) or plain(event.what)


def plain(text: str) -> str:
    """Return foreign text on one line, short, and without anything that a chat program would act upon."""
    shown = _INNER_DOT.sub("．", safe(text).translate(_PLAIN))  # noqa: RUF001 - full-width on purpose
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def message(event: Event, aliases: Mapping[str, str]) -> tuple[str, str]:
    """Return the title and the text of a notification. Of a record it has what names it, and no free text."""
    tenant = plain(aliases.get(event.tenant_id) or event.tenant_id)
    ticket = plain(event.support_request_id) if event.support_request_id else "unknown"
    lines = [f"Tenant: {tenant}", f"Support request: {ticket}"]
    record = event.record
    if record is not None and record.engineer is not None:
        lines.append(f"Engineer: {plain(record.engineer.display_name or record.engineer.id or 'unknown')}")
    if event.actor is not None and (event.actor.display_name or event.actor.object_id):
        lines.append(f"By: {plain(event.actor.display_name or event.actor.object_id or '')}")
    if record is not None and record.decide_by is not None and event.what in {What.CREATED, What.DEADLINE_NEAR}:
        lines.append(f"Decide by: {format_rfc3339(record.decide_by)}")
    if record is not None and record.expires_at is not None and event.what in {What.APPROVED, What.LIMIT_NEAR}:
        lines.append(f"Ends at: {format_rfc3339(record.expires_at)}")
    lines.append(f"Look at it: supportaccess show {event.access_request_id} --tenant {event.tenant_id}")
    return f"supportaccess: {headline(event)}", "\n".join(lines)
