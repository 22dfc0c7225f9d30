"""Where the operator asks for an authentication context, people decide with a token that met it, and are asked for it.

The format of the challenge is that of https://learn.microsoft.com/entra/identity-platform/claims-challenge
"""

import base64
import json
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.server.api.acts import ASKING, REQUESTS, approved, decide, new_key, new_ticket, raised
from tests.server.api.test_matrix import state
from tests.support.apis import DECIDING_ROBOT, NO_LIMITS, Answer, Api, running_api
from tests.support.issuer import ADA, ROBOT, Issuer
from tests.support.people import FOREIGN, HOME, RESOURCE
from tests.support.servers import until

from supportaccess.domain.permissions import Permission

CONTEXT = "c1"
MET: dict[str, object] = {"acrs": ["c3", CONTEXT]}
CAN_BE_ASKED: dict[str, object] = {"xms_cc": ["CP1"]}
DECISIONS = {"approve": None, "reject": {"reason": "no"}, "revoke": None}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[Api]:
    """Return a server whose operator asks for an authentication context."""
    with running_api(tmp_path_factory.mktemp("api"), issuer, auth_context=CONTEXT) as api:
        yield api


def token(api: Api, tenant_id: str = HOME, claims: Mapping[str, object] | None = None, **others: Any) -> str:
    """Return a token of somebody who may do everything, with other claims beside."""
    return api.issuer.token(tenant_id, roles=sorted(Permission), oid=ADA, claims=claims, **others)


def ready_for(api: Api, verb: str) -> Any:
    """Return a record that the decision can be made about."""
    record = raised(api)
    return record if verb != "revoke" else decide(api, "approve", record, token=token(api, claims=MET)).json


def challenge(answer: Answer) -> dict[str, str]:
    """Return the parameters of the header that asks for a new sign-in, with the claims as they are to be passed on."""
    header = answer.headers["www-authenticate"]
    assert re.fullmatch(r'Bearer (\w+="[^"]*")(, \w+="[^"]*")*', header), header
    found = dict(re.findall(r'(\w+)="([^"]*)"', header))
    return {**found, "claims": base64.b64decode(found["claims"], validate=True).decode()}


@pytest.mark.parametrize("verb", DECISIONS)
@pytest.mark.parametrize("acrs", [None, [], ["c2"], ["C1"], ["c11"], CONTEXT, {"c1": True}, [["c1"]]], ids=repr)
def test_a_token_without_the_context_is_asked_for_it(api: Api, verb: str, acrs: object) -> None:
    """Every decision of a person without the context is answered with a challenge, and nothing is changed."""
    record = ready_for(api, verb)
    before = state(api)

    answer = decide(api, verb, record, DECISIONS[verb], token=token(api, claims={**CAN_BE_ASKED, "acrs": acrs}))

    assert (answer.status, answer.error["code"]) == (401, "NotSignedIn")
    assert answer.error["innererror"] == {"code": "InsufficientClaims"}
    assert "resourceTenantId" not in answer.error
    assert challenge(answer) == {
        "realm": HOME,
        "authorization_uri": f"{api.issuer.authority}/{HOME}/oauth2/v2.0/authorize",
        "error": "insufficient_claims",
        "claims": json.dumps({"access_token": {"acrs": {"essential": True, "value": CONTEXT}}}, separators=(",", ":")),
    }
    assert state(api) == before


@pytest.mark.parametrize("verb", DECISIONS)
def test_a_token_with_the_context_decides(api: Api, verb: str) -> None:
    """Who met the context, among others, is answered as ever."""
    answer = decide(api, verb, ready_for(api, verb), DECISIONS[verb], token=token(api, claims=MET))

    assert answer.status == 200, answer


@pytest.mark.parametrize("xms_cc", [None, [], ["cp2"], "cp1", [1]], ids=repr)
def test_a_client_that_cannot_be_asked_is_told_what_is_missing(api: Api, xms_cc: object) -> None:
    """Without cp1 among its capabilities a client would not understand a challenge: 403, and what would help."""
    record = raised(api)
    before = state(api)

    answer = decide(api, "approve", record, token=token(api, claims={"xms_cc": xms_cc}))

    assert (answer.status, answer.error["code"]) == (403, "Forbidden")
    assert answer.error["innererror"] == {"code": "InsufficientClaims"}
    assert f"context {CONTEXT}" in answer.error["message"]
    assert HOME in answer.error["message"]
    assert "cp1" in answer.error["hint"]
    assert "www-authenticate" not in answer.headers
    assert state(api) == before


def test_nothing_but_decisions_asks_for_it(api: Api) -> None:
    """Reading, raising, withdrawing, closing and saying who one is take no step-up."""
    plain = token(api, claims=CAN_BE_ASKED)
    posting: dict[str, Any] = {"token": plain, "headers": {"Idempotency-Key": new_key()}}
    asking = {**ASKING, "supportRequestId": new_ticket()}
    record = api.ask("POST", REQUESTS, json_body=asking, **posting).json
    answers = [
        api.ask("GET", path, token=plain)
        for path in (
            REQUESTS,
            f"{REQUESTS}/{record['id']}",
            "/v1/me",
            "/v1/audit-events",
            "/v1/audit-events/checkpoint",
        )
    ]
    answers.append(decide(api, "withdraw", record, token=plain))
    close = f"/v1/support-requests/{asking['supportRequestId']}/close"
    answers.append(api.ask("POST", close, token=plain, headers={"Idempotency-Key": new_key()}))

    assert [answer.status for answer in answers] == [200] * len(answers)


def test_an_application_that_may_decide_needs_none(api: Api) -> None:
    """No application can meet a context: the operator who lets one decide has said so by its client ID."""
    robot = api.issuer.token(app_only=True, oid=ROBOT, sub=ROBOT, azp=DECIDING_ROBOT, roles=sorted(Permission))

    assert decide(api, "approve", raised(api), token=robot).status == 200


def test_who_may_not_decide_is_told_that_and_not_to_sign_in_again(api: Api) -> None:
    """A new sign-in would not help those who lack the role."""
    answer = decide(
        api, "approve", raised(api), token=api.issuer.token(roles=["AccessRequests.Read"], claims=CAN_BE_ASKED)
    )

    assert (answer.status, answer.error["code"]) == (403, "Forbidden")
    assert "innererror" not in answer.error


def test_a_foreign_record_and_none_are_asked_alike(api: Api) -> None:
    """The challenge comes before the record is looked for, so it tells nothing of what is there."""
    plain = token(api, claims=CAN_BE_ASKED)
    own, foreign = raised(api), raised(api, FOREIGN)
    told = [
        decide(api, "approve", record, token=plain)
        for record in (own, foreign, {"id": "nowhere", "etag": own["etag"]}, {**own, "etag": '"stale"'})
    ]

    assert len({(answer.status, answer.body, answer.headers["www-authenticate"]) for answer in told}) == 1


class TestIdempotency:
    """The challenge is no answer to the act: its key is still unused, and what was answered before stays."""

    def test_the_same_key_does_it_after_the_sign_in(self, api: Api) -> None:
        """Asked for a sign-in, a client sends the same request with the new token, and it is done once."""
        record, key = raised(api), new_key()
        asked = [decide(api, "approve", record, key=key, token=token(api, claims=CAN_BE_ASKED)) for _ in range(2)]
        done = [decide(api, "approve", record, key=key, token=token(api, claims=MET)) for _ in range(2)]

        assert [answer.status for answer in asked] == [401, 401]
        assert [answer.status for answer in done] == [200, 200]
        assert done[0].body == done[1].body

    def test_what_was_done_is_replayed_to_who_meets_it_again(self, api: Api) -> None:
        """A renewed token that lost the context is asked for it, and then told what the key stands for."""
        record, key = raised(api), new_key()
        first = decide(api, "approve", record, key=key, token=token(api, claims=MET))
        before = state(api)

        assert decide(api, "approve", record, key=key, token=token(api, claims=CAN_BE_ASKED)).status == 401
        assert decide(api, "approve", record, key=key, token=token(api, claims=MET)).body == first.body
        assert state(api) == before


class TestTwoTenants:
    """Each tenant has policies of its own, so each of the two tokens of an approval has to meet the context."""

    def test_the_token_of_the_resource_tenant_is_asked_for_it(self, api: Api) -> None:
        """The answer says whose token it is, in realm and body, and nothing is approved."""
        record = raised(api, resourceTenantId=RESOURCE)
        theirs = token(api, RESOURCE, claims=CAN_BE_ASKED)
        answer = decide(api, "approve", record, also=theirs, token=token(api, claims=MET))

        assert (answer.status, answer.error["resourceTenantId"]) == (401, RESOURCE)
        assert challenge(answer)["realm"] == RESOURCE
        assert f"/{RESOURCE}/" in challenge(answer)["authorization_uri"]
        done = decide(api, "approve", record, also=token(api, RESOURCE, claims=MET), token=token(api, claims=MET))
        assert done.status == 200

    def test_one_that_cannot_be_asked_is_named_too(self, api: Api) -> None:
        """Without cp1 the answer is 403, with the tenant."""
        record = raised(api, resourceTenantId=RESOURCE)
        answer = decide(api, "approve", record, also=token(api, RESOURCE), token=token(api, claims=MET))

        assert (answer.status, answer.error["resourceTenantId"]) == (403, RESOURCE)
        assert answer.error["innererror"] == {"code": "InsufficientClaims"}

    def test_the_own_token_comes_first(self, api: Api) -> None:
        """Where both lack it, the caller's own tenant is asked about."""
        record = raised(api, resourceTenantId=RESOURCE)
        both = [token(api, tenant, claims=CAN_BE_ASKED) for tenant in (HOME, RESOURCE)]

        assert challenge(decide(api, "approve", record, also=both[1], token=both[0]))["realm"] == HOME

    def test_one_without_the_permission_is_told_that(self, api: Api) -> None:
        """A token of the resource tenant that does not allow to decide is not asked for more."""
        record = raised(api, resourceTenantId=RESOURCE)
        useless = api.issuer.token(RESOURCE, roles=["AccessRequests.Read"], claims=CAN_BE_ASKED)
        answer = decide(api, "approve", record, also=useless, token=token(api, claims=MET))

        assert (answer.status, "AccessRequests.Decide" in answer.error["hint"]) == (403, True)
        assert "innererror" not in answer.error


def test_it_is_counted_apart(api: Api) -> None:
    """The metrics tell a step-up from a token that proves nobody."""
    before = counted(api)
    decide(api, "approve", raised(api), token=token(api, claims=CAN_BE_ASKED))
    decide(api, "approve", raised(api), token=token(api))

    assert counted(api) == before + 2


def test_the_log_says_why(api: Api, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    """The line of a request has the reason of a refused token, which for a step-up is one of its own."""
    caplog.set_level(logging.INFO, "supportaccess")
    decide(api, "approve", raised(api), token=token(api, claims=CAN_BE_ASKED))
    api.ask("GET", REQUESTS, token=token(api, exp=1))

    written: list[str] = []

    def all_are_written() -> bool:  # a line comes after its answer
        written.append(capfd.readouterr().err)
        return "".join(written).count("\n") == 3

    until(all_are_written)
    lines = [json.loads(line) for line in "".join(written).splitlines()]
    assert [(line["status"], line.get("reason")) for line in lines] == [
        (201, None),
        (401, "auth_context"),
        (401, "expired"),
    ]


def counted(api: Api) -> int:
    """Return how many decisions lacked the context, as the metrics have it."""
    page = api.ask("GET", "/metrics", token=None).body.decode()
    found = re.search(r'supportaccess_tokens_refused_total\{reason="auth_context"\} (\d+)', page)
    return int(found[1]) if found else 0


def test_being_asked_does_not_use_up_what_refused_tokens_may(tmp_path: Path, issuer: Issuer) -> None:
    """People behind one address who are asked to sign in again do not lock each other out."""
    limits = msgspec.structs.replace(NO_LIMITS, refused_tokens_per_address=2)
    with running_api(tmp_path, issuer, limits=limits, auth_context=CONTEXT) as api:
        record = raised(api)
        told = [
            decide(api, "approve", record, token=token(api, claims=CAN_BE_ASKED, uti=f"uti{number}")).status
            for number in range(5)
        ]

    assert told == [401] * 5


def test_without_the_setting_nobody_is_asked(own_api: Api) -> None:
    """Where no context is set, decisions take none."""
    assert approved(own_api)["status"] == "approved"
