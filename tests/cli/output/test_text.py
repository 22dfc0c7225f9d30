"""Making foreign text harmless."""

import json
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.output.samples import HOSTILE, harm_in

from supportaccess.cli.output.text import escape_json, mend, safe

ANY_TEXT = st.text(st.characters())


@pytest.mark.parametrize(
    "text", ["", "Ana Lopez", "Ana Lópeź", "田中 太郎", "हिन्दी", "100 % [/b] :x: \\u", "e\u0301", "🙂"]
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    """Names and sentences of any language are shown as they are."""
    assert safe(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\u{1b}[2J"),
        ("\x9b2J", r"\u{9b}2J"),
        ("a\0b\x7f", r"a\u{0}b\u{7f}"),
        ("a\tb\nc\rd", r"a\u{9}b\u{a}c\u{d}d"),
        ("exe.\u202ecod", r"exe.\u{202e}cod"),
        ("soft\u00adhyphen\u200bzero\ufeff", r"soft\u{ad}hyphen\u{200b}zero\u{feff}"),
        ("\u2028\u2029", r"\u{2028}\u{2029}"),
        ("\ud800", r"\u{d800}"),
        ("\ue000\U000e0041\U000f0000\u0378", r"\u{e000}\u{e0041}\u{f0000}\u{378}"),
        ("\u3164", r"\u{3164}"),
    ],
)
def test_harmful_characters_are_shown_as_escapes(text: str, shown: str) -> None:
    """Control, format, separator, surrogate, private and unassigned characters can be seen, and do nothing."""
    assert safe(text) == shown


def test_multiline_text_keeps_its_lines() -> None:
    """Newlines stay and tabs become spaces in a text of several lines; the rest is escaped all the same."""
    assert safe("one\r\ntwo\tthree\n\x1b", multiline=True) == "one\ntwo three\n\\u{1b}"


def test_a_pile_of_marks_is_taken_apart() -> None:
    """Marks beyond the eighth no longer stack; each is written as an escape."""
    assert safe("a" + "\u0301" * 10 + "b") == "a" + "\u0301" * 8 + r"\u{301}\u{301}" + "b"


@given(ANY_TEXT)
def test_nothing_harmful_is_left_of_any_text(text: str) -> None:
    """Whatever the text, what is shown has no harmful character and no pile of marks."""
    shown = safe(text)
    assert harm_in(shown, "") == []
    assert not re.search("[\u0300-\u036f]{9}", shown)
    assert harm_in(safe(text, multiline=True)) == []


@given(st.recursive(ANY_TEXT, lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner)))
def test_escaped_json_is_ascii_and_the_same_json(value: object) -> None:
    """Escaping changes how JSON is written and not what it says."""
    mended = mend(value)
    escaped = escape_json(msgspec.json.encode(mended))
    assert escaped.isascii()
    assert b"\x7f" not in escaped
    assert json.loads(escaped) == mended


@pytest.mark.parametrize(
    ("text", "escaped"), [("\x7f", rb"\u007f"), ("é", rb"\u00e9"), ("🙂", rb"\ud83d\ude42"), ("a", b"a")]
)
def test_json_escapes(text: str, escaped: bytes) -> None:
    """Characters above the first plane are written as two surrogates."""
    assert escape_json(msgspec.json.encode(text)) == b'"' + escaped + b'"'


def test_mending_replaces_lone_surrogates_only() -> None:
    """A half of a character becomes U+FFFD wherever it stands; everything else is kept."""
    assert mend({"a\ud800": ["b\udc00", 1, None, True]}) == {"a\ufffd": ["b\ufffd", 1, None, True]}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_golden_cases_are_harmless(text: str) -> None:
    """Every known attack on a terminal is text after it was made safe."""
    assert harm_in(safe(text), "") == []
