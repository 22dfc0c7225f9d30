"""`--exec` and `--notify`: others are told, and nothing of a record gets where it could do harm."""

import json
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unicodedata import category

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.home import Home
from tests.cli.terminal import PATIENCE
from tests.cli.watching.watcher import BEGUN, watching
from tests.support.people import HOME

from supportaccess.cli.watch.text import plain

HOSTILE = "Erin $(touch /tmp/owned) `id` \x1b]0;x\x07 <!channel> [click](http://evil.example) \u202e ; rm -rf / & \"'"
TELL = """
import json, os, sys
said = sys.stdin.read()
with open(sys.argv[1], "a") as file:
    file.write(json.dumps([sys.argv[2:], dict(os.environ), said]) + "\\n")
"""


class _Chat(ThreadingHTTPServer):
    """What is told by Apprise's json:// comes here."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[Any] = []
        self.statuses: list[int] = []


class _Handler(BaseHTTPRequestHandler):
    server: _Chat

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        if status == 200:
            self.server.got.append(json.loads(body))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def chat() -> Iterator[_Chat]:
    with _Chat() as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield server
        finally:
            server.shutdown()
            serving.join()


def url_of(server: _Chat) -> str:
    return f"json://user:hunter2@127.0.0.1:{server.server_port}/secret-path"


def test_a_command_gets_the_event_on_its_input_alone(home: Home) -> None:
    """The command's input is the line that the pipe has; its arguments and environment have nothing of the record."""
    script, report = home.folder / "tell.py", home.folder / "report"
    script.write_text(TELL)
    command = shlex.join([sys.executable, str(script), str(report)])
    home.raised("secret-ticket", engineer=HOSTILE, reason=HOSTILE)
    result = home.run(
        *("watch", "--once", "--from-start", "--exec", f"{command} 'two words' $HOME"),
        env={"SUPPORTACCESS_NOTIFY": ""},
    )
    ((arguments, environment, said),) = [json.loads(line) for line in report.read_text().splitlines()]

    assert (result.code, result.err) == (0, "")
    assert arguments == ["two words", "$HOME"]
    assert said == result.out
    assert json.loads(said)["record"]["engineer"]["displayName"] == HOSTILE
    assert said.isascii()
    assert "\x1b" not in said
    told = json.dumps([arguments, environment])
    assert not any(part in told for part in ("secret-ticket", "Erin", "evil", json.loads(said)["accessRequestId"]))
    assert not Path("/tmp/owned").exists()


def test_a_failing_command_ends_nothing(home: Home) -> None:
    """A command that fails, or does not even read, is told with its exit code; the watch goes on to the next event."""
    home.raised("1", "2")
    result = home.run("watch", "--once", "--from-start", "--exec", "sh -c 'exit 7'")

    assert result.code == 0
    assert len(result.lines) == 2
    assert result.err.count("the command ended with 7, for created") == 2


def test_a_command_that_hangs_is_stopped(home: Home) -> None:
    """What takes too long is stopped with all that it started, and told."""
    mark = f"7{os.getpid()}"
    home.raised("1")
    result = home.run(
        *("watch", "--once", "--from-start", "--exec", f"sh -c 'sleep {mark} & sleep {mark}'", "--exec-timeout", "1s")
    )

    assert result.code == 0
    assert "the command took longer than 1 seconds and was stopped" in result.err
    assert subprocess.run(["pgrep", "-f", f"sleep {mark}"], check=False, timeout=PATIENCE).returncode == 1


@pytest.mark.process
def test_a_notification_is_plain_text(home: Home) -> None:
    """A chat is told what happened in our words; the names in it are neither markup nor commands, and no reason is."""
    home.raised("4711", engineer=HOSTILE, reason="do click me")
    with chat() as server:
        result = home.run("watch", "--once", "--from-start", "--notify", url_of(server))
        (got,) = server.got

    assert (result.code, result.err) == (0, "")
    assert got["title"] == "supportaccess: access requested"
    assert "Support request: 4711" in got["message"]
    assert "Tenant: contoso" in got["message"]
    engineer = next(line for line in got["message"].splitlines() if line.startswith("Engineer: "))
    assert not set("<>[]()`\x1b\u202e\x07") & set(engineer)
    assert "evil.example" not in got["message"]
    assert "click me" not in got["message"]


@given(st.text())
def test_no_text_is_markup(text: str) -> None:
    """Whatever a name is, in a message it is one short printable line without a mention, a link or markup."""
    shown = plain(text)

    assert len(shown) <= 80
    assert all(each.isprintable() or category(each) == "Zs" for each in shown)
    assert not set("<>[]()`*_~|@#&/!") & set(shown)


@pytest.mark.process
def test_a_chat_that_is_away_is_tried_again(home: Home) -> None:
    """A notification is tried three times; then that is told, and the URL with its secrets never is."""
    home.raised("1", "2")
    with chat() as server:
        server.statuses = [500, 503, 500, 500]
        result = home.run("watch", "--once", "--from-start", "--notify", url_of(server))
        got = [each["message"] for each in server.got]

    assert result.code == 0
    assert result.err.count("no notification was sent by json, for created") == 1
    assert ["Support request: 2" in each for each in got] == [True]
    assert not any(secret in result.err + result.out for secret in ("hunter2", "secret-path"))


@pytest.mark.process
@pytest.mark.parametrize("by", ["file", "variable"])
def test_urls_come_from_where_others_cannot_read_them(home: Home, by: str) -> None:
    """A URL may stand in a file (0600) or in a variable, which the command that is run does not get."""
    file, report = home.folder / "urls", home.folder / "report"
    script = home.folder / "tell.py"
    script.write_text(TELL)
    command = shlex.join([sys.executable, str(script), str(report)])
    home.raised("1")
    with chat() as server:
        file.write_text(f"# the channel\n\n{url_of(server)}\n")
        file.chmod(0o600)
        arguments = ["--notify", f"@{file}"] if by == "file" else []
        env = {"SUPPORTACCESS_NOTIFY": url_of(server)} if by == "variable" else {}
        result = home.run(
            *("watch", "--once", "--from-start", "--exec", command, *arguments),
            env=env,
        )
        assert len(server.got) == 1
    assert result.code == 0
    assert "hunter2" not in report.read_text()


@pytest.mark.process
def test_urls_that_cannot_be_used_are_refused_without_being_shown(home: Home) -> None:
    """An open file, a missing one, an unknown kind, nothing at all: each is told, and never the URL."""
    file = home.folder / "urls"
    file.write_text("slack://hunter2/hunter2/hunter2")
    file.chmod(0o644)
    for url, message in {
        f"@{file}": "can be read by others",
        f"@{home.folder}/none": "cannot be read",
        "nosuch://hunter2@host": "none that Apprise knows",
        "": "--notify is empty",
    }.items():
        result = home.run("watch", "--once", "--notify", url)
        assert (result.code, result.out) == (2, "")
        assert message in result.err
        assert "hunter2" not in result.err


def test_without_apprise(home: Home) -> None:
    """Without the extra, the command says what to install."""
    script = (
        "import importlib.util as u; found = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'apprise' else found(name, *more)\n"
        "from supportaccess.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "watch", "--once", "--notify", "json://localhost"],
        capture_output=True,
        env=home.environment,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert done.returncode == 1
    assert "pip install 'supportaccess[notify]'" in done.stderr


@pytest.mark.process
def test_what_is_told_to_one_is_told_to_all(home: Home) -> None:
    """SIGTERM in the middle of an event lets its command end first: it is not told again."""
    gate, report = home.folder / "gate", home.folder / "report"
    os.mkfifo(gate)
    written = shlex.quote(str(report))
    script = f"echo begun >>{written}; read line <{shlex.quote(str(gate))}; echo ended >>{written}"
    command = shlex.join(["sh", "-c", script])
    with watching(home, "--name", "gate", "--exec", command) as watcher:
        watcher.wait_for(BEGUN)
        home.raised("1")
        event = watcher.event()
        with gate.open("w") as opened:  # opens once the command reads
            watcher.process.terminate()
            opened.write("go\n")
        code, rest, _ = watcher.finish()
    assert (code, rest) == (0, [])
    assert report.read_text() == "begun\nended\n"
    assert home.run("watch", "--once", "--name", "gate").out == ""
    assert msgspec.json.encode(event)
    assert event["tenantId"] == HOME
