"""`supportaccess audit who`."""

from collections.abc import Iterator
from datetime import datetime
from itertools import chain

import typer

from supportaccess.cli.app import options
from supportaccess.cli.app.context import Context
from supportaccess.cli.app.group import examples
from supportaccess.cli.audit.inputs import entries, read_deciders, read_role_table, requests
from supportaccess.cli.output.fields import Layout
from supportaccess.domain.permissions import Permission
from supportaccess.domain.records import Source
from supportaccess.domain.roles.approvers import (
    DECISIONS,
    ROLE,
    Decider,
    Decision,
    decisions_at_the_provider,
    decisions_in,
)
from supportaccess.domain.roles.approvers import who as find_out
from supportaccess.store.protocol import AuditQuery, RequestQuery, RequestReader

DECIDERS = Layout(
    Decider,
    ("kind", "id", "displayName", "mayDecide", "roles", "approved", "rejected", "revoked", "lastAt"),
    "id",
)


@examples(
    ("Who decided this year, and which roles could", "supportaccess audit who --since 2026-01-01"),
    ("Who decided and may no longer",
     "supportaccess audit who --roles role-assignments.json --query '[?mayDecide==`false`]'"),
    ("Who may decide and never did",
     "supportaccess audit who --roles role-assignments.json -o json --query '[?!lastAt].displayName'"),
)  # fmt: skip
def who(
    ctx: typer.Context,
    since: options.Since = None,
    until: options.Until = None,
    roles: options.Roles = None,
    role_table: options.RoleTable = None,
    tenant: options.Tenant = None,
    output: options.Output = None,
    columns: options.Columns = None,
    query: options.Query = None,
) -> None:
    """Tell who decided, by the audit log and the mirrors, how often and when last; and who could.

    Could: whoever holds one of the directory roles of the table; with role assignments, by name.
    """
    context: Context = ctx.obj
    now = context.clock()
    printer = context.printer(DECIDERS, output=output, columns=columns, query=query)
    table = read_role_table(role_table)
    deciders = read_deciders(roles or (), table)
    store = context.store(tenant)
    decisions = _decisions(store, options.moment(since, now), options.moment(until, now))
    rows = find_out(decisions, deciders, table, store.tenant_id)
    printer.print_all(rows)
    did = sum(1 for row in rows if row.last_at is not None)
    context.streams.note(f"{did:,} decided.")
    if deciders is None:
        deciding = sum(1 for row in rows if row.kind == ROLE)
        context.streams.note(
            f"{deciding} directory roles may decide, by the table of {table.as_of}; who holds them: --roles FILE."
        )
    for group in deciders.groups if deciders else ():
        context.streams.warn(f"Who is in the group {group.display_name or group.principal_id} is not in that file.")
    if store.is_remote:
        context.streams.note(
            f"What gives {Permission.DECIDE} at a shared store is its operator's choice: app roles, or directory roles."
        )


def _decisions(store: RequestReader, since: datetime | None, until: datetime | None) -> Iterator[Decision]:
    told = entries(store, AuditQuery(activities=frozenset(DECISIONS), since=since, until=until))
    mirrors = (record for record in requests(store, RequestQuery()) if record.source is not Source.STORE)
    there = (
        decision
        for decision in decisions_at_the_provider(mirrors)
        if (since is None or decision.at >= since) and (until is None or decision.at < until)
    )
    return chain(decisions_in(told), there)
