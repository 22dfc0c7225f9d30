"""What the routes have in common: who calls, what was sent, and how the answer looks.

A route is a function, and its signature says what it takes. Beside the `call` these names have a meaning:

    query   the query parameters, read into the struct that it is annotated with
    body    the JSON body, likewise; `| None` where it may be left out
    key     the Idempotency-Key header
    etag    the If-Match header
    others  a part of the path

What it returns is its annotation, as JSON. The OpenAPI document is made from the same signatures.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints
from urllib.parse import quote, unquote

import msgspec
from litestar.types import HTTPScope, Receive

from supportaccess.domain.attempts import CHANGES, Act, refused
from supportaccess.domain.audit import Step
from supportaccess.domain.permissions import MAY_SEE_HEAD, Permission
from supportaccess.domain.records import AccessRequest
from supportaccess.errors import Forbidden, NotFound, Stale
from supportaccess.server.services import Services
from supportaccess.server.web import attempts, callers
from supportaccess.server.web.bodies import read_body
from supportaccess.server.web.callers import Who, require_context
from supportaccess.server.web.errors import BadInput, code_of
from supportaccess.server.web.headers import expected_tag, idempotency_key, is_known, is_other, one_of
from supportaccess.server.web.queries import read_pairs, read_query, shown
from supportaccess.server.web.replies import JSON, Headers, Reply
from supportaccess.server.web.traces import trace_of
from supportaccess.store.protocol import RequestStore
from supportaccess.store.sql.engine import Engine
from supportaccess.store.sql.proofs import SqlProofs
from supportaccess.store.sql.store import SqlStore
from supportaccess.store.wire import CHECKPOINT_HEADER, Body
from supportaccess.structs import Struct
from supportaccess.tlog.files import LogProofs
from supportaccess.tlog.keys import Keys

T = TypeVar("T")
Handler = Callable[..., Awaitable[Any]]

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of anybody, and what it may use."""

    services: Services
    scope: HTTPScope

    @property
    def base_url(self) -> str:
        """The public URL of the server, or where none is set the one that was called, without a slash at its end."""
        if self.services.settings.listen.public_url:
            return self.services.settings.listen.public_url.rstrip("/")
        return f"{self.scope['scheme']}://{one_of(self.scope, 'Host') or 'localhost'}"


@dataclass(frozen=True, slots=True)
class Call(Visit):
    """A request of a known caller. `noted` is what is to be written to the audit log beside what is done."""

    receive: Receive
    who: Who
    noted: list[Step] = field(default_factory=list)

    async def read(self, act: Callable[[SqlStore], T]) -> T:
        """Ask the caller's store."""
        return await self.services.database.read(lambda engine: act(self._store(engine)))

    async def read_long(self, act: Callable[[RequestStore], T]) -> T:
        """Ask the caller's store for what takes long, and let others go ahead meanwhile."""
        return await self.services.database.read_long(lambda engine: act(self._store(engine)))

    async def change(self, act: Callable[[RequestStore], T]) -> T:
        """Change something in the caller's store."""
        return await self.services.database.write(
            lambda engine: act(self._store(engine)), tenant_id=self.who.caller.tenant_id
        )

    async def prove(self, act: Callable[[LogProofs], T]) -> T:
        """Ask for what may have to be signed first."""
        signing = self.services.signing
        if signing is None:
            return await self.read_proofs(act)
        return await signing.prove(lambda engine, keys: act(self._proofs(engine, keys)))

    async def read_proofs(self, act: Callable[[LogProofs], T]) -> T:
        """Ask for the hashes and entries that are there."""
        return await self.services.database.read(lambda engine: act(self._proofs(engine, None)))

    @property
    def checkpoint(self) -> Headers:
        """The header that says what was signed last of the caller's log, for those who may read in the tenant."""
        signing, caller = self.services.signing, self.who.caller
        last = signing.keys.last(caller.tenant_id) if signing is not None else None
        if last is None or caller.permissions.isdisjoint(MAY_SEE_HEAD):
            return []
        return [(CHECKPOINT_HEADER, f"{last.size} {last.root.hex()}")]

    def _store(self, engine: Engine) -> SqlStore:
        return SqlStore(
            engine,
            self.who.caller,
            also=self.who.callers_elsewhere,
            clock=self.services.clock,
            note=self.noted.append,
        )

    def _proofs(self, engine: Engine, keys: Keys | None) -> SqlProofs:
        return SqlProofs(engine, self.who.caller, keys, clock=self.services.clock, note=self.noted.append)


@dataclass(frozen=True)
class Operation:
    """One route, as it was declared. `refusals` are the codes that it can answer with beside those of every route.

    `act` is what somebody known may be refused by it. `takes` and `media_type` are the types of its body and its
    answer; `takes_other_tokens` says that the caller's tokens of other tenants mean something to it.
    """

    method: str
    path: str
    run: Handler
    summary: str
    permission: Permission | None = None
    signed_in: bool = True
    limited: bool = True
    status: int = HTTPStatus.OK
    refusals: tuple[str, ...] = ()
    act: Act | None = None
    media_type: str = JSON
    takes: str = JSON
    takes_other_tokens: bool = False

    @cached_property
    def hints(self) -> dict[str, Any]:
        """The types of what it takes."""
        return {name: hint for name, hint in get_type_hints(self.run).items() if name != "return"}

    @cached_property
    def answer(self) -> Any:
        """The type of what it returns."""
        return get_type_hints(self.run)["return"]

    @cached_property
    def query(self) -> type[Struct] | None:
        """The struct of its query parameters."""
        return self.hints.get("query")

    @cached_property
    def body(self) -> type[Body] | None:
        """The struct of its body."""
        hint = self.hints.get("body")
        return next((each for each in get_args(hint) if each is not NoneType), hint)

    @cached_property
    def body_may_be_empty(self) -> bool:
        """Whether the body may be left out."""
        return NoneType in get_args(self.hints.get("body"))

    @cached_property
    def path_names(self) -> tuple[str, ...]:
        """The parts of the path that vary."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))

    async def reply(self, services: Services, scope: HTTPScope, receive: Receive) -> Reply:
        """Answer a request. Raises what refuses it."""
        if self.limited:
            callers.admit(services, scope)
        if not self.signed_in:
            _no_query(scope)
            visit = Visit(services, scope)
            return self._reply(visit, await self.run(visit))
        trace = trace_of(scope)
        who = trace.who = await callers.identify(services, scope, trace.meet)
        call = Call(services, scope, receive, who)
        try:
            return await self._reply_to(call)
        except Exception as error:
            self._note(call, error)
            raise
        finally:
            for attempt in call.noted:
                await attempts.write_down(services, attempt)

    async def _reply_to(self, call: Call) -> Reply:
        if self.permission is not None:
            call.who.require(self.permission)
        if self.permission is Permission.DECIDE:
            require_context(call.services, call.who)
        reply = self._reply(call, await self._run(call))
        reply.add(call.checkpoint)
        return reply

    async def _run(self, call: Call) -> Any:
        try:
            answer = await self.run(call, **await self._arguments(call))
        except Exception as error:
            self._count(call, code_of(error))
            if isinstance(error, Forbidden) and self.permission is not None:
                call.who.explain(error, self.permission)
            raise
        self._count(call, "done")
        return answer

    def _count(self, call: Call, outcome: str) -> None:
        if self.act in CHANGES:
            call.services.metrics.decision(self.act, outcome)

    def _note(self, call: Call, error: Exception) -> None:
        """Note a refusal that the store had no part in: it notes its own."""
        if self.act is None or call.noted:
            return
        attempt = refused(
            call.who.caller,
            self.act,
            error,
            call.services.clock(),
            access_request_id=_part_named("request_id", call.scope),
            support_request_id=_part_named("support_request_id", call.scope),
        )
        if attempt is not None:
            call.noted.append(attempt)

    async def _arguments(self, call: Call) -> dict[str, Any]:
        scope, arguments = call.scope, dict[str, Any]()
        for name in self.path_names:
            arguments[name] = _part(scope["path_params"][name])
        if self.query is None:
            _no_query(scope)
        else:
            arguments["query"] = read_query(self.query, scope["query_string"])
        if "etag" in self.hints:
            arguments["etag"] = expected_tag(scope)
        if "key" in self.hints:
            arguments["key"] = idempotency_key(scope)
        if self.body is not None:
            body = await read_body(self.body, scope, call.receive, call.services.settings.limits)
            if body is None and not self.body_may_be_empty:
                raise BadInput("the body is empty", target="body")
            arguments["body"] = body
        return arguments

    def _reply(self, visit: Visit, answer: Any) -> Reply:
        if isinstance(answer, Reply):
            return answer
        headers = []
        if isinstance(answer, AccessRequest):
            if self.method == "GET" and is_other(visit.scope, answer.etag):
                raise Stale("the record is no longer the one that If-Match names", hint="Get it without If-Match.")
            if self.method == "GET" and is_known(visit.scope, answer.etag):
                return Reply(status=HTTPStatus.NOT_MODIFIED, headers=[("etag", answer.etag)])
            headers.append(("etag", answer.etag))
            if self.status == HTTPStatus.CREATED:
                headers.append(("location", f"{visit.base_url}{self.path}/{quote(answer.id, safe='')}"))
        return Reply(_encode(answer), status=self.status, headers=headers)


def route(method: str, path: str, summary: str, **declared: Any) -> Callable[[Handler], Operation]:
    """Declare a route: its method, path and what it does; the rest as Operation has it."""
    return lambda run: Operation(method, path, run, summary, **declared)


def _no_query(scope: HTTPScope) -> None:
    for name, _ in read_pairs(scope["query_string"]):
        raise BadInput(f"there is no parameter {shown(name)}", target=name, hint="This takes none.")


def _part_named(name: str, scope: HTTPScope) -> str | None:
    try:
        return _part(scope["path_params"][name])
    except (KeyError, NotFound):
        return None


def _part(text: str) -> str:
    """Return a part of the path as it was meant. Raises NotFound for what no record is named."""
    try:
        name = unquote(text, errors="strict")
    except UnicodeDecodeError:
        name = ""
    if not name.isprintable() or not name:
        raise NotFound("nothing has such a name")
    return name
