"""`supportaccess show`."""

from datetime import timedelta

import msgspec
import pytest
import yaml
from tests.cli.home import EXAMPLE, TICKET, Home, key, now
from tests.support.people import HOME

TENANT = "8d3fc0a1-5a52-4c6e-9c0e-3f5b0a6d2e71"
"""The tenant of the example."""


@pytest.fixture
def mirrors(new_home: Home) -> Home:
    """Return a home that has read the example."""
    assert new_home.run("import", str(EXAMPLE), "--tenant", TENANT).code == 0
    return new_home


def test_by_id_by_prefix_and_by_support_request(home: Home) -> None:
    """A full ID, in any case, a beginning of it, and the ticket's number show the same request."""
    (record,) = home.raised()
    home.raised("other")
    for name in (record.id, record.id.upper(), record.id[:4], record.id[:-1], TICKET):
        result = home.run("show", name, "-o", "json")
        assert (result.code, result.json["id"]) == (0, record.id)
    screen = home.on_terminal("show", record.id[:8])
    assert (screen.code, record.id in screen.text) == (0, True)


def test_of_a_support_request_the_open_access_request_is_meant(home: Home) -> None:
    """A ticket's number means its open request; when none is open, the latest."""
    (first,) = home.approved(ago=timedelta(hours=3), for_=timedelta(hours=1))
    (open_one,) = home.raised(ago=timedelta(hours=2))
    (ended,) = home.approved(ago=timedelta(hours=1), for_=timedelta(minutes=1))
    assert home.run("show", TICKET, "-o", "ids").out == f"{open_one.id}\n"
    with home.store() as store:
        store.withdraw(open_one.id, etag=open_one.etag, key=key())
    assert home.run("show", TICKET, "-o", "ids").out == f"{ended.id}\n"
    assert first.id != ended.id


def test_an_ambiguous_name_lists_the_candidates(home: Home) -> None:
    """A name that may be several requests exits with 5 and lists them all."""
    records = home.raised(TICKET, TICKET)
    result, screen = home.run("show", TICKET), home.on_terminal("show", TICKET)
    assert (result.code, screen.code) == (5, 5)
    for told in (result.err, screen.text):
        assert all(f"  {each.id}  {TICKET}  pending" in told for each in records)


@pytest.mark.parametrize("name", ["00000000-0000-4000-8000-000000000000", "0000", "2603010050009999", "%", "____"])
def test_an_unknown_name(home: Home, name: str) -> None:
    """A name that nothing has exits with 5 and says how to find what is there."""
    home.raised()
    result = home.run("show", name)
    assert (result.code, result.out) == (5, "")
    assert name in result.err


def test_the_page_fits_the_terminal(home: Home) -> None:
    """On a terminal the page has the record in local time and its history, all within 80 columns."""
    (record,) = home.approved(reason="a long reason, " * 20)
    screen = home.on_terminal("show", record.id)
    assert screen.code == 0
    assert max(map(len, screen.lines)) <= 80
    assert "+02:00" in screen.text
    assert f"{HOME} (contoso)" in screen.text
    assert home.get(record.id).etag in screen.text
    history = screen.text.partition("\nHistory\n")[2]
    assert history.index("Request created") < history.index("Request approved by Ada Administrator")


def test_history_is_in_order(home: Home) -> None:
    """The history has every step with who did it and why, oldest first."""
    (record,) = home.approved(ago=timedelta(hours=1))
    with home.store() as store:
        store.revoke(record.id, etag=record.etag, key=key(), reason="enough")
    lines = [line.split("\t") for line in home.run("show", record.id).lines if line.startswith("history\t")]
    assert [line[2] for line in lines] == ["Request created", "Request approved", "Approval removed"]
    assert [line[1] for line in lines] == sorted(line[1] for line in lines)
    assert all(line[1].endswith("Z") and line[3] == "Ada Administrator (user)" for line in lines)
    assert "approved > revoked" in lines[-1][4]
    assert "enough" in lines[-1][4]


def test_a_pipe_gets_a_line_for_each_field(home: Home) -> None:
    """In a pipe: name, value and origin of each field, tab-separated, in UTC; nothing that is absent."""
    (record,) = home.raised()
    result = home.run("show", record.id)
    fields = [line.split("\t") for line in result.lines if not line.startswith("history\t")]
    assert result.err == ""
    assert {len(line) for line in fields} == {3}
    values = {name: value for name, value, _ in fields}
    assert values["id"] == record.id
    assert values["createdAt"].endswith("Z")
    assert "decidedAt" not in values
    assert {origin for _, _, origin in fields} == {"this store"}


@pytest.mark.parametrize("place", ["pipe", "terminal"])
def test_json_is_one_object(home: Home, place: str) -> None:
    """-o json and yaml print the record itself, not a list of one."""
    (record,) = home.approved()

    def printed(*arguments: str) -> str:
        if place == "pipe":
            return home.run("show", record.id, *arguments).out
        return home.on_terminal("show", record.id, *arguments).coloured

    shown = msgspec.json.decode(printed("-o", "json"))
    assert shown["id"] == record.id
    assert [shown] == home.run("list", "-o", "json").json
    assert yaml.safe_load(printed("-o", "yaml")) == shown
    assert msgspec.json.decode(printed("-o", "jsonl")) == shown
    assert msgspec.json.decode(printed("-o", "json", "--query", "engineer.displayName")) == "Erin Engineer"
    assert msgspec.json.decode(printed("-o", "json", "--columns", "status")) == {"status": "approved"}
    assert printed("-o", "ids") == f"{record.id}\n"


def test_what_each_field_of_a_mirror_rests_on(mirrors: Home) -> None:
    """Of a mirror every field says whether it was read, inferred, documented, or is unknown."""
    (completed,) = mirrors.run("list", "-s", "completed", "-o", "json").json
    lines = [line.split("\t") for line in mirrors.run("show", completed["id"]).lines]
    origins = {line[0]: line[2] for line in lines if line[0] != "history"}
    assert origins["scope"] == origins["accessLevel"] == "documented"
    assert origins["engineer"] == origins["reason"] == "unknown"
    assert origins["createdAt"] == origins["decidedBy"] == "read"
    assert origins["id"] == origins["source"] == "this store"
    assert {name for name, origin in origins.items() if origin == "inferred"} == set(completed["mirror"]["inferred"])
    assert {"status", "supportRequestId"} <= set(completed["mirror"]["inferred"])
    screen = mirrors.on_terminal("show", completed["id"])
    assert max(map(len, screen.lines)) <= 80
    for origin in ("documented", "read", "inferred", "this store"):
        assert f" {origin} " in screen.text
    assert "not known  " in screen.text


def test_the_history_of_a_mirror_has_the_events_of_the_provider(mirrors: Home) -> None:
    """A mirror's history begins with what was read, dated as it happened, and then has what was done here."""
    (revoked, *_) = mirrors.run("list", "-s", "revoked", "-o", "json").json
    lines = [line.split("\t") for line in mirrors.run("show", revoked["id"]).lines if line.startswith("history\t")]
    activities = [line[2] for line in lines]
    assert activities[0] == "Request created"
    assert "Approval removed" in activities
    assert activities[-1] == "Mirror updated"
    times = [line[1] for line in lines]
    assert times == sorted(times)


@pytest.mark.parametrize("place", ["pipe", "terminal"])
def test_raw_prints_the_events_as_they_were_read(mirrors: Home, place: str) -> None:
    """--raw prints each of the provider's events that a mirror was rebuilt from."""
    (pending,) = mirrors.run("list", "--pending", "-o", "json").json
    raw = (
        mirrors.run("show", pending["id"], "--raw").out
        if place == "pipe"
        else mirrors.on_terminal("show", pending["id"], "--raw").coloured
    )
    example = msgspec.json.decode(EXAMPLE.read_bytes())["value"]
    event = msgspec.json.decode(raw)
    assert event in example
    assert event["activityDisplayName"] == "Request created"


def test_raw_of_a_request_that_was_made_here(home: Home) -> None:
    """A request of this store has no raw events, which is said and is no error."""
    (record,) = home.raised()
    result = home.run("show", record.id, "--raw")
    assert (result.code, result.out) == (0, "")
    assert "no raw events" in result.err


def test_an_unknown_support_request_stays_unknown(mirrors: Home) -> None:
    """What the log did not tell is not made up: a mirror without a ticket number has none."""
    records = mirrors.run("list", "--all", "-o", "json", "--approved", "--pending", "-s", "canceled", "-s", "rejected")
    for record in records.json:
        assert "engineer" not in record
        assert "expiresAt" not in record
        assert record["mirror"]["events"] >= 1


def test_times_on_the_page_are_local_and_relative(home: Home) -> None:
    """A time on the page is this machine's, with its offset and how long ago it was."""
    (record,) = home.raised(ago=timedelta(days=3, hours=4))
    assert "(3d4h ago)" in home.on_terminal("show", record.id).text
    local = (record.created_at or now()) + timedelta(hours=2)
    assert local.strftime("%Y-%m-%d %H:%M +02:00") in home.on_terminal("show", record.id).text
