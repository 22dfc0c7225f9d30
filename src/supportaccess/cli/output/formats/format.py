"""What a format of `--output` is."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Literal

import msgspec

from supportaccess.cli.output.fields import Fields
from supportaccess.cli.output.query import as_rows
from supportaccess.cli.output.streams import Streams

Form = Literal["page", "fields", "row", "object", "document"]
"""What a format makes of a single record.

A page for people, a line a field, or a row of cells; the object that the API has, as one of many or as a document of
its own. For a page and for lines of fields a command may have something better of its own.
"""


class Target(msgspec.Struct, frozen=True):
    """Where records are written to, and what is known there: the moment, and how to read the tenants' aliases."""

    streams: Streams
    now: datetime
    aliases: Callable[[], Mapping[str, str]]


class OutputFormat(ABC):
    """How records are written. Made for one printer; what its methods return is written part by part."""

    form: Form = "row"
    takes_columns: bool = True
    """Whether `--columns` and `--query` can choose what is written."""
    streams: bool = True
    """Whether what is written can be read before its end."""

    def __init__(self, fields: Fields, target: Target) -> None:
        self.fields = fields
        self.target = target

    @abstractmethod
    def many(self, records: Iterator[msgspec.Struct]) -> Iterable[bytes]:
        """Write the records as they come."""

    def growing(self, first: Sequence[msgspec.Struct], following: Iterator[msgspec.Struct]) -> Iterable[bytes]:
        """Write the records that there are, and then each one the moment it comes."""
        return self.many(chain(first, following))

    def one(self, record: msgspec.Struct) -> Iterable[bytes]:
        """Write a single record."""
        return self.many(iter([record]))

    @abstractmethod
    def found(self, value: Any) -> Iterable[bytes]:
        """Write what a query found: builtin data of any depth."""


class RowFormat(OutputFormat):
    """A format of rows of cells."""

    @abstractmethod
    def rows(self, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterable[bytes]:
        """Write rows of builtin values. Where a query found nothing the header is empty."""

    def many(self, records: Iterator[msgspec.Struct]) -> Iterable[bytes]:
        """Write a row a record."""
        return self.rows(self.fields.columns, self.fields.rows(records))

    def found(self, value: Any) -> Iterable[bytes]:
        """Write what a query found as rows."""
        return self.rows(*as_rows(value))


class DocumentFormat(OutputFormat):
    """A format of documents that hold a list as well as a single object."""

    form: Form = "document"

    @abstractmethod
    def array(self, values: Iterator[object]) -> Iterable[bytes]:
        """Write a list, value by value."""

    @abstractmethod
    def document(self, value: object) -> bytes:
        """Return a single value."""

    def many(self, records: Iterator[msgspec.Struct]) -> Iterable[bytes]:
        """Write a list of the records."""
        return self.array(self.fields.objects(records))

    def one(self, record: msgspec.Struct) -> Iterable[bytes]:
        """Write the record itself, not a list of one."""
        return map(self.document, self.fields.objects(iter([record])))

    def found(self, value: Any) -> Iterable[bytes]:
        """Write what a query found, as it is."""
        return [self.document(value)]
