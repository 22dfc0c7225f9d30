"""Commands that are imported only when they run.

A group knows its commands by name, by where their function is, and by one line of help: enough for `--help`, for
completion and for telling what a mistyped name meant. Help is plain text: Rich help would cost every error and every
`--help` as much again as all the rest.
"""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any, NamedTuple, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from supportaccess.errors import InvalidInput
from supportaccess.suggestions import meant

# Typer carries its own Click and has no public name for its base classes: these two are taken from what it returns.
Command = TyperCommand | TyperGroup
Function = TypeVar("Function", bound=Callable[..., Any])


class Lazy(NamedTuple):
    """A command that is not imported yet: `module:function`, or a table of further commands."""

    summary: str
    function: str = ""
    commands: Mapping[str, "Lazy"] | None = None
    section: str = "Commands"
    examples: tuple[tuple[str, str], ...] = ()


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
            name=name, help=summary, epilog=epilog, no_args_is_help=True, rich_markup_mode=None, add_help_option=False
        )
        self._table = table
        self._is_program = version is not None
        self.params.extend(_everywhere(version))

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
            raise InvalidInput(
                f"there is no command {name!r}{meant(name, self._table)}", hint=f"{ctx.command_path} --help"
            )
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write options and commands; of the whole program the options in one line, so that all fits one screen."""
        if not self._is_program:
            super().format_options(ctx, formatter)
            return
        self.format_commands(ctx, formatter)
        formatter.write_text("Options: " + "  ".join(", ".join(option.opts) for option in self.params))

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the last lines: those of the whole program right below its options."""
        if self._is_program and self.epilog:
            formatter.write_text(self.epilog)
        else:
            super().format_epilog(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the signature is Click's
        """Write the table, section by section, without importing a command."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, lazy in self._table.items():
            sections.setdefault(lazy.section, []).append((name, lazy.summary))
        for section, rows in sections.items():
            if self._is_program:  # whose help fits one screen, and so has no empty lines between
                formatter.write(f"{section}:\n")
                formatter.indent()
                formatter.write_dl(rows)
                formatter.dedent()
            else:
                with formatter.section(section):
                    formatter.write_dl(rows)


def _build(name: str, lazy: Lazy) -> Command:
    if lazy.commands is not None:
        return LazyGroup(lazy.commands, name=name, summary=lazy.summary, epilog=_epilog(lazy.examples))
    module, _, attribute = lazy.function.partition(":")
    function = getattr(import_module(module), attribute)
    epilog = _epilog(getattr(function, "examples", ()))
    app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
    app.command(name, help=function.__doc__, epilog=epilog, add_help_option=False)(function)
    command = typer.main.get_command(app)
    if not isinstance(command, TyperCommand):
        raise TypeError(f"{lazy.function} did not make a command")
    command.params.extend(_everywhere())
    return command


def _epilog(examples: Iterable[tuple[str, str]]) -> str | None:
    lines = [f"# {want}\n{line}" for want, line in examples]
    return "\b\nExamples:\n" + "\n".join(lines) if lines else None


def _everywhere(version: str | None = None) -> list[TyperOption]:
    """Return the options that every command takes, at any place of the command line; the program has its version."""

    def switch(ctx: Any, param: Any) -> None:
        ctx.obj.switch_on(param.name)

    def show_version(ctx: Any, _: Any) -> None:
        ctx.obj.streams.write(f"{version}\n")
        raise typer.Exit

    def show_help(ctx: Any, _: Any) -> None:
        # Not by Click's own option: that writes past the streams, and a reader who is gone would be a failure.
        ctx.obj.streams.write(f"{ctx.get_help()}\n")
        raise typer.Exit

    return [
        _flag(switch, "Say nothing on stderr but warnings and errors.", "-q", "--quiet"),
        _flag(switch, "No colour, whatever the terminal.", "--no-color"),
        _flag(switch, "Show a traceback when the program fails.", "--debug"),
        *([_flag(show_version, "Show the version and exit.", "--version")] if version is not None else []),
        _flag(show_help, "Show this message and exit.", "-h", "--help"),
    ]


def _flag(act: Callable[[Any, Any], None], summary: str, *names: str) -> TyperOption:
    def given(ctx: Any, param: Any, value: bool) -> None:
        if value:
            act(ctx, param)

    return TyperOption(
        param_decls=list(names), is_flag=True, expose_value=False, is_eager=True, callback=given, help=summary
    )
