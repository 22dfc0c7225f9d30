"""Looks names up within a time: the system's resolver has none of ours, and can be waited for, but not ended.

Whoever asks for a name that is being looked up waits for the same answer, so that a resolver that hangs holds one
thread for each name, however often it is tried.
"""

import socket
from concurrent.futures import Future
from threading import Lock, Thread

_under_way: "dict[tuple[str, int], Future[list[str]]]" = {}
_lock = Lock()


def look_up(host: str, port: int, seconds: float) -> list[str]:
    """Return the addresses of a host. Raises TimeoutError after so many seconds, OSError or UnicodeError for none."""
    with _lock:
        found = _under_way.get((host, port))
        if found is None:
            found = _under_way[host, port] = Future()
            Thread(target=_ask, args=(host, port, found), name=f"look-up of {host}", daemon=True).start()
    return found.result(max(0, seconds))


def _ask(host: str, port: int, answer: "Future[list[str]]") -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except Exception as error:  # noqa: BLE001 - raised where the answer is waited for
        _done(host, port)
        answer.set_exception(error)
    else:
        _done(host, port)
        answer.set_result(list(dict.fromkeys(str(each[4][0]) for each in found)))


def _done(host: str, port: int) -> None:
    """Let the next one who asks have a new answer."""
    with _lock:
        del _under_way[host, port]
