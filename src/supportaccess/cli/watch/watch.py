"""`supportaccess watch`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from supportaccess.cli.app import options
from supportaccess.cli.app.context import Context
from supportaccess.cli.app.exit_codes import ExitCode
from supportaccess.cli.app.group import examples
from supportaccess.cli.app.options import given
from supportaccess.cli.app.tenants import Tenants
from supportaccess.cli.output.times import parse_duration
from supportaccess.cli.watch.executing import Command
from supportaccess.cli.watch.filters import Filter
from supportaccess.cli.watch.loop import Ending, Terminated, Watching
from supportaccess.cli.watch.notifying import Notifier, urls_of
from supportaccess.cli.watch.printing import Act, Lines, Live, Teller
from supportaccess.cli.watch.state import Memory, Position, file_name
from supportaccess.cli.watch.tenant import TenantWatch
from supportaccess.domain.events import What
from supportaccess.domain.records import Status
from supportaccess.errors import InvalidInput
from supportaccess.store.filters import RequestFilters
from supportaccess.suggestions import meant

_SHORTEST, _LONGEST = 1, 3600
_FIRST_TIME = "Watching from now on. Later, the same command goes on where this one stopped."
_LONGEST_AHEAD = timedelta(days=365)


class Shape(StrEnum):
    """How events are shown."""

    TABLE = "table"
    JSONL = "jsonl"


@examples(
    ("What needs attention, live", "supportaccess watch"),
    ("Each new request, a line of JSON each", "supportaccess watch --event created -o jsonl"),
    ("Tell a Teams channel, whose URL is in a file (0600)", "supportaccess watch --all-tenants --notify @teams.url"),
    ("Run a command for each approval", "supportaccess watch --event approved --exec /usr/local/bin/tell-the-siem"),
    ("From cron: what is new since the last time", "supportaccess watch --once -o jsonl"),
)
def watch(
    ctx: typer.Context,
    event: Annotated[
        list[str] | None,
        typer.Option("--event", "-e", metavar="WHAT", help=f"{', '.join(What)}; may repeat.", show_default=False),
    ] = None,
    pending: Annotated[bool, typer.Option("--pending", help="What waits, or waited, for a decision.")] = False,
    active: Annotated[bool, typer.Option("--active", help="What is, or was, open access.")] = False,
    support_request: options.SupportRequest = None,
    resource_tenant: options.ResourceTenant = None,
    engineer: options.Engineer = None,
    search: options.Search = None,
    ahead: Annotated[
        str, typer.Option("--ahead", metavar="TIME", help="How long ahead to announce deadlines and limits.")
    ] = "1h",
    interval: Annotated[str, typer.Option("--interval", metavar="TIME", help="How often to ask: 1s to 1h.")] = "5s",
    execute: Annotated[
        str | None,
        typer.Option(
            "--exec", metavar="CMD", help="Run it for each event, as JSON on its stdin; no shell.", show_default=False
        ),
    ] = None,
    exec_timeout: Annotated[
        str, typer.Option("--exec-timeout", metavar="TIME", help="How long the command may take.")
    ] = "60s",
    notify: Annotated[
        list[str] | None,
        typer.Option(
            "--notify",
            metavar="URL",
            help="Tell by Apprise; @FILE has one a line. May repeat. Default: SUPPORTACCESS_NOTIFY.",
            show_default=False,
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Tell what is new since the last time, and end.")] = False,
    from_start: Annotated[bool, typer.Option("--from-start", help="Tell all that ever was, then go on.")] = False,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="Go on where the watch of this name stopped.", show_default=False),
    ] = None,
    tenant: options.Tenants = None,
    all_tenants: options.AllTenants = False,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FORMAT",
            help="table or jsonl. Default: table on a terminal, jsonl in a pipe.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Follow new and changing requests until Ctrl-C: a live table, or a line of JSON an event.

    In a pipe, with --exec or --notify, it goes on where the last one with the same options stopped.
    """
    context: Context = ctx.obj
    shape = _shape(context, output, once=once)
    filters = RequestFilters(
        statuses=frozenset({*([Status.PENDING] if pending else []), *([Status.APPROVED] if active else [])}),
        support_request_id=given("--support-request", support_request),
        resource_tenant_id=None
        if resource_tenant is None
        else context.tenant_id(resource_tenant, by="--resource-tenant"),
        engineer=given("--engineer", engineer),
        search=given("--search", search),
    )
    which = Filter(frozenset(map(_what, event or ())), filters)
    length = _ahead(ahead)
    seconds = _interval(interval)
    aliases = context.aliases()
    urls = urls_of(notify or (), context.environment)
    acts: list[Act] = []
    if execute is not None:
        limit = parse_duration(exec_timeout)
        acts.append(Command(execute, limit, context.environment, shown=shape is Shape.JSONL).run)
    if urls:
        acts.append(Notifier(urls, aliases).send)
    if not once:
        context.patience, context.follows = 0, True  # to wait is the watch's own part
    tenants = Tenants(context, tenant, every=all_tenants)
    watches = [(each, TenantWatch(each.store, which, length)) for each in tenants]
    remembers = bool(acts) or shape is Shape.JSONL or name is not None
    told_apart = [sorted(each.store.tenant_id for each, _ in watches), which.parts(), execute, urls]
    file = file_name(name, *told_apart)
    memory = Memory(context.paths.data / "watch" / file if remembers else None)
    teller = _teller(context, shape, aliases, [each.name for each, _ in watches])
    try:
        positions, greeting = _positions(
            context, memory, remembers, [each.store.tenant_id for each, _ in watches], from_start
        )
        ending = Ending()
        with ending.taken(), _screen(teller):
            watching = Watching(context, tenants, watches, teller, acts, memory, ending, seconds)
            watching.run(positions, once=once, greeting=greeting)
    except Terminated:
        return ExitCode.DONE
    finally:
        memory.close()
    return tenants.sum_up()


@contextmanager
def _screen(teller: Teller) -> Iterator[None]:
    if isinstance(teller, Live):
        with teller.screen.open():
            yield
    else:
        yield


def _teller(context: Context, shape: Shape, aliases: dict[str, str], names: Sequence[str]) -> Teller:
    if shape is Shape.JSONL:
        return Lines(context.streams)
    return Live(context.streams, context.clock, aliases, names)


def _positions(
    context: Context, memory: Memory, remembers: bool, tenant_ids: Sequence[str], from_start: bool
) -> tuple[dict[str, Position], str]:
    """Return where to go on, and what to say once that is so."""
    held = memory.hold()
    if remembers and not held:
        context.streams.warn(
            "Another watch with the same options or name is running: this one begins now, and keeps nothing. "
            "Give it a --name of its own."
        )
    kept = memory.read()
    if from_start:
        return {**kept, **{tenant_id: Position(place=0) for tenant_id in tenant_ids}}, ""
    if held and not any(tenant_id in kept for tenant_id in tenant_ids):
        return kept, _FIRST_TIME
    return kept, ""


def _shape(context: Context, output: str | None, *, once: bool) -> Shape:
    streams = context.streams
    can_draw = streams.out_is_terminal and context.environment.get("TERM") != "dumb" and not once
    chosen = output if output is not None else context.environment.get("SUPPORTACCESS_OUTPUT")
    if output is not None and output not in list(Shape):
        raise InvalidInput(f"{output!r} is no format of a watch{meant(output, Shape)}", hint="Use table or jsonl.")
    if output == Shape.TABLE and not can_draw:
        raise InvalidInput("the live table needs a terminal, and goes on until it is ended", hint="Use -o jsonl.")
    return Shape.TABLE if can_draw and chosen in {None, Shape.TABLE} else Shape.JSONL


def _what(name: str) -> What:
    by_name = {each.lower(): each for each in What}
    found = by_name.get(name.strip().lower())
    if found is None:
        raise InvalidInput(f"{name!r} is no event{meant(name, What)}", hint=f"The events are {', '.join(What)}.")
    return found


def _ahead(text: str) -> timedelta:
    length = timedelta(seconds=parse_duration(text))
    if length > _LONGEST_AHEAD:
        raise InvalidInput(f"--ahead {text} is longer than a year", hint="Such as --ahead 4h")
    return length


def _interval(text: str) -> float:
    seconds = parse_duration(text)
    if not _SHORTEST <= seconds <= _LONGEST:
        raise InvalidInput(f"--interval {text} is not between 1s and 1h", hint="Such as --interval 30s")
    return seconds
