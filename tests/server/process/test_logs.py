"""The log has one line for each thing that happened, and no secret in it."""

import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import pytest

from supportaccess.errors import InvalidInput, StoreRefused
from supportaccess.server import logs

CANARY = "c4nary-that-must-not-be-seen"


@pytest.fixture(autouse=True)
def logging_as_served() -> Iterator[None]:
    """Set the log up as the server does, and back."""
    loggers = [logging.getLogger(name) for name in (None, "supportaccess", "uvicorn")]
    before = [(logger, logger.handlers[:], logger.level) for logger in loggers]
    logging.config.dictConfig(logs.configuration("debug"))
    yield
    for logger, handlers, level in before:
        logger.handlers = handlers
        logger.setLevel(level)


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the lines that were logged, each of which must be JSON."""
    return [json.loads(line) for line in capfd.readouterr().err.splitlines()]


def test_a_request_is_one_line_with_what_is_known(capfd: pytest.CaptureFixture[str]) -> None:
    """The line has the fields that have a value, under their names."""
    logs.access(
        logs.AccessLine(request_id="r", method="GET", route="/v1/me", status=200, milliseconds=1.5, tenant_id="t")
    )

    [line] = lines(capfd)
    assert line.pop("time")
    named = {"requestId": "r", "method": "GET", "route": "/v1/me", "status": 200, "milliseconds": 1.5, "tenantId": "t"}
    assert line == {"level": "info", "event": "request", **named}


@pytest.mark.parametrize("text", ["\n", "\r\n", "\x1b[2J", "\x7f", "\x9b", "\u2028", "\u202e", "\ud800", "\x00"])
def test_nothing_in_a_field_ends_a_line_or_reaches_a_terminal(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever a field holds, there is one line of printable ASCII."""
    logs.access(logs.AccessLine(request_id=text, method="GET", route="/", status=200, milliseconds=0, address=text))

    written = capfd.readouterr().err
    assert written.count("\n") == 1
    assert written.rstrip("\n").isprintable()
    assert written.isascii()
    assert json.loads(written)["address"] == text


def test_an_exception_is_told_by_where_it_was_not_by_what_it_says(capfd: pytest.CaptureFixture[str]) -> None:
    """The line has kinds and places of the whole chain, and none of their texts."""

    def connect() -> None:
        raise ConnectionError(f"password={CANARY}")

    def answer() -> None:
        try:
            connect()
        except ConnectionError as error:
            raise RuntimeError(CANARY) from error

    with pytest.raises(RuntimeError) as raised:
        answer()
    logs.failure(raised.value, request_id="r")

    [line] = lines(capfd)
    assert CANARY not in json.dumps(line)
    assert [each["type"] for each in line["exception"]] == ["builtins.RuntimeError", "builtins.ConnectionError"]
    assert "test_logs.py" in json.dumps(line)


def test_an_error_of_the_store_keeps_its_words(capfd: pytest.CaptureFixture[str]) -> None:
    """An operator reads why the store cannot be used; what a caller sent is not repeated."""
    logs.failure(StoreRefused("the disk is full"))
    logs.failure(InvalidInput(CANARY))

    first, second = lines(capfd)
    assert first["message"] == "the disk is full"
    assert CANARY not in json.dumps(second)


@pytest.mark.parametrize(
    ("message", "arguments", "told"),
    [
        ("error connecting in %r: %s", ("pool", CANARY), "error connecting in %r: %s"),
        (
            f"Task exception was never retrieved\nfuture: <Task exception=({CANARY})>",
            (),
            "Task exception was never retrieved",
        ),
        ("Cancel %s running task(s)", (3,), "Cancel 3 running task(s)"),
        ("%(password)s", ({"password": CANARY},), "%(password)s"),
        (ValueError(CANARY), (), ""),
    ],
)
def test_of_a_library_s_message_nothing_is_filled_in_but_numbers(
    message: str, arguments: tuple[object, ...], told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """What libraries fill into their messages, or put below them, is not written."""
    logging.getLogger("psycopg.pool").error(message, *arguments)

    [line] = lines(capfd)
    assert line["message"] == told
    assert CANARY not in json.dumps(line)


def test_levels(capfd: pytest.CaptureFixture[str]) -> None:
    """From warning on, requests are not logged, and warnings are."""
    logging.config.dictConfig(logs.configuration("warning"))
    logs.access(logs.AccessLine(request_id="r", method="GET", route="/", status=200, milliseconds=0))
    logs.event("quiet")
    logs.event("loud", level=logging.WARNING)

    assert [line["event"] for line in lines(capfd)] == ["loud"]


@pytest.mark.parametrize(
    ("header", "trace"),
    [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", None),
        ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", None),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", None),
        ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", None),
        (CANARY, None),
        ("", None),
        (None, None),
    ],
)
def test_only_a_trace_context_gives_a_trace_id(header: str | None, trace: str | None) -> None:
    """A header that is not what W3C Trace Context says is passed over."""
    assert logs.trace_id(header) == trace
