"""The options that several commands share."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from supportaccess.cli.output.formats import FORMATS, format_named
from supportaccess.errors import InvalidInput

USUAL_LIMIT = 50
"""The rows that a list prints unless it is told otherwise."""

Ids = Annotated[
    list[str],
    typer.Argument(
        metavar="ID...",
        help="Full IDs, unique prefixes of at least 4 characters, or support request IDs; - reads them from stdin.",
        show_default=False,
    ),
]
OneId = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="A full ID, a unique prefix of at least 4 characters, or a support request ID.",
        show_default=False,
    ),
]
Tenant = Annotated[
    str | None,
    typer.Option("--tenant", "-t", metavar="TENANT", help="Alias or ID of the tenant.", show_default=False),
]
Tenants = Annotated[
    list[str] | None,
    typer.Option("--tenant", "-t", metavar="TENANT", help="Alias or ID of a tenant; may repeat.", show_default=False),
]
AllTenants = Annotated[bool, typer.Option("--all-tenants", help="Every tenant that has a profile.")]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        help=f"{', '.join(FORMATS)}. Default: table on a terminal, tsv in a pipe.",
        parser=format_named,
        metavar="FORMAT",
        show_default=False,
    ),
]
Columns = Annotated[
    str | None,
    typer.Option("--columns", metavar="A,B,C", help="Fields to print, in this order.", show_default=False),
]
Query = Annotated[
    str | None, typer.Option("--query", metavar="EXPR", help="JMESPath on the JSON output.", show_default=False)
]
Reason = Annotated[
    str | None,
    typer.Option(
        "--reason",
        "-r",
        metavar="TEXT",
        help="Why; kept in the audit log. Required for reject and for more than one ID.",
        show_default=False,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would happen; change nothing.")]
Limit = Annotated[
    int | None,
    typer.Option(
        "--limit", "-L", min=1, metavar="N", help=f"Print at most N. Default: {USUAL_LIMIT}.", show_default=False
    ),
]
All = Annotated[bool, typer.Option("--all", help="Print all of them, however many.")]
SupportRequest = Annotated[str | None, typer.Option("--support-request", metavar="N", help="Of one support request.")]
ResourceTenant = Annotated[
    str | None, typer.Option("--resource-tenant", metavar="T", help="For the data of one tenant.")
]
Engineer = Annotated[str | None, typer.Option("--engineer", metavar="TEXT", help="Text in who asked.")]
Search = Annotated[str | None, typer.Option("--search", metavar="TEXT", help="Text anywhere.")]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Made then or later: RFC 3339, a date, or an age such as 7d."),
]
Until = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Made before then: RFC 3339, a date, or an age (12h).")
]

Roles = Annotated[
    list[Path] | None,
    typer.Option(
        "--roles",
        metavar="FILE",
        help="Role assignments as the directory exports them (docs/audits.md); a page each, may repeat.",
        show_default=False,
    ),
]
RoleTable = Annotated[
    Path | None,
    typer.Option("--role-table", metavar="FILE", help="Which roles may decide, instead of the table that comes along."),
]


def in_place_of(
    name: str, options: Sequence[Parameter], gather: Callable[..., object]
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a command several options in place of its parameter of this name, which gets what `gather` makes of them."""
    names = [option.name for option in options]

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        @wraps(command)
        def with_options(**values: Any) -> int:
            own = {each: value for each, value in values.items() if each not in names}
            return command(**own, **{name: gather(**{each: values[each] for each in names})})

        before = signature(command)
        parameters = [
            parameter.replace(kind=Parameter.KEYWORD_ONLY)
            for each in before.parameters.values()
            for parameter in (options if each.name == name else [each])
        ]
        with_options.__signature__ = before.replace(parameters=parameters)  # type: ignore[attr-defined]  # read by inspect
        return with_options

    return decorate


def given(option: str, text: str | None) -> str | None:
    """Return what a filter was given. Raises InvalidInput when it is empty: that is a variable that was not set."""
    if text is not None and not text.strip():
        raise InvalidInput(f"{option} is empty", hint="Leave it out to ask for all.")
    return text


def most_of(limit: int | None, *, everything: bool) -> int | None:
    """Return how many rows to print at most, None for all. Raises InvalidInput for `--all` with a limit."""
    if everything and limit is not None:
        raise InvalidInput("--all and --limit contradict each other", hint="Give one of them.")
    return None if everything else limit or USUAL_LIMIT


def moment(text: str | None, now: datetime) -> datetime | None:
    """Return the time that `--since` or `--until` was given. Raises InvalidInput."""
    if text is None:
        return None
    from supportaccess.cli.output.times import parse_time

    return parse_time(text, now, future=False)
