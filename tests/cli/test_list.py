"""`supportaccess list`."""

import csv
import io
import re
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import yaml
from tests.cli.home import TICKET, Home, key, now
from tests.support.people import FOREIGN, HOME, RESOURCE, SettableClock, asking

from supportaccess.domain.records import AccessRequest, Status

API = """
    accessLevel createdAt decideBy decidedAt decidedBy decisionReason endReason endedAt endedBy engineer etag expiresAt
    id mirror reason requestedSeconds resourceTenantId scope side source startsAt status supportRequestId
    supportRequestTenantId title updatedAt
"""
COLOUR = re.compile(r"\x1b\[")


def ids(home: Home, *arguments: str) -> list[str]:
    """Return the IDs that a list has, in order."""
    result = home.run("list", "-q", "-o", "ids", *arguments)
    assert result.code == 0, result.err
    return result.lines


@pytest.fixture
def every(home: Home) -> dict[str, AccessRequest]:
    """Return a request of every status."""
    return home.one_of_each()


def test_what_needs_attention_comes_first(home: Home) -> None:
    """By default: pending requests by their deadline, then open access by its limit; nothing that has ended."""
    (later,) = home.raised("1", decide_by=now() + timedelta(days=2))
    (sooner,) = home.raised("2", decide_by=now() + timedelta(days=1))
    (whenever,) = home.raised("3")
    (long,) = home.approved("4", requested_seconds=None)
    (short,) = home.approved("5", for_=timedelta(hours=1))
    home.approved("6", ago=timedelta(hours=3), for_=timedelta(hours=1))
    expected = [each.id for each in (sooner, later, whenever, short, long)]
    assert ids(home) == expected
    shown = [line.split()[0] for line in home.on_terminal("list").lines[1:]]
    assert [full.startswith(short) for full, short in zip(expected, shown, strict=True)] == [True] * 5


def test_every_status_can_be_asked_for(home: Home, every: dict[str, AccessRequest]) -> None:
    """--status takes each status, in any case, and may repeat."""
    for status in Status:
        assert ids(home, "--status", status.upper()) == [every[status].id]
    assert set(ids(home, "-s", "lapsed", "-s", "rejected")) == {every["lapsed"].id, every["rejected"].id}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ("", {"pending", "approved"}),
        ("--pending", {"pending"}),
        ("--active", {"approved"}),
        ("--pending --active", {"pending", "approved"}),
        ("--approved", {"approved", "revoked", "completed", "expired"}),
        ("--approved --pending", {"pending", "approved", "revoked", "completed", "expired"}),
        ("--approved --status rejected", {"rejected", "approved", "revoked", "completed", "expired"}),
        ("--status revoked --engineer REVOKED", {"revoked"}),
        ("--approved --engineer expired", {"expired"}),
        ("--approved --engineer nobody", set()),
        ("--search GUESTS", {"pending", "approved"}),
        ("--search nothing", set()),
        ("--support-request 2603010050000007", {"pending"}),
        ("--support-request 2603010050000006", {"approved"}),
        ("--support-request 2603010050", set()),
        ("--resource-tenant contoso", {"pending", "approved"}),
        (f"--resource-tenant {HOME.upper()}", {"pending", "approved"}),
        (f"--resource-tenant {FOREIGN}", set()),
        ("--approved --until 26h", {"completed", "expired"}),
        ("--approved --since 26h", {"revoked", "approved"}),
        ("--approved --since 29h30m --until 26h", {"completed", "expired"}),
    ],
)
def test_filters(home: Home, every: dict[str, AccessRequest], filters: str, expected: set[str]) -> None:
    """Each filter narrows the list, and together they narrow it further."""
    assert set(ids(home, *filters.split())) == {every[name].id for name in expected}


def test_times_are_taken_in_every_form(home: Home) -> None:
    """--since takes an RFC 3339 time, a date (a local midnight) and an age alike."""
    (record,) = home.raised(ago=timedelta(hours=60))
    for since in (
        (now() - timedelta(hours=61)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        (now() - timedelta(hours=61)).strftime("%Y-%m-%dT%H:%M:%S-00:00"),
        (now() - timedelta(days=4)).strftime("%Y-%m-%d"),
        "61h",
        "4d",
        "1w",
    ):
        assert ids(home, "--since", since) == [record.id]
    assert ids(home, "--since", "59h") == []


def test_approved_access_is_kept_for_thirty_days_after_its_end(home: Home) -> None:
    """--approved has what ended 29 days ago, even if it began long before, and not what ended 31 days ago."""
    (kept,) = home.approved("1", ago=timedelta(days=40), for_=timedelta(days=11), requested_seconds=None)
    home.approved("2", ago=timedelta(days=40), for_=timedelta(days=9), requested_seconds=None)
    assert ids(home, "--approved") == [kept.id]
    assert ids(home, "--status", "expired", "--all") != [kept.id]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("createdAt", "abc"),
        ("-createdAt", "cba"),
        ("engineer.displayName", "bca"),
        ("-engineer.displayName", "acb"),
        ("title", "cab"),
        ("-title", "bac"),
        ("supportRequestId", "abc"),
    ],
)
def test_sorting(home: Home, sort: str, order: str) -> None:
    """--sort takes any field, -FIELD turns the order round, and what has no such field comes last or first."""
    records = {
        "a": home.raised("1", ago=timedelta(hours=3), engineer="Zoe", title="m")[0].id,
        "b": home.raised("2", ago=timedelta(hours=2), engineer="Ann", title=None)[0].id,
        "c": home.raised("3", ago=timedelta(hours=1), engineer="Bob", title="a")[0].id,
    }
    expected = [records[name] for name in order]
    if sort == "-title":
        expected = [records[name] for name in "acb"]
    assert ids(home, f"--sort={sort}") == expected


def test_a_list_that_is_cut_says_how_much_is_missing(home: Home) -> None:
    """Standard error says exactly how many rows were left out, even when asked for quiet; --all leaves none out."""
    home.raised(*map(str, range(53)))
    result = home.run("list", "-q")
    assert (result.code, len(result.lines)) == (0, 50)
    assert result.err == "Showing 50 of 53: 3 left out. Use --all or --limit N.\n"
    cut = home.on_terminal("list", "--limit", "2")
    assert cut.lines[-1] == "Showing 2 of 53: 51 left out. Use --all or --limit N."
    assert home.run("list", "-L", "7", "--sort", "reason").err.startswith("Showing 7 of 53: 46 left out.")
    for complete in (["--all"], ["--limit", "53"], ["--limit", "100"]):
        result = home.run("list", *complete)
        assert (len(result.lines), result.err) == (53, "")


def test_the_table_fits_eighty_columns(home: Home, every: dict[str, AccessRequest]) -> None:
    """On a terminal of 80 columns every line fits, and no ID or ticket number is cut."""
    screen = home.on_terminal("list", "--approved", "--pending", "--status", "rejected")
    assert screen.code == 0
    assert max(map(len, screen.lines)) <= 80
    header, *rows = screen.lines
    assert header.split()[:4] == ["ID", "SUPPORT", "REQUEST", "STATUS"]
    shown = {row.split()[0]: row.split() for row in rows}
    for status in ("approved", "pending", "revoked", "completed", "expired", "rejected"):
        (cells,) = [cells for short, cells in shown.items() if every[status].id.startswith(short)]
        assert cells[1:3] == [every[status].support_request_id, status]
        assert home.run("show", cells[0]).code == 0
    assert "contoso" in screen.text
    assert "Ada" in screen.text


def test_ids_that_begin_alike_are_shown_long_enough_to_be_used(home: Home) -> None:
    """An ID in a table has as many characters as tell it from the others."""
    (first, second) = home.raised("1", "2")
    alike = first.id[:9] + second.id[9:]
    home.alter(
        f"UPDATE access_requests SET id = '{alike}', record = json_set(record, '$.id', '{alike}') "
        f"WHERE id = '{second.id}'"
    )
    shown = [line.split()[0] for line in home.on_terminal("list").lines[1:]]
    assert all(len(short) > 9 for short in shown)
    assert {home.run("show", short, "-o", "ids").out.strip() for short in shown} == {first.id, alike}


def test_a_narrow_terminal_loses_no_id(home: Home, every: dict[str, AccessRequest]) -> None:
    """However narrow the terminal is, IDs and ticket numbers are whole."""
    screen = home.on_terminal("list", columns=40)
    assert screen.code == 0
    for status in ("pending", "approved"):
        assert every[status].id[:8] in screen.text
        assert str(every[status].support_request_id) in screen.text


def test_a_wide_terminal_cuts_nothing(home: Home) -> None:
    """Where there is room, long names are shown whole."""
    home.raised(engineer="Bartholomew Featherstonehaugh the Younger of Somewhere")
    assert "…" not in home.on_terminal("list", columns=200).text
    assert "…" in home.on_terminal("list").text


def test_a_pipe_gets_bare_rows(home: Home) -> None:
    """In a pipe: tab-separated, no header, no colour, full IDs, times in UTC, nothing cut."""
    (record,) = home.approved(engineer="Bartholomew Featherstonehaugh the Younger of Somewhere")
    result = home.run("list")
    assert result.err == ""
    (line,) = result.lines
    cells = line.split("\t")
    assert cells[:5] == [record.id, TICKET, "approved", "Bartholomew Featherstonehaugh the Younger of Somewhere", HOME]
    assert all(each.endswith("Z") for each in (cells[5], cells[7]))
    assert cells[6:9:2] == ["Ada Administrator", ""]
    assert not COLOUR.search(result.out)


@pytest.mark.parametrize("place", ["pipe", "terminal"])
def test_every_format(home: Home, every: dict[str, AccessRequest], place: str) -> None:
    """Each format is what its name says, the same on a terminal as in a pipe."""

    def printed(form: str) -> str:
        arguments = ["list", "-o", form]
        if place == "pipe":
            return home.run(*arguments).out
        screen = home.on_terminal(*arguments)
        assert screen.code == 0
        return screen.coloured

    wanted = [every["pending"].id, every["approved"].id]
    records = msgspec.json.decode(printed("json"))
    assert [record["id"] for record in records] == wanted
    assert [msgspec.json.decode(line) for line in printed("jsonl").splitlines()] == records
    assert yaml.safe_load(printed("yaml")) == records
    header, *rows = csv.reader(io.StringIO(printed("csv")))
    assert header[:3] == ["id", "supportRequestId", "status"]
    assert [row[0] for row in rows] == wanted
    assert [line.split("\t")[0] for line in printed("tsv").splitlines()] == wanted
    assert printed("ids").splitlines() == wanted


def test_a_table_in_a_pipe_has_full_ids(home: Home, every: dict[str, AccessRequest]) -> None:
    """-o table in a pipe has a header and full IDs, and cuts nothing."""
    result = home.run("list", "-o", "table")
    header, *rows = result.lines
    assert header.startswith("ID ")
    assert [row.split()[0] for row in rows] == [every["pending"].id, every["approved"].id]
    assert not COLOUR.search(result.out)


def test_json_has_the_names_of_the_api_and_no_empty_fields(home: Home, every: dict[str, AccessRequest]) -> None:
    """JSON fields are those of the API; what does not apply is absent, never null."""
    statuses = [option for status in Status for option in ("--status", status)]
    records = home.run("list", "--all", "-o", "json", *statuses).json
    assert len(records) == len(every)
    for record in records:
        assert set(record) <= set(API.split())
        assert None not in record.values()
        assert record["scope"] == "identityDiagnosticData"
        assert record["accessLevel"] == "read"
    by_status = {record["status"]: record for record in records}
    assert not {"decidedAt", "decidedBy", "endedAt", "expiresAt", "startsAt", "mirror"} & set(by_status["pending"])
    assert {"decidedAt", "decidedBy", "startsAt"} <= set(by_status["approved"])
    assert by_status["revoked"]["endedBy"]["displayName"] == "Ada Administrator"
    assert by_status["expired"]["endedBy"] == {"kind": "system"}


def test_columns_and_queries(home: Home, every: dict[str, AccessRequest]) -> None:
    """--columns picks fields in that order, --query is JMESPath on the JSON."""
    pending = every["pending"]
    chosen = ["list", "--pending", "--columns", "status,engineer.displayName,id"]
    assert home.run(*chosen).out == f"pending\tEngineer pending\t{pending.id}\n"
    assert home.run(*chosen, "-o", "csv").lines[0] == "status,engineer.displayName,id"
    assert home.run(*chosen, "-o", "json").json == [
        {"status": "pending", "engineer.displayName": "Engineer pending", "id": pending.id}
    ]
    screen = home.on_terminal(*chosen)
    assert screen.lines[0].split() == ["status", "engineer.displayName", "id"]
    assert pending.id in screen.lines[1]
    query = ["list", "--query", "[?status=='pending'].id | [0]", "-o"]
    assert home.run(*query, "json").json == pending.id
    assert home.run(*query, "tsv").out == f"{pending.id}\n"
    assert home.on_terminal("list", "--query", "[].{s: status}").lines[0].strip() == "s"


def test_the_environment_chooses_format_and_tenant(home: Home) -> None:
    """SUPPORTACCESS_OUTPUT and SUPPORTACCESS_TENANT stand for the options, which go before them."""
    (record,) = home.raised()
    home.add_tenant(FOREIGN, "fabrikam")
    assert home.run("list", env={"SUPPORTACCESS_OUTPUT": "ids"}).out == f"{record.id}\n"
    assert home.run("list", "-o", "json", env={"SUPPORTACCESS_OUTPUT": "ids"}).json[0]["id"] == record.id
    assert home.on_terminal("list", env={"SUPPORTACCESS_OUTPUT": "ids"}).text == f"{record.id}\n"
    wrong = home.run("list", env={"SUPPORTACCESS_OUTPUT": "xml"})
    assert wrong.code == 2
    assert "SUPPORTACCESS_OUTPUT is 'xml'" in wrong.err
    assert "table, json" in wrong.err
    assert home.run("list", "-q", env={"SUPPORTACCESS_TENANT": "fabrikam"}) == (0, "", "")
    assert record.id in home.run("list", "-t", "contoso", env={"SUPPORTACCESS_TENANT": "fabrikam"}).out
    nobody = home.run("list", env={"SUPPORTACCESS_TENANT": "nobody"})
    assert nobody.code == 5
    assert "SUPPORTACCESS_TENANT" in nobody.err


def test_colours(home: Home, every: dict[str, AccessRequest]) -> None:  # noqa: ARG001 - there are rows to colour
    """A terminal gets colours unless NO_COLOR, --no-color or a dumb terminal say otherwise; a pipe only if forced."""

    def on_terminal(*arguments: str, **env: str) -> bool:
        return bool(COLOUR.search(home.on_terminal("list", *arguments, env=env).coloured))

    def piped(*arguments: str, **env: str) -> bool:
        return bool(COLOUR.search(home.run("list", "-o", "table", *arguments, env=env).out))

    assert on_terminal()
    assert not on_terminal("--no-color")
    assert not on_terminal(NO_COLOR="1")
    assert not on_terminal(TERM="dumb")
    assert not piped()
    assert piped(FORCE_COLOR="1")
    assert piped(CLICOLOR_FORCE="1")
    assert not piped(FORCE_COLOR="1", NO_COLOR="1")
    assert not piped("--no-color", FORCE_COLOR="1")
    assert not COLOUR.search(home.run("list", env={"FORCE_COLOR": "1"}).out)


def test_a_table_beside_a_file(home: Home, every: dict[str, AccessRequest], tmp_path: Path) -> None:
    """Each stream is looked at on its own: with the output in a file and errors on the terminal, the file is plain."""
    target = tmp_path / "out.tsv"
    screen = home.on_terminal("list", "-L", "1", output=target)
    assert target.read_text().split("\t")[0] == every["pending"].id
    assert screen.text == "Showing 1 of 2: 1 left out. Use --all or --limit N.\n"
    assert "\x1b[33m" in screen.coloured


def test_fail_if_any(home: Home) -> None:
    """--fail-if-any exits with 10 when something matches, after printing it, and with 0 when nothing does."""
    assert home.run("list", "--active", "--fail-if-any", "-q") == (0, "", "")
    (record,) = home.approved()
    result = home.run("list", "--active", "--fail-if-any")
    assert result.code == 10
    assert record.id in result.out
    assert home.on_terminal("list", "--active", "--fail-if-any").code == 10
    assert home.run("list", "--pending", "--fail-if-any", "-q").code == 0


def test_when_nothing_matches(home: Home) -> None:
    """A filter that nothing matches is told from an empty store."""
    home.raised()
    result = home.run("list", "--active")
    assert (result.code, result.out) == (0, "")
    assert "No access request matches" in result.err


def test_a_read_shows_what_the_clock_says(home: Home) -> None:
    """Access past its limit is expired, and a request past its deadline lapsed, before any sweep wrote that down."""
    (over,) = home.approved("1", ago=timedelta(hours=2), for_=timedelta(hours=1))
    (late,) = home.raised("2", ago=timedelta(hours=2), decide_by=now() - timedelta(hours=1))
    entries = home.log_size()
    records = {each["id"]: each for each in home.run("list", "-o", "json", "-s", "expired", "-s", "lapsed").json}
    assert {records[over.id]["status"], records[late.id]["status"]} == {"expired", "lapsed"}
    assert records[over.id]["endedAt"] == records[over.id]["expiresAt"]
    assert home.log_size() == entries


def in_tenant(home: Home, tenant_id: str, ticket: str, ago: timedelta) -> str:
    """Put a pending request into a tenant and return its ID."""
    with home.store(tenant_id, clock=SettableClock(now() - ago)) as store:
        return store.raise_request(asking(ticket, decide_by=now() - ago + timedelta(days=5)), key=key()).id


def test_several_tenants_in_one_list(home: Home) -> None:
    """Several tenants come merged in one order, each row with its tenant, by its alias on a terminal."""
    home.add_tenant(FOREIGN, "fabrikam")
    home.add_tenant(RESOURCE)
    expected = [
        (in_tenant(home, HOME, "1", timedelta(hours=4)), HOME),
        (in_tenant(home, FOREIGN, "2", timedelta(hours=3)), FOREIGN),
        (in_tenant(home, HOME, "3", timedelta(hours=2)), HOME),
        (in_tenant(home, RESOURCE, "4", timedelta(hours=1)), RESOURCE),
    ]
    records = home.run("list", "--all-tenants", "-o", "json").json
    assert [(each["id"], each["tenantId"]) for each in records] == expected
    assert [line.split("\t")[-1] for line in home.run("list", "--all-tenants").lines] == [each[1] for each in expected]
    newest = home.run("list", "--all-tenants", "--sort=-createdAt", "-o", "ids").lines
    assert newest == [each[0] for each in reversed(expected)]
    by_ticket = home.run("list", "--all-tenants", "--sort=-supportRequestId", "-o", "ids").lines
    assert by_ticket == [each[0] for each in reversed(expected)]
    screen = home.on_terminal("list", "--all-tenants")
    assert max(map(len, screen.lines)) <= 80
    assert [line.split()[-1] for line in screen.lines] == ["TENANT", "contoso", "fabrikam", "contoso", RESOURCE[:8]]
    cut = home.run("list", "--all-tenants", "-L", "3", "-o", "ids")
    assert cut.lines == [each[0] for each in expected[:3]]
    assert cut.err == "Showing 3 of 4: 1 left out. Use --all or --limit N.\n"
    two = home.run("list", "-t", "contoso", "-t", "fabrikam", "-o", "ids")
    assert two.lines == [each[0] for each in expected[:3]]


def test_a_tenant_that_is_named_twice_is_listed_once(home: Home) -> None:
    """A tenant named by its alias and by its ID is one tenant."""
    (record,) = home.raised()
    assert home.run("list", "-t", "contoso", "-t", HOME, "-t", HOME.upper(), "-o", "ids").out == f"{record.id}\n"


def test_the_shape_of_a_list_does_not_depend_on_how_many_tenants_there_are(home: Home) -> None:
    """--all-tenants names the tenant of each row, also while there is only one."""
    home.raised()
    assert home.run("list", "--all-tenants", "-o", "json").json[0]["tenantId"] == HOME
    assert "tenantId" not in home.run("list", "-o", "json").json[0]


def test_a_tenant_that_fails_does_not_pass_for_an_empty_one(home: Home) -> None:
    """When one of several tenants cannot be read the others are printed, and the exit code is 7."""
    home.add_tenant(FOREIGN, "fabrikam")
    (record,) = home.raised()
    broken = in_tenant(home, FOREIGN, "2", timedelta(hours=1))
    home.alter(f"UPDATE access_requests SET record = '{{}}' WHERE id = '{broken}'")
    result = home.run("list", "--all-tenants", "-o", "ids")
    assert (result.code, result.out) == (7, f"{record.id}\n")
    assert f"Error: tenant fabrikam ({FOREIGN}): " in result.err
    assert result.err.endswith("1 of 2 tenants failed: see above.\n")
    screen = home.on_terminal("list", "--all-tenants")
    assert screen.code == 7
    assert record.id[:8] in screen.text


def test_all_tenants_without_any(new_home: Home) -> None:
    """--all-tenants with no profile at all is the same as no tenant."""
    result = new_home.run("list", "--all-tenants")
    assert result.code == 3
    assert "supportaccess tenant set" in result.err
