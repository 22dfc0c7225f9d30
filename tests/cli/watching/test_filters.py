"""The filters of `watch` find what those of `list` find."""

from datetime import timedelta

import pytest
from tests.cli.home import Home
from tests.support.people import HOME, RESOURCE, START

from supportaccess.cli.watch.filters import Filter
from supportaccess.cli.watch.state import file_name
from supportaccess.domain.events import Event, What, event_of
from supportaccess.domain.records import OPEN, AccessRequest, Status
from supportaccess.store.filters import RequestFilters
from supportaccess.store.protocol import RequestQuery

FILTERS = [
    {},
    {"support_request_id": "2603010050000003"},
    {"support_request_id": "26030100500000"},
    {"resource_tenant_id": HOME},
    {"resource_tenant_id": RESOURCE},
    {"engineer": "engineer PENDING"},
    {"engineer": "%"},
    {"engineer": "erin@"},
    {"search": "guest"},
    {"search": "ADA"},
    {"search": "time limit"},
    {"search": "withdrawn"},
    {"search": "no such text"},
]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_the_same_requests_are_found(home: Home, filters: dict[str, str]) -> None:
    """Of requests of every status, a watch tells of those that a list with the same filters has."""
    home.one_of_each()
    home.raised("77", engineer="Straße 100%")
    which = Filter(requests=RequestFilters(**filters))  # type: ignore[arg-type]  # each is of its field's type
    with home.store() as store:
        listed = store.page(RequestQuery(statuses=frozenset(Status), **filters), top=100).value  # type: ignore[arg-type]
        every = store.page(RequestQuery(statuses=frozenset(Status)), top=100).value
        told = {each.access_request_id for each in store.events(after=0, top=100).value if which.tells(each)}

    assert {each.id for each in listed} == told
    assert {each.id for each in listed if each.status in OPEN} == {each.id for each in every if which.shows(each)}


def test_statuses_tell_whole_lives(home: Home) -> None:
    """--pending tells what became of what was pending, --active what became of access."""
    (record,) = home.approved("1", for_=timedelta(hours=1), ago=timedelta(minutes=1))
    with home.store() as store:
        store.revoke(record.id, etag=record.etag, key="revoking")
        events = store.events(after=0, top=10).value

    pending, active = (
        Filter(requests=RequestFilters(statuses=frozenset({status}))) for status in (Status.PENDING, Status.APPROVED)
    )
    assert _told(events, pending) == [What.CREATED, What.APPROVED]
    assert _told(events, active) == [What.APPROVED, What.REVOKED]
    assert _told(events, Filter(kinds=frozenset({What.REVOKED}))) == [What.REVOKED]


def test_a_merged_mirror_is_told_to_who_did_not_narrow(home: Home) -> None:
    """What has no record any more is found by its support request alone."""
    (record,) = home.raised("1")
    with home.store() as store:
        (entry,) = store.history(record.id)
    event = event_of(entry, _no_record())
    assert event is not None
    assert Filter().tells(event)
    assert Filter(requests=RequestFilters(support_request_id="1")).tells(event)
    assert not Filter(requests=RequestFilters(support_request_id="2")).tells(event)
    assert not Filter(requests=RequestFilters(engineer="erin")).tells(event)


def test_a_watch_goes_on_after_an_upgrade() -> None:
    """The file of a watch without a name has the name that earlier versions gave it for the same filters."""
    requests = RequestFilters(
        statuses=frozenset({Status.PENDING}),
        support_request_id="1",
        resource_tenant_id="r",
        engineer="e",
        search="s",
    )
    which = Filter(frozenset({What.CREATED, What.APPROVED}), requests)

    assert file_name(None, ["t"], Filter().parts(), None, []) == "auto-5ff8cad565d3d36ef9cb1e65.json"
    assert file_name(None, ["t"], which.parts(), "cmd", ["u"]) == "auto-f92dca638a63ac12e76910bf.json"


def test_every_filter_tells_watches_apart() -> None:
    """Watches with different filters do not share a file, also where the filter is a later one."""
    told_apart = [Filter(requests=RequestFilters(since=moment)).parts() for moment in (None, START)]

    assert file_name(None, told_apart[0]) != file_name(None, told_apart[1])


def _told(events: list[Event], which: Filter) -> list[What]:
    return [each.what for each in events if which.tells(each)]


def _no_record() -> AccessRequest | None:
    return None
