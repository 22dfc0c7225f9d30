"""The certificate and its key: their rights, their fit, and what is spoken with them."""

import os
import shutil
import signal
import socket
import ssl
import warnings
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.certificates import ServerCertificate, certificate_for_loopback
from tests.support.requirements import require
from tests.support.servers import SECONDS, running_server, settings_file

from supportaccess.errors import StoreRefused
from supportaccess.server.process import tls
from supportaccess.server.settings import ListenSettings


@pytest.fixture
def made(tmp_path: Path) -> ServerCertificate:
    """Make a certificate."""
    return certificate_for_loopback(tmp_path)


def listen(made: ServerCertificate, *, group_may_read_key: bool = False) -> ListenSettings:
    """Return the settings of a server that has it."""
    return ListenSettings(certificate=made.certificate, key=made.key, group_may_read_key=group_may_read_key)


@pytest.mark.parametrize(
    ("mode", "group", "good"),
    [
        (0o600, False, True),
        (0o400, False, True),
        (0o640, False, False),
        (0o604, False, False),
        (0o620, False, False),
        (0o644, False, False),
        (0o640, True, True),
        (0o440, True, True),
        (0o660, True, False),
        (0o644, True, False),
        (0o602, True, False),
    ],
)
def test_rights_of_the_key(mode: int, group: bool, good: bool, made: ServerCertificate) -> None:
    """A key that others may read or write is refused, with its mode and the command that mends it."""
    made.key.chmod(mode)
    if good:
        assert tls.context(listen(made, group_may_read_key=group)).minimum_version is ssl.TLSVersion.TLSv1_2
        return

    with pytest.raises(StoreRefused, match=f"is open to others .mode {mode:04o}") as refused:
        tls.context(listen(made, group_may_read_key=group))
    assert f"chmod 600 {made.key}" in str(refused.value.hint)


def test_a_key_of_another_account(made: ServerCertificate) -> None:
    """A key that somebody else owns is one that somebody else knows."""
    require(os.geteuid() == 0, "the right to give files away: run as root")
    os.chown(made.key, 12345, -1)

    with pytest.raises(StoreRefused, match=r"belongs to another account .user ID 12345"):
        tls.context(listen(made))


def test_a_link_is_followed(made: ServerCertificate, tmp_path: Path) -> None:
    """Kubernetes mounts secrets as links: what counts is what they lead to."""
    target = made.key.rename(tmp_path / "real.key")
    made.key.symlink_to(target)
    assert tls.context(listen(made))

    target.chmod(0o644)
    with pytest.raises(StoreRefused, match="open to others"):
        tls.context(listen(made))


def test_a_key_of_another_certificate(made: ServerCertificate, tmp_path: Path) -> None:
    """A key that does not fit is told as such."""
    (tmp_path / "other").mkdir()
    shutil.copy(certificate_for_loopback(tmp_path / "other").key, made.key)

    with pytest.raises(StoreRefused, match=r"server.key is not the key of .*server.pem"):
        tls.context(listen(made))


@pytest.mark.parametrize("text", ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate(text: str, made: ServerCertificate) -> None:
    """Files that are something else are refused without a traceback."""
    made.certificate.write_text(text)

    with pytest.raises(StoreRefused, match="are not a certificate and its key"):
        tls.context(listen(made))


def test_a_file_that_is_not_there(made: ServerCertificate) -> None:
    """It is named."""
    made.certificate.unlink()

    with pytest.raises(StoreRefused, match=r"server.pem cannot be read: No such file"):
        tls.context(listen(made))


def test_what_is_spoken(made: ServerCertificate, tmp_path: Path) -> None:
    """TLS 1.2 and 1.3 get through with the right authority; older versions and plain HTTP do not."""
    settings = settings_file(tmp_path, listen='certificate = "server.pem"\nkey = "server.key"')
    with running_server(tmp_path, settings) as server:
        assert server.url.startswith("https://")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with _spoken(server.address, made, version) as connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
                answer = connection.recv(65536)
                assert answer.startswith(b"HTTP/1.1 200 OK")
                assert b"\r\nserver:" not in answer.lower()
        with pytest.raises(OSError):  # noqa: PT011 - which one is the library's choice
            _spoken(server.address, made, ssl.TLSVersion.TLSv1_1)


def test_hup_reads_a_renewed_certificate(made: ServerCertificate, tmp_path: Path) -> None:
    """After SIGHUP new connections get the new certificate; one that cannot be used leaves the old one in use."""
    settings = settings_file(tmp_path, listen='certificate = "server.pem"\nkey = "server.key"')
    with running_server(tmp_path, settings) as server:
        assert server.ask("/healthz").status == 200
        first = _serial(server.address)
        assert first == made.certificate.read_text()[: len(first)]
        renewed = certificate_for_loopback(tmp_path)
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("certificateLoaded")
        second = _serial(server.address)
        renewed.key.chmod(0o644)
        server.process.send_signal(signal.SIGHUP)
        refused = server.wait_for("certificateRefused")

        assert first != second
        assert "is open to others" in refused["message"]
        assert _serial(server.address) == second


@pytest.mark.parametrize(
    ("begins", "ends", "event"),
    [(-9, -1, "certificateOutOfTerm"), (1, 9, "certificateOutOfTerm"), (-1, 9, "certificateEndsSoon")],
)
def test_the_term_is_told_in_the_log(tmp_path: Path, begins: int, ends: int, event: str) -> None:
    """A certificate that has ended, will soon, or does not hold yet is logged when the server starts, which it does."""
    certificate_for_loopback(tmp_path, begins=timedelta(days=begins), ends=timedelta(days=ends))
    settings = settings_file(tmp_path, listen='certificate = "server.pem"\nkey = "server.key"')
    with running_server(tmp_path, settings) as server:
        assert server.ask("/healthz").status == 200
        assert "server.pem" in server.wait_for(event)["message"]
        certificate_for_loopback(tmp_path, ends=timedelta(days=99))
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("certificateLoaded")
        assert server.ask("/healthz").status == 200
        assert sum(line["event"].startswith("certificate") for line in server.lines) == 2


def _spoken(address: tuple[str, int], made: ServerCertificate, version: ssl.TLSVersion) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(made.authority))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the old version that must fail
        context.minimum_version = context.maximum_version = version
    plain = socket.create_connection(address, timeout=SECONDS)
    try:
        return context.wrap_socket(plain, server_hostname="localhost")
    except BaseException:
        plain.close()
        raise


def _serial(address: tuple[str, int]) -> str:
    return ssl.get_server_certificate(address)
