"""YAML, in ASCII: one document, a list written item by item."""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from supportaccess.cli.output.text import mend

_NEVER_FOLD = 1_000_000


def yaml_document(value: object) -> bytes:
    """Return the value as a document."""
    return _dumper()(value)


def yaml_list(values: Iterable[object]) -> Iterator[bytes]:
    """Yield a document that is the list of the values, value by value."""
    dump, empty = _dumper(), True
    for value in values:
        yield dump([value])
        empty = False
    if empty:
        yield b"[]\n"


def _dumper() -> Callable[[object], bytes]:
    import yaml

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # the C one where it is
        """PyYAML's safe dumper, without references to what was written before."""

        def ignore_aliases(self, _: object) -> bool:
            return True

    def dump(value: object) -> bytes:
        builtins = mend(msgspec.to_builtins(value))
        text: str = yaml.dump(builtins, Dumper=Dumper, allow_unicode=False, sort_keys=False, width=_NEVER_FOLD)
        return text.encode("ascii")

    return dump
