"""The page that shows the description of the API. It is one file that loads nothing: no script, no other host."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import msgspec

_Json = Mapping[str, Any]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 14px/1.45 ui-monospace, monospace; background: #8882; border-radius: 4px; }
code { padding: 0 .25em; } pre { padding: .75em; overflow-x: auto; }
section { border-top: 1px solid #8886; margin-top: 2rem; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .1rem 1rem .1rem 0; vertical-align: top; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #ddd; } a { color: #8bf; } }
"""


def page(document: _Json) -> bytes:
    """Return the page."""
    operations = [
        (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    schemas = document["components"]["schemas"]
    parts = [
        f"<h1>{escape(document['info']['title'])} {escape(document['info']['version'])}</h1>",
        f"<p>{escape(document['info']['description'])}</p>",
        '<p>For programs: <a href="openapi.json">openapi.json</a></p>',
        _contents(operations),
        *(_operation(name, operation) for name, operation in operations),
        *(_schema(name, schema) for name, schema in schemas.items()),
    ]
    head = f'<meta charset="utf-8"><title>supportaccess: REST API</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>'.encode()


def _contents(operations: Iterable[tuple[str, _Json]]) -> str:
    rows = (
        f'<tr><td><a href="#{escape(operation["operationId"])}"><code>{escape(name)}</code></a></td>'
        f"<td>{escape(operation['summary'])}</td></tr>"
        for name, operation in operations
    )
    return f"<table>{''.join(rows)}</table>"


def _operation(name: str, operation: _Json) -> str:
    return (
        f'<section id="{escape(operation["operationId"])}"><h2><code>{escape(name)}</code></h2>'
        f"<p>{escape(operation['description'])}</p>"
        f"{_parameters(operation['parameters'])}{_body(operation.get('requestBody'))}"
        f"{_responses(operation['responses'])}</section>"
    )


def _parameters(parameters: Iterable[_Json]) -> str:
    rows = [
        f"<tr><td><code>{escape(each['name'])}</code></td><td>{escape(each['in'])}</td>"
        f"<td>{'required' if each['required'] else ''}</td><td>{_shape(each['schema'])}</td></tr>"
        for each in parameters
    ]
    return f"<h3>Parameters</h3><table>{''.join(rows)}</table>" if rows else ""


def _body(body: _Json | None) -> str:
    if body is None:
        return ""
    needed = "" if body["required"] else " (may be left out)"
    told = (
        f"<p><code>{escape(kind)}</code>: {_shape(content['schema'])}</p><pre>{_example(content['example'])}</pre>"
        for kind, content in body["content"].items()
    )
    return f"<h3>Body{needed}</h3>{''.join(told)}"


def _responses(responses: _Json) -> str:
    rows = (
        f"<tr><td>{escape(status)}</td><td>{escape(each['description'])}</td><td>{_content(each)}</td></tr>"
        for status, each in responses.items()
    )
    return f"<h3>Answers</h3><table>{''.join(rows)}</table>"


def _content(response: _Json) -> str:
    return ", ".join(_shape(content["schema"]) for content in response.get("content", {}).values())


def _schema(name: str, schema: _Json) -> str:
    return f'<section id="{escape(name)}"><h2>{escape(name)}</h2><pre>{_example(schema)}</pre></section>'


def _shape(schema: _Json) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    return f"<code>{escape(msgspec.json.encode(schema).decode())}</code>"


def _example(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.format(msgspec.json.encode(value)).decode()
    return escape(text)
