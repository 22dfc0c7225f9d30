"""From the bytes of a file to its text: gzip, byte order marks, UTF-8."""

import codecs
import zlib
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from supportaccess.sources.readers.fields import Refusal

_CHUNK = 64 * 1024
# Each member of a gzip file copies what is left of the chunk: small chunks keep a file of tiny members linear.
_GZIP_CHUNK = 16 * 1024
_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_UTF8_MARK = codecs.BOM_UTF8
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LONGEST_MARK = 4


class Container:
    """The text of a file that may be compressed, in pieces. Holds no more than one piece of it.

    `bytes_read` counts the bytes of the file itself. `text` raises Refusal for what is not UTF-8 text, for gzip that
    is damaged or cut off, and for gzip that unpacks to more than `LARGEST` bytes or to more than `RATIO` times its
    own size (looked at from `RATIO_FROM` unpacked bytes on).
    """

    LARGEST = 4 * 1024**3
    RATIO = 200
    RATIO_FROM = 1024**2

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.bytes_read = 0

    def text(self) -> Iterator[str]:
        """Yield the text, without its byte order mark."""
        decode = codecs.getincrementaldecoder("utf-8")().decode
        chunks = _at_least(_LONGEST_MARK, self._unpacked())
        head = next(chunks)
        _check_text(head)
        offset = len(_UTF8_MARK) if head.startswith(_UTF8_MARK) else 0
        for chunk in chain((head[offset:],), chunks, (b"",)):
            try:
                text = decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                # What the decoder held back of earlier pieces stands before this one.
                raise _not_utf8(offset + len(chunk) - len(error.object) + error.start) from None
            offset += len(chunk)
            yield text

    def _unpacked(self) -> Iterator[bytes]:
        chunks = _at_least(len(_GZIP), self._chunks())
        head = next(chunks)
        if head.startswith(_GZIP):
            yield from self._gunzip(head, chunks)
        else:
            yield head
            yield from chunks

    def _chunks(self) -> Iterator[bytes]:
        while chunk := self._stream.read(_CHUNK):
            self.bytes_read += len(chunk)
            yield chunk

    def _gunzip(self, head: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
        member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        taken = unpacked = 0
        for chunk in _split(head, chunks):
            taken += len(chunk)
            data, piece = chunk, b""
            # A full piece may have left output behind in zlib, even with no input left.
            while data or (len(piece) == _CHUNK and not member.eof):
                if member.eof:
                    member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
                try:
                    piece = member.decompress(data, _CHUNK)
                except zlib.error:
                    raise _damaged("is damaged: not all of it is gzip data that unpacks") from None
                unpacked += len(piece)
                self._check_size(unpacked, taken)
                if piece:
                    yield piece
                data = member.unused_data if member.eof else member.unconsumed_tail
        if not member.eof:
            raise _damaged("breaks off: its gzip data has no end")

    def _check_size(self, unpacked: int, taken: int) -> None:
        if unpacked > self.LARGEST:
            raise Refusal(f"unpacks to more than {self.LARGEST:,} bytes, which is the most", in_item=False)
        if unpacked > self.RATIO_FROM and unpacked > self.RATIO * taken:
            raise Refusal(
                f"unpacks to more than {self.RATIO} times its size, which no audit log does",
                hint="If you trust the file, unpack it yourself (gzip -d) and import the result.",
                in_item=False,
            )


def _not_utf8(place: int) -> Refusal:
    hint = "Download the export again and do not save it from another program."
    return Refusal(f"is not UTF-8 text: see byte {place:,}", hint=hint, in_item=False)


def _damaged(message: str) -> Refusal:
    return Refusal(message, hint="Download or copy the file again.", in_item=False)


def _split(head: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    chunk: bytes | None = head
    while chunk is not None:
        for start in range(0, len(chunk), _GZIP_CHUNK):
            yield chunk[start : start + _GZIP_CHUNK]
        chunk = next(chunks, None)


def _at_least(size: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the same bytes, with at least `size` of them in the first piece if there are so many."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= size:
            break
    yield head
    yield from chunks


def _check_text(head: bytes) -> None:
    if head.startswith(_ZIP):
        raise Refusal(
            "is a ZIP archive or an Excel workbook",
            hint="Unpack the archive, or download the export as JSON or CSV.",
            in_item=False,
        )
    if head.startswith(_UTF16_MARKS) or b"\x00" in head[:_LONGEST_MARK]:
        raise Refusal(
            "is UTF-16 text or not text at all; UTF-8 is needed",
            hint="In PowerShell write files with `Out-File -Encoding utf8`; in Excel do not save as Unicode text.",
            in_item=False,
        )
