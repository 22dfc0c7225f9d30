"""What a file may be packed in."""

import codecs
import io
import zlib

import pytest
from tests.sources.builders import TENANT, cells, event, export, lines, packed, page, read, refusal, table

from supportaccess.sources.entra.export import Export
from supportaccess.sources.readers.container import Container

PAGE = page(event(), event(id="é€😀"))


def test_gzip() -> None:
    """A gzip file is read like its content, and its progress is that of the packed file."""
    source = export(packed(PAGE))
    assert list(source) == read(PAGE)
    assert source.bytes_read == len(packed(PAGE))
    assert len(read(packed(table(cells())))) == 1


def test_gzip_of_several_members() -> None:
    """The members of a gzip file are one content, wherever it was divided."""
    for cut in range(0, len(PAGE), 97):
        assert read(packed(PAGE[:cut]) + packed(b"") + packed(PAGE[cut:])) == read(PAGE)


def test_gzip_of_a_large_content() -> None:
    """Content much larger than a piece comes out whole."""
    data = lines(*(event(id=f"e{number}", resultReason=f"{number * 7919:x}" * 60) for number in range(3000)))
    assert [found.id for found in read(packed(data))] == [f"e{number}" for number in range(3000)]


def test_damaged_gzip() -> None:
    """A gzip file that is cut off, altered or followed by something else is refused."""
    whole = packed(PAGE)
    for end in range(2, len(whole)):
        assert refusal(whole[:end]).hint
    for rest in (b"x", b"\x00" * 8, b"\x1f\x8b", PAGE):
        assert "gzip" in refusal(whole + rest).message
    altered = bytearray(whole)
    altered[-6] ^= 1
    assert "gzip" in refusal(bytes(altered)).message


def test_gzip_bombs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Content that unpacks to far more than the file, or to too much, is refused while it is unpacked."""
    bomb = packed(b"[" + b" " * 50_000_000)
    assert "200 times" in refusal(bomb).message
    monkeypatch.setattr(Container, "LARGEST", 1000)
    assert "more than 1,000 bytes" in refusal(packed(PAGE)).message


def test_raw_deflate_is_not_taken_for_text() -> None:
    """Bytes that are no text are refused."""
    assert "UTF-8" in refusal(zlib.compress(PAGE)).message


def test_utf8_mark() -> None:
    """A byte order mark of UTF-8 is left out."""
    assert read(codecs.BOM_UTF8 + PAGE) == read(PAGE)
    assert "audit.json" in refusal(PAGE.replace(b"[", b"[" + codecs.BOM_UTF8)).message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf16(encoding: str) -> None:
    """UTF-16 is refused, with how to write UTF-8 instead."""
    error = refusal(PAGE.decode().encode(encoding))
    assert "UTF-16" in error.message
    assert "utf8" in (error.hint or "")


@pytest.mark.parametrize(("data", "place"), [(b'["\xff"]', 2), (b"[]" + b" " * 200_000 + b"\xc3", 200_002)])
def test_invalid_utf8(data: bytes, place: int) -> None:
    """Bytes that are not UTF-8 are refused with their place."""
    assert refusal(data).message.endswith(f"see byte {place:,}")


def test_archives() -> None:
    """A ZIP archive, which an Excel workbook is too, is named as such."""
    assert "ZIP" in refusal(b"PK\x03\x04...").message


def test_a_stream_that_fails() -> None:
    """The stream's own error is passed on."""

    class Broken(io.BytesIO):
        def read(self, _: int | None = -1, /) -> bytes:
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        list(Export(Broken(), name="x", tenant_id=TENANT))
