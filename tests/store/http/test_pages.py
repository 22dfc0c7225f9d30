"""Pages: where their links may lead, and reading ahead."""

import threading
from collections.abc import Iterator

import pytest
from msgspec import Struct
from tests.store.http.scripted import Server, answer

from supportaccess.errors import InvalidInput, StoreRefused, StoreUnavailable
from supportaccess.store.http.store import HttpStore
from supportaccess.store.paging import each_row
from supportaccess.store.protocol import AuditQuery, Order, RequestQuery

LIST = "/v1/access-requests"


def test_the_next_page_is_where_the_server_says(server: Server, store: HttpStore) -> None:
    """The link's query is sent as it came."""
    link = f"{server.url}{LIST}?skipToken=a%2Bb%3D&top=5&whatever=1"
    server.will(answer(200, {"value": [], "nextLink": link}), answer(200, {"value": []}))
    page = store.page(RequestQuery(), top=5)
    assert page.next is not None

    assert store.page(RequestQuery(), top=5, cursor=page.next).next is None
    assert server.asked[1].path == f"{LIST}?skipToken=a%2Bb%3D&top=5&whatever=1"


def test_a_page_that_leads_to_itself(server: Server, store: HttpStore) -> None:
    """A list that goes round is cut off instead of being printed for ever."""
    link = f"{server.url}{LIST}?skipToken=a"
    server.will(*[answer(200, {"value": [], "nextLink": link})] * 2)
    with pytest.raises(StoreRefused, match="leads to itself"):
        list(each_row(lambda cursor: store.page(RequestQuery(), top=5, cursor=cursor), most=None, ahead=False))

    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/v1/access-requests?skipToken=1",
        "//evil.example/v1/access-requests?skipToken=1",
        "/v1/access-requests?skipToken=1",
        "https://localhost:{port}/v1/access-requests?skipToken=1",
        "http://localhost:1/v1/access-requests?skipToken=1",
        "http://localhost:{port}@evil.example/v1/access-requests?skipToken=1",
        "http://me@localhost:{port}/v1/access-requests?skipToken=1",
        "http://localhost:{port}\\@evil.example/v1/access-requests?skipToken=1",
        "http://localhost:{port}/v1/audit-events?skipToken=1",
        "http://localhost:{port}/v1/access-requests/../me?skipToken=1",
        "http://localhost:{port}/v1/access-requests?skipToken=1#there",
        "http://localhost:{port}/v1/access-requests?skipToken=1 HTTP/1.1\r\nHost: evil",
        "http://localhost:{port}/v1/access-requests?skipToken=é",
        "http://localhost:99999/v1/access-requests?skipToken=1",
        "http://[::1/v1/access-requests?skipToken=1",
        "http://localhost:{port}/v1/access-requests?skipToken=" + "1" * 20_000,
        "",
    ],
)
def test_a_link_elsewhere_is_refused(server: Server, store: HttpStore, link: str) -> None:
    """A next page at another scheme, host, port or path is not asked for: the token is for the endpoint alone."""
    there = link.format(port=server.server_port)
    server.will(answer(200, {"value": [], "nextLink": there}))
    with pytest.raises(StoreRefused, match="next page"):
        store.page(RequestQuery(), top=5)

    assert len(server.asked) == 1


def test_a_place_belongs_to_its_list(server: Server, store: HttpStore) -> None:
    """A cursor serves the list that it came from, and no other order, filter or kind."""
    server.will(answer(200, {"value": [], "nextLink": f"{server.url}{LIST}?skipToken=1"}))
    cursor = store.page(RequestQuery(), top=5).next
    for other in (RequestQuery(order=Order.NEWEST), RequestQuery(search="x")):
        with pytest.raises(InvalidInput):
            store.page(other, top=5, cursor=cursor)
    with pytest.raises(InvalidInput):
        store.audit_page(AuditQuery(), top=5, cursor=cursor)
    with pytest.raises(InvalidInput):
        store.page(RequestQuery(), top=5, cursor=f"{server.url}{LIST}?skipToken=1")

    assert len(server.asked) == 1


class Numbers(Struct):
    value: list[int]
    next: str | None


class Fetches:
    """Pages of ten numbers. Where `held`, a page after the first waits until the one before was read."""

    def __init__(self, pages: int, fails_at: int | None = None) -> None:
        self.pages = pages
        self.fails_at = fails_at
        self.fetched: list[int] = []
        self.threads: set[int] = set()

    def __call__(self, cursor: str | None) -> Numbers:
        number = int(cursor or 0)
        self.threads.add(threading.get_ident())
        if number == self.fails_at:
            raise StoreUnavailable("gone")
        self.fetched.append(number)
        following = str(number + 1) if number + 1 < self.pages else None
        return Numbers(list(range(number * 10, number * 10 + 10)), following)


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("pages", [1, 2, 5])
def test_every_row_comes_once_and_in_order(pages: int, ahead: bool) -> None:
    """However they are fetched, the rows are those of all pages."""
    assert list(each_row(Fetches(pages), most=None, ahead=ahead)) == list(range(pages * 10))


def test_the_next_page_is_fetched_while_one_is_read() -> None:
    """When the first row of a page is there, the next page is under way; not the one after it."""
    fetches = Fetches(5)
    rows = each_row(fetches, most=None, ahead=True)
    assert next(rows) == 0
    _wait_for(fetches, 2)

    assert fetches.fetched == [0, 1]


def test_nothing_is_fetched_that_nobody_wants() -> None:
    """A page that holds all that is wanted is the last one; without reading ahead there is no thread."""
    for ahead in (False, True):
        fetches = Fetches(5)
        rows = each_row(fetches, most=10, ahead=ahead)
        assert [next(rows) for _ in range(10)] == list(range(10))
        assert fetches.fetched == [0]

    alone = Fetches(3)
    assert len(list(each_row(alone, most=None, ahead=False))) == 30
    assert alone.threads == {threading.get_ident()}


@pytest.mark.parametrize("ahead", [False, True])
def test_what_goes_wrong_is_told_where_the_page_begins(ahead: bool) -> None:
    """The rows before a page that cannot be had come first, then its error."""
    rows: Iterator[int] = each_row(Fetches(5, fails_at=2), most=None, ahead=ahead)
    assert [next(rows) for _ in range(20)] == list(range(20))
    with pytest.raises(StoreUnavailable, match="gone"):
        next(rows)


def _wait_for(fetches: Fetches, count: int) -> None:
    moment = threading.Event()
    for _ in range(500):
        if len(fetches.fetched) >= count:
            return
        moment.wait(0.01)
    raise AssertionError(f"only {fetches.fetched} were fetched")
