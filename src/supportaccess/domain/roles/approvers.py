"""Who could decide, and who did."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from msgspec.structs import replace

from supportaccess.domain.audit import Activity, AuditEntry
from supportaccess.domain.records import WAS_APPROVED, AccessRequest, Actor, ActorKind, Source, Status
from supportaccess.domain.roles.assignments import Deciders, Holder, roles_that_decide
from supportaccess.domain.roles.table import RoleTable
from supportaccess.structs import Struct


class Verdict(StrEnum):
    """What somebody decided."""

    APPROVED = "approved"
    REJECTED = "rejected"
    REVOKED = "revoked"


DECISIONS = {
    Activity.REQUEST_APPROVED: Verdict.APPROVED,
    Activity.REQUEST_REJECTED: Verdict.REJECTED,
    Activity.APPROVAL_APPROVED: Verdict.APPROVED,
    Activity.APPROVAL_REMOVED: Verdict.REVOKED,
}
ROLE = "role"


class Decision(NamedTuple):
    """A decision, whoever's record tells of it."""

    actor: Actor
    verdict: Verdict
    at: datetime


class Decider(Struct, frozen=True, kw_only=True):
    """Somebody who decided or may decide; or, with the kind `role`, a directory role whose holders may.

    `may_decide` is absent where nothing tells. `last_at` is of the last decision.
    """

    kind: str
    id: str | None = None
    display_name: str | None = None
    tenant_id: str | None = None
    may_decide: bool | None = None
    roles: tuple[str, ...] = ()
    approved: int
    rejected: int
    revoked: int
    last_at: datetime | None = None


def decisions_in(entries: Iterable[AuditEntry]) -> Iterator[Decision]:
    """Yield the decisions that a log tells of. What the clock or a closed support request ended was nobody's."""
    for entry in entries:
        verdict = DECISIONS.get(entry.activity)
        ended_by_itself = verdict is Verdict.REVOKED and entry.status_after is not Status.REVOKED
        if verdict is not None and not ended_by_itself:
            yield Decision(entry.actor, verdict, entry.time)


def decisions_at_the_provider(mirrors: Iterable[AccessRequest]) -> Iterator[Decision]:
    """Yield the decisions of people that mirrors tell of; the log has only their import."""
    for record in mirrors:
        if record.source is Source.STORE:
            continue
        if _is_person(record.decided_by) and record.decided_by and record.decided_at:
            verdict = Verdict.APPROVED if record.status.counts_as in WAS_APPROVED else Verdict.REJECTED
            yield Decision(record.decided_by, verdict, record.decided_at)
        if record.status is Status.REVOKED and record.ended_by and _is_person(record.ended_by) and record.ended_at:
            yield Decision(record.ended_by, Verdict.REVOKED, record.ended_at)


def who(decisions: Iterable[Decision], deciders: Deciders | None, table: RoleTable, tenant_id: str) -> list[Decider]:
    """Return who decided, the latest first, then who may and did not; without role assignments, the roles that may."""
    found: dict[tuple[str, str | None, str], Decider] = {}
    for decision in decisions:
        actor = decision.actor
        key = actor.kind.value, actor.tenant_id, actor.object_id or actor.display_name or ""
        found[key] = _counted(found.get(key) or _decider(actor, deciders, tenant_id), decision)
    did = sorted(found.values(), key=lambda each: (each.last_at, each.id or ""), reverse=True)
    if deciders is None:
        roles = (_row(ROLE, id=role, display_name=name, may_decide=True) for role, name in roles_that_decide(table))
        return [*did, *roles]
    seen = {(each.id or "").lower() for each in did if each.tenant_id == tenant_id}
    others = [
        _row(holder.kind or "unknown", id=key, display_name=holder.display_name, tenant_id=tenant_id)
        for key, holder in _holders(deciders).items()
        if key not in seen
    ]
    held = _holders(deciders)
    could = [replace(each, may_decide=True, roles=held[each.id or ""].roles) for each in others]
    return [*did, *sorted(could, key=lambda each: (each.display_name or "", each.id or ""))]


def _holders(deciders: Deciders) -> Mapping[str, Holder]:
    return deciders.people | {group.principal_id: group for group in deciders.groups}


def _decider(actor: Actor, deciders: Deciders | None, tenant_id: str) -> Decider:
    row = _row(actor.kind.value, id=actor.object_id, display_name=actor.display_name, tenant_id=actor.tenant_id)
    # Of an account of a machine, or somebody of another tenant, these assignments say nothing.
    if deciders is None or actor.tenant_id != tenant_id or actor.kind is ActorKind.LOCAL or actor.object_id is None:
        return row
    holder = deciders.people.get(actor.object_id.lower())
    if holder is not None:
        return replace(row, may_decide=True, roles=holder.roles)
    return row if deciders.groups else replace(row, may_decide=False)


def _row(
    kind: str,
    *,
    id: str | None,  # noqa: A002 - the field's name
    display_name: str | None,
    tenant_id: str | None = None,
    may_decide: bool | None = None,
) -> Decider:
    return Decider(
        kind=kind,
        id=id,
        display_name=display_name,
        tenant_id=tenant_id,
        may_decide=may_decide,
        approved=0,
        rejected=0,
        revoked=0,
    )


def _counted(row: Decider, decision: Decision) -> Decider:
    last_at = decision.at if row.last_at is None else max(row.last_at, decision.at)
    return replace(
        row,
        approved=row.approved + (decision.verdict is Verdict.APPROVED),
        rejected=row.rejected + (decision.verdict is Verdict.REJECTED),
        revoked=row.revoked + (decision.verdict is Verdict.REVOKED),
        last_at=last_at,
    )


def _is_person(actor: Actor | None) -> bool:
    return actor is not None and actor.kind is ActorKind.USER
