"""The columns of a listing, by the JSON names of the record's own fields."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

import msgspec

from supportaccess.domain.audit import AuditEntry
from supportaccess.domain.records import AccessRequest
from supportaccess.errors import InvalidInput
from supportaccess.suggestions import nearest

Row = Mapping[str, Any]
"""A record as builtins, with its JSON names."""


class Layout(msgspec.Struct, frozen=True):
    """What a listing of one kind of record has: the columns shown where none are chosen, and the one that names it."""

    kind: type[msgspec.Struct]
    columns: tuple[str, ...]
    id: str


class Fields(msgspec.Struct, frozen=True):
    """The fields to write of records of one kind: those that were chosen, or all of them."""

    layout: Layout
    chosen: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a row: where none were chosen, the usual ones."""
        return self.chosen or self.layout.columns

    def rows(self, records: Iterator[object]) -> Iterator[list[Any]]:
        """Yield the cells of each record, as JSON has their values."""
        return map(picker(self.columns), map(row_of, records))

    def objects(self, records: Iterator[object]) -> Iterator[object]:
        """Yield the records themselves, or objects of the chosen fields alone."""
        return chosen_fields(records, self.chosen) if self.chosen else records


class AccessRequestOfTenant(AccessRequest, frozen=True, kw_only=True):
    """A row of a listing over several tenants: the record, and the tenant whose view it is."""

    tenant_id: str


ACCESS_REQUESTS = Layout(
    AccessRequest,
    (
        "id",
        "supportRequestId",
        "status",
        "engineer.displayName",
        "resourceTenantId",
        "createdAt",
        "decidedBy.displayName",
        "expiresAt",
        "endedAt",
    ),
    "id",
)
ACCESS_REQUESTS_OF_TENANTS = Layout(AccessRequestOfTenant, (*ACCESS_REQUESTS.columns, "tenantId"), "id")
AUDIT_ENTRIES = Layout(
    AuditEntry,
    (
        "sequence",
        "time",
        "activity",
        "actor.displayName",
        "accessRequestId",
        "statusBefore",
        "statusAfter",
        "reason",
    ),
    "sequence",
)
AUDIT_ENTRIES_OF_TENANTS = Layout(AuditEntry, (*AUDIT_ENTRIES.columns, "tenantId"), "sequence")


def attribute_of(layout: Layout) -> str:
    """Return under what name the records themselves have the column that names them."""
    return next(field.name for field in msgspec.structs.fields(layout.kind) if field.encode_name == layout.id)


def names_of(kind: type[msgspec.Struct]) -> list[str]:
    """Return the names of all columns that records of this kind have, those of nested records after their own."""
    return list(_walk(kind, ""))


def parse_columns(text: str, kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """Read what `--columns` was given. Raises InvalidInput, with the names to choose from, for an unknown one."""
    known = names_of(kind)
    chosen = tuple(name.strip() for name in text.split(","))
    for name in chosen:
        if name not in known:
            hint = f"Choose from: {', '.join(known)}."
            raise InvalidInput(f"there is no column {name!r}{_meant(name, known)}", hint=hint)
    if len(set(chosen)) < len(chosen):
        raise InvalidInput("a column is named twice in --columns")
    return chosen


def row_of(record: object) -> dict[str, Any]:
    """Return the record as builtins, with the names and the texts that JSON would have."""
    row: dict[str, Any] = msgspec.to_builtins(record)
    return row


def picker(columns: Sequence[str]) -> Callable[[Row], list[Any]]:
    """Return what takes the values of these columns out of a row; None where the record has no such field."""
    getters = [_getter(name.split(".")) for name in columns]
    return lambda row: [get(row) for get in getters]


def chosen_fields(records: Iterator[object], columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield objects of just these columns, under the columns' names; what a record does not have stays absent."""
    pick = picker(columns)
    for record in records:
        values = zip(columns, pick(row_of(record)), strict=True)
        yield {name: value for name, value in values if value is not None}


def cell_text(value: object) -> str:
    """Return a value as the text of a cell: empty where there is none, compact JSON for what has parts."""
    match value:
        case str():
            return value
        case None:
            return ""
        case list() | tuple() | dict():
            return msgspec.json.encode(value).decode()
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def _walk(kind: type[msgspec.Struct], prefix: str) -> Iterator[str]:
    for field in msgspec.structs.fields(kind):
        name = prefix + field.encode_name
        yield name
        if get_origin(field.type) in {list, tuple}:
            continue  # of many there is no one column
        for part in get_args(field.type) or (field.type,):
            if isinstance(part, type) and issubclass(part, msgspec.Struct):
                yield from _walk(part, f"{name}.")


def _getter(path: list[str]) -> Callable[[Row], Any]:
    first, *rest = path
    if not rest:
        return lambda row: row.get(first)
    inner = _getter(rest)
    return lambda row: inner(row.get(first) or {})


def _meant(name: str, known: list[str]) -> str:
    by_name = {each.rpartition(".")[2]: each for each in reversed(known)} | {each: each for each in known}
    near = nearest(name, by_name, key=_plain)
    return f"; did you mean {by_name[near]}?" if near else ""


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
