from datetime import UTC, datetime

import msgspec
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from supportaccess.domain.audit import Activity, AuditEntry, encode_entry
from supportaccess.domain.records import (
    AccessRequest,
    Actor,
    ActorKind,
    Confidence,
    Engineer,
    Mirror,
    Side,
    Source,
    Status,
    canonical_json,
    record_hash,
    with_etag,
)

# Whatever can be stored: control characters, quotes, characters beyond the first plane; no lone surrogates.
texts = st.text(max_size=12) | st.text(st.characters(max_codepoint=0x9F), max_size=12)
some_text = st.none() | texts
moments = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))
some_moment = st.none() | moments
actors = st.builds(
    Actor, kind=st.sampled_from(ActorKind), tenant_id=some_text, object_id=some_text, display_name=some_text
)
records = st.builds(
    AccessRequest,
    id=texts,
    support_request_id=some_text,
    title=some_text,
    status=st.sampled_from(Status),
    source=st.sampled_from(Source),
    side=st.sampled_from(Side),
    support_request_tenant_id=some_text,
    resource_tenant_id=some_text,
    scope=texts,
    access_level=texts,
    engineer=st.none() | st.builds(Engineer, id=some_text, display_name=some_text),
    reason=some_text,
    created_at=some_moment,
    requested_seconds=st.none() | st.integers(1, 3650 * 86400),
    decided_by=st.none() | actors,
    expires_at=some_moment,
    updated_at=moments,
    etag=texts,
    mirror=st.none()
    | st.builds(
        Mirror,
        confidence=st.sampled_from(Confidence),
        events=st.integers(0, 10**6),
        inferred=st.lists(texts, max_size=3).map(tuple),
        joined_by=some_text,
        unplaced=st.integers(0, 10),
    ),
)
entries = st.builds(
    AuditEntry,
    format_version=st.just(1),
    sequence=st.integers(0, 2**53 - 1),
    time=moments,
    tenant_id=texts,
    activity=st.sampled_from(Activity),
    actor=actors,
    reason=some_text,
    expires_at=some_moment,
    details=st.none()
    | st.dictionaries(
        st.text(st.characters(codec="ascii"), max_size=6), texts | st.integers(-(2**53) + 1, 2**53 - 1), max_size=4
    ),
)


def independently(value: object) -> bytes:
    encoded = rfc8785.dumps(msgspec.to_builtins(value))
    assert isinstance(encoded, bytes)
    return encoded


@given(records)
def test_a_record_is_encoded_as_rfc_8785_has_it(record: AccessRequest) -> None:
    """Any record's canonical JSON is, byte for byte, what an independent RFC 8785 encoder makes of it."""
    assert independently(record) == canonical_json(record)


@given(entries)
def test_an_entry_is_encoded_as_rfc_8785_has_it(entry: AuditEntry) -> None:
    """Any audit entry's bytes are, byte for byte, what an independent RFC 8785 encoder makes of it."""
    assert independently(entry) == encode_entry(entry)


@given(records)
def test_a_record_is_read_back_from_its_json(record: AccessRequest) -> None:
    """A record survives being encoded and decoded."""
    assert record == msgspec.json.decode(canonical_json(record), type=AccessRequest)


@given(records)
def test_an_etag_is_the_hash_of_all_the_other_fields(record: AccessRequest) -> None:
    """The entity tag does not depend on the tag that was there, and changes with any other field."""
    tagged = with_etag(record)

    assert f'"{record_hash(record)}"' == tagged.etag
    assert tagged == with_etag(tagged)
    assert tagged.etag != with_etag(msgspec.structs.replace(record, id=record.id + "x")).etag
    assert tagged.etag != with_etag(msgspec.structs.replace(record, end_reason="x")).etag
