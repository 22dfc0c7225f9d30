"""Runs the server: one process, or a parent that looks after worker processes, until it is told to stop.

The parent opens the port and makes the folder that the workers share: the table of limits, and their metrics.
Settings reach a worker through a pipe, never as arguments that others could see.
"""

import logging.config
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client.multiprocess import mark_process_dead
from uvicorn import Server
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from supportaccess import __version__
from supportaccess.domain.times import system_clock
from supportaccess.errors import StoreUnavailable, SupportAccessError
from supportaccess.server import logs
from supportaccess.server.database import open_engine
from supportaccess.server.limits import make_table
from supportaccess.server.metrics import FOLDER_VARIABLE
from supportaccess.server.process import checks
from supportaccess.server.process.handshakes import TlsConfig
from supportaccess.server.process.timeouts import LimitedConfig
from supportaccess.server.settings import ListenSettings, ServerSettings
from supportaccess.store.sql.outbox import enable_again
from supportaccess.store.sql.sqlite.open import only_server

with suppress(ImportError):  # on Windows
    from fcntl import LOCK_SH, flock

if TYPE_CHECKING:
    from supportaccess.server.process.worker import Application

_BACKLOG = 2048
# A worker that is only slow, as all are on a busy machine while they start, must not be taken for one that hangs.
SECONDS_TO_ANSWER = 30
_OTHER_FILES = 1000


def serve(settings: ServerSettings) -> None:
    """Run the server until SIGTERM or SIGINT; what is under way then is finished and answered.

    Raises StoreRefused for files or a store that cannot be used, SupportAccessError when the port cannot be opened or
    the server fails to start. A database that does not answer yet is waited for: /readyz tells.
    """
    logging.config.dictConfig(logs.configuration(settings.log_level))
    checks.refuse_unusable(settings)
    file = settings.database.sqlite
    with nullcontext() if file is None else only_server(file):
        _serve(settings)
    logs.event("stopped")


def _serve(settings: ServerSettings) -> None:
    try:
        _open_once(settings)
    except StoreUnavailable as error:
        logs.event("databaseUnavailable", level=logging.WARNING, message=error.message)
    _tell_term(settings.listen)
    _allow_files(settings.limits.connections)
    with _listening(settings.listen) as listener, _shared_folder() as folder:
        config = _config(settings, folder)
        if settings.listen.workers == 1:
            _run_alone(settings, config, listener)
        else:
            _run_workers(settings, config, listener, folder)


def _open_once(settings: ServerSettings) -> None:
    """See whether the database can be used; webhooks that were disabled try again from now on."""
    engine = open_engine(settings.database)
    try:
        if settings.webhooks:
            enable_again(engine, settings.identity.tenants)
    finally:
        engine.close()


def _config(settings: ServerSettings, folder: Path) -> LimitedConfig:
    listen, limits = settings.listen, settings.limits
    table = None
    if listen.workers > 1:
        table = folder / "limits"
        make_table(table)
    make = partial(TlsConfig, listen=listen) if listen.certificate else LimitedConfig
    return make(
        partial(_make_application, settings, table),
        limits,
        factory=True,
        lifespan="on",
        workers=listen.workers,
        backlog=_BACKLOG,
        proxy_headers=bool(listen.trusted_proxies),
        forwarded_allow_ips=list(listen.trusted_proxies),
        server_header=False,
        access_log=False,
        log_config=logs.configuration(settings.log_level),
        timeout_worker_healthcheck=SECONDS_TO_ANSWER,
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=limits.stop_seconds,
    )


def _tell_term(listen: ListenSettings) -> None:
    """Log that the certificate has ended, or will soon; whoever renews it need not start the server again."""
    now = system_clock()
    try:
        checks.refuse_out_of_term(listen, now)
    except SupportAccessError as error:
        logs.event("certificateOutOfTerm", level=logging.ERROR, message=error.message)
    for renewal in checks.renewals(listen, now):
        logs.event("certificateEndsSoon", level=logging.WARNING, message=renewal)


def _allow_files(connections: int) -> None:
    """Let this process open as many files as its connections need: often 1024 are allowed, and far more on request."""
    if os.name == "nt":
        return
    import resource

    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * connections + _OTHER_FILES
    wanted = needed if most == resource.RLIM_INFINITY else min(needed, most)
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


@contextmanager
def _listening(listen: ListenSettings) -> Iterator[socket.socket]:
    try:
        family = socket.getaddrinfo(listen.address, listen.port, type=socket.SOCK_STREAM)[0][0]
        both = listen.address == "::" and socket.has_dualstack_ipv6()
        listener = socket.create_server(
            (listen.address, listen.port), family=family, backlog=_BACKLOG, dualstack_ipv6=both
        )
    except OSError as error:
        raise SupportAccessError(
            f"cannot listen on {listen.address} port {listen.port}: {error.strerror}",
            hint="Set listen.address and listen.port; `ss -ltnp` shows who listens where.",
        ) from None
    with listener:
        yield listener


@contextmanager
def _shared_folder() -> Iterator[Path]:
    """Make a folder for this account alone, and remove it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="supportaccess-"))
    try:
        with _kept(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _kept(folder: Path) -> Iterator[None]:
    """Lock a folder, by which systemd-tmpfiles(8) leaves it alone, however old what is in it looks."""
    if os.name == "nt":
        yield
        return
    held = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        flock(held, LOCK_SH)
        yield
    finally:
        os.close(held)


def _tell(settings: ServerSettings, listener: socket.socket) -> None:
    address, port = listener.getsockname()[:2]
    host = f"[{address}]" if ":" in address else address
    logs.event(
        "listening",
        url=f"{'https' if settings.listen.certificate else 'http'}://{host}:{port}",
        store=checks.store_in_words(settings.database),
        workers=settings.listen.workers,
        version=__version__,
        pid=os.getpid(),
    )


def _run_alone(settings: ServerSettings, config: LimitedConfig, listener: socket.socket) -> None:
    server = Server(config)

    def stop(*_: object) -> None:
        server.should_exit = True

    # For the moment before uvicorn has its own handlers, and for that after: it raises the signal again.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: _load_certificate_again(settings.listen, config))
    _tell(settings, listener)
    try:
        server.run([listener])
    except SystemExit:
        raise _not_started() from None


def _load_certificate_again(listen: ListenSettings, config: LimitedConfig) -> None:
    if not isinstance(config, TlsConfig) or not config.loaded:
        return
    try:
        config.load_certificate_again()
    except SupportAccessError as error:
        logs.event("certificateRefused", level=logging.ERROR, message=error.message)
    else:
        logs.event("certificateLoaded")
        _tell_term(listen)


def _run_workers(settings: ServerSettings, config: LimitedConfig, listener: socket.socket, folder: Path) -> None:
    os.environ[FOLDER_VARIABLE] = str(folder)  # read by prometheus_client in the workers
    workers = _Workers(config, [listener], folder)
    _tell(settings, listener)
    workers.run()
    if workers.failed:
        raise _not_started()


class _Workers(Multiprocess):
    """uvicorn's supervisor: replaces a worker that died, and on SIGHUP all of them one after the other."""

    def __init__(self, config: LimitedConfig, sockets: list[socket.socket], metrics: Path) -> None:
        super().__init__(config, sockets)
        self._metrics = metrics

    def keep_subprocess_alive(self) -> None:
        """Look after the workers, and say which of them were replaced."""
        before = {process.pid for process in self.processes}
        for process in self.processes:
            process.child_conn.close()  # with it open here, nothing would tell that a worker died before it answered
        super().keep_subprocess_alive()
        for pid in before - {process.pid for process in self.processes}:
            mark_process_dead(pid, self._metrics)  # type: ignore[no-untyped-call]  # has no annotations
            logs.event("workerReplaced", level=logging.WARNING, pid=pid)

    def terminate_all(self) -> None:
        """Stop the workers, and take no new connections for them: who waits to be taken would wait for nothing."""
        for listener in self.sockets:
            listener.close()
        super().terminate_all()

    @property
    def failed(self) -> bool:
        """Whether a worker could not start."""
        return any(process.exitcode == STARTUP_FAILURE for process in self.processes)


def _make_application(settings: ServerSettings, table: Path | None) -> "Application":
    """Make what a process serves, in that process. One that cannot ends the server: the next could not either."""
    try:
        if parent := multiprocessing.parent_process():
            threading.Thread(target=_end_with, args=[parent], daemon=True).start()
        threading.excepthook = lambda failed: logs.failure(failed.exc_value) if failed.exc_value else None
        from supportaccess.server.process.worker import Application

        return Application(settings, table)
    except Exception as error:  # noqa: BLE001 - told here, without what it says
        logs.failure(error)
        sys.exit(STARTUP_FAILURE)


def _end_with(parent: Any) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _not_started() -> SupportAccessError:
    return SupportAccessError("the server could not start; its log says why", hint="supportaccess serve --check")
