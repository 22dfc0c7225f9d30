"""The REST server as an operator runs it, on loopback: a process of its own, settings in a file, tokens checked."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.environment import of_a_user
from tests.support.issuer import API, SCOPE, Issuer

_MANY = 10**9
_SECONDS_TO_START = 60


@dataclass(frozen=True)
class Server:
    """A server that runs: its process and its URL."""

    process: "subprocess.Popen[bytes]"
    url: str

    @property
    def port(self) -> int:
        """Where it listens on loopback."""
        return int(self.url.rpartition(":")[2])


def write_settings(
    path: Path,
    issuer: Issuer,
    tenant_ids: list[str],
    database: Mapping[str, str | int],
    *,
    workers: int = 1,
    port: int = 0,
) -> None:
    """Write a settings file. Only what would stop the benchmark itself is not as delivered: requests a minute."""
    tables: dict[str, Mapping[str, Any]] = {
        "identity": {
            "tenants": tenant_ids,
            "client_id": API,
            "scope": SCOPE,
            "authority": issuer.authority,
            "ca_file": str(issuer.ca_file),
        },
        "database": database,
        "listen": {"port": port, "workers": workers},
        "limits": {"requests_per_address": _MANY, "requests_per_caller": _MANY},
    }
    lines = [
        line
        for name, table in tables.items()
        for line in (f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items()))
    ]
    path.write_text("\n".join(lines))


def start(settings: Path) -> "subprocess.Popen[bytes]":
    """Start a server; its log goes to a file beside the settings."""
    script = Path(sys.executable).parent / "supportaccess"
    with settings.with_suffix(".log").open("wb") as log:
        command = [sys.executable, str(script), "serve", "--config", str(settings)]
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=of_a_user(settings.parent)
        )


def url_of(settings: Path, process: "subprocess.Popen[bytes]") -> str:
    """Return where a server listens, once its log says so."""
    log = settings.with_suffix(".log")
    until = time.monotonic() + _SECONDS_TO_START
    while process.poll() is None and time.monotonic() < until:
        for line in log.read_text().splitlines():
            if '"listening"' in line:
                return str(json.loads(line)["url"])
        time.sleep(0.005)
    raise ValueError(f"the server did not start: {log.read_text()}")


@contextmanager
def bare() -> Iterator[int]:
    """Run a uvicorn that does nothing (`benchmarks.hello`) until the block ends, and yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as uvloop does for the server
        arguments = ["--fd", str(listening.fileno()), "--log-level", "critical", "--no-access-log"]
        command = [sys.executable, "-m", "uvicorn", "benchmarks.hello:application", *arguments]
        with subprocess.Popen(command, pass_fds=[listening.fileno()], stdin=subprocess.DEVNULL) as process:
            try:
                yield listening.getsockname()[1]
            finally:
                process.terminate()


@contextmanager
def server(settings: Path) -> Iterator[Server]:
    """Run a server until the block ends."""
    process = start(settings)
    try:
        yield Server(process, url_of(settings, process))
    finally:
        process.terminate()
        process.wait()
