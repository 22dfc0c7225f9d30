"""Questions before something is changed."""

from collections.abc import Sequence

from supportaccess.cli.app.context import Context
from supportaccess.errors import InvalidInput


def check_can_ask(context: Context, *, yes: bool, ids: Sequence[str] = ()) -> None:
    """Refuse, before anything is read, when nobody could answer a question. Raises InvalidInput."""
    if yes:
        return
    if "-" in ids:
        raise InvalidInput("the IDs come from standard input, so nobody can be asked there", hint="Add --yes.")
    if not context.streams.can_ask:
        raise InvalidInput("this is not a terminal, so nobody can be asked", hint="Add --yes to go on without asking.")


def agreed(context: Context, question: str, *, yes: bool) -> bool:
    """Ask, unless `yes` settles it. Only a yes is one. Raises InvalidInput when nobody can be asked."""
    check_can_ask(context, yes=yes)
    return yes or confirmed(context, question)


def confirmed(context: Context, question: str) -> bool:
    """Ask; say so when the answer is no, or Ctrl-C."""
    try:
        yes = context.streams.confirm(question)
    except KeyboardInterrupt:
        context.streams.error("\nNothing was changed.", colour=None)
        raise
    if not yes:
        context.streams.error("Nothing was changed.", colour=None)
    return yes
