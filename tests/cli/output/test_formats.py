"""JSON, JSON lines, CSV, TSV, YAML and IDs."""

import csv
import io
import json
import subprocess
import sys
from typing import Any

import msgspec
import pytest
import yaml
from tests.cli.output.samples import HOSTILE, ID, Terminal, entry, filled_with, person, request, written

from supportaccess.cli.output.fields import AUDIT_ENTRIES
from supportaccess.cli.output.formats import FORMATS, load
from supportaccess.cli.output.formats.format import OutputFormat
from supportaccess.domain.records import AccessRequest, Confidence, Mirror, Status
from supportaccess.errors import InvalidInput

TWO = [request(), request(id="11111111-0000", status=Status.APPROVED, decided_by=person("Zoë"), created_at=None)]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_of_the_table_is_there(name: str) -> None:
    """Each name has its class, in a module of that name, which writes one record as well as many."""
    kind = load(name)

    assert issubclass(kind, OutputFormat)
    assert kind.__module__.endswith(f".{name}")
    assert ID in written(TWO, name)
    assert ID in written(TWO[:1], name, one=True)


def test_json_is_an_array_of_the_records() -> None:
    """Each record is what the REST API answers; the array is indented."""
    text = written(TWO, "json")
    assert msgspec.json.decode(text, type=list[AccessRequest]) == TWO
    assert text == json.dumps(msgspec.to_builtins(TWO), indent=2) + "\n"


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("json", "[]\n"),
        ("yaml", "[]\n"),
        ("jsonl", ""),
        ("tsv", ""),
        ("ids", ""),
        ("table", ""),
    ],
)
def test_nothing_found(output: str, text: str) -> None:
    """No records are an empty list in the formats that have lists, and no line in the others."""
    assert written([], output) == text


def test_one_record_is_itself() -> None:
    """JSON and YAML of a single record are the object, not a list."""
    assert json.loads(written(TWO[:1], "json", one=True)) == msgspec.to_builtins(TWO[0])
    assert yaml.safe_load(written(TWO[:1], "yaml", one=True)) == msgspec.to_builtins(TWO[0])
    assert written(TWO[:1], "ids", one=True) == f"{ID}\n"
    assert json.loads(written(TWO[:1], "json", one=True, columns="status")) == {"status": "pending"}
    assert written(TWO[:1], "json", one=True, query="engineer.displayName") == '"Ana Lopez"\n'


def test_json_lines() -> None:
    """Each record is compact, on a line of its own, in ASCII."""
    lines = written(TWO, "jsonl").splitlines()
    assert [msgspec.json.decode(line, type=AccessRequest) for line in lines] == TWO
    assert r'"Zo\u00eb"' in lines[1]


def test_chosen_columns_are_the_only_fields_of_the_objects() -> None:
    """The names are as chosen, in that order; what a record does not have is absent."""
    text = written(TWO, "jsonl", columns="decidedBy.displayName,id")
    assert text == f'{{"id":"{ID}"}}\n{{"decidedBy.displayName":"Zo\\u00eb","id":"11111111-0000"}}\n'
    assert yaml.safe_load(written(TWO, "yaml", columns="id"))[0] == {"id": ID}


def test_tsv_has_whole_ids_utc_and_no_header() -> None:
    """The ID is the first field; what is absent is empty."""
    first, second = written(TWO, "tsv").splitlines()
    assert first.split("\t") == [
        ID,
        "2611230000000001",
        "pending",
        "Ana Lopez",
        "b0b0b0b0-1111-2222-3333-444444444444",
        "2026-11-20T12:00:00Z",
        "",
        "",
        "",
    ]
    assert second.split("\t")[6] == "Zoë"


def test_tsv_is_what_a_pipe_gets() -> None:
    """Without a format, a pipe gets TSV and a terminal a table."""
    assert written(TWO) == written(TWO, "tsv")
    assert written(TWO, to=Terminal()) == written(TWO, "table", to=Terminal())


def test_tsv_of_audit_entries() -> None:
    """The entries' own columns are the usual ones for the log."""
    text = written([entry(reason="one\ttwo\nthree")], "tsv", layout=AUDIT_ENTRIES)
    assert text.split("\t") == [
        "7",
        "2026-11-23T12:00:00Z",
        "Request approved",
        "Maria Silva",
        ID,
        "pending",
        "approved",
        "one\\u{9}two\\u{a}three\n",
    ]
    assert written([entry()], "ids", layout=AUDIT_ENTRIES) == "7\n"


def test_a_value_with_parts_is_compact_json() -> None:
    """Objects and lists are one cell, which can be read again."""
    mirror = Mirror(confidence=Confidence.PARTIAL, events=2, inferred=("endedAt", "endedBy"))
    text = written([request(mirror=mirror)], "tsv", columns="mirror.inferred,mirror.events,engineer")
    assert text == '["endedAt","endedBy"]\t2\t{"displayName":"Ana Lopez"}\n'


def test_csv_reads_back() -> None:
    """A header, quoted where needed, and lines that end as everywhere here."""
    text = written([request(reason='He said "now", twice')], "csv", columns="id,reason,endedAt")
    assert "\r" not in text
    assert list(csv.reader(io.StringIO(text))) == [["id", "reason", "endedAt"], [ID, 'He said "now", twice', ""]]
    assert written([], "csv", columns="id,reason") == "id,reason\n"


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠"])  # noqa: RUF001
def test_no_cell_of_a_csv_is_a_formula(first: str) -> None:
    """What a spreadsheet would run has an apostrophe in front."""
    text = written([request(reason=f"{first}1+1")], "csv", columns="reason")
    (cell,) = list(csv.reader(io.StringIO(text)))[1]
    assert cell.startswith("'")


def test_numbers_are_no_formulas() -> None:
    """A negative number stays a number."""
    assert written([], "csv", query="[to_number('-5')]") == "Result\n-5\n"


def test_yaml_is_one_document() -> None:
    """Written item by item, it is read as the list of the records; a text that looks like a time stays a text."""
    shared = [request(reason="no: yes # \x1b", support_request_id="0123"), *TWO]
    text = written(shared, "yaml")
    assert text.isascii()
    assert "&id" not in text
    assert yaml.safe_load(text) == msgspec.to_builtins(shared)


def test_ids() -> None:
    """The ID alone, one a line, for another command to read."""
    assert written(TWO, "ids") == f"{ID}\n11111111-0000\n"


QUERY = "[].{id: id, by: decidedBy.displayName}"


@pytest.mark.parametrize(
    ("output", "query", "text"),
    [
        ("json", "[0].status", '"pending"\n'),
        ("json", "[9]", "null\n"),
        ("json", "[].status", '[\n  "pending",\n  "approved"\n]\n'),
        ("jsonl", "[].status", '"pending"\n"approved"\n'),
        ("jsonl", "length(@)", "2\n"),
        ("yaml", "[].status", "- pending\n- approved\n"),
        ("tsv", QUERY, f"{ID}\t\n11111111-0000\tZoë\n"),
        ("csv", QUERY, f"id,by\n{ID},\n11111111-0000,Zoë\n"),
        (
            "table",
            QUERY,
            f"id                                    by\n{ID}\n11111111-0000                         Zoë\n",
        ),
        ("tsv", "[].[status, id]", f"pending\t{ID}\napproved\t11111111-0000\n"),
        ("csv", "[].[status]", "Column1\npending\napproved\n"),
        ("tsv", "[].status", "pending\napproved\n"),
        ("csv", "[].status", "Result\npending\napproved\n"),
        ("tsv", "[0].{a: id}", f"{ID}\n"),
        ("tsv", "length(@)", "2\n"),
        ("tsv", "[9]", ""),
        ("tsv", "[?id=='none']", ""),
        ("csv", "[9]", ""),
        ("table", "[9]", ""),
        ("tsv", "[[`1`], [`2`, `3`]]", "1\t\n2\t3\n"),
        ("tsv", "[`true`, `[1]`, `{}`]", "true\n[1]\n{}\n"),
    ],
)
def test_queries(output: str, query: str, text: str) -> None:
    """What a query finds is written in the format that was chosen."""
    assert written(TWO, output, query=query) == text


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("[", "the expression ends too early, at character 2:\n  [\n   ^"),
        ("a..b", "at character 3:\n  a..b\n    ^"),
        ("a.'b", "Unclosed ' delimiter, at character 3:"),
        ("", "empty"),
        ("  ", "empty"),
        ("nosuch(@)", "Unknown function: nosuch"),
        ("abs(@)", "abs"),
        ("abs(@, @)", "Expected 1 argument"),
        ("(" * 5000, "nested too deeply"),
        ("&id", "cannot be written"),
        ("[&id]", "cannot be written"),
    ],
)
@pytest.mark.parametrize("output", ["json", "tsv", "yaml"])
def test_a_bad_query_is_refused_with_its_place(query: str, message: str, output: str) -> None:
    """The place in the expression is shown, and the reason."""
    with pytest.raises(InvalidInput) as refused:
        written(TWO, output, query=query)
    assert message in refused.value.message


@pytest.mark.parametrize("options", [{"query": "[]"}, {"columns": "id"}])
def test_ids_take_no_choice_of_fields(options: dict[str, Any]) -> None:
    """There is one field only."""
    with pytest.raises(InvalidInput, match="ids takes neither"):
        written(TWO, "ids", **options)


def test_a_query_and_columns_exclude_each_other() -> None:
    """Both choose the fields."""
    with pytest.raises(InvalidInput, match="cannot be combined"):
        written(TWO, "json", query="[]", columns="id")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("output", ["json", "jsonl", "yaml"])
def test_structured_formats_are_ascii_and_keep_the_text(output: str, text: str) -> None:
    """Nothing harmful is in the bytes, and a reader gets the text as it was, but for a lone surrogate."""
    out = written([filled_with(text)], output)
    assert out.isascii()
    assert all(each.isprintable() or each == "\n" for each in out)
    (found,) = yaml.safe_load(out) if output == "yaml" else json.loads(out if output == "json" else f"[{out}]")
    assert found["reason"] == found["engineer"]["displayName"] == text.replace("\ud800", "\ufffd")


@pytest.mark.parametrize("output", ["json", "jsonl", "tsv"])
def test_machine_formats_load_no_more_than_they_need(output: str) -> None:
    """A listing for a pipe starts without Rich, YAML, JMESPath, CSV and the standard library's JSON."""
    script = f"""
import os, sys
from datetime import datetime, UTC
from supportaccess.cli.output.fields import ACCESS_REQUESTS
from supportaccess.cli.output.printer import Printer
from supportaccess.cli.output.streams import Streams
from supportaccess.domain.records import AccessRequest, Side, Source, Status
now = datetime.now(UTC)
record = AccessRequest(id="1", status=Status.PENDING, source=Source.STORE, side=Side.BOTH, scope="é",
                       access_level="read", updated_at=now)
streams = Streams.from_process(os.environ)
Printer(streams, ACCESS_REQUESTS, now=now, output="{output}").print_all([record])
streams.close()
unwanted = {{"rich", "yaml", "jmespath", "json", "csv", "difflib", "shutil", "dataclasses"}}
sys.exit(", ".join(unwanted & set(sys.modules)) or 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"\n") >= 1
