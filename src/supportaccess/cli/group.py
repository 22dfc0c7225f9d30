"""Commands that are imported only when they run.

A group knows its commands by name, by where their function is, and by one line of help: enough for `--help`, for
completion and for telling what a mistyped name meant. Help is plain text: Rich help would cost every error and every
`--help` as much again as all the rest.
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NamedTuple, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from supportaccess.domain.errors import InvalidInput

# Typer carries its own Click and has no public name for its base classes: these two are taken from what it returns.
Command = TyperCommand | TyperGroup
Function = TypeVar("Function", bound=Callable[..., Any])


class Lazy(NamedTuple):
    """A command that is not imported yet: `module:function`, or a table of further commands."""

    summary: str
    function: str = ""
    commands: Mapping[str, "Lazy"] | None = None
    section: str = "Commands"


def examples(*lines: tuple[str, str]) -> Callable[[Function], Function]:
    """Give a command its examples: what one wants, and the command line that does it."""

    def decorate(function: Function) -> Function:
        function.examples = lines  # type: ignore[attr-defined]  # read back below
        return function

    return decorate


class LazyGroup(TyperGroup):
    """A group of commands from a table."""

    def __init__(
        self,
        table: Mapping[str, Lazy],
        *,
        name: str,
        summary: str,
        epilog: str | None = None,
        version: str | None = None,
    ) -> None:
        super().__init__(
            name=name, help=summary, epilog=epilog, no_args_is_help=True, rich_markup_mode=None, add_help_option=True
        )
        self._table = table
        self.params.extend(_everywhere())
        if version is not None:
            self.params.append(_version_option(version))

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature is Click's
        """Return the names in the table's order."""
        return list(self._table)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the signature is Click's
        """Import and build a command on its first use."""
        lazy = self._table.get(cmd_name)
        if lazy is None:
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = _build(cmd_name, lazy)
        return self.commands[cmd_name]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command, or say which one was meant."""
        name = args[0]
        if name not in self._table and not name.startswith("-"):
            close = get_close_matches(name, self._table, n=1, cutoff=0.6)
            meant = f"; did you mean {close[0]}?" if close else ""
            raise InvalidInput(f"there is no command {name!r}{meant}", hint=f"{ctx.command_path} --help")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the signature is Click's
        """Write the table, section by section, without importing a command."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, lazy in self._table.items():
            sections.setdefault(lazy.section, []).append((name, lazy.summary))
        for section, rows in sections.items():
            with formatter.section(section):
                formatter.write_dl(rows)


def _build(name: str, lazy: Lazy) -> Command:
    if lazy.commands is not None:
        return LazyGroup(lazy.commands, name=name, summary=lazy.summary)
    module, _, attribute = lazy.function.partition(":")
    function = getattr(import_module(module), attribute)
    lines = [f"# {want}\n{line}" for want, line in getattr(function, "examples", ())]
    epilog = "\b\nExamples:\n" + "\n".join(lines) if lines else None
    app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
    app.command(name, help=function.__doc__, epilog=epilog)(function)
    command = typer.main.get_command(app)
    if not isinstance(command, TyperCommand):
        raise TypeError(f"{lazy.function} did not make a command")
    command.params.extend(_everywhere())
    return command


def _everywhere() -> list[TyperOption]:
    """Return the options that every command takes, at any place of the command line."""

    def flag(summary: str, *names: str) -> TyperOption:
        def tell(ctx: Any, param: Any, value: bool) -> None:
            if value:
                ctx.obj.switch_on(param.name)

        return TyperOption(
            param_decls=list(names), is_flag=True, expose_value=False, is_eager=True, callback=tell, help=summary
        )

    return [
        flag("Say nothing on stderr but warnings and errors.", "--quiet", "-q"),
        flag("No colour, whatever the terminal.", "--no-color"),
        flag("Show a traceback when the program fails.", "--debug"),
    ]


def _version_option(version: str) -> TyperOption:
    def tell(ctx: Any, param: Any, value: bool) -> None:  # noqa: ARG001 - the signature is Click's
        if value:
            ctx.obj.streams.write(version + "\n")
            raise typer.Exit

    return TyperOption(
        param_decls=["--version"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=tell,
        help="Show the version and exit.",
    )
