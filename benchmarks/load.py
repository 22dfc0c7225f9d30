"""Threads that do the same thing many times, and what that took."""

import os
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any, TypeVar

T = TypeVar("T")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Load:
    """What some acts took: each of them, and all together by the clock; and the processor time of this process."""

    seconds: float
    each: list[float]
    processor: float

    @property
    def rate(self) -> float:
        """Acts a second."""
        return len(self.each) / self.seconds


def drive(workers: Sequence[Callable[[T], Any]], items: Iterable[T]) -> Load:
    """Let each worker, in a thread of its own, take the next item until there are none."""
    following = iter(list(items))
    each: list[float] = []

    def work(act: Callable[[T], Any]) -> None:
        for item in following:
            begun = time.perf_counter()
            act(item)
            each.append(time.perf_counter() - begun)

    with ThreadPoolExecutor(len(workers)) as threads:
        begun, processor = time.perf_counter(), time.process_time()
        for done in [threads.submit(work, act) for act in workers]:
            done.result()
        return Load(time.perf_counter() - begun, each, time.process_time() - processor)


def p50(loads: Iterable[Load]) -> str:
    """Return the median of all acts, in milliseconds."""
    return f"{median(one for load in loads for one in load.each) * 1e3:.1f}"


def p99(loads: Iterable[Load]) -> str:
    """Return what one act in a hundred took longer than, in milliseconds."""
    return f"{quantiles([one for load in loads for one in load.each], n=100)[-1] * 1e3:.1f}"


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process and of the children that it waited for, so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def peak_memory(pid: int) -> float:
    """Return the most memory that a process that still runs has had, in MiB.

    What `wait4` tells is no good for that: it begins with the memory of the process that started it.
    """
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()  # without memory, as it ends
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0) / 1024


class HttpConnection:
    """A connection to a server on loopback, kept open. It costs little, so that the server has the core to itself."""

    def __init__(self, port: int, token: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._common = f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"

    def ask(self, line: str, headers: str = "", body: bytes = b"") -> bytes:
        """Send a request (`GET /path`, and headers that end in CRLF) and return the body of a 200."""
        head = f"{line} HTTP/1.1\r\n{self._common}{headers}Content-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        received = bytearray()
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._some()
        answer = received[:end].decode("latin-1").lower()
        length = int(answer.partition("\r\ncontent-length:")[2].partition("\r\n")[0])
        while len(received) < end + 4 + length:
            received += self._some()
        if not answer.startswith("http/1.1 200 "):
            raise ValueError(received.decode(errors="replace"))
        return bytes(received[end + 4 :])

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def _some(self) -> bytes:
        data = self._socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the server closed the connection")
        return data
