"""YAML, in ASCII: one document, a list written item by item."""

from collections.abc import Iterator

import msgspec
import yaml

from supportaccess.cli.output.formats.format import DocumentFormat
from supportaccess.cli.output.text import mend

_NEVER_FOLD = 1_000_000


class Yaml(DocumentFormat):
    """The objects of JSON, as YAML."""

    def array(self, values: Iterator[object]) -> Iterator[bytes]:
        """Yield a document that is the list of the values."""
        empty = True
        for value in values:
            yield self.document([value])
            empty = False
        if empty:
            yield b"[]\n"

    def document(self, value: object) -> bytes:
        """Return the value as a document."""
        builtins = mend(msgspec.to_builtins(value))
        text: str = yaml.dump(builtins, Dumper=_Dumper, allow_unicode=False, sort_keys=False, width=_NEVER_FOLD)
        return text.encode("ascii")


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # the C one where it is
    """PyYAML's safe dumper, without references to what was written before."""

    def ignore_aliases(self, _: object) -> bool:
        return True
