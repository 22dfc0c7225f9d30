"""JSON that Python would let pass, or fail at in its own way, is refused with its place."""

import json

import pytest
from tests.sources.builders import event, export, lines, page, read, refusal, unrelated

from supportaccess.sources.readers.window import LARGEST_ITEM

TEXT = json.dumps(event())


def extra(member: str, item: str = TEXT) -> bytes:
    """Return a page whose second item has one more member."""
    return f"[{TEXT},\n{item[:-1]}, {member}}}]".encode()


@pytest.mark.parametrize(
    ("member", "says"),
    [
        ('"id": "again"', "same name twice"),
        ('"x": NaN', "has NaN"),
        ('"x": -Infinity', "has -Infinity"),
        ('"x": 1e400', "too large"),
        (f'"x": {"9" * 31}', "more than 30 digits"),
        (f'"x": {"9" * 5000}', "more than 30 digits"),
        (f'"x": 1.{"9" * 5000}', "more than 64 characters"),
        (f'"x": {"[" * 64}{"]" * 64}', "deeper than 64"),
        (f'"x": {"[" * 100_000}{"]" * 100_000}', "deeper than 64"),
        (f'"x": "{"y" * (256 * 1024 + 1)}"', "more than 262,144 bytes"),
        (f'"x": "{"€" * (90 * 1024)}"', "more than 262,144 bytes"),
        ('"x": "\\ud800"', "half a surrogate pair"),
        ('"\\udc00": 1', "half a surrogate pair"),
        ('"x": "a\tb"', "not JSON"),
        ("\"x\": 'y'", "not JSON"),
        ('"x": 01', "not JSON"),
        ('"x": "\\uXXXX"', "not JSON"),
        ('"x": "\\q"', "not JSON"),
    ],
)
def test_refused(member: str, says: str) -> None:
    """Every kind of JSON that is not strict is refused with the item's number and line."""
    message = refusal(extra(member)).message
    assert message.startswith("audit.json: item 2 (line 2) ")
    assert says in message


@pytest.mark.parametrize(
    "member",
    [
        f'"x": {"9" * 30}',
        f'"x": {"[" * 63}{"]" * 63}',
        f'"x": "{"y" * (256 * 1024)}"',
        '"x": "\\ud83d\\ude00"',
        '"x": 1e300',
    ],
)
def test_accepted_at_the_limit(member: str) -> None:
    """What is just within the limits is taken."""
    assert len(read(extra(member))) == 2


def sized(size: int) -> str:
    """Return an item of that many bytes, in which no single text is too long."""
    bare = TEXT[:-1] + "".join(f', "x{number}": ""' for number in range(5)) + "}"
    missing = size - len(bare)
    for number in range(5):
        part = min(missing, 250_000)
        bare = bare.replace(f'"x{number}": ""', f'"x{number}": "{"y" * part}"')
        missing -= part
    return bare


@pytest.mark.parametrize("around", ["[{}]", '{{"value": [{}]}}', "{}\n"])
def test_the_largest_item(around: str) -> None:
    """An item of 1 MiB is taken and one byte more is not."""
    assert len(read(around.format(sized(LARGEST_ITEM)).encode())) == 1
    assert "larger than 1,048,576 bytes" in refusal(around.format(sized(LARGEST_ITEM + 1)).encode()).message
    assert "larger than 1,048,576 bytes" in refusal(around.format(sized(LARGEST_ITEM * 5 // 4)).encode()).message


def test_an_item_past_what_is_in_sight() -> None:
    """An item that does not end within sight is too large, whatever it is."""
    padding = " " * 1000
    many = ",".join(f'"x{number}":"{padding}"' for number in range(5000))
    for data in (f"[{{{many}}}]", f"{{{many}}}", f'{{"value":[{{{many}'):
        message = refusal(data.encode()).message
        assert "larger than" in message or "members around" in message


@pytest.mark.parametrize(
    "data",
    [
        page(event()) + b"x",
        page(event()) + b" {}",
        b"[] []",
        b"[]\n[]",
        b"[] {}",
        page(event()) + b"]",
        b"[%s,]" % TEXT.encode(),
        b"[,]",
        b"[%s %s]" % (TEXT.encode(), TEXT.encode()),
        b'{"value": [] "x": 1}',
        b'{"value": [], }',
        b'{"value": [], 1: 2}',
        b'{"value": [], "value": []}',
        b'{"value": [], "records": []}',
        lines(event()) + b"[]",
        lines(event())[:-1] + lines(event()),
        b"{]",
    ],
)
def test_structure(data: bytes) -> None:
    """Anything that is out of place around the items is refused."""
    assert refusal(data).message.startswith("audit.json: ")


@pytest.mark.parametrize("whole", [page(unrelated(), event()), json.dumps([event()], indent=1).encode()])
def test_truncated(whole: bytes) -> None:
    """A document that is cut off anywhere is refused, and most often said to be cut off."""
    reasons = [refusal(whole[:end]).message for end in range(1, len(whole))]
    assert sum("breaks off" in reason for reason in reasons) > len(reasons) * 0.9


def test_truncated_lines() -> None:
    """JSON lines that are cut off within a line are refused."""
    whole = lines(unrelated(), event())
    assert "breaks off" in refusal(whole[:-10]).message


def test_many_members_around_the_items() -> None:
    """What stands around the events is bounded too."""
    members = ",".join(f'"m{number}": 1' for number in range(101))
    assert "more than 100 members" in refusal(f'{{{members}, "value": []}}'.encode()).message


def test_control_characters_are_never_shown() -> None:
    """Foreign text in a message is escaped and at most 80 characters long."""
    message = refusal(page(event(activityDateTime="\x1b[2J\u202e" + "x" * 500))).message
    assert message.isprintable()
    assert len(message) < 200
    assert refusal(b"", name="a\x1b[2Jb").message.isprintable()


def test_line_numbers() -> None:
    """The line is that on which the item begins, or where its JSON breaks."""
    text = json.dumps([event(), event(id=1)], indent=2)
    begins = text[: text.rindex('  {\n    "id"')].count("\n") + 1
    assert f"item 2 (line {begins}) has a number" in refusal(text.encode()).message
    broken = text.replace('"id": 1', '"id": NULL')
    assert f"item 2 (line {begins + 1}) is not JSON" in refusal(broken.encode()).message


def test_counts_at_a_refusal() -> None:
    """The events before the refusal have been yielded and counted."""
    source = export(lines(event(), unrelated()) + b"{")
    assert next(iter(source)).recognised
