"""Keeps what an import sends in a temporary file, a line an event: in bounded memory, and to be sent again."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile, gettempdir
from typing import IO

from supportaccess.domain.records import canonical_json
from supportaccess.domain.source_events import SourceEvent
from supportaccess.errors import StoreRefused
from supportaccess.store.wire import ImportHead


@contextmanager
def spooled(head: ImportHead, events: Iterable[SourceEvent]) -> Iterator[tuple[IO[bytes], int]]:
    """Yield a file of the lines and its size. Raises StoreRefused when the disk cannot hold it."""
    with TemporaryFile() as file:
        _write(file, canonical_json(head))
        for event in events:
            _write(file, canonical_json(event))
        yield file, file.tell()


def _write(file: IO[bytes], line: bytes) -> None:
    try:
        file.write(line + b"\n")
    except OSError as error:
        raise StoreRefused(
            f"the events cannot be kept in {gettempdir()} to be sent: {error.strerror}",
            hint="TMPDIR names a folder with more space.",
        ) from error
