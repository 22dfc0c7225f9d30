"""Each form of export is recognised and tells the same of an event."""

import json

import pytest
from tests.sources.builders import (
    CORRELATION_ID,
    OTHER_TENANT,
    REQUEST_ID,
    TENANT,
    cells,
    event,
    export,
    line,
    lines,
    page,
    query_answer,
    read,
    refusal,
    row,
    table,
    unrelated,
)

from supportaccess.domain.records import Actor, ActorKind
from supportaccess.sources.entra.export import Format

EXPORTS = [
    pytest.param(Format.GRAPH, page(event()), id="page"),
    pytest.param(Format.GRAPH, json.dumps([event()], indent=2).encode(), id="array"),
    pytest.param(Format.GRAPH, lines(event()), id="lines"),
    pytest.param(Format.LOG_ANALYTICS, page(row()), id="rows in a page"),
    pytest.param(Format.LOG_ANALYTICS, json.dumps([row()]).encode(), id="rows"),
    pytest.param(Format.LOG_ANALYTICS, query_answer(row()), id="query API"),
    pytest.param(Format.AZURE_MONITOR, lines(line()), id="storage"),
    pytest.param(Format.AZURE_MONITOR, json.dumps({"records": [line()]}).encode(), id="event hub"),
    pytest.param(Format.PORTAL_CSV, table(cells()), id="CSV"),
]


@pytest.mark.parametrize(("form", "data"), EXPORTS)
def test_every_form_tells_the_same(form: Format, data: bytes) -> None:
    """An event reads the same from each form of export, which is recognised by its content."""
    source = export(data)
    (found,) = list(source)
    assert source.format is form
    assert (source.events, source.unrelated, source.bytes_read) == (1, 0, len(data))
    assert found.format == form.value
    assert found.recognised
    assert found.tenant_id == TENANT
    assert found.activity == "Request approved"
    assert found.time.isoformat() == "2026-05-01T12:34:56.123456+00:00"
    assert found.correlation_id == CORRELATION_ID
    assert found.target_ids == (REQUEST_ID,)
    assert found.support_request_id == "2605010040001234"
    assert found.initiator == Actor(kind=ActorKind.USER, tenant_id=TENANT, object_id="user-1", display_name="Ada Admin")
    assert found.id_derived is (form is Format.PORTAL_CSV)
    assert found.id.startswith("derived:") is found.id_derived


@pytest.mark.parametrize(("form", "data"), EXPORTS)
def test_a_form_can_be_asked_for(form: Format, data: bytes) -> None:
    """The right form can be named and any wrong one is refused with what the file looks like."""
    assert len(read(data, form)) == 1
    for other in set(Format) - {form}:
        assert "looks like" in refusal(data, other).message


def test_raw_is_the_text_of_the_file() -> None:
    """An event keeps its own text exactly, spacing and escapes included."""
    text = json.dumps(event(resultReason="caf\u00e9 \U0001f600"), indent=3).replace("/", "\\/")
    (found,) = read(f"[\n {text} ,{json.dumps(unrelated())}]".encode())
    assert found.raw == text
    (found,) = read(table(cells(ResultReason='two\nlines, "quoted"')))
    assert found.raw in table(cells(ResultReason='two\nlines, "quoted"')).decode()
    assert found.raw.startswith("2026-05-01T12:34:56.1234567+00:00,")
    (found,) = read(query_answer(row()))
    assert json.loads(found.raw) == row()


def test_dynamic_columns_as_json_text() -> None:
    """Log Analytics rows may hold their dynamic columns as JSON text."""
    dynamic = {name: json.dumps(row()[name]) for name in ("InitiatedBy", "TargetResources", "AdditionalDetails")}
    (as_text,), (as_json,) = read(page(row(**dynamic))), read(page(row()))
    assert as_text.initiator == as_json.initiator
    assert as_text.target_ids == as_json.target_ids
    assert as_text.support_request_id == as_json.support_request_id
    assert "has text as its targetResources that is not JSON" in refusal(page(row(TargetResources="[{"))).message


def test_log_analytics_without_its_own_columns() -> None:
    """TimeGenerated and OperationName stand in for columns that a query left out."""
    short = row(TimeGenerated="2026-05-01 12:34:56.5")
    for name in ("ActivityDateTime", "ActivityDisplayName", "Id"):
        del short[name]
    (found,) = read(page(short))
    assert found.time.isoformat() == "2026-05-01T12:34:56.500000+00:00"
    assert found.activity == "Request approved"
    assert found.id_derived


def test_azure_monitor_fills_in_from_the_wrapper() -> None:
    """Time, activity and correlation ID are taken from the line where the wrapped event lacks them."""
    bare = event()
    for name in ("activityDateTime", "activityDisplayName", "correlationId"):
        del bare[name]
    (found,) = read(lines(line(properties=bare, correlationId=CORRELATION_ID)))
    assert (found.activity, found.correlation_id) == ("Request approved", CORRELATION_ID)


def test_other_logs_of_azure_monitor_are_unrelated() -> None:
    """Lines of other logs in the same file are counted and left."""
    source = export(lines(line(category="SignInLogs", properties={}), line()))
    assert len(list(source)) == 1
    assert (source.events, source.unrelated) == (2, 1)


def test_names_in_another_case() -> None:
    """Field names are compared without case, as the PowerShell module of Graph writes them."""
    capital = {name[0].upper() + name[1:]: value for name, value in event().items()}
    capital["InitiatedBy"] = {"User": {"Id": "user-1"}, "App": {}}
    capital["TargetResources"] = [{"Id": REQUEST_ID, "Type": "Other"}]
    source = export(page(capital))
    (found,) = list(source)
    assert source.format is Format.GRAPH
    assert found.initiator is not None
    assert found.target_ids == (REQUEST_ID,)
    assert len(read(page(capital), Format.LOG_ANALYTICS)) == 1


@pytest.mark.parametrize("data", [b"[]", b'{"value": []}', b' {"records":[]}\n', b'{"tables":[]}'])
def test_nothing_happened(data: bytes) -> None:
    """An export without events is a good export."""
    source = export(data)
    assert list(source) == []
    assert (source.events, source.format) == (0, None)


@pytest.mark.parametrize("data", [b"", b" \n\t", b"\xef\xbb\xbf\n"])
def test_nothing_at_all(data: bytes) -> None:
    """An empty file is refused."""
    assert "has nothing in it" in refusal(data).message


def test_more_pages() -> None:
    """A page that names a next one says so, and pages one after another are read as one."""
    source = export(page(event(), **{"@odata.nextLink": "https://graph.example/next"}))
    list(source)
    assert source.more_pages
    first, last = page(event(), **{"@odata.nextLink": "x"}), page(event(id="b"), **{"@odata.count": 1})
    source = export(first + b"\n" + last)
    assert [found.id for found in source] == ["Directory_1_A_1", "b"]
    assert not source.more_pages


def test_members_around_the_events() -> None:
    """The object around the events may have other members before and after them."""
    data = b'{"a": {"b": [1]}, "value": [%s], "c": null}' % json.dumps(event()).encode()
    assert len(read(data)) == 1


@pytest.mark.parametrize(
    "data",
    [
        b'{"error": {"code": "Throttled", "message": "too many\\u001b[2J"}}',
        b'{"value": [%s, {"error": {"code": "Throttled", "message": "x"}}]}' % json.dumps(event()).encode(),
        b'{"value": [], "error": {"code": "Throttled"}}',
        b'{"error": "Throttled", "value": []}',
    ],
)
def test_an_error_of_graph(data: bytes) -> None:
    """An error that Graph put in place of events is refused and quoted."""
    message = refusal(data).message
    assert "Throttled" in message
    assert message.isprintable()


@pytest.mark.parametrize(
    "data",
    [
        page(row(AADTenantId=OTHER_TENANT)),
        page(row(ResourceId=f"/tenants/{OTHER_TENANT}/providers/Microsoft.aadiam")),
        lines(line(tenantId=OTHER_TENANT)),
        lines(line(resourceId=f"/TENANTS/{OTHER_TENANT.upper()}/providers/x")),
        lines(line(), line(category="SignInLogs", tenantId=OTHER_TENANT)),
    ],
)
def test_another_tenants_export(data: bytes) -> None:
    """Rows of another tenant are refused, with both named."""
    error = refusal(data)
    assert OTHER_TENANT in error.message.lower()
    assert TENANT in error.message
    assert f"--tenant {OTHER_TENANT}" in (error.hint or "")


def test_a_tenant_in_capitals() -> None:
    """The tenant's own ID may be written in capitals."""
    assert len(read(page(row(AADTenantId=TENANT.upper())))) == 1


@pytest.mark.parametrize("item", [{"a": 1}, {"value": {}}, 7, "x", None, [event()]])
def test_items_that_are_no_events(item: object) -> None:
    """What is not an event is refused with its place in the file."""
    assert refusal(page(event(), item)).message.startswith("audit.json: item 2 (line 1) ")


def test_forms_are_not_mixed() -> None:
    """A file in two forms is refused."""
    assert "looks like log-analytics" in refusal(page(event(), row())).message


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"tables":[{"rows":[[1]],"columns":[{"name":"Id"}]}]}', "before its columns"),
        (b'{"tables":[{"columns":[{"name":"Id"}],"rows":[[1,2]]}]}', "item 1 (line 1) has 2 cells for 1 columns"),
        (b'{"tables":[{"columns":[{"name":"Id"},{"name":"Id"}],"rows":[]}]}', "not named"),
        (b'{"tables":[{"columns":["Id"],"rows":[]}]}', "not named"),
        (b'{"tables":[{"columns":[{"name":"Id"}],"rows":[{}]}]}', "not a row"),
    ],
)
def test_broken_tables(data: bytes, says: str) -> None:
    """A table whose rows cannot be told is refused."""
    assert says in refusal(data).message
