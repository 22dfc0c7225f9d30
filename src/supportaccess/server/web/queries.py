"""The query parameters of each route, and how they are read: strictly.

A parameter is read by its field's type. A list is given by repeating its parameter; everything else once.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Annotated, Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import inspect

from supportaccess.domain.tenants import parse_tenant_id
from supportaccess.domain.times import parse_rfc3339
from supportaccess.errors import InvalidInput
from supportaccess.server.web.errors import BadInput
from supportaccess.store.filters import LONGEST_TEXT, Place, RequestFilters, Text
from supportaccess.store.protocol import LARGEST_PAGE, AuditQuery, RequestQuery
from supportaccess.structs import Struct
from supportaccess.tlog.tiles import TILE_WIDTH

MOST_COUNTED = 1_000_000
_LONGEST_NUMBER = 9
_SHOWN = 80

Top = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_PAGE)]


class RequestListQuery(RequestQuery, frozen=True, kw_only=True):
    """A page of access requests."""

    top: Top = 100
    skip_token: str | None = None


class RequestCountQuery(RequestFilters, frozen=True, kw_only=True):
    """A count of access requests, that goes no further than `at_most`."""

    at_most: Annotated[int, msgspec.Meta(ge=1, le=MOST_COUNTED)] = MOST_COUNTED


class FindQuery(Struct, frozen=True, kw_only=True):
    """A search by what a person types: the beginning of an ID, or a support request ID."""

    text: Text
    top: Top = 100


class AuditListQuery(AuditQuery, frozen=True, kw_only=True):
    """A page of audit entries."""

    top: Top = 100
    skip_token: str | None = None


class HeadQuery(Struct, frozen=True, kw_only=True):
    """The size of a head that was seen before, from which the log is to go on."""

    earlier_size: Place = 0


class TileQuery(Struct, frozen=True, kw_only=True):
    """How wide a tile or bundle is: the last one of a level is partial."""

    width: Annotated[int, msgspec.Meta(ge=1, le=TILE_WIDTH)] = TILE_WIDTH


class EventQuery(Struct, frozen=True, kw_only=True):
    """Where in the audit log to go on, and how many events to return."""

    after: Place | None = None
    top: Top = 100


class ImportQuery(Struct, frozen=True, kw_only=True):
    """How source events are taken. A dry run keeps nothing."""

    dry_run: bool = False


T = TypeVar("T", bound=Struct)


class _Parameter(NamedTuple):
    field: str
    read: Callable[[str], object]
    many: bool


def read_query(kind: type[T], query_string: bytes) -> T:
    """Return the parameters. Raises BadInput, which names the parameter that is unknown, repeated or not readable."""
    known = _parameters(kind)
    values: dict[str, Any] = {}
    for name, text in read_pairs(query_string):
        parameter = known.get(name)
        if parameter is None:
            raise BadInput(f"there is no parameter {shown(name)}", target=name, hint=f"There are: {_listed(known)}.")
        if parameter.many:
            values.setdefault(parameter.field, []).append(_read(parameter, name, text))
        elif parameter.field in values:
            raise BadInput(f"the parameter {name} is given more than once", target=name)
        else:
            values[parameter.field] = _read(parameter, name, text)
    for field in inspect_fields(kind):
        if field.required and field.name not in values:
            raise BadInput(f"the parameter {field.encode_name} is missing", target=field.encode_name)
    return kind(**{name: frozenset(value) if isinstance(value, list) else value for name, value in values.items()})


def read_pairs(query_string: bytes) -> list[tuple[str, str]]:
    """Return names and values as they were sent. Raises BadInput for what is not UTF-8."""
    if not query_string:
        return []
    try:
        return parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise BadInput("the query is not percent-encoded UTF-8", target="query") from None


def shown(text: str) -> str:
    """Return foreign text as it may stand in a message."""
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}..."


def _read(parameter: _Parameter, name: str, text: str) -> object:
    try:
        return parameter.read(text)
    except InvalidInput as error:
        raise BadInput(f"the parameter {name}: {error.message}", target=name, hint=error.hint) from None


def _listed(known: dict[str, _Parameter]) -> str:
    return ", ".join(sorted(known)) or "none"


@cache
def inspect_fields(kind: type[Struct]) -> Sequence[inspect.Field]:
    """Return the fields of a query with their types."""
    told = inspect.type_info(kind)
    assert isinstance(told, inspect.StructType)  # noqa: S101 - for mypy; every query is a struct
    return told.fields


@cache
def _parameters(kind: type[Struct]) -> dict[str, _Parameter]:
    return {field.encode_name: _parameter(field.name, field.type) for field in inspect_fields(kind)}


def _parameter(field: str, kind: inspect.Type) -> _Parameter:
    match kind:
        case inspect.UnionType(types=types):
            return _parameter(field, next(each for each in types if not isinstance(each, inspect.NoneType)))
        case inspect.Metadata(extra_json_schema={"format": "uuid"}):
            return _Parameter(field, parse_tenant_id, many=False)
        case inspect.Metadata(type=inner):
            return _parameter(field, inner)
        case inspect.FrozenSetType(item_type=item):
            return _parameter(field, item)._replace(many=True)
        case inspect.IntType(ge=least, le=most):
            return _Parameter(field, lambda text: _integer(text, least or 0, most or 0), many=False)
        case inspect.BoolType():
            return _Parameter(field, _boolean, many=False)
        case inspect.DateTimeType():
            return _Parameter(field, parse_rfc3339, many=False)
        case inspect.EnumType(cls=names):
            return _Parameter(field, lambda text: _one_of(text, names), many=False)
        case inspect.StrType():
            return _Parameter(field, _text, many=False)
        case _:
            raise TypeError(f"a query parameter cannot be {kind}")


def _integer(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER and least <= int(text) <= most):
        raise InvalidInput(f"{shown(text)} is not a whole number from {least} to {most:,}")
    return int(text)


def _boolean(text: str) -> bool:
    if text not in {"true", "false"}:
        raise InvalidInput(f"{shown(text)} is neither true nor false")
    return text == "true"


def _one_of(text: str, names: Any) -> object:
    found = {each.value: each for each in names}.get(text)
    if found is None:
        raise InvalidInput(f"{shown(text)} is not one of: {', '.join(names)}")
    return found


def _text(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise InvalidInput(f"it has {len(text):,} characters; {LONGEST_TEXT} is the most")
    if "\x00" in text:
        raise InvalidInput("a NUL character is in it")
    return text
