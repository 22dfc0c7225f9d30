"""`supportaccess serve`: starts the REST server."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from supportaccess.cli.app.context import Context
from supportaccess.cli.app.exit_codes import ExitCode, exit_code_of
from supportaccess.cli.app.group import examples
from supportaccess.cli.app.operator_store import require_server
from supportaccess.cli.output.text import safe

if TYPE_CHECKING:
    from supportaccess.server.settings import ServerSettings


@examples(
    ("Is everything right?", "supportaccess serve --config /etc/supportaccess/server.toml --check"),
    ("Start it", "supportaccess serve --config /etc/supportaccess/server.toml"),
)
def serve(
    ctx: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="FILE", help="The settings; default: SUPPORTACCESS_SERVER_CONFIG.", show_default=False
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Say what the server would do and what is wrong; end.")
    ] = False,
) -> ExitCode:
    """Start the REST server of a shared request store. It logs JSON lines to standard error, and SIGTERM stops it.

    docs/operate/settings.md has its settings.
    """
    context: Context = ctx.obj
    require_server()
    from supportaccess.server.settings_file import read_settings

    settings = read_settings(config, context.environment)
    if check:
        return _check(context, settings)
    from supportaccess.server.process.serve import serve

    serve(settings)
    return ExitCode.DONE


def _check(context: Context, settings: "ServerSettings") -> ExitCode:
    from supportaccess.server.process.checks import description, problems, renewals

    for title, sentence in description(settings, context.clock):
        context.streams.write(f"{title:<13}{safe(sentence)}\n")
    found = list(problems(settings, context.clock))
    for error in found:
        context.streams.error(f"Error: {error.message}")
        if error.hint:
            context.streams.advise(error.hint)
    soon = list(renewals(settings.listen, context.clock()))
    for renewal in soon:
        context.streams.warn(f"Warning: {renewal}")
    if found:
        return exit_code_of(found[0])
    context.streams.note("Everything else is right." if soon else "Everything is right.")
    return ExitCode.DONE
