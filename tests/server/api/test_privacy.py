"""Design section 3: what one tenant must not learn of another, byte for byte."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.server.api.acts import REQUESTS, decide, raised
from tests.support.apis import Answer, Api, running_api
from tests.support.issuer import Issuer
from tests.support.people import FOREIGN, RESOURCE, UNKNOWN_ID
from tests.support.worlds import with_counted_ids

from supportaccess.domain.permissions import Permission
from supportaccess.store.sql.sqlite.engine import SqliteEngine

# golang.org/x/mod/sumdb/note, note_test.go
KEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz\n"
QUERIES = (
    "", "?status=approved", "?status=revoked", "?status=completed", "?status=expired", "?approvedAccess=true",
    "?orderBy=createdAt", "?orderBy=-createdAt", "?top=1", f"?resourceTenantId={RESOURCE}", "?search=Ada",
)  # fmt: skip


def everything(api: Api, request_id: str) -> list[tuple[int, dict[str, str], bytes]]:
    """Return every byte that the support request tenant can be told of its requests."""
    one = f"{REQUESTS}/{request_id}"
    answers = [api.ask("GET", f"{REQUESTS}{query}") for query in QUERIES]
    answers += [
        api.ask("GET", f"{REQUESTS}/count{query}") for query in QUERIES if "top" not in query and "order" not in query
    ]
    answers += [
        api.ask("GET", path)
        for path in (one, f"{one}/history", f"{one}/source-events", f"{REQUESTS}/find?text={request_id[:8]}")
    ]
    answers += [
        api.ask("GET", f"/v1/audit-events{rest}")
        for rest in ("", "/count", "/checkpoint", "/verification", "?orderBy=-sequence")
    ]
    shown = api.ask("GET", one).json
    for verb, body in (("approve", None), ("reject", {"reason": "no"}), ("revoke", None), ("withdraw", None)):
        answers.append(decide(api, verb, shown, body, key=f"try-{verb}"))
        answers.append(decide(api, verb, {**shown, "etag": '"stale"'}, body, key=f"try-{verb}-stale"))
    return [bare(answer) for answer in answers]


def bare(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    """Return an answer without the ID of its request, and without the server's port."""
    headers = {name: value for name, value in answer.headers.items() if name != "x-ms-request-id"}
    return answer.status, headers, re.sub(rb"127\.0\.0\.1:\d+", b"server", answer.body)


def life_of_a_request(api: Api, *, revoked: bool) -> list[Any]:
    """Let a cross-tenant request live, with or without its revocation, and return all that was told on the way."""
    told: list[Any] = []
    for number in range(2):
        record = raised(api, resourceTenantId=RESOURCE, supportRequestId=f"77{number}", key=f"raise-{number}")
        request_id = record["id"]
        decide(api, "approve", record, also=api.token(RESOURCE), key=f"approve-{number}")
        api.clock.advance(timedelta(minutes=1))
        if revoked:
            theirs = api.ask("GET", f"{REQUESTS}/{request_id}", token=api.token(RESOURCE)).json
            assert decide(api, "revoke", theirs, token=api.token(RESOURCE)).json["status"] == "revoked"
        told.append(everything(api, request_id))
        api.clock.advance(timedelta(minutes=1))
    closed = api.ask("POST", "/v1/support-requests/770/close", headers={"Idempotency-Key": "close"})
    told += [bare(closed), everything(api, request_id)]
    api.clock.advance(timedelta(hours=9))
    told.append(everything(api, request_id))
    return told


def test_a_revocation_is_not_to_be_seen(tmp_path: Path, issuer: Issuer) -> None:
    """Whatever the support request tenant asks, it is told the same whether the resource tenant revoked or not."""
    told = []
    for revoked in (False, True):
        folder = tmp_path / str(revoked)
        (folder / "keys").mkdir(parents=True, mode=0o700)
        key = folder / "keys" / "signing.key"  # of both stores the same, so that their signatures are
        key.write_text(KEY)
        key.chmod(0o600)
        with running_api(folder, issuer) as api, with_counted_ids():
            told.append(life_of_a_request(api, revoked=revoked))

    assert told[0] == told[1]


def test_the_resource_tenant_sees_it_from_the_approval_on(own_api: Api) -> None:
    """A pending request is the support request tenant's alone; from the approval on each has its own record."""
    record = raised(own_api, resourceTenantId=RESOURCE)
    theirs = own_api.token(RESOURCE)
    before = own_api.ask("GET", f"{REQUESTS}/{record['id']}", token=theirs)

    ours = decide(own_api, "approve", record, also=theirs).json
    seen = own_api.ask("GET", f"{REQUESTS}/{record['id']}", token=theirs).json

    assert before.status == 404
    assert (ours["side"], seen["side"]) == ("supportRequest", "resource")
    assert ours["etag"] != seen["etag"]


class TestApprovalAcrossTenants:
    def test_it_takes_a_token_of_the_other_tenant(self, own_api: Api) -> None:
        """Without it the answer says which tenant's is missing, and nothing changes."""
        record = raised(own_api, resourceTenantId=RESOURCE)

        for also in (None, own_api.token(FOREIGN)):
            answer = decide(own_api, "approve", record, also=also)

            assert (answer.status, answer.error["code"]) == (403, "Forbidden")
            assert answer.error["innererror"] == {"code": "ResourceTenantTokenRequired"}
            assert answer.error["resourceTenantId"] == RESOURCE
        assert own_api.ask("GET", f"{REQUESTS}/{record['id']}").json == record

    def test_it_takes_the_permission_there_too(self, own_api: Api) -> None:
        """A token of the other tenant without the permission does not do, and the answer explains which roles would."""
        record = raised(own_api, resourceTenantId=RESOURCE)

        answer = decide(own_api, "approve", record, also=own_api.token(RESOURCE, [Permission.READ_REQUESTS]))

        assert (answer.status, answer.error["code"]) == (403, "Forbidden")
        assert RESOURCE in answer.error["message"]
        assert "AccessRequests.Decide" in answer.error["hint"]
        assert "innererror" not in answer.error

    def test_only_the_resource_tenant_revokes(self, own_api: Api) -> None:
        """The support request tenant is told where it can be revoked, before and after it was."""
        record = raised(own_api, resourceTenantId=RESOURCE)
        ours = decide(own_api, "approve", record, also=own_api.token(RESOURCE)).json

        before = decide(own_api, "revoke", ours)
        theirs = own_api.ask("GET", f"{REQUESTS}/{record['id']}", token=own_api.token(RESOURCE)).json
        assert decide(own_api, "revoke", theirs, token=own_api.token(RESOURCE)).status == 200
        after = decide(own_api, "revoke", ours)

        assert (before.status, before.body) == (403, before.body)
        assert before.body == after.body


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_foreign_and_unknown_take_the_same_statements(
    tmp_path: Path, issuer: Issuer, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For another tenant's record and for none the database is asked the same, so that it takes as long."""
    statements: list[str] = []
    opened = SqliteEngine.__init__

    def traced(self: SqliteEngine, path: Path) -> None:
        opened(self, path)
        self.connection.set_trace_callback(statements.append)

    monkeypatch.setattr(SqliteEngine, "__init__", traced)
    told = []
    with running_api(tmp_path, issuer) as api:
        foreign = raised(api, FOREIGN)
        for request_id in (UNKNOWN_ID, UNKNOWN_ID, foreign["id"]):
            statements.clear()
            if method == "GET":
                api.ask("GET", f"{REQUESTS}/{request_id}")
            else:
                decide(api, "approve", {"id": request_id, "etag": foreign["etag"]}, key="same")
            told.append([_without_values(statement, request_id) for statement in statements])

    assert told[1]
    assert told[1] == told[2]


def _without_values(statement: str, request_id: str) -> str:
    """Return a statement without what each entry of an attempt has of its own: its place, bytes and hashes."""
    return re.sub(r"[xX]'[0-9a-fA-F]*'|\d+", "...", statement.replace(request_id, "ID"))
