"""`supportaccess import`."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from time import monotonic
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from supportaccess.cli.app import options
from supportaccess.cli.app.context import Context
from supportaccess.cli.app.group import examples
from supportaccess.cli.output.fields import Layout
from supportaccess.cli.output.text import counted
from supportaccess.domain.source_events import SourceEvent
from supportaccess.domain.tenants import is_guid, parse_tenant_id
from supportaccess.errors import InvalidInput, UnreadableExport
from supportaccess.settings.profiles import Profile
from supportaccess.sources.entra.export import Export
from supportaccess.sources.entra.export import Format as ExportFormat
from supportaccess.structs import Struct

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_SECONDS_BEFORE_PROGRESS = 1.0


class Summary(Struct, frozen=True, kw_only=True):
    """What an import read and did."""

    tenant_id: str
    format: str | None
    events_read: int
    events_new: int
    events_known: int
    events_not_recognised: int
    events_unrelated: int
    requests_new: int
    requests_changed: int
    dry_run: bool


SUMMARY = Layout(
    Summary,
    (
        "eventsRead",
        "eventsNew",
        "eventsKnown",
        "eventsNotRecognised",
        "eventsUnrelated",
        "requestsNew",
        "requestsChanged",
    ),
    "tenantId",
)


@examples(
    ("An export of one tenant's audit log", "supportaccess import audit-log.json --tenant contoso"),
    ("See first what it would do", "supportaccess import audit-log.csv --tenant contoso --dry-run"),
    ("From a pipe", "zcat export.json.gz | supportaccess import - --tenant contoso"),
)
def import_export(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The export, gzip or not; - reads standard input.")],
    tenant: options.Tenant = None,
    format: Annotated[  # noqa: A002 - the option's name
        ExportFormat | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help=f"{', '.join(ExportFormat)}. Default: by its content.",
            show_default=False,
        ),
    ] = None,
    dry_run: options.DryRun = False,
    output: options.Output = None,
    columns: options.Columns = None,
    query: options.Query = None,
) -> None:
    """Read an Entra audit log export and rebuild the support access requests it tells of.

    They are mirrors: decided in the Entra admin center, listed and kept here. Reading an export again, or one that
    overlaps, changes nothing twice. A file that breaks in the middle changes nothing.
    """
    context: Context = ctx.obj
    printer = context.printer(SUMMARY, output=output, columns=columns, query=query)
    profile, is_new = _profile(context, tenant)
    with _opened(context, file) as (stream, name, size):
        export = Export(stream, name=name, tenant_id=profile.tenant_id, format=format)
        store = context.store_of_to_change(profile, dry_run=dry_run)
        with _said_when_interrupted(context), _progress(context, export, size) as events:
            imported = store.import_events(
                events, key=str(uuid.uuid4()), details={"file": Path(name).name[:256]}, dry_run=dry_run
            )
    if is_new and not dry_run:
        _keep_profile(context, profile)
    summary = Summary(
        tenant_id=profile.tenant_id,
        format=export.format,
        events_read=export.events,
        events_new=imported.new,
        events_known=imported.known,
        events_not_recognised=imported.unrecognised,
        events_unrelated=export.unrelated,
        requests_new=imported.requests_new,
        requests_changed=imported.requests_changed,
        dry_run=dry_run,
    )
    printer.print_one(summary, for_people=lambda: context.streams.write(_told(summary)))
    if export.more_pages:
        context.streams.warn(f"{name} is one page of several: import the pages that follow too.")
    if imported.differing:
        context.streams.warn(
            f"{counted(imported.differing, 'event')} known by ID already had other content; what was read first stays."
        )
    context.streams.note("Nothing was changed: this is a dry run." if dry_run else "See: supportaccess list --approved")


def _told(summary: Summary) -> str:
    """For a terminal."""
    lines = [
        ("Events read", summary.events_read),
        ("  new", summary.events_new),
        ("  known already", summary.events_known),
        ("  of other matters", summary.events_unrelated),
        ("Not recognised", summary.events_not_recognised),
        ("Requests new", summary.requests_new),
        ("Requests changed", summary.requests_changed),
    ]
    return "".join(f"{name:<18}{count:>12,}\n" for name, count in lines)


def _profile(context: Context, tenant: str | None) -> tuple[Profile, bool]:
    """Return the profile of the tenant, and whether it is a new one: an import may be the first thing that is done."""
    if tenant is None or not is_guid(tenant):
        return context.settings.chosen(tenant), False
    tenant_id = parse_tenant_id(tenant)
    known = next((each for each in context.settings.profiles() if each.tenant_id == tenant_id), None)
    return known or Profile(tenant_id=tenant_id), known is None


def _keep_profile(context: Context, profile: Profile) -> None:
    first = not context.settings.profiles()
    context.settings.save(profile)
    if first:
        context.settings.use(profile.tenant_id)
    default = " and made the default" if first else ""
    context.streams.note(
        f"Tenant {profile.tenant_id} was added to the profiles{default}. "
        f"Give it a name: supportaccess tenant set {profile.tenant_id} --alias NAME"
    )


@contextmanager
def _said_when_interrupted(context: Context) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        context.streams.error("\nNothing was imported.", colour=None)
        raise


@contextmanager
def _opened(context: Context, file: str) -> Iterator[tuple[BinaryIO, str, int | None]]:
    """Open the export; yield it with its name and, where it is known, its size."""
    if file == "-":
        if context.streams.stdin is None:
            raise InvalidInput("standard input is closed, so - has nothing to read")
        # All of it first: the store is locked while events are taken, and a pipe may be slow.
        with TemporaryFile() as spool:
            copyfileobj(context.streams.stdin.buffer, spool)
            size = spool.tell()
            spool.seek(0)
            yield spool, "standard input", size
        return
    path = Path(file)
    try:
        with path.open("rb") as stream:
            yield stream, file, path.stat().st_size if path.is_file() else None
    except OSError as error:
        raise UnreadableExport(f"{file} cannot be read: {error.strerror or error}") from error


@contextmanager
def _progress(context: Context, export: Export, size: int | None) -> Iterator[Iterator[SourceEvent]]:
    """Yield the events; on a terminal, after a second, a bar shows how far the reading is."""
    if not context.streams.err_is_terminal or context.streams.quiet:
        yield iter(export)
        return
    bar = _Bar(export, size, colour=context.streams.err_colour)
    try:
        yield iter(bar)
    finally:
        bar.stop()


class _Bar:
    """A progress bar that appears when it takes longer than a second."""

    def __init__(self, export: Export, size: int | None, *, colour: bool) -> None:
        self._export = export
        self._colour = colour
        self._size = size
        self._begun = monotonic()
        self._shown: tuple[Progress, TaskID] | None = None

    def __iter__(self) -> Iterator[SourceEvent]:
        for number, event in enumerate(self._export):
            if number % 500 == 0:
                self._update("Reading")
            yield event
        self._update("Rebuilding the requests")

    def stop(self) -> None:
        if self._shown is not None:
            self._shown[0].stop()

    def _update(self, what: str) -> None:
        if self._shown is None:
            if monotonic() - self._begun < _SECONDS_BEFORE_PROGRESS:
                return
            self._shown = self._start()
        bar, task = self._shown
        bar.update(
            task,
            description=what,
            completed=self._export.bytes_read,
            events=f"{self._export.events:,} events",
        )

    def _start(self) -> "tuple[Progress, TaskID]":
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[events]}"))
        # Whether to colour is decided already; Rich would decide it anew, and leave bold on without colour.
        console = Console(stderr=True, color_system="standard" if self._colour else None, no_color=not self._colour)
        bar = Progress(*columns, TimeElapsedColumn(), console=console, transient=True)
        bar.start()
        return bar, bar.add_task("Reading", total=self._size, events="")
