"""The REST server as a process of its own, on loopback."""

import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.people import HOME
from tests.support.program import installed_program

CLIENT_ID = "aaaaaaaa-0000-4000-8000-00000000a711"
SECONDS = 180.0


class Answer(NamedTuple):
    """What the server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class RunningServer:
    """A server process. `lines` are those of its log, as they come."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.raw: list[str] = []
        self._came = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        started = self.wait_for("listening")
        self.url = started["url"]
        host, _, port = self.url.partition("://")[2].rpartition(":")
        self.address = (host.strip("[]"), int(port))

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines of the log so far."""
        return [json.loads(line) for line in list(self.raw)]

    def wait_for(self, event: str, *, of: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """Return the first line of an event, once it is there."""
        with self._came:
            for _ in range(int(SECONDS * 10)):
                found = [line for line in self.lines if line["event"] == event and of(line)]
                if found:
                    return found[0]
                assert not self._ended, "".join(self.raw)
                self._came.wait(0.1)
        raise AssertionError(f"no {event} within {SECONDS:g} seconds:\n{''.join(self.raw)}")

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        token: str | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request and return the answer, whatever its status."""
        own = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None:
            own["Content-Type"] = "application/json"
        request = urllib.request.Request(  # noqa: S310 - loopback
            self.url + path, data=body, method=method, headers={**own, **(headers or {})}
        )
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=_trusting_all())
        )
        try:
            with opener.open(request, timeout=SECONDS) as answer:
                return Answer(answer.status, _lower(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, _lower(error.headers), error.read())

    def connect(self) -> socket.socket:
        """Open a plain connection."""
        return socket.create_connection(self.address, timeout=SECONDS)

    def refuses(self) -> bool:
        """Tell whether nobody listens any more."""
        try:
            with self.connect():
                return False
        except ConnectionRefusedError:
            return True

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask the server to stop, and return its exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end of the server, and return its exit code."""
        code = self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        return code

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as log:
            for line in log:
                with self._came:
                    self.raw.append(line)
                    self._came.notify_all()
        with self._came:
            self._ended = True
            self._came.notify_all()


def settings_file(folder: Path, text: str = "", *, identity: str = "", listen: str = "", limits: str = "") -> Path:
    """Write settings for a server on SQLite and a free port. `text` comes before the first table."""
    path = folder / "server.toml"
    path.write_text(
        f'{text}\n[identity]\ntenants = ["{HOME}"]\nclient_id = "{CLIENT_ID}"\n{identity}\n'
        f'[database]\nsqlite = "store.db"\n[listen]\nport = 0\n{listen}\n[limits]\n{limits}\n'
    )
    return path


def environment(folder: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a clean environment, with a folder for temporary files that a test can look into."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    own = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "TMPDIR": str(temporary)}
    return {**own, "NO_PROXY": "localhost,127.0.0.1", **(more or {})}


@contextmanager
def running_server(
    folder: Path, settings: Path | None, more: Mapping[str, str] | None = None, *, program: list[str] | None = None
) -> Iterator[RunningServer]:
    """Run a server, and end it and its workers at the end."""
    arguments = [*(program or [installed_program()]), "serve", *(["--config", str(settings)] if settings else [])]
    process = subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment(folder, more),
        cwd=folder,
        text=True,
    )
    with process:
        try:
            yield RunningServer(process)
        finally:
            process.terminate()
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def until(condition: Callable[[], bool], *, seconds: float = SECONDS) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not so within {seconds:g} seconds"
        time.sleep(0.02)


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _trusting_all() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
