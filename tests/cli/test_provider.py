"""`supportaccess provider`."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.cli.home import TICKET, Home, now
from tests.support.people import HOME

RAISE = ["provider", "raise", "--support-request", TICKET, "--engineer", "Ann Example", "--reason", "sign-ins fail"]


def raised(home: Home, *arguments: str) -> Any:
    """Raise a request in a pipe and return it."""
    result = home.run(*RAISE, *arguments, "-o", "json")
    assert result.code == 0, result.err
    (record,) = result.json
    return record


def test_raise(home: Home) -> None:
    """A request is raised pending, with what was given, and stderr says how it is decided."""
    result = home.run(*RAISE, "--title", "Guests", "--engineer-id", "ann@example.com", "--for", "8h", "-o", "json")
    (record,) = result.json
    assert result.code == 0
    assert f"supportaccess approve {record['id']}" in result.err
    assert (record["status"], record["side"], record["resourceTenantId"]) == ("pending", "both", HOME)
    assert record["engineer"] == {"id": "ann@example.com", "displayName": "Ann Example"}
    assert (record["title"], record["requestedSeconds"]) == ("Guests", 8 * 3600)
    assert home.run("show", record["id"], "-o", "json").json == record


def test_raise_on_a_terminal(home: Home) -> None:
    """On a terminal the new request is shown in a table of 80 columns."""
    screen = home.on_terminal(*RAISE)
    assert screen.code == 0
    assert "Ann Example" in screen.text
    assert TICKET in screen.text
    assert "pending" in screen.text


def test_a_deadline(home: Home) -> None:
    """--decide-by takes how far ahead the deadline is; past it the request has lapsed."""
    record = raised(home, "--decide-by", "1d")
    left = msgspec.convert(record["decideBy"], type=type(now())) - now()
    assert timedelta(hours=23) < left <= timedelta(days=1)
    assert home.run(*RAISE, "--decide-by", "2020-01-01").code == 2
    assert "23h" in home.on_terminal("list").text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--engineer", ""], "the engineer's name is empty"),
        (["--reason", " "], "the reason is empty"),
        (["--support-request", "two words"], "is not a support request ID"),
        (["--for", "0h"], "longer than nothing"),
        (["--for", "9h30"], "is not a length of time"),
        (["--resource-tenant", "nobody"], "no tenant has the alias"),
        (["--title", "x" * 257], "256 is the most"),
        (["--reason", b"\xff"], "not valid Unicode"),
    ],
    ids=["engineer", "reason", "ticket", "no time", "odd time", "tenant", "title", "bytes"],
)
def test_what_cannot_be_raised(home: Home, arguments: list[str | bytes], said: str) -> None:
    """A value that no request can have is refused with what is wrong with it."""
    result = home.run(*RAISE, *arguments)
    assert result.code in {2, 5}
    assert said in result.err
    assert home.run("list", "--all", "-q").out == ""


def test_what_must_be_given(home: Home) -> None:
    """Ticket, engineer and reason are required."""
    for missing in ("--support-request", "--engineer", "--reason"):
        at = RAISE.index(missing)
        result = home.run(*RAISE[:at], *RAISE[at + 2 :])
        assert (result.code, missing in result.err) == (2, True)


def test_close_completes_and_cancels(home: Home) -> None:
    """Closing the ticket completes its open access and cancels what waits, and prints both."""
    (approved,) = home.approved()
    (pending,) = home.raised()
    (other,) = home.raised("other")
    result = home.run("provider", "close", TICKET, "-y", "-o", "json")
    assert result.code == 0
    assert {(each["id"], each["status"]) for each in result.json} == {
        (approved.id, "completed"),
        (pending.id, "canceled"),
    }
    assert f"Closed support request {TICKET} in tenant contoso ({HOME}); 2 access requests ended by it." in result.err
    assert home.get(other.id).status == "pending"


def test_close_asks_on_a_terminal(home: Home) -> None:
    """On a terminal closing is asked about; off it, it needs --yes."""
    (record,) = home.approved()
    assert home.on_terminal("provider", "close", TICKET, answer="n\n").code == 1
    assert home.run("provider", "close", TICKET).code == 2
    assert home.run("provider", "close", "-", stdin=TICKET).code == 2
    assert home.get(record.id).status == "approved"
    screen = home.on_terminal("provider", "close", TICKET, answer="y\n")
    assert screen.code == 0
    assert home.get(record.id).status == "completed"


def test_close_several(home: Home) -> None:
    """Several tickets are closed in turn, from standard input too; one that is unknown fails alone: exit 7."""
    records = home.approved("1", "2")
    result = home.run("provider", "close", "-", "-y", "-o", "ids", stdin="1\n# not this\nunknown\n2\n")
    assert (result.code, set(result.lines)) == (7, {each.id for each in records})
    assert "there is no support request unknown" in result.err


@pytest.mark.parametrize(("number", "code"), [("unknown", 5), (TICKET, 6)], ids=["unknown", "closed"])
def test_what_cannot_be_closed(home: Home, number: str, code: int) -> None:
    """An unknown ticket exits with 5, one that is closed already with 6."""
    home.approved()
    assert home.run("provider", "close", TICKET, "-y").code == 0
    assert home.run("provider", "close", number, "-y").code == code


def test_a_closed_ticket_takes_no_requests(home: Home) -> None:
    """Nothing can be raised for a ticket that is closed: exit 6."""
    raised(home)
    assert home.run("provider", "close", TICKET, "-y").code == 0
    result = home.run(*RAISE)
    assert result.code == 6
    assert f"support request {TICKET} is closed" in result.err


def test_closing_names_the_tenant(home: Home) -> None:
    """The question on a terminal names the tenant by alias and ID, and so does what was done."""
    home.raised()
    screen = home.on_terminal("provider", "close", TICKET, answer="y\n")
    assert screen.code == 0
    assert f"Close {TICKET} in tenant contoso ({HOME})? What is open of them ends. [y/N]" in screen.words
    assert f"Closed support request {TICKET} in tenant contoso ({HOME}); 1 access request ended by it." in screen.words
    again = home.run("provider", "close", TICKET, "-y")
    assert again.code == 6
    assert f"tenant contoso ({HOME})" in again.err
