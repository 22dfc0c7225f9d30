"""Names that may grow: each is read and written as it is, within bounds."""

import copy
import pickle
from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace
from tests.support.people import START

from supportaccess.domain.audit import Activity
from supportaccess.domain.events import What
from supportaccess.domain.expiry import as_of, fall_due
from supportaccess.domain.records import (
    AccessRequest,
    ActorKind,
    Confidence,
    Side,
    Source,
    Status,
    canonical_json,
)
from supportaccess.structs import LONGEST_OPEN_NAME, OpenName
from supportaccess.tlog.verify import Verdict

KINDS: list[type[OpenName]] = [Status, Source, Activity, What, Confidence, ActorKind, Verdict]


def test_these_names_may_grow() -> None:
    """The names that a later version may have more of are these."""
    assert set(OpenName.__subclasses__()) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["newer", "PENDING", "\u202e\x1b[2J", "\u00fc" * LONGEST_OPEN_NAME])
def test_an_unknown_name_stays_as_it_is(kind: type[OpenName], text: str) -> None:
    """It is encoded as it came, equal to itself wherever it was read, and no member comes of it."""
    data = msgspec.json.encode(text)
    name, again = (msgspec.json.decode(data, type=kind) for _ in range(2))

    assert msgspec.json.encode(name) == data
    assert canonical_json([name]) == b"[" + data + b"]"
    assert str(name) == f"{name}" == name.value == text
    assert name == again
    assert {name} == {again}
    assert not name.is_known
    assert name not in list(kind)
    assert pickle.loads(pickle.dumps(name)) == copy.deepcopy(name) == name  # noqa: S301 - of our own making


@pytest.mark.parametrize("kind", KINDS)
def test_known_names_are_the_members(kind: type[OpenName]) -> None:
    """What is known is read as its one member."""
    for name in kind:
        assert msgspec.json.decode(msgspec.json.encode(name), type=kind) is name
        assert name.is_known


@pytest.mark.parametrize("data", [b'""', b"1", b"null", b'"' + b"x" * (LONGEST_OPEN_NAME + 1) + b'"'])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_name(kind: type[OpenName], data: bytes) -> None:
    """A name is a text of 1 to 128 characters."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(data, type=kind)


def test_an_unknown_status_is_open_access_for_rules() -> None:
    """For rules a status is itself; one that is unknown is open access."""
    assert [status.counts_as for status in Status] == list(Status)
    assert Status("suspended").counts_as is Status.APPROVED


def test_the_clock_does_nothing_to_an_unknown_status() -> None:
    """Neither a deadline nor a limit ends what nobody knows the meaning of."""
    record = AccessRequest(
        id="1",
        status=Status("suspended"),
        source=Source.STORE,
        side=Side.BOTH,
        support_request_tenant_id="t",
        scope="s",
        access_level="read",
        created_at=START,
        decide_by=START,
        expires_at=START,
        updated_at=START,
    )
    assert as_of(record, START + timedelta(days=1)) is record
    assert fall_due(record, START + timedelta(days=1)) is None
    assert as_of(replace(record, status=Status.APPROVED), START).status is Status.EXPIRED
