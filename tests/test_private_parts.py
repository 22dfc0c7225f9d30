"""Parts of others' code that this program builds on without their promise to keep them.

Each distribution here has an upper bound in pyproject.toml. Before that is raised, its rows are compared with the
new version.
"""

import ast
import inspect
import re
import tomllib
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from supportaccess.signin.cache_reader import held
from supportaccess.signin.registration import Registration

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "supportaccess"
ITSELF = "Python"  # which has no upper bound: its http.client is watched by this test alone


class Part(NamedTuple):
    """`where` is MODULE:NAME.NAME, `users` who uses it; the rest is what must be true of it.

    `takes` are all its parameters, of what is overridden, and `accepts` some of them, of what is called; `keeps` are
    the attributes that its instances have.
    """

    distribution: str
    where: str
    user: str
    takes: str | None = None
    accepts: str = ""
    keeps: str = ""


_HTTPTOOLS = "uvicorn.protocols.http.httptools_impl"
_TIMEOUTS, _HANDSHAKES, _SERVE = "server/process/timeouts.py", "server/process/handshakes.py", "server/process/serve.py"
_GROUP, _RENEWAL, _PLACES = "cli/app/group.py", "signin/renewal.py", "signin/token_storage.py"
_CONNECTIONS, _DEADLINES, _SESSION = "http/connections.py", "http/deadlines.py", "http/session.py"

PARTS = (
    Part(
        "uvicorn",
        f"{_HTTPTOOLS}:HttpToolsProtocol",
        _TIMEOUTS,
        takes="config, server_state, app_state, _loop",
        keeps="app, connections, cycle, loop, transport",
    ),
    Part("uvicorn", f"{_HTTPTOOLS}:HttpToolsProtocol.connection_made", _TIMEOUTS, takes="self, transport"),
    Part("uvicorn", f"{_HTTPTOOLS}:HttpToolsProtocol.connection_lost", _TIMEOUTS, takes="self, exc"),
    Part("uvicorn", f"{_HTTPTOOLS}:HttpToolsProtocol.data_received", _TIMEOUTS, takes="self, data"),
    Part("uvicorn", f"{_HTTPTOOLS}:HttpToolsProtocol.on_message_begin", _TIMEOUTS, takes="self"),
    Part("uvicorn", f"{_HTTPTOOLS}:HttpToolsProtocol.on_headers_complete", _TIMEOUTS, takes="self"),
    Part("uvicorn", f"{_HTTPTOOLS}:HttpToolsProtocol.on_body", _TIMEOUTS, takes="self, body"),
    Part("uvicorn", f"{_HTTPTOOLS}:HttpToolsProtocol.on_message_complete", _TIMEOUTS, takes="self"),
    Part("uvicorn", f"{_HTTPTOOLS}:HttpToolsProtocol.pause_writing", _TIMEOUTS, takes="self"),
    Part("uvicorn", f"{_HTTPTOOLS}:HttpToolsProtocol.resume_writing", _TIMEOUTS, takes="self"),
    Part("uvicorn", f"{_HTTPTOOLS}:HttpToolsProtocol.send_400_response", _TIMEOUTS, takes="self, msg"),
    Part("uvicorn", f"{_HTTPTOOLS}:HttpToolsProtocol._unsupported_upgrade_warning", _TIMEOUTS, takes="self"),
    Part("uvicorn", f"{_HTTPTOOLS}:HttpToolsProtocol.shutdown", _HANDSHAKES, takes="self"),
    Part("uvicorn", f"{_HTTPTOOLS}:RequestResponseCycle", _TIMEOUTS, keeps="response_started, response_complete"),
    Part("uvicorn", "uvicorn.server:ServerState", _HANDSHAKES, keeps="connections"),
    Part("uvicorn", "uvicorn.config:Config", _TIMEOUTS, accepts="app, http, ws", keeps="http"),
    Part("uvicorn", "uvicorn.config:Config.load", _HANDSHAKES, takes="self"),
    Part("uvicorn", "uvicorn.config:Config", _HANDSHAKES, keeps="http_protocol_class, ssl"),
    Part("uvicorn", "uvicorn.config:Config", _SERVE, accepts="timeout_worker_healthcheck", keeps="loaded"),
    Part("uvicorn", "uvicorn.config:STARTUP_FAILURE", _SERVE),
    Part("uvicorn", "uvicorn:Server", _SERVE, takes="config", keeps="should_exit"),
    Part("uvicorn", "uvicorn:Server.run", _SERVE, takes="self, sockets"),
    Part("uvicorn", "uvicorn.supervisors:Multiprocess", _SERVE, takes="config, sockets", keeps="processes, sockets"),
    Part("uvicorn", "uvicorn.supervisors:Multiprocess.keep_subprocess_alive", _SERVE, takes="self"),
    Part("uvicorn", "uvicorn.supervisors:Multiprocess.terminate_all", _SERVE, takes="self"),
    Part("uvicorn", "uvicorn.supervisors.multiprocess:Process", _SERVE, keeps="child_conn"),
    Part("uvicorn", "uvicorn.supervisors.multiprocess:Process.pid", _SERVE),
    Part("uvicorn", "uvicorn.supervisors.multiprocess:Process.exitcode", _SERVE),
    Part("litestar", "litestar:Response.to_asgi_response", "server/web/asgi.py", accepts="app, request"),
    Part("litestar", "litestar.handlers:HTTPRouteHandler", "server/web/asgi.py", accepts="path, http_method"),
    Part("psycopg", "psycopg.adapt:Transformer.as_literal", "store/sql/postgresql/engine.py"),
    Part("psycopg", "psycopg:Cursor.pgresult", "store/sql/postgresql/engine.py"),
    Part("psycopg", "psycopg:Connection", "store/sql/postgresql/engine.py", keeps="pgconn"),
    Part("psycopg", "psycopg.pq:PGconn.consume_input", "store/sql/postgresql/engine.py"),
    Part("pyjwt", "jwt.api_jws:PyJWS.decode", "server/identity/tokens.py", accepts="jwt, key, algorithms"),
    Part("urllib3", "urllib3.connection:HTTPConnection.send", _DEADLINES, takes="self, data"),
    Part("urllib3", "urllib3.connection:HTTPConnection._new_conn", _DEADLINES, takes="self"),
    Part("urllib3", "urllib3.connection:HTTPSConnection", _DEADLINES, keeps="sock, timeout"),
    Part("urllib3", "urllib3:HTTPConnectionPool.ConnectionCls", _CONNECTIONS),
    Part("urllib3", "urllib3:HTTPSConnectionPool.ConnectionCls", _CONNECTIONS),
    Part("urllib3", "urllib3:PoolManager", _CONNECTIONS, keeps="pool_classes_by_scheme"),
    Part(ITSELF, "http.client:HTTPResponse", _DEADLINES, accepts="sock", keeps="fp"),
    Part(ITSELF, "http.client:HTTPConnection.response_class", _DEADLINES),
    Part("requests", "requests:Session.send", _SESSION, takes="self, request, kwargs"),
    Part("requests", "requests:Session.get_redirect_target", _SESSION, takes="self, resp"),
    Part("requests", "requests:Session", _SESSION, keeps="trust_env, headers, cookies, adapters"),
    Part("requests", "requests.cookies:RequestsCookieJar.set_policy", _SESSION, takes="self, policy"),
    Part("requests", "requests.adapters:HTTPAdapter", _SESSION, keeps="poolmanager, proxy_manager"),
    Part("requests", "requests.adapters:HTTPAdapter.init_poolmanager", _SESSION, accepts="connections, maxsize"),
    Part("requests", "requests.adapters:HTTPAdapter.proxy_manager_for", _SESSION, accepts="proxy"),
    Part("requests", "requests.adapters:HTTPAdapter.send", _SESSION, accepts="request, stream"),
    Part("requests", "requests.adapters:HTTPAdapter.build_response", _SESSION, takes="self, req, resp"),
    Part("msal", "msal:TokenCache.search", _RENEWAL, accepts="credential_type, query"),
    Part("msal", "msal:TokenCache.CredentialType.ACCOUNT", _RENEWAL),
    Part("msal", "msal:SerializableTokenCache", _RENEWAL),
    Part("msal", "msal:SerializableTokenCache.has_state_changed", _RENEWAL),
    Part("msal", "msal:ClientApplication.acquire_token_silent_with_error", _RENEWAL, accepts="scopes, account"),
    Part("msal", "msal.managed_identity:get_managed_identity_source", "signin/methods/managed_identity.py", takes=""),
    Part("msal", "msal.managed_identity:DEFAULT_TO_VM", "signin/methods/managed_identity.py"),
    Part("msal", "msal.exceptions:MsalServiceError", "signin/msal_clients.py"),
    Part(
        "msal",
        "msal.oauth2cli:JwtAssertionCreator",
        "signin/methods/certificate.py",
        accepts="key, algorithm, headers, sha256_thumbprint",
    ),
    Part(
        "msal",
        "msal.oauth2cli:JwtAssertionCreator.create_normal_assertion",
        "signin/methods/certificate.py",
        accepts="audience, issuer",
    ),
    Part("msal-extensions", "msal_extensions.persistence:PersistenceNotFound", _PLACES),
    Part(
        "msal-extensions",
        "msal_extensions.persistence:KeychainPersistence",
        _PLACES,
        accepts="signal_location, service_name, account_name",
    ),
    Part(
        "msal-extensions",
        "msal_extensions.persistence:LibsecretPersistence",
        _PLACES,
        accepts="signal_location, schema_name, attributes, kwargs",
    ),
    Part("typer", "typer.core:TyperCommand", _GROUP),
    Part("typer", "typer.core:TyperGroup", _GROUP, accepts="name, no_args_is_help, rich_markup_mode, attrs"),
    Part("typer", "typer.core:TyperGroup.list_commands", _GROUP, takes="self, ctx"),
    Part("typer", "typer.core:TyperGroup.get_command", _GROUP, takes="self, ctx, cmd_name"),
    Part("typer", "typer.core:TyperGroup.resolve_command", _GROUP, takes="self, ctx, args"),
    Part("typer", "typer.core:TyperGroup.format_options", _GROUP, takes="self, ctx, formatter"),
    Part("typer", "typer.core:TyperGroup.format_epilog", _GROUP, takes="self, ctx, formatter"),
    Part("typer", "typer.core:TyperGroup.format_commands", _GROUP, takes="self, ctx, formatter"),
    Part("typer", "typer.core:TyperOption", _GROUP, accepts="param_decls, is_eager, expose_value, callback"),
    Part("typer", "typer._click.exceptions:NoArgsIsHelpError.format_message", "cli/main.py", takes="self"),
    Part("typer", "typer._click.exceptions:NoArgsIsHelpError", "cli/main.py"),
    Part("typer", "typer._click.exceptions:UsageError", "cli/main.py", keeps="ctx"),
    Part("rich", "rich.console:Console", "cli/output/tables.py", accepts="_environ"),
    Part("rich", "rich.cells:cell_len", "cli/output/tables.py", accepts="text"),
    Part("jmespath", "jmespath.exceptions:ParseError", "cli/output/query.py", keeps="lex_position"),
    Part("pyyaml", "yaml:SafeDumper.ignore_aliases", "cli/output/formats/yaml.py", takes="self, data"),
    Part("hypothesis", "hypothesis.internal.conjecture.providers:_get_local_constants", "tests/support/examples.py"),
    Part("hypothesis", "hypothesis.internal.constants_ast:Constants", "tests/support/examples.py"),
)

BOUNDED = {part.distribution for part in PARTS} - {ITSELF} | {"httptools"}  # which calls back, as tested below


def found(part: Part) -> Any:
    """Return the part. Raises ImportError, AttributeError."""
    module, _, names = part.where.partition(":")
    value: Any = import_module(module)
    for name in names.split("."):
        value = getattr(value, name)
    return value


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def kept_by(kind: type) -> set[str]:
    """Return the attributes that a class has or gives its instances, in whatever method."""
    names = set(dir(kind))
    for each in kind.__mro__:
        with suppress(OSError, TypeError):  # not written in Python
            nodes = ast.walk(ast.parse(dedent(inspect.getsource(each))))
            stored = (node for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store))
            names |= {node.attr for node in stored if isinstance(node.value, ast.Name) and node.value.id == "self"}
    return names


def lacks(part: Part) -> Iterable[str]:
    """Yield what is not as this program needs it."""
    try:
        value = found(part)
    except (ImportError, AttributeError) as error:
        yield str(error)
        return
    if part.takes is not None or part.accepts:
        parameters = list(inspect.signature(value).parameters)
        if part.takes is not None and ", ".join(parameters) != part.takes:
            yield f"it takes ({', '.join(parameters)}), not ({part.takes})"
        yield from (f"it takes no {name}" for name in sorted(words(part.accepts) - set(parameters)))
    if part.keeps:
        yield from (f"it has no attribute {name}" for name in sorted(words(part.keeps) - kept_by(value)))


@pytest.mark.parametrize("distribution", sorted({part.distribution for part in PARTS}))
def test_what_we_build_on_is_there(distribution: str) -> None:
    """Everything private that this program uses of a distribution is there, and as it is used."""
    wrong = [
        f"{part.where}: {why}; {part.user} needs it"
        for part in PARTS
        if part.distribution == distribution
        for why in lacks(part)
    ]

    installed = "" if distribution == ITSELF else version(distribution)
    advice = f"{distribution} {installed} has other private parts: adapt, or set the bound in pyproject.toml"
    assert not wrong, "\n".join([advice, *wrong])


def test_the_users_use_it() -> None:
    """Each row is still needed: the module that it names has the part's name, or what it keeps, in its text."""
    unused = []
    for part in PARTS:
        folder = ROOT if part.user.startswith("tests/") else PACKAGE
        text = words((folder / part.user).read_text("utf-8"))
        name = re.split(r"[.:]", part.where)[-1]
        if not words(part.keeps) & text and name not in text:
            unused.append(f"{part.user} uses no {part.where}")

    assert not unused, "\n".join(unused)


def requirements() -> dict[str, list[Requirement]]:
    """Return all requirements of pyproject.toml by their distribution's name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named: dict[str, list[Requirement]] = {}
    extras = project["optional-dependencies"].values()
    for text in [*project["dependencies"], *(each for extra in extras for each in extra)]:
        requirement = Requirement(text)
        named.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return named


@pytest.mark.parametrize("distribution", sorted(BOUNDED))
def test_it_is_bounded(distribution: str) -> None:
    """No version that nobody has tried is installed of what is used beyond its promises."""
    all_named = requirements()[distribution]

    unbounded = [each for each in all_named if not {"<", "<=", "=="} & {at.operator for at in each.specifier}]
    assert not unbounded, f"pyproject.toml has no upper bound for {distribution}"


def test_httptools_calls_back() -> None:
    """The parser under uvicorn's protocol calls what ours extends, in this order."""
    from httptools import HttpRequestParser

    called: list[str] = []

    class Protocol:
        def __getattr__(self, name: str) -> Any:
            if not name.startswith("on_"):
                raise AttributeError(name)
            return lambda *_: called.append(name)

    HttpRequestParser(Protocol()).feed_data(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok")

    ours = ["on_message_begin", "on_headers_complete", "on_body", "on_message_complete"]
    assert [name for name in called if name in ours] == ours


def test_sessions_ask_by_the_method_that_is_extended() -> None:
    """Each way to ask with a session of requests goes through its `send`."""
    import requests

    asked: list[str] = []

    class Session(requests.Session):
        def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
            asked.append(f"{request.method} {request.url}")
            return requests.Response()

    with Session() as session:
        session.get("https://a.example/")
        session.post("https://a.example/")

    assert asked == ["GET https://a.example/", "POST https://a.example/"]


def test_msal_keeps_tokens_as_they_are_read() -> None:
    """What MSAL keeps of a token is found in its serialized cache without MSAL."""
    from msal import SerializableTokenCache

    tenant, client, scope = "8d3fc0a1-5a52-4c6e-9c0e-3f5b0a6d2e71", "an application", "api://of-a-store/.default"
    ours = Registration(tenant_id=tenant, client_id=client, authority="https://login.example", scopes=(scope,))
    cache = SerializableTokenCache()
    cache.add(
        {
            "client_id": client,
            "scope": [scope],
            "token_endpoint": f"https://login.example/{tenant}/oauth2/v2.0/token",
            "response": {"access_token": "the token", "expires_in": 3600, "token_type": "Bearer"},
        },
        now=1_000_000,
    )

    read = held(cache.serialize(), ours, None, 1_000_000)
    assert read is not None
    assert read.token == "the token"  # noqa: S105


def test_msal_extensions_encrypts_on_windows() -> None:
    """Its agent for Windows, which no other system can import, has the two methods that are used."""
    spec = find_spec("msal_extensions.windows")
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text("utf-8"))
    classes = {each.name: each for each in tree.body if isinstance(each, ast.ClassDef)}
    agent = classes["WindowsDataProtectionAgent"].body
    methods = {each.name: each.args.args for each in agent if isinstance(each, ast.FunctionDef)}

    assert len(methods["protect"]) == len(methods["unprotect"]) == 2
