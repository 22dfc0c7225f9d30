"""The columns of a listing."""

import msgspec
import pytest
from tests.cli.output.samples import request

from supportaccess.cli.output.fields import (
    ACCESS_REQUESTS,
    AUDIT_ENTRIES,
    Layout,
    names_of,
    parse_columns,
    picker,
    row_of,
)
from supportaccess.domain.records import AccessRequest
from supportaccess.errors import InvalidInput


def test_every_field_of_a_record_is_a_column() -> None:
    """The names are those of the JSON, with the nested ones."""
    names = names_of(AccessRequest)
    assert {field.encode_name for field in msgspec.structs.fields(AccessRequest)} <= set(names)
    assert {"engineer.displayName", "decidedBy.displayName", "endedBy.objectId", "mirror.confidence"} <= set(names)


@pytest.mark.parametrize("layout", [ACCESS_REQUESTS, AUDIT_ENTRIES])
def test_the_usual_columns_exist(layout: Layout) -> None:
    """What is shown where nothing is chosen can be chosen."""
    assert set(layout.columns) <= set(names_of(layout.kind))
    assert layout.columns[0] == layout.id


def test_columns_are_read_in_their_order() -> None:
    """Blanks around the names are no matter."""
    assert parse_columns("status, id,engineer", AccessRequest) == ("status", "id", "engineer")


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("supportrequestid", "supportRequestId"),
        ("created_at", "createdAt"),
        ("displayName", "engineer.displayName"),
        ("engineer.name", "engineer.displayName"),
        ("statsu", "status"),
    ],
)
def test_a_name_that_is_nearly_right_is_corrected(wrong: str, meant: str) -> None:
    """The nearest name is offered, and all of them listed."""
    with pytest.raises(InvalidInput, match=f"no column {wrong!r}; did you mean {meant}") as refused:
        parse_columns(f"id,{wrong}", AccessRequest)
    assert "mirror.confidence" in str(refused.value.hint)


@pytest.mark.parametrize("text", ["", "id,", "zzzzzz", "id.id", "\x1b[2J"])
def test_unknown_columns_are_refused(text: str) -> None:
    """An empty name is not a column either."""
    with pytest.raises(InvalidInput, match="there is no column"):
        parse_columns(text, AccessRequest)


def test_a_column_twice_is_refused() -> None:
    """Objects cannot have a name twice, so no format does."""
    with pytest.raises(InvalidInput, match="named twice"):
        parse_columns("id,status,id", AccessRequest)


def test_values_are_those_of_the_json() -> None:
    """A nested value is reached through its record, and is None where that is absent."""
    row = row_of(request(decided_by=None))
    assert picker(["status", "engineer.displayName", "decidedBy.displayName"])(row) == ["pending", "Ana Lopez", None]
