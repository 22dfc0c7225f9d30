"""`--query`: JMESPath on the JSON of the records."""

from typing import Any

import msgspec

from supportaccess.errors import InvalidInput


class Query:
    """A JMESPath expression, read and ready."""

    def __init__(self, expression: str) -> None:
        """Read the expression. Raises InvalidInput, with the place, when it is not one."""
        import jmespath

        # Its own errors are ValueErrors, and so is that of a number with thousands of digits.
        self._refused = (ValueError, RecursionError)
        try:
            self._search = jmespath.compile(expression).search
        except self._refused as error:
            raise InvalidInput(_explain(expression, error), hint="JMESPath is described at jmespath.org.") from None

    def search(self, value: object) -> Any:
        """Return what the expression finds in builtin data. Raises InvalidInput when it does not fit that data."""
        try:
            return msgspec.to_builtins(self._search(value))
        except self._refused as error:
            raise InvalidInput(f"--query: {error}") from None
        except TypeError:
            # A bare `&field`, which JMESPath has for sorting, is found as itself.
            raise InvalidInput("--query: what the expression finds cannot be written") from None


def as_rows(found: Any) -> tuple[list[str], list[list[Any]]]:
    """Return what a query found as a header and rows.

    A list has a row for each element, anything else is one row, and null is none. Objects have a column for each of
    their names, lists one for each place, and other values a single one.
    """
    if found is None:
        return [], []
    elements = found if isinstance(found, list) else [found]
    if elements and all(isinstance(element, dict) for element in elements):
        header = list(dict.fromkeys(name for element in elements for name in element))
        return header, [[element.get(name) for name in header] for element in elements]
    if elements and all(isinstance(element, list) for element in elements):
        width = max(map(len, elements))
        header = [f"Column{place}" for place in range(1, width + 1)]
        return header, [element + [None] * (width - len(element)) for element in elements]
    return ["Result"], [[element] for element in elements]


def _explain(expression: str, error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "--query: the expression is nested too deeply"
    if not expression.strip():
        return "--query: the expression is empty"
    place = getattr(error, "lex_position", None)
    if place is None:
        return f"--query: {error}"
    reason = getattr(error, "message", None) or getattr(error, "msg", None) or "invalid expression"
    if place >= len(expression):
        reason = "the expression ends too early"
    return f"--query: {reason}, at character {place + 1}:\n  {expression}\n  {' ' * place}^"
