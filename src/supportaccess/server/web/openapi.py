"""The description of the API (OpenAPI 3.1), made from the routes' own signatures and the structs that they read.

Its examples are made of the structs too, so that they cannot go wrong.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from inspect import getdoc
from typing import Any

import msgspec

import supportaccess
from supportaccess.domain.audit import Activity
from supportaccess.domain.records import AccessRequest, Actor, ActorKind, Source
from supportaccess.domain.source_events import SourceEvent
from supportaccess.server.web.errors import STATUSES
from supportaccess.server.web.replies import JSON, Reply
from supportaccess.server.web.routing import Operation
from supportaccess.store.wire import (
    AUXILIARY_HEADER,
    ERROR_CODE_HEADER,
    REQUEST_ID_HEADER,
    ApproveBody,
    Body,
    CloseBody,
    EngineerBody,
    ErrorBody,
    ImportHead,
    LimitBody,
    RaiseBody,
    ReasonBody,
    RejectBody,
)
from supportaccess.structs import LONGEST_OPEN_NAME, OpenName, Struct

_Json = dict[str, Any]

_REF = "#/components/schemas/{name}"
_ALWAYS = ("InvalidInput", "RequestTimeout", "UriTooLong", "Failed")
_SIGNED_IN = ("NotSignedIn", "Forbidden", "TooManyRequests", "StoreUnavailable", "OutcomeUnknown", "StoreRefused")
_WITH_BODY = ("PayloadTooLarge", "UnsupportedMediaType", "StoreFull")
_DESCRIPTION = """\
Lists answer `{"value": [...], "nextLink": "..."}`; `nextLink` is absent on the last page, and is followed as it is.
A record's `etag` goes back in `If-Match` with a decision: what was shown is what is decided.
Every POST carries an `Idempotency-Key`: sent again with the same key and content it answers as it did, and changes
nothing. What belongs to another tenant does not exist: 404. More in docs/rest.md."""
_HEADER_SCHEMAS: Mapping[str, _Json] = {
    REQUEST_ID_HEADER: {"type": "string", "format": "uuid"},
    ERROR_CODE_HEADER: {"type": "string", "enum": sorted(STATUSES)},
    "etag": {"type": "string", "pattern": '^"[!#-~]+"$'},
    "location": {"type": "string", "format": "uri"},
    "retry-after": {"type": "integer", "minimum": 1},
    "www-authenticate": {"type": "string"},
}
_OPEN_NAMES = frozenset(kind.__name__ for kind in OpenName.__subclasses__())
_TAKEN_FROM = {"request_id": "$response.body#/id", "support_request_id": "$response.body#/supportRequestId"}
_HEADERS_OF_STATUS: Mapping[int, tuple[str, ...]] = {
    HTTPStatus.UNAUTHORIZED: ("www-authenticate",),
    HTTPStatus.TOO_MANY_REQUESTS: ("retry-after",),
    HTTPStatus.SERVICE_UNAVAILABLE: ("retry-after",),
}

_TENANT = "8d3fc0a1-5a52-4c6e-9c0e-3f5b0a6d2e71"
_NUMBER = "2603010050001234"
_BODIES: tuple[Body, ...] = (
    RaiseBody(
        support_request_id=_NUMBER,
        engineer=EngineerBody(display_name="Erin Engineer", id="erin@provider.example"),
        reason="Sign-in fails for guests",
        title="Guest sign-in",
        requested_seconds=8 * 3600,
    ),
    ApproveBody(reason="agreed on the phone", limit=LimitBody(seconds=4 * 3600)),
    RejectBody(reason="the ticket was solved without it"),
    ReasonBody(reason="no longer needed"),
    CloseBody(),
)
_EVENT = SourceEvent(
    source=Source.ENTRA,
    tenant_id=_TENANT,
    id="Directory_3b1f",
    time=datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
    activity=Activity.REQUEST_CREATED,
    recognised=True,
    format="graph",
    raw='{"id": "Directory_3b1f"}',
    initiator=Actor(kind=ActorKind.APPLICATION, display_name="Microsoft Support"),
    support_request_id=_NUMBER,
)
_IMPORT_EXAMPLE = "\n".join(
    msgspec.json.encode(line).decode() for line in (ImportHead(details={"file": "AuditLogs_2026-03-01.json"}), _EVENT)
)


def document(operations: Sequence[Operation]) -> _Json:
    """Return the document. A client of another language can be generated from it."""
    schemas = _schemas(operations)
    paths: dict[str, _Json] = {}
    for operation in operations:
        told = _operation(operation, schemas)
        if operation.method == "POST" and operation.answer is AccessRequest:
            told["responses"][str(int(operation.status))]["links"] = dict(_links(operations))
        paths.setdefault(_camel_path(operation), {})[operation.method.lower()] = told
    queries = {operation.query.__name__ for operation in operations if operation.query}
    return {
        "openapi": "3.1.0",
        "info": {"title": "supportaccess", "version": supportaccess.__version__, "description": _DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": {name: _as_answered(schemas[name]) for name in sorted(schemas) if name not in queries},
            "headers": {name: {"required": True, "schema": schema} for name, schema in _HEADER_SCHEMAS.items()},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def codes_of(operation: Operation) -> Sequence[str]:
    """Return the codes of every error that an operation can be answered with."""
    codes = [*_ALWAYS, *operation.refusals]
    if operation.signed_in:
        codes += _SIGNED_IN
    if operation.limited:
        codes.append("TooManyRequests")
    if operation.method == "POST":
        codes += [*_WITH_BODY, "IdempotencyKeyReused"]
    if "etag" in operation.hints:
        codes += ["Stale", "PreconditionRequired"]
    if operation.method == "GET" and operation.answer is AccessRequest:
        codes.append("Stale")
    if operation.path_names:
        codes.append("NotFound")
    return [code for code in STATUSES if code in codes]


def _schemas(operations: Iterable[Operation]) -> dict[str, _Json]:
    kinds: list[Any] = [ErrorBody]
    for operation in operations:
        kinds += [kind for kind in (operation.query, operation.body, operation.answer) if kind]
    kinds = [kind for kind in kinds if kind is not Reply]
    return msgspec.json.schema_components(kinds, ref_template=_REF)[1]


def _operation(operation: Operation, schemas: Mapping[str, _Json]) -> _Json:
    told: _Json = {
        "operationId": _operation_id(operation),
        "tags": [_tag(operation)],
        "summary": operation.summary,
        "description": _description(operation),
        "parameters": list(_parameters(operation, schemas)),
        "responses": _responses(operation),
        "security": [{"bearer": []}] if operation.signed_in else [],
    }
    if operation.body is not None or operation.takes != JSON:
        told["requestBody"] = _request_body(operation)
    return told


def _description(operation: Operation) -> str:
    needs = f"\n\nNeeds the permission `{operation.permission}`." if operation.permission else ""
    return f"{getdoc(operation.run)}{needs}"


def _parameters(operation: Operation, schemas: Mapping[str, _Json]) -> Iterable[_Json]:
    for name in operation.path_names:
        yield _parameter("path", _camel(name), {"type": "string", "minLength": 1})
    if operation.query is not None:
        yield from _query_parameters(operation.query, schemas)
    if "key" in operation.hints:
        yield _parameter("header", "Idempotency-Key", {"type": "string", "pattern": "^[!-~]([ -~]{0,126}[!-~])?$"})
    if "etag" in operation.hints:
        yield _parameter("header", "If-Match", {"type": "string", "pattern": '^"[!#-~]*"$'})
    if operation.takes_other_tokens:
        schema = {"type": "string", "description": "Tokens of other tenants: `Bearer TOKEN`, comma-separated."}
        yield _parameter("header", AUXILIARY_HEADER, schema, required=False)
    if operation.answer is AccessRequest and operation.method == "GET":
        yield _parameter("header", "If-None-Match", {"type": "string"}, required=False)


def _query_parameters(query: type[Struct], schemas: Mapping[str, _Json]) -> Iterable[_Json]:
    described = schemas[query.__name__]
    required = described.get("required", [])
    for name, schema in described["properties"].items():
        yield _parameter("query", name, _closed(_as_sent(schema), schemas), required=name in required)


def _as_sent(schema: _Json) -> _Json:
    """Return the schema of a parameter: what is not given is left out, without a null; a value may be repeated."""
    kinds: list[_Json] = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    return kinds[0] if kinds else {name: value for name, value in schema.items() if name != "uniqueItems"}


def _as_answered(schema: _Json) -> _Json:
    """Return the schema of what is answered: a later version may have more of the names that may grow."""
    if schema["title"] not in _OPEN_NAMES:
        return schema
    open_ = {"type": "string", "minLength": 1, "maxLength": LONGEST_OPEN_NAME}
    told = {name: value for name, value in schema.items() if name != "enum"}
    return {**told, "anyOf": [{"enum": schema["enum"]}, open_]}


def _closed(schema: _Json, schemas: Mapping[str, _Json]) -> _Json:
    """Return the schema of a parameter with the names that this version knows: no other is taken."""
    name = schema.get("items", {}).get("$ref", "").rpartition("/")[2]
    return {**schema, "items": schemas[name]} if name in _OPEN_NAMES else schema


def _parameter(place: str, name: str, schema: _Json, *, required: bool = True) -> _Json:
    return {"in": place, "name": name, "required": required, "schema": schema}


def _request_body(operation: Operation) -> _Json:
    if operation.body is None:
        content: _Json = {"schema": {"type": "string"}, "example": _IMPORT_EXAMPLE}
    else:
        content = {"schema": _ref(operation.body), "example": _example_of(operation.body)}
    return {"required": not operation.body_may_be_empty, "content": {operation.takes: content}}


def _responses(operation: Operation) -> _Json:
    answer: _Json = {"description": operation.summary, "headers": _header_refs(_success_headers(operation))}
    schema = {"type": "string"} if operation.answer is Reply else _ref(operation.answer)
    answer["content"] = {operation.media_type: {"schema": schema}}
    responses = {str(int(operation.status)): answer}
    if operation.answer is AccessRequest and operation.method == "GET":
        headers = _header_refs((REQUEST_ID_HEADER, "etag"))
        responses[str(int(HTTPStatus.NOT_MODIFIED))] = {"description": "Not modified", "headers": headers}
    codes: dict[HTTPStatus, list[str]] = {}
    for code in codes_of(operation):
        codes.setdefault(STATUSES[code], []).append(code)
    responses |= {str(int(status)): _refusal(status, named) for status, named in sorted(codes.items())}
    return responses


def _success_headers(operation: Operation) -> Sequence[str]:
    headers = [REQUEST_ID_HEADER]
    if operation.answer is AccessRequest:
        headers.append("etag")
    if operation.status == HTTPStatus.CREATED:
        headers.append("location")
    return headers


def _links(operations: Iterable[Operation]) -> Iterable[tuple[str, _Json]]:
    """Yield what can be done next with a record that was answered."""
    for operation in operations:
        if not set(operation.path_names) <= set(_TAKEN_FROM):
            continue
        parameters = {f"path.{_camel(name)}": _TAKEN_FROM[name] for name in operation.path_names}
        if "etag" in operation.hints:
            parameters["header.If-Match"] = "$response.body#/etag"
        if parameters:
            name = _operation_id(operation)
            yield name, {"operationId": name, "parameters": parameters}


def _refusal(status: HTTPStatus, codes: Sequence[str]) -> _Json:
    headers = (REQUEST_ID_HEADER, ERROR_CODE_HEADER, *_HEADERS_OF_STATUS.get(status, ()))
    return {
        "description": ", ".join(codes),
        "headers": _header_refs(headers),
        "content": {JSON: {"schema": _ref(ErrorBody)}},
    }


def _header_refs(names: Iterable[str]) -> _Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _ref(kind: Any) -> _Json:
    return {"$ref": _REF.format(name=kind.__name__)}


def _operation_id(operation: Operation) -> str:
    words = "".join(each for each in operation.summary if each.isalpha() or each == " ").lower().split()
    return words[0] + "".join(word.title() for word in words[1:])


def _tag(operation: Operation) -> str:
    return operation.run.__module__.rpartition(".")[2].replace("_", " ")


def _camel_path(operation: Operation) -> str:
    path = operation.path
    for name in operation.path_names:
        path = path.replace(name, _camel(name))
    return path


def _camel(name: str) -> str:
    first, *words = name.split("_")
    return first + "".join(word.title() for word in words)


def _example_of(kind: type) -> object:
    """Return an example of a body, as JSON has it."""
    return next(msgspec.to_builtins(body) for body in _BODIES if type(body) is kind)
