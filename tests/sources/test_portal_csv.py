"""The portal's CSV."""

import pytest
from tests.sources.builders import TENANT, cells, export, read, refusal, table

from supportaccess.domain.records import Actor, ActorKind
from supportaccess.sources.entra.portal_csv import COLUMNS

SPANISH = {"Date (UTC)": "Fecha (UTC)", "Service": "Servicio", "Category": "Categoría", "Activity": "Actividad"}


def test_the_columns() -> None:
    """There are 86 columns, in the order that the portal writes."""
    assert len(COLUMNS) == 86
    assert COLUMNS[17] == "Target1Type"
    assert COLUMNS[-1] == "AdditionalDetail6Value"


def test_translated_headings() -> None:
    """Headings in another language are taken by position if the rest is as it must be."""
    headings = [SPANISH.get(column, column) for column in COLUMNS]
    assert read(table(cells(), headings=headings))[0].id == read(table(cells()))[0].id


@pytest.mark.parametrize(
    ("headings", "says"),
    [
        ([SPANISH.get(column, column) for column in COLUMNS[:-1]], "it has 85 columns; the portal's CSV has 86"),
        ([f"Columna {number}" for number in range(86)], "another language"),
        (["Fecha (UTC)", *COLUMNS[2:], "CorrelationId"], "not in the portal's order"),
        ([*COLUMNS, "Result"], "two of its headings"),
        (["a;b;c"], "it has 1 columns"),
    ],
)
def test_unknown_headings(headings: list[str], says: str) -> None:
    """Headings that leave a doubt about the columns are refused with the reason."""
    error = refusal(table(headings=headings))
    assert says in error.message
    assert "JSON" in (error.hint or "")


def test_columns_by_name() -> None:
    """English headings may stand in any order, and columns that do not matter may be missing or added."""
    record = {"Extra": "x", **dict(reversed(cells().items()))}
    del record["User Agent"]
    assert read(table(record, headings=record))[0].id == read(table(cells()))[0].id


def test_rows_of_another_length() -> None:
    """A row with too many or too few cells is refused with its line."""
    good, short = cells(ResultReason="two\nlines"), dict(list(cells().items())[:-1])
    assert refusal(table(good, short)).message == "audit.json: item 2 (line 4) has 85 cells; the headings are 86"
    assert "has 87 cells" in refusal(table({**cells(), "x": "y"})).message


@pytest.mark.parametrize(
    ("tail", "says"),
    [
        (b'"open', "is not CSV"),
        (b'"a"b,c', "is not CSV"),
        (b"a\x00b", "NUL"),
        (b'"' + b"x" * 300_000 + b'"', "is not CSV"),
        (b'"' + b"x\n" * 700_000, "is not CSV"),
        (b'"' + b"\n" * 1_200_000, "is not CSV"),
        (b"x" * 1_200_000, "larger than"),
        (b"x,\rx", "is not CSV"),
    ],
)
def test_broken_rows(tail: bytes, says: str) -> None:
    """Broken quotes, NUL characters and cells without end are refused."""
    message = refusal(table(cells()) + tail).message
    assert message.startswith("audit.json: item 2 (line ")
    assert says in message


def test_a_record_without_end() -> None:
    """A record of many cells is bounded too."""
    many = b",".join([b'"' + b"x\n" * 50_000 + b'"'] * 20)
    assert "larger than 1,048,576 bytes" in refusal(table(cells()) + many).message


@pytest.mark.parametrize(
    ("changes", "actor"),
    [
        (
            {"ActorType": "Application", "ActorServicePrincipalId": "sp"},
            Actor(kind=ActorKind.APPLICATION, object_id="sp", display_name="Ada Admin"),
        ),
        (
            {"ActorType": "Usuario"},
            Actor(kind=ActorKind.USER, tenant_id=TENANT, object_id="user-1", display_name="Ada Admin"),
        ),
        (
            {"ActorType": "", "ActorUserPrincipalName": "", "ActorServicePrincipalName": "spn"},
            Actor(kind=ActorKind.APPLICATION, object_id="user-1", display_name="Ada Admin"),
        ),
        ({"ActorType": "Other", "ActorUserPrincipalName": ""}, None),
    ],
)
def test_actors(changes: dict[str, str], actor: Actor | None) -> None:
    """The actor's type decides, else the columns that are filled, else it is unknown."""
    assert read(table(cells(**changes)))[0].initiator == actor


def test_details_and_properties() -> None:
    """The support request ID is found in the columns of modified properties too."""
    changes = {"AdditionalDetail1Key": "", "AdditionalDetail1Value": ""}
    changes |= {"Target2ModifiedProperty3Name": "Ticket", "Target2ModifiedProperty3NewValue": '"2605010040009999"'}
    assert read(table(cells(**changes)))[0].support_request_id == "2605010040009999"


def test_ambiguous_dates() -> None:
    """A date that a spreadsheet has rewritten is refused."""
    assert "'5/1/2026, 12:34:56 PM'" in refusal(table(cells(date="5/1/2026, 12:34:56 PM"))).message


def test_blank_lines_and_line_breaks() -> None:
    """Blank lines are passed over, and lines may end in either way."""
    data = b"\r\n" + table(cells()).removeprefix(b"\xef\xbb\xbf") + b"\r\n\n"
    assert len(read(data)) == 1
    assert read(data.replace(b"\r\n", b"\n")) == read(data)


def test_headings_alone() -> None:
    """An export without records has no events."""
    source = export(table())
    assert list(source) == []
    assert source.events == 0
