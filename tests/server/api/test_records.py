"""Pages, versions and replays: what a client builds on."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.server.api.acts import ASKING, REQUESTS, approved, decide, new_key, new_ticket, raised
from tests.support.apis import Answer, Api, running_api
from tests.support.events import APPROVED, CREATED, event
from tests.support.issuer import Issuer
from tests.support.people import FOREIGN, HOME, RESOURCE

from supportaccess.domain.permissions import Permission


def follow(api: Api, path: str) -> list[list[Any]]:
    """Return every page of a list."""
    pages = []
    following: str | None = path
    while following is not None:
        answer = api.ask("GET", following)
        assert answer.status == 200, answer
        pages.append(answer.json["value"])
        link = answer.json.get("nextLink")
        assert "nextLink" not in answer.json or link.startswith(api.url)
        following = None if link is None else link.removeprefix(api.url)
    return pages


class TestPages:
    def test_each_record_is_on_one_page(self, own_api: Api) -> None:
        """Following nextLink gives every record once, in order, and the last page has no link."""
        made = [raised(own_api)["id"] for _ in range(5)]

        pages = follow(own_api, f"{REQUESTS}?orderBy=createdAt&top=2")

        assert [len(page) for page in pages] == [2, 2, 1]
        assert sorted(each["id"] for page in pages for each in page) == sorted(made)

    def test_the_link_carries_every_parameter(self, own_api: Api) -> None:
        """A next page is of the same list: filters, order and size go along, in whatever characters."""
        for _ in range(3):
            raised(own_api, reason="Zugang für & mit = Gäste")
        raised(own_api, reason="another")
        query = "status=pending&status=approved&search=f%C3%BCr+%26+mit+%3D&orderBy=-createdAt&top=1"

        assert [len(page) for page in follow(own_api, f"{REQUESTS}?{query}")] == [1, 1, 1]

    def test_a_page_that_is_just_full(self, own_api: Api) -> None:
        """A last page that is full has no link to an empty one."""
        for _ in range(2):
            raised(own_api)

        assert [len(page) for page in follow(own_api, f"{REQUESTS}?top=2")] == [2]

    @pytest.mark.parametrize("order", ["sequence", "-sequence"])
    def test_the_audit_log(self, own_api: Api, order: str) -> None:
        """The audit log pages in both directions, without gap or repetition."""
        for _ in range(4):
            raised(own_api)

        pages = follow(own_api, f"/v1/audit-events?top=3&orderBy={order}")

        sequences = [entry.get("sequence", 0) for page in pages for entry in page]
        # The last one says that the first page was read.
        assert sequences == ([0, 1, 2, 3, 4] if order == "sequence" else [3, 2, 1, 0])

    def test_links_lead_to_the_public_url(self, tmp_path: Any, issuer: Issuer) -> None:
        """Behind a proxy, links, locations and discovery name what clients call."""
        with running_api(tmp_path, issuer, public_url="https://access.example/") as api:
            raised(api)
            raised(api)
            made = api.ask("POST", REQUESTS, json_body=ASKING, headers={"Idempotency-Key": "k"})
            link = api.ask("GET", f"{REQUESTS}?top=1").json["nextLink"]
            discovery = api.ask("GET", "/.well-known/supportaccess-configuration", token=None).json

        assert link.startswith(f"https://access.example{REQUESTS}?top=1&skipToken=")
        assert made.headers["location"] == f"https://access.example{REQUESTS}/{made.json['id']}"
        assert discovery["endpoint"] == "https://access.example"

    def test_filters_and_counts(self, own_api: Api) -> None:
        """A count says how many a list with the same filters has, no further than asked."""
        for _ in range(3):
            raised(own_api)
        approved(own_api)

        def count(query: str) -> int:
            return int(own_api.ask("GET", f"{REQUESTS}/count?{query}").json["count"])

        assert (count(""), count("status=pending"), count("approvedAccess=true"), count("atMost=2")) == (4, 3, 1, 2)
        assert own_api.ask("GET", "/v1/audit-events/count?activity=Request+approved").json == {"count": 1}

    def test_find(self, own_api: Api) -> None:
        """A request is found by the beginning of its ID, and by its support request ID."""
        record = raised(own_api)

        for text in (record["id"][:4], record["id"].upper(), record["supportRequestId"]):
            assert own_api.ask("GET", f"{REQUESTS}/find?text={text}").json == {"value": [record]}
        assert own_api.ask("GET", f"{REQUESTS}/find?text=abc").json == {"value": []}


class TestVersions:
    def test_a_record_is_the_same_everywhere(self, api: Api) -> None:
        """The answer to its creation, the record, and the record in a list agree, and so do header and member."""
        made = api.ask(
            "POST",
            REQUESTS,
            json_body={**ASKING, "supportRequestId": new_ticket()},
            headers={"Idempotency-Key": new_key()},
        )
        got = api.ask("GET", urlsplit(made.headers["location"]).path)
        listed = api.ask("GET", f"{REQUESTS}?supportRequestId={made.json['supportRequestId']}")

        assert made.json == got.json == listed.json["value"][0]
        assert made.headers["etag"] == got.headers["etag"] == made.json["etag"]

    def test_a_time_in_another_offset(self, api: Api) -> None:
        """A time is kept in UTC, whatever its offset was, and the version holds."""
        made = raised(api, decideBy="2030-01-01T02:00:00.5+02:00")
        got = api.ask("GET", f"{REQUESTS}/{made['id']}").json

        assert made["decideBy"] == "2030-01-01T00:00:00.500000Z"
        assert got == made
        assert (
            decide(api, "approve", got, {"limit": {"until": "2026-03-01T11:00:00+01:00"}}).json["expiresAt"]
            == "2026-03-01T10:00:00Z"
        )

    @pytest.mark.parametrize("tags", ["{etag}", "W/{etag}", '"x", {etag}', "*"])
    def test_what_is_known_is_not_sent_again(self, api: Api, tags: str) -> None:
        """With its version in If-None-Match, a record that did not change is not sent."""
        record = raised(api)

        answer = api.ask(
            "GET", f"{REQUESTS}/{record['id']}", headers={"If-None-Match": tags.format(etag=record["etag"])}
        )

        assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", record["etag"])

    @pytest.mark.parametrize("tags", ['"x"', "", "x", '"x", W/"y"'])
    def test_what_changed_is_sent(self, api: Api, tags: str) -> None:
        """With any other version in If-None-Match, the record is sent."""
        record = raised(api)

        assert api.ask("GET", f"{REQUESTS}/{record['id']}", headers={"If-None-Match": tags}).json == record

    @pytest.mark.parametrize(
        ("tags", "status"), [("{etag}", 200), ("*", 200), ('"x", {etag}', 200), ('"x"', 412), ("W/{etag}", 412)]
    )
    def test_another_version_than_is_wanted(self, api: Api, tags: str, status: int) -> None:
        """With If-Match a record is sent only while it is that version, by its strong tag."""
        record = raised(api)
        headers = {"If-Match": tags.format(etag=record["etag"])}

        answer = api.ask("GET", f"{REQUESTS}/{record['id']}", headers=headers)

        assert answer.status == status
        assert status == 200 or answer.error["code"] == "Stale"

    def test_what_was_shown_is_what_is_decided(self, api: Api) -> None:
        """A decision on a record that changed meanwhile is refused, with the status that it has now."""
        shown = raised(api)
        decide(api, "approve", shown, {"limit": {"seconds": 60}})

        stale = decide(api, "revoke", shown)
        late = decide(api, "reject", shown, {"reason": "no"})

        assert (stale.status, stale.error["code"], stale.error["currentStatus"]) == (412, "Stale", "approved")
        assert (late.status, late.error["code"], late.error["currentStatus"]) == (409, "Conflict", "approved")

    def test_the_clock_changes_the_version(self, own_api: Api) -> None:
        """A record whose time limit passed has another status and another version, sweep or no sweep."""
        record = approved(own_api, requestedSeconds=60)
        own_api.clock.advance(timedelta(minutes=2))

        got = own_api.ask("GET", f"{REQUESTS}/{record['id']}", headers={"If-None-Match": record["etag"]})

        assert (got.status, got.json["status"], got.json["endedAt"]) == (200, "expired", record["expiresAt"])
        assert decide(own_api, "revoke", record).error["currentStatus"] == "expired"


class TestReplays:
    def test_the_same_again(self, api: Api) -> None:
        """The same key and content are answered as the first time, byte for byte, and change nothing."""
        record, key = raised(api), new_key()
        first = decide(api, "approve", record, {"reason": "yes"}, key=key)
        head = api.ask("GET", "/v1/audit-events/checkpoint").json

        again = decide(api, "approve", record, {"reason": "yes"}, key=key)

        assert (again.status, again.body, again.headers["etag"]) == (200, first.body, first.headers["etag"])
        assert api.ask("GET", "/v1/audit-events/checkpoint").json == head

    @pytest.mark.parametrize(
        ("verb", "body"), [("approve", {"reason": "other"}), ("approve", None), ("reject", {"reason": "yes"})]
    )
    def test_another_act_under_the_same_key(self, api: Api, verb: str, body: object) -> None:
        """A key that was used for something else is refused."""
        record, key = raised(api), new_key()
        decide(api, "approve", record, {"reason": "yes"}, key=key)

        answer = decide(api, verb, record, body, key=key)

        assert (answer.status, answer.error["code"]) == (422, "IdempotencyKeyReused")

    def test_a_key_is_its_callers(self, api: Api) -> None:
        """The same key of somebody else is another key."""
        key, body = new_key(), {**ASKING, "supportRequestId": new_ticket()}
        tokens = [api.token(), api.token(object_id="0da00000-0000-4000-8000-0000000000a2"), api.token(FOREIGN)]

        made = [
            api.ask("POST", REQUESTS, token=token, json_body=body, headers={"Idempotency-Key": key}) for token in tokens
        ]

        assert len({answer.json["id"] for answer in made}) == 3

    def test_fifty_at_once(self, own_api: Api) -> None:
        """Fifty times the same act at the same moment is one act, and everybody is told of it."""
        record, key = raised(own_api), new_key()

        with ThreadPoolExecutor(50) as threads:
            answers = list(threads.map(lambda _: decide(own_api, "approve", record, key=key), range(50)))

        assert {(answer.status, answer.body) for answer in answers} == {(200, answers[0].body)}
        assert own_api.ask("GET", "/v1/audit-events/checkpoint").json["size"] == 2

    def test_one_of_two_who_race_wins(self, own_api: Api) -> None:
        """Approve and reject at the same moment, many times: one happens, the other is told what did."""
        records = [raised(own_api) for _ in range(20)]

        def race(record: Any) -> list[Answer]:
            with ThreadPoolExecutor(2) as threads:
                acts = [
                    threads.submit(decide, own_api, "approve", record),
                    threads.submit(decide, own_api, "reject", record, {"reason": "no"}),
                ]
                return [act.result() for act in acts]

        for answers in map(race, records):
            assert sorted(answer.status for answer in answers) == [200, 409]


class TestErrors:
    def test_what_is_decided_elsewhere(self, own_api: Api) -> None:
        """A mirror cannot be decided here."""
        (mirror,) = imported(own_api, event(CREATED, 0, correlation="c"))

        answer = decide(own_api, "approve", mirror)

        assert (answer.status, answer.error["code"]) == (409, "DecidedElsewhere")

    def test_a_missing_permission_is_explained(self, api: Api) -> None:
        """Who may not is told which roles would do."""
        answer = api.ask("GET", REQUESTS, token=api.token(permissions=[Permission.READ_AUDIT]))

        assert (answer.status, answer.error["code"]) == (403, "Forbidden")
        assert "AccessRequests.Read" in answer.error["hint"]

    def test_what_fails_inside_stays_inside(self, own_api: Api) -> None:
        """When the store is damaged, the answer has nothing of it but the request ID."""
        record = raised(own_api)
        own_api.engine.connection.execute("UPDATE access_requests SET record = json_array('secret garbage')")

        answer = own_api.ask("GET", f"{REQUESTS}/{record['id']}")

        assert (answer.status, answer.error["code"]) == (500, "StoreRefused")
        assert answer.headers["x-ms-request-id"] in answer.error["message"]
        assert set(answer.error) == {"code", "message"}
        assert "garbage" not in answer.body.decode()
        assert "store.db" not in answer.body.decode()


def imported(api: Api, *events: Any) -> list[Any]:
    """Import events and return the mirrors."""
    import msgspec

    lines = [b'{"details":{"file":"x.json"}}', *map(msgspec.json.encode, events)]
    headers = {"Idempotency-Key": new_key(), "Content-Type": "application/x-ndjson"}
    answer = api.ask("POST", "/v1/source-events", body=b"\n".join(lines), headers=headers)
    assert answer.status == 200, answer
    value: list[Any] = api.ask("GET", REQUESTS).json["value"]
    return value


class TestHistory:
    def test_a_requests_history(self, api: Api) -> None:
        """A request's history is its audit entries."""
        record = approved(api)

        entries = api.ask("GET", f"{REQUESTS}/{record['id']}/history").json["value"]

        assert [entry["activity"] for entry in entries] == ["Request created", "Request approved"]
        assert {entry["accessRequestId"] for entry in entries} == {record["id"]}

    def test_a_mirrors_events(self, own_api: Api) -> None:
        """A mirror's events come back as they were sent."""
        events = [event(CREATED, 0, correlation="c"), event(APPROVED, 5, correlation="c")]
        (mirror,) = imported(own_api, *events)

        told = own_api.ask("GET", f"{REQUESTS}/{mirror['id']}/source-events").json["value"]

        assert [each["raw"] for each in told] == [each.raw for each in events]

    def test_the_log_holds(self, own_api: Api) -> None:
        """The log's head and its verification agree."""
        approved(own_api)

        head = own_api.ask("GET", "/v1/audit-events/checkpoint").json
        verified = own_api.ask("GET", "/v1/audit-events/verification").json

        assert (verified["head"], verified["findings"], verified["entries"]) == (
            {"size": head["size"], "root": head["root"]},
            [],
            2,
        )
        assert head["checkpoint"].split("\n")[1] == "2"

    def test_me(self, api: Api) -> None:
        """Who calls is told who they are, where each permission comes from, and what would give the others."""
        me = api.ask("GET", "/v1/me", token=api.token(RESOURCE, [Permission.DECIDE])).json

        assert (me["tenantId"], me["actor"]["kind"], me["actor"]["displayName"]) == (
            RESOURCE,
            "user",
            "Ada Administrator",
        )
        assert [grant["permission"] for grant in me["permissions"]] == ["AccessRequests.Decide"]
        assert me["permissions"][0]["grantedBy"]
        lacking = {each["permission"]: each["message"] for each in me["lacking"]}
        assert set(lacking) == set(Permission) - {Permission.DECIDE}
        assert all(permission in message for permission, message in lacking.items())

    def test_another_tenants_store_is_empty(self, own_api: Api) -> None:
        """What one tenant has is in no list, count or log of another."""
        approved(own_api, HOME)
        other = own_api.token(FOREIGN)

        assert own_api.ask("GET", REQUESTS, token=other).json == {"value": []}
        assert own_api.ask("GET", f"{REQUESTS}/count", token=other).json == {"count": 0}
        assert own_api.ask("GET", "/v1/audit-events", token=other).json == {"value": []}
        assert own_api.ask("GET", "/v1/audit-events/checkpoint", token=other).json["size"] == 0
