"""How a decision is made on the command line: shown, asked, done one by one, and told.

What was shown is what is decided: the entity tag that was read goes along, and a record that changed in between is a
conflict. A decision that already stands as asked is a success that changes nothing, so that a command can be repeated.
"""

import signal
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from inspect import signature
from types import FrameType
from typing import NamedTuple

from supportaccess.cli.app import options
from supportaccess.cli.app.confirm import check_can_ask, confirmed
from supportaccess.cli.app.context import Context
from supportaccess.cli.app.exit_codes import ExitCode
from supportaccess.cli.app.ids import expand, resolve
from supportaccess.cli.output.colour import Colour
from supportaccess.cli.output.fields import ACCESS_REQUESTS_OF_TENANTS
from supportaccess.cli.output.printer import Printer
from supportaccess.cli.output.text import counted
from supportaccess.cli.output.times import duration, local_time
from supportaccess.cli.requests.outcome import Outcome, decided_printer, print_decided
from supportaccess.domain.expiry import Limit
from supportaccess.domain.records import AccessRequest, Side, Source, Status
from supportaccess.errors import Conflict, DecidedElsewhere, InvalidInput, SupportAccessError
from supportaccess.settings.profiles import Profile
from supportaccess.sources.vendors import vendor_of, vendor_of_the_store
from supportaccess.store.protocol import RequestStore

_MOST_EFFECTS = 5


@dataclass(frozen=True, kw_only=True)
class Verb:
    """A decision: from which status to which, and how it is done.

    `check` raises for what can be refused before anybody is asked; `stands` says whether what is decided already is
    what is asked for.
    """

    infinitive: str
    participle: str
    start: Status
    end: Status
    act: Callable[[RequestStore, AccessRequest, str], AccessRequest]
    effect: Callable[[AccessRequest], str]
    check: Callable[[AccessRequest], object] = lambda _: None
    stands: Callable[[AccessRequest], bool] = lambda _: True
    is_of_a_tenant: bool = False
    """Whether a tenant decides: what the vendor itself allows is another matter, which is said afterwards."""


class Options(NamedTuple):
    """The options that every decision has."""

    ids: options.Ids
    reason: options.Reason = None
    yes: options.Yes = False
    dry_run: options.DryRun = False
    tenant: options.Tenant = None
    output: options.Output = None
    columns: options.Columns = None
    query: options.Query = None


takes_options = options.in_place_of("asked", list(signature(Options).parameters.values()), Options)
"""Gives a command these options, as `asked`."""


def decide(context: Context, verb: Verb, asked: Options) -> ExitCode:
    """Decide the requests that the options name, and return the exit code."""
    new_printer = partial(decided_printer, context, output=asked.output, columns=asked.columns, query=asked.query)
    new_printer()  # what is wrong with the options is refused before anything is asked
    if not asked.dry_run and "-" in asked.ids:
        check_can_ask(context, yes=asked.yes, ids=asked.ids)
    ids = expand(asked.ids, context.streams)
    if asked.reason is None and len(ids) > 1:
        raise InvalidInput(
            f"to {verb.infinitive} {len(ids)} requests a reason is required", hint="Give it with --reason TEXT."
        )
    profile = context.settings.chosen(asked.tenant)
    store = context.store_of_to_change(profile, dry_run=asked.dry_run)
    outcome = Outcome(profile.shown)
    waiting = _read(context, store, verb, ids, outcome)
    if waiting and not asked.dry_run:
        check_can_ask(context, yes=asked.yes)
    if waiting and not _agreed(context, verb, waiting, asked, profile):
        return ExitCode.FAILED
    if not asked.dry_run:
        _do(context, store, verb, waiting, outcome)
    # Made anew: the question may have stood for long, and ages are told from now.
    print_decided(new_printer(), outcome.decided + (waiting if asked.dry_run else []), store.tenant_id)
    if asked.dry_run:
        context.streams.note("Nothing was changed: this is a dry run.")
    else:
        outcome.sum_up(context, verb.participle, len(ids))
        if outcome.decided and verb.is_of_a_tenant:
            vendor = vendor_of_the_store()
            elsewhere = f"What {vendor.company} itself allows is decided in {vendor.place}: {vendor.page}."
            context.streams.note(f"Recorded in this store. {elsewhere}", colour=Colour.DIM)
    return outcome.exit_code(len(ids))


def _read(
    context: Context, store: RequestStore, verb: Verb, ids: Sequence[str], outcome: Outcome
) -> list[AccessRequest]:
    """Return the records that are to be decided; say of the others why not."""
    waiting: dict[str, AccessRequest] = {}
    for text in ids:
        try:
            record = resolve(store, text)
            if record.source is not Source.STORE:
                raise _decided_elsewhere(record, verb)
            if record.status is verb.end and verb.stands(record):
                context.streams.note(
                    f"{record.id} is {record.status} already in tenant {outcome.tenant}; nothing changes."
                )
                outcome.decided.append(record)
            elif record.status is not verb.start:
                raise _conflict(record, verb)
            else:
                verb.check(record)
                waiting.setdefault(record.id, record)
        except SupportAccessError as error:
            outcome.fail(context, text, error)
    return list(waiting.values())


def _decided_elsewhere(record: AccessRequest, verb: Verb) -> DecidedElsewhere:
    vendor = vendor_of(record.source)
    if vendor is None:
        return DecidedElsewhere(
            f"{record.id} is a mirror of a record of {record.source}, which this version cannot decide",
            hint=f"supportaccess show {record.id}",
        )
    mirror = f"{record.id} is a mirror of {vendor.product}'s own record"
    if record.status is not verb.start:
        return DecidedElsewhere(
            f"{mirror}, and {record.status} there, so that it cannot be {verb.participle}",
            hint=f"supportaccess show {record.id}",
        )
    return DecidedElsewhere(f"{mirror}, which has no API to decide it", hint=vendor.handoff(record, verb.infinitive))


def _conflict(record: AccessRequest, verb: Verb) -> Conflict:
    if record.status is verb.end:
        return Conflict(
            f"{record.id} is {record.status} already, with another time limit",
            current_status=record.status,
            hint=f"supportaccess show {record.id}; to change the limit, revoke it and have it asked for again",
        )
    who = record.decided_by if record.status is Status.APPROVED else record.ended_by
    by = f" by {who.display_name}" if who is not None and who.display_name else ""
    when = f" on {local_time(record.ended_at or record.updated_at)}" if record.status is not Status.PENDING else ""
    return Conflict(
        f"{record.id} is {record.status}{by}{when} and cannot be {verb.participle}",
        current_status=record.status,
        hint=f"supportaccess show {record.id}",
    )


def _agreed(context: Context, verb: Verb, waiting: Sequence[AccessRequest], asked: Options, profile: Profile) -> bool:
    """Show what will happen, and ask unless that was settled. Only a yes is one."""
    streams = context.streams
    asks = not (asked.yes or asked.dry_run)
    streams.note(f"Tenant {profile.shown}", colour=Colour.BOLD)
    if asked.dry_run or asks:
        if len(waiting) == 1:
            streams.note(f"{_named(waiting[0])}: {verb.effect(waiting[0])}")
            if waiting[0].reason:
                streams.note(f"  They say: {waiting[0].reason}")
        else:
            if asks:
                _preview(context, waiting, profile.tenant_id)
            _tell_effects(context, verb, waiting)
    if not asks:
        return True
    count = "this request" if len(waiting) == 1 else f"these {len(waiting)} requests"
    return confirmed(context, f"{verb.infinitive.capitalize()} {count} in tenant {profile.shown}?")


def _preview(context: Context, waiting: Sequence[AccessRequest], tenant_id: str) -> None:
    """Print a table of what is to be decided where the person looks: beside the question."""
    streams, now = context.streams.beside(), context.clock()
    printer = Printer(streams, ACCESS_REQUESTS_OF_TENANTS, now=now, output="table", aliases=context.aliases)
    print_decided(printer, waiting, tenant_id)


def _tell_effects(context: Context, verb: Verb, waiting: Sequence[AccessRequest]) -> None:
    """Say what will happen, once for all requests to which the same happens."""
    effects = Counter(verb.effect(record) for record in waiting)
    for effect, count in effects.most_common(_MOST_EFFECTS):
        context.streams.note(f"{counted(count, 'request')}: {effect}")
    if len(effects) > _MOST_EFFECTS:
        context.streams.note("And so on for the others.")


def _do(context: Context, store: RequestStore, verb: Verb, waiting: Sequence[AccessRequest], outcome: Outcome) -> None:
    """Decide one after another. Ctrl-C lets the one under way finish and leaves the rest."""
    with _interruptible() as interrupted:
        for position, record in enumerate(waiting):
            if interrupted():
                outcome.left.extend(each.id for each in waiting[position:])
                return
            try:
                decided = verb.act(store, record, str(uuid.uuid4()))
            except SupportAccessError as error:
                outcome.fail(context, record.id, error)
            else:
                outcome.decided.append(decided)
                done = f"{verb.participle}{_until(decided)} in tenant {outcome.tenant}"
                context.streams.note(f"{_named(decided)}: {done}.", colour=Colour.GREEN)


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Turn Ctrl-C into a question that can be asked between two decisions."""
    pressed: list[int] = []

    def press(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature is signal's
        pressed.append(number)

    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


def _named(record: AccessRequest) -> str:
    return f"{record.id} (support request {record.support_request_id or 'unknown'})"


def _until(record: AccessRequest) -> str:
    if record.status is Status.APPROVED and record.expires_at is not None:
        return f" until {local_time(record.expires_at)}"
    return ""


def approving(context: Context, record: AccessRequest, limit: Limit, now: datetime) -> str:
    """Say what an approval will do."""
    who = record.engineer.display_name if record.engineer and record.engineer.display_name else "the engineer"
    seconds = limit.seconds if limit.until is None else int((limit.until - now).total_seconds())
    if seconds is None:
        seconds = record.requested_seconds
    length = "until the support request is closed" if seconds is None else f"for {duration(seconds)}"
    crossing = " A second record is kept in that tenant." if record.side is Side.SUPPORT_REQUEST else ""
    tenant = context.shown(record.resource_tenant_id) if record.resource_tenant_id else "unknown"
    return f"{who} may read the identity diagnostic data of tenant {tenant} {length}.{crossing}"
