"""Signed notes and checkpoints: the published examples, and hostile ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportaccess.tlog.merkle import EMPTY_ROOT
from supportaccess.tlog.notes import (
    LARGEST_NOTE,
    MOST_SIGNATURES,
    BadNote,
    Checkpoint,
    Note,
    Signature,
    VerifierKey,
    decode_base64,
    parse_checkpoint,
    parse_key,
    parse_note,
    read_checkpoint,
)

# golang.org/x/mod/sumdb/note, note_test.go
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_LINE = (
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_LINE = (
    "\u2014 EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
# c2sp.org/signed-note
QUASIMODO = """Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

\u2014 quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
"""  # noqa: E501
# c2sp.org/tlog-checkpoint
SOFA = """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
"""  # noqa: E501


class TestNotes:
    @pytest.mark.parametrize("note", [TEXT + "\n" + PETER_LINE + ENOCH_LINE, QUASIMODO, SOFA])
    def test_published_notes_are_read_and_written_as_they_are(self, note: str) -> None:
        """A well-known note is taken apart and put together again to the byte."""
        parsed = parse_note(note.encode())

        assert note.encode() == parsed.encode()
        assert note.startswith(parsed.text + "\n")

    def test_a_text_may_have_empty_lines(self) -> None:
        """The last empty line is the one above the signatures."""
        assert parse_note(QUASIMODO.encode()).text.endswith("sole:\n\ned è subito sera.\n")

    def test_signatures_name_their_keys(self) -> None:
        """A signature is found by its key's name and ID, and not by the name alone."""
        note = parse_note((TEXT + "\n" + PETER_LINE + ENOCH_LINE).encode())
        peter = parse_key(PETER)

        assert [note.signatures[0]] == peter.signed(note)
        assert [note.signatures[1]] == parse_key(ENOCH).signed(note)
        assert VerifierKey(name=peter.name, public_key=bytes(32)).signed(note) == []

    @pytest.mark.parametrize(
        "note",
        [
            TEXT,
            TEXT + "\n",
            TEXT + "\n" + PETER_LINE[:-1],
            "\x01" + TEXT + "\n" + PETER_LINE,
            TEXT + "\t\n\n" + PETER_LINE,
            TEXT.replace("\n", "\r\n") + "\n" + PETER_LINE,
            TEXT + "\n\u2014 Bad Name " + PETER_LINE.split()[-1] + "\n",
            TEXT + "\n" + PETER_LINE + "Unexpected line.\n",
            TEXT + "\n" + PETER_LINE + "\n",
            TEXT + "\n" + PETER_LINE * (MOST_SIGNATURES + 1),
            TEXT + "\n- " + PETER_LINE[2:],
            TEXT + "\n" + PETER_LINE.replace(" x08g", "  x08g"),
            TEXT + "\n" + PETER_LINE.replace("=", ""),
            TEXT + "\n\u2014 PeterNeumann \n",
            TEXT + "\n\u2014 PeterNeumann\n",
            TEXT + "\n\u2014 PeterNeumann AAAAAA==\n",
            TEXT + "\n\u2014 Peter+Neumann x08go/ZJkuBS9UG/\n",
            TEXT + "\n\u2014  x08go/ZJkuBS9UG/\n",
            TEXT + "\n\u2014 " + "n" * 1000 + " x08go/ZJkuBS9UG/\n",
            "x" * LARGEST_NOTE + "\n\n" + PETER_LINE,
            "",
        ],
    )
    def test_what_is_no_note(self, note: str) -> None:
        """What the published tests refuse, and its like, is refused."""
        with pytest.raises(BadNote):
            parse_note(note.encode())

    def test_what_is_no_text(self) -> None:
        """A note that is not UTF-8 is refused."""
        with pytest.raises(BadNote):
            parse_note(b"\xff" + (TEXT + "\n" + PETER_LINE).encode())

    @given(st.binary(max_size=300))
    def test_whatever_comes_is_a_note_or_refused(self, data: bytes) -> None:
        """Nothing but BadNote comes of bytes that are no note."""
        whole = (TEXT + "\n").encode() + data
        try:
            note = parse_note(whole)
        except BadNote:
            return
        assert whole == note.encode()

    @given(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])),
        st.lists(st.binary(min_size=5, max_size=80), min_size=1, max_size=MOST_SIGNATURES),
    )
    def test_what_was_written_is_read_again(self, text: str, signatures: list[bytes]) -> None:
        """Any text with any signatures comes back as it was."""
        note = Note(
            text=text + "\n",
            signatures=tuple(Signature(name="a/b", key_id=each[:4], signature=each[4:]) for each in signatures),
        )
        assert note == parse_note(note.encode())


class TestKeys:
    @pytest.mark.parametrize("key", [PETER, ENOCH])
    def test_a_published_key(self, key: str) -> None:
        """A well-known verifier key is read, and written again as it was."""
        assert key == str(parse_key(key))

    def test_a_mangled_key(self) -> None:
        """No part of a verifier key is one, nor one with any character changed."""
        parts = {PETER[i:j] for i in range(len(PETER)) for j in range(i, len(PETER) + 1)} - {PETER}
        for mangled in [*parts, *(PETER[:i] + chr(ord(PETER[i]) + 1) + PETER[i + 1 :] for i in range(len(PETER)))]:
            with pytest.raises(BadNote):
                parse_key(mangled)

    @pytest.mark.parametrize(
        "key",
        [
            "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
            "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            PETER.upper(),
            PETER + "\n",
        ],
    )
    def test_what_is_no_key(self, key: str) -> None:
        """A key of another length or algorithm is none, though its ID fits."""
        with pytest.raises(BadNote):
            parse_key(key)


class TestBase64:
    @pytest.mark.parametrize("text", ["A", "AB", "AB=", "AB==\n", " AA==", "AB==", "A-_=", "AA==AA==", "ÄA==", "AA=A"])
    def test_one_spelling_alone(self, text: str) -> None:
        """Base64 with anything left over, left out or spelled otherwise is refused."""
        with pytest.raises(BadNote):
            decode_base64(text)

    @given(st.binary(max_size=40))
    def test_what_is_written_is_read(self, data: bytes) -> None:
        """What the standard encoding writes comes back."""
        from base64 import b64encode

        assert data == decode_base64(b64encode(data).decode())


class TestCheckpoints:
    def test_the_published_checkpoint(self) -> None:
        """The specification's own example is read, and its text written again to the byte."""
        note, checkpoint = read_checkpoint(SOFA.encode())

        assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
        assert note.text == checkpoint.text

    @given(st.integers(1, 2**63 - 1), st.binary(min_size=32, max_size=32))
    def test_what_is_written_is_read(self, size: int, root: bytes) -> None:
        """Any checkpoint comes back from its text."""
        checkpoint = Checkpoint(origin="a.example/b", size=size, root=root)
        assert checkpoint == parse_checkpoint(checkpoint.text)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "o\n1\n",
            "o\n01\n{root}\n",
            "o\n-1\n{root}\n",
            "o\n+1\n{root}\n",
            "o\n\u0661\n{root}\n",
            "o\n1_0\n{root}\n",
            "o\n{huge}\n{root}\n",
            "o\n1\n{root}\nextension\n",
            "o\n1\n{root}",
            "\n1\n{root}\n",
            "o\n1\nAAAA\n",
            "o\n0\n{root}\n",
        ],
    )
    def test_what_is_no_checkpoint(self, text: str) -> None:
        """Numbers spelled otherwise, missing and further lines and roots of other lengths are refused."""
        root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
        with pytest.raises(BadNote):
            parse_checkpoint(text.format(root=root, huge=2**63))

    def test_the_empty_log(self) -> None:
        """A log without entries has the root of nothing."""
        empty = Checkpoint(origin="o", size=0, root=EMPTY_ROOT)
        assert empty == parse_checkpoint(empty.text)
