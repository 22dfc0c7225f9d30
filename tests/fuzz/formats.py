"""Feeds mutated notes, checkpoints, keys, receipts and bundles to their parsers: `python -m tests.fuzz.formats FOLDER`.

Anything but the refusals that they promise ends it with a crash file. libFuzzer's options may follow, -runs=N or
-max_total_time=SECONDS among them; the folder keeps what it found worth keeping.
"""

import sys
from pathlib import Path

import atheris  # type: ignore[import-untyped]  # has no stubs

with atheris.instrument_imports(include=["supportaccess.domain"]):
    from supportaccess.tlog.merkle import BadProof, check_consistency
    from supportaccess.tlog.notes import BadNote, parse_checkpoint, parse_key, parse_note, read_checkpoint
    from supportaccess.tlog.receipts import parse_receipt
    from supportaccess.tlog.tiles import encode_bundle, split_bundle, split_tile

from tests.tlog.test_notes import PETER, QUASIMODO, SOFA
from tests.tlog.test_tiles_and_receipts import receipt


def one(data: bytes) -> None:
    """Give some bytes to the parser that the first of them chooses."""
    kind, rest = data[:1], data[1:]
    try:
        match kind:
            case b"n":
                assert rest == parse_note(rest).encode()
            case b"c":
                note, checkpoint = read_checkpoint(rest)
                assert checkpoint == parse_checkpoint(note.text)
            case b"k":
                text = rest.decode("utf-8", "replace")
                assert text == str(parse_key(text))
            case b"r":
                read = parse_receipt(rest)
                assert rest == read.encode()
                read.proven()
            case b"b":
                assert rest[1:] == encode_bundle(split_bundle(rest[1:], rest[:1][0] if rest else 0))
            case b"t":
                split_tile(rest, len(rest) // 32)
            case b"p":
                hashes = [rest[at : at + 32] for at in range(16, len(rest), 32)]
                earlier, size = int.from_bytes(rest[:8]), int.from_bytes(rest[8:16])
                check_consistency(earlier, size, bytes(32), bytes(32), hashes)
    except (BadNote, BadProof):
        pass


def main() -> None:
    """Fuzz for as long as the options say."""
    folder = Path(sys.argv[1])
    samples = {"n": QUASIMODO.encode(), "c": SOFA.encode(), "k": PETER.encode(), "r": receipt().encode()}
    samples |= {"b": b"\x02" + encode_bundle([b"a", b"b" * 300]), "t": bytes(64), "p": bytes([0] * 7 + [3]) * 2}
    for name, sample in samples.items():
        (folder / name).write_bytes(name.encode() + sample)
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
