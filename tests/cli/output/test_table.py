"""Tables, by Rich and in plain columns."""

import io
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from tests.cli.output.samples import (
    HOSTILE,
    ID,
    NOW,
    TENANT,
    Terminal,
    entry,
    filled_with,
    harm_in,
    person,
    request,
    uncoloured,
    written,
)

from supportaccess.cli.output.fields import AUDIT_ENTRIES
from supportaccess.cli.output.formats.table import MOST_BY_RICH
from supportaccess.cli.output.tables import cut, display_width, fit
from supportaccess.cli.output.views import Heading
from supportaccess.domain.records import AccessRequest, Actor, ActorKind, Engineer, Status

PLAIN = {"NO_COLOR": "1"}


def shown(*requests: AccessRequest, width: int = 200, **options: Any) -> list[str]:
    """Return the lines of the table on a terminal without colour, without its heading."""
    text = written(requests, to=Terminal(), environ=PLAIN | {"COLUMNS": str(width)}, **options)
    return text.splitlines()[1:]


def columns(line: str) -> list[str]:
    return re.split(r" {2,}", line)


def test_a_pending_request() -> None:
    """A row says who asks for what, since when, and how long there is to decide."""
    (line,) = shown(request(decide_by=NOW + timedelta(hours=4, minutes=59)))
    assert columns(line) == [
        "0f3c1a52",
        "2611230000000001",
        "pending",
        "Ana Lopez",
        "b0b0b0b0",
        "3d ago",
        "-",
        "4h59m",
    ]


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ({"status": Status.PENDING}, "-"),
        ({"status": Status.APPROVED}, "no limit"),
        ({"status": Status.APPROVED, "expires_at": NOW + timedelta(hours=7, minutes=10)}, "7h10m"),
        ({"status": Status.REVOKED, "ended_at": NOW - timedelta(days=2)}, "2d ago"),
        ({"status": Status.COMPLETED}, "-"),
    ],
)
def test_time_left(fields: dict[str, object], left: str) -> None:
    """The last column is the time that is left, or since when there is none."""
    (line,) = shown(request(**fields))
    assert columns(line)[-1] == left


def test_unknown_values_are_dashes() -> None:
    """What a tenant may not know, or nobody knows, is a dash."""
    (line,) = shown(request(support_request_id=None, engineer=None, resource_tenant_id=None, created_at=None))
    assert columns(line) == ["0f3c1a52", "-", "pending", "-", "-", "-", "-", "-"]


@pytest.mark.parametrize(
    ("actor", "name"),
    [
        (person("Maria Silva"), "Maria Silva"),
        (Actor(kind=ActorKind.USER, object_id="o-1"), "o-1"),
        (Actor(kind=ActorKind.SYSTEM), "system"),
    ],
)
def test_who_decided(actor: Actor, name: str) -> None:
    """The display name, or else what there is."""
    (line,) = shown(request(decided_by=actor))
    assert columns(line)[6] == name


def test_an_engineer_without_a_name_is_shown_by_id() -> None:
    """The provider's own ID is better than nothing."""
    (line,) = shown(request(engineer=Engineer(id="e-9")))
    assert columns(line)[3] == "e-9"


def test_a_tenant_is_shown_by_its_alias() -> None:
    """Where the caller knows a name for the tenant."""
    (line,) = shown(request(), aliases=lambda: {TENANT: "contoso"})
    assert columns(line)[4] == "contoso"


def test_ids_are_as_long_as_they_need_to_be() -> None:
    """Eight characters, more where that would not tell two requests apart; the same request twice is no reason."""
    ids = ["aaaaaaaa-1111", "aaaaaaaa-1122", "aaaaaaaa-1122", "bbbbbbbb-0000", "cccc", "ccccd0000000"]
    lines = shown(*(request(id=each) for each in ids))
    assert [columns(line)[0] for line in lines] == [
        "aaaaaaaa-111",
        "aaaaaaaa-112",
        "aaaaaaaa-112",
        "bbbbbbbb",
        "cccc",
        "ccccd000",
    ]


def test_both_ids_are_whole_at_80_columns() -> None:
    """With 36 characters in every column, the others shrink and the line still fits."""
    text = "x" * 36
    full = request(
        support_request_id="s" * 36,
        status=Status.COMPLETED,
        engineer=Engineer(display_name=text),
        resource_tenant_id=text,
        decided_by=person(text),
        ended_at=NOW - timedelta(days=9),
    )
    heading, line = written([full], to=Terminal(), environ=PLAIN, aliases=lambda: {text: text}).splitlines()
    assert line.startswith(f"0f3c1a52 {'s' * 36} completed xxx… xxx… 3d … xxx… 9d …")
    assert len(line) <= 80
    assert len(heading) <= 80


@pytest.mark.parametrize("width", [1, 20, 40, 60, 79, 80, 100, 140])
def test_ids_and_status_are_whole_at_any_width(width: int) -> None:
    """A terminal too narrow for them gets them all the same."""
    (line,) = shown(request(support_request_id="s" * 64, id="i" * 12), width=width)
    assert line.startswith("iiiiiiii ")
    assert "s" * 64 in line
    assert " pending " in line


def test_wide_terminals_are_used() -> None:
    """Nothing is cut while there is room."""
    (line,) = shown(request(engineer=Engineer(display_name="n" * 60)), width=200)
    assert "n" * 60 in line


def test_the_usual_heading() -> None:
    """No borders: a heading, and columns apart by blanks."""
    text = written([request()], to=Terminal(), environ=PLAIN | {"COLUMNS": "120"})
    assert columns(text.splitlines()[0]) == [
        "ID",
        "SUPPORT REQUEST",
        "STATUS",
        "ENGINEER",
        "RESOURCE",
        "ASKED",
        "DECIDED BY",
        "LEFT",
    ]
    assert not re.search(r"[│─━┃╭| ]$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("status", "code"), [(Status.PENDING, "33"), (Status.APPROVED, "32"), (Status.REVOKED, "31"), (Status.LAPSED, "2")]
)
@pytest.mark.parametrize("rows", [1, MOST_BY_RICH + 1])
def test_the_status_is_coloured(status: Status, code: str, rows: int) -> None:
    """Pending stands out, open access is green, refused is red, and what is over is dim."""
    text = written([request(status=status)] * rows, to=Terminal())
    assert re.search(rf"\x1b\[{code}m{status} *\x1b\[0m", text)


@pytest.mark.parametrize("rows", [1, MOST_BY_RICH + 1])
def test_without_colour_there_is_no_escape_code_at_all(rows: int) -> None:
    """Not even bold."""
    assert "\x1b" not in written([request()] * rows, to=Terminal(), environ=PLAIN)
    assert "\x1b" not in written([request()] * rows, "table")


@pytest.mark.parametrize("rows", [1, MOST_BY_RICH + 1])
def test_wide_characters_are_aligned(rows: int) -> None:
    """A name of wide characters takes the columns that a terminal gives it."""
    requests = [request(), request(engineer=Engineer(display_name="田中 太郎")), request()] * rows
    lines = written(requests, to=Terminal(), environ=PLAIN | {"COLUMNS": "200"}).splitlines()[1:4]
    assert len({cell_len(line.partition(" b0b0b0b0")[0]) for line in lines}) == 1
    assert display_width("田中 太郎e\u0301") == 10
    assert cut("田中 太郎", 6) == "田中 …"
    assert cut("田中 太郎", 4) == "田…"


def test_a_table_in_a_pipe_has_whole_ids_and_nothing_cut() -> None:
    """Who asks for a table in a pipe or a file gets all of it."""
    text = written([request(engineer=Engineer(display_name="n" * 150))], "table", environ={"COLUMNS": "40"})
    assert ID in text
    assert TENANT in text
    assert "n" * 150 in text


def test_long_listings_are_written_as_they_come() -> None:
    """Beyond what Rich is for, lines come out before the last row is read, with whole IDs."""
    out = Terminal()
    seen: list[int] = []

    def rows() -> Iterator[AccessRequest]:
        for number in range(3000):
            if number == 2999:
                seen.append(out.tell())
            yield request(id=f"{number:036}", support_request_id="s" * 64, engineer=Engineer(display_name="n" * 200))

    lines = written(rows(), to=out, environ=PLAIN).splitlines()
    assert seen[0] > 100_000
    assert len(lines) == 3001
    assert all(line.startswith(f"{number:036}  {'s' * 64}  pending") for number, line in enumerate(lines[1:]))
    assert "n" * 39 + "…" in lines[1]


def test_a_late_row_that_is_wider_is_not_cut() -> None:
    """The first rows set the widths; an ID that is longer stands whole."""
    requests = [request(support_request_id="1")] * (MOST_BY_RICH + 1) + [request(support_request_id="9" * 30)]
    assert f"  {'9' * 30}  pending  " in written(requests, to=Terminal(), environ=PLAIN)


def test_chosen_columns_in_a_table() -> None:
    """Names as chosen, whole IDs, local times; only long texts shrink."""
    text = written(
        [request(reason="r" * 300)],
        to=Terminal(),
        environ=PLAIN | {"COLUMNS": "100"},
        columns="id,createdAt,reason,endedAt",
    )
    heading, line = text.splitlines()
    assert heading.split() == ["id", "createdAt", "reason", "endedAt"]
    assert line.startswith(f"{ID} 2026-11-20 ")
    assert line.endswith("rrr…")
    assert len(line) <= 100


def test_audit_entries() -> None:
    """What happened, when on the reader's clock, by whom, to which request and why."""
    text = written([entry()], to=Terminal(), environ=PLAIN | {"COLUMNS": "150"}, layout=AUDIT_ENTRIES)
    heading, line = map(columns, text.splitlines())
    assert heading == ["SEQ", "TIME", "ACTIVITY", "BY", "REQUEST", "STATUS", "REASON"]
    assert re.fullmatch(r"2026-11-2\d \d\d:\d\d [+-]\d\d:\d\d", line[1])
    assert [line[0], *line[2:]] == [
        "7",
        "Request approved",
        "Maria Silva",
        "0f3c1a52",
        "approved",
        "ticket checked",
    ]


def test_audit_entries_at_80_columns() -> None:
    """The activity can still be told, and the line fits."""
    text = written([entry(reason="r" * 99)], to=Terminal(), environ=PLAIN, layout=AUDIT_ENTRIES)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "Request approved" in text


def test_an_entry_without_a_request() -> None:
    """An import is about no single request."""
    bare = entry(access_request_id=None, status_before=None, status_after=None, reason=None)
    text = written([bare], to=Terminal(), environ=PLAIN, layout=AUDIT_ENTRIES)
    assert re.search(r"Maria Silva +- +-$", text, re.MULTILINE)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("rows", [1, MOST_BY_RICH + 1])
@pytest.mark.parametrize("environ", [{}, PLAIN], ids=["colour", "plain"])
def test_hostile_text_stays_text(text: str, rows: int, environ: dict[str, str]) -> None:
    """Escape codes are shown, and Rich's markup is text like any other."""
    requests = [filled_with(text), *[request()] * (rows - 1)]
    out = written(requests, to=Terminal(), environ=environ | {"COLUMNS": "3000"})
    assert harm_in(uncoloured(out)) == []
    assert len(out.splitlines()) == rows + 1
    if text.startswith(("[", ":")):
        assert text in out


@given(st.text(st.characters()), st.sampled_from(["table", "tsv", "csv", "json", "ids"]))
def test_any_text_in_every_field_is_harmless(text: str, output: str) -> None:
    """Whatever a record says, only what was allowed reaches a terminal or a pipe, a line for each record."""
    for to in (io.BytesIO(), Terminal()):
        out = uncoloured(written([filled_with(text)], output, to=to))
        assert harm_in(out, "\n\t" if output == "tsv" else "\n") == []
        if output in {"tsv", "ids"}:
            assert out.count("\n") == 1
        if output == "tsv":
            assert out.count("\t") == 8
        if output in {"table", "csv"}:
            assert out.count("\n") == 2


@given(
    st.lists(st.tuples(st.none() | st.integers(1, 20), st.integers(1, 20), st.integers(1, 60)), min_size=1),
    st.integers(1, 200),
)
def test_columns_fit_where_they_can(shape: list[tuple[int | None, int, int]], room: int) -> None:
    """A column is never wider than it wants nor narrower than its floor, and the line fits unless all are at theirs."""
    headings = [Heading("", floor) for floor, _, _ in shape]
    titles, contents = [title for _, title, _ in shape], [content for _, _, content in shape]
    widths, gap = fit(headings, titles, contents, room)
    full = [max(title, content) for _, title, content in shape]
    least = [width if floor is None else min(floor, width) for (floor, _, _), width in zip(shape, full, strict=True)]
    assert all(low <= width <= high for low, width, high in zip(least, widths, full, strict=True))
    assert sum(widths) + gap * (len(widths) - 1) <= room or widths == least
