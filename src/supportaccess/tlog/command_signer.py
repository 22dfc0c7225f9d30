"""Signs by a program that the operator names: the key stays in a KMS, an HSM, or with another account.

The program reads the message on its standard input and writes the 64 bytes of the signature (RFC 8032) to its standard
output. There is no shell, and nothing secret in its arguments; which key is meant is in its environment.
"""

import os
import signal
import subprocess
import time
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector

from supportaccess.tlog.notes import SIGNATURE_SIZE
from supportaccess.tlog.signers import SignerFailed

SECONDS = 10.0
"""How long a signature may take."""
KEY_VARIABLE = "SUPPORTACCESS_PUBLIC_KEY"
"""The variable with the public half (base64 of 32 bytes) of the key that is to sign."""

_MOST = 4096
_MOST_SAID = 300
# The server's own, among which are secrets.
_NOT_HANDED_ON = ("SUPPORTACCESS_", "PGPASS")


class CommandSigner:
    """Signs with a key that a program has. `command` is the program's path and its arguments. Not on Windows."""

    def __init__(self, command: Sequence[str], public_key: bytes) -> None:
        self._command = command
        self._public_key = public_key

    @property
    def public_key(self) -> bytes:
        """The public half."""
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message. Raises SignerFailed: also after SECONDS, when the program is ended."""
        program = self._command[0]
        output, errors, code = self._run(message)
        if code:
            raise SignerFailed(f"{program} ended with {code} and signed nothing", said=_shown(errors))
        if len(output) != SIGNATURE_SIZE:
            raise SignerFailed(
                f"{program} wrote {len(output):,} bytes, and a signature has {SIGNATURE_SIZE}", said=_shown(errors)
            )
        return output

    def _run(self, message: bytes) -> tuple[bytes, bytes, int]:
        ends = time.monotonic() + SECONDS
        try:
            process = subprocess.Popen(  # noqa: S603 - what the operator named, without a shell
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment() | {KEY_VARIABLE: b64encode(self._public_key).decode()},
                start_new_session=True,  # so that what it starts is ended with it
            )
        except OSError as error:
            raise SignerFailed(f"{self._command[0]} cannot be started: {error.strerror or error}") from None
        try:
            output, errors = _exchange(process, message, ends)
            return output, errors, process.wait(max(0.0, ends - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise SignerFailed(f"{self._command[0]} did not sign within {SECONDS:g} seconds and was ended") from None
        finally:
            _end(process)


def _exchange(process: "subprocess.Popen[bytes]", message: bytes, ends: float) -> tuple[bytes, bytes]:
    """Hand the message over, and return what comes on both outputs: so much of it as could mean something."""
    assert process.stdin is not None  # noqa: S101 - for mypy
    with suppress(BrokenPipeError), process.stdin as file:
        file.write(message)  # which is shorter than any pipe
    received = {process.stdout: bytearray(), process.stderr: bytearray()}
    with DefaultSelector() as selector:
        for stream, data in received.items():
            selector.register(stream, EVENT_READ, data)  # type: ignore[arg-type]  # both are pipes
        while selector.get_map():
            left = ends - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired(process.args, SECONDS)
            for key, _ in selector.select(left):
                part = os.read(key.fd, _MOST)
                key.data.extend(part[: _MOST - len(key.data)])
                if not part:
                    selector.unregister(key.fd)
    return bytes(received[process.stdout]), bytes(received[process.stderr])


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Leave nothing of it running or open."""
    if process.returncode is None:  # it was not waited for yet, so that its number is still its own
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(_NOT_HANDED_ON)}


def _shown(errors: bytes) -> str:
    return " ".join(errors.decode("utf-8", "replace").split())[:_MOST_SAID]
