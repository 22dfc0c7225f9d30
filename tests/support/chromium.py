"""A real browser without a window, Debian's Chromium, and somebody who fills in the pages that a program opens."""

import base64
import hashlib
import os
import select
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.support.identity_provider import IdentityProvider
from tests.support.requirements import require
from tests.support.rings import needs

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

SECONDS = 60.0
_CHROMIUM, _DRIVER = "chromium", "chromedriver"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
)  # fmt: skip


class Browser:
    """A running Chromium. `program` is what the command under test has to open URLs with: its variable BROWSER."""

    def __init__(self, driver: "Chrome", folder: Path) -> None:
        self._driver = driver
        self.program = folder / "open-in-chromium"
        fifo = folder / "urls"
        os.mkfifo(fifo)
        self._urls = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        self.program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$1\" >'{fifo}'\n")
        self.program.chmod(0o700)

    def close(self) -> None:
        """Take no more URLs."""
        os.close(self._urls)

    def forget(self) -> None:
        """Be as new: nobody is signed in anywhere, and nothing was asked for."""
        self._driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        while select.select([self._urls], [], [], 0)[0]:
            os.read(self._urls, 65536)

    def open_what_is_asked_for(self) -> str:
        """Wait for a URL that a program wants to be opened, open it, and return it."""
        url = self._asked_for()
        self._driver.get(url)
        return url

    def sign_in(self, login: str) -> str:
        """Fill in what the pages ask for, and return the text of the page that is left when they ask for no more."""
        while self._driver.find_elements("name", "go"):
            self.try_to_sign_in(login)
        return self.text

    def try_to_sign_in(self, login: str) -> str:
        """Fill in one page, and return the text of the next."""
        for field in self._driver.find_elements("name", "login"):
            field.clear()
            field.send_keys(login)
        for field in self._driver.find_elements("name", "password"):
            field.send_keys("any")
        self._press("go")
        return self.text

    @property
    def asks_who_it_is(self) -> bool:
        """Whether the page asks for an account, and not only for a consent."""
        return bool(self._driver.find_elements("name", "login"))

    def cancel(self) -> str:
        """Press Cancel, and return the text of the page that is left."""
        self._press("cancel")
        return self.text

    def look_at(self, url: str) -> str:
        """Open a page, and return what it says."""
        self._driver.get(url)
        return self.text

    @property
    def text(self) -> str:
        """What the page says."""
        return self._driver.find_element("tag name", "body").text

    def _press(self, name: str) -> None:
        """Press a button, and wait for the next page: one that passes the answer on by a script is not yet it."""
        from selenium.common.exceptions import WebDriverException
        from selenium.webdriver.support.expected_conditions import staleness_of
        from selenium.webdriver.support.wait import WebDriverWait

        button = self._driver.find_element("name", name)
        button.click()
        waiting = WebDriverWait(self._driver, SECONDS, poll_frequency=0.05, ignored_exceptions=[WebDriverException])
        waiting.until(staleness_of(button))
        waiting.until(lambda driver: driver.title != "Submitting Callback" and _is_loaded(driver))

    def _asked_for(self) -> str:
        got = b""
        while not got.endswith(b"\n"):
            assert select.select([self._urls], [], [], SECONDS)[0], f"no program opened a page; so far: {got!r}"
            got += os.read(self._urls, 65536)
        return got.decode().strip()


def _is_loaded(driver: "Chrome") -> bool:
    return bool(driver.execute_script("return document.readyState") == "complete")


@contextmanager
def running(folder: Path, certificate: Path) -> Iterator[Browser]:
    """Run a browser that trusts one server's certificate, whoever signed it, with a profile of its own in a folder."""
    needs("browser")
    chromium, driver = shutil.which(_CHROMIUM), shutil.which(_DRIVER)
    require(chromium and driver, "Chromium and its driver: apt-get install chromium chromium-driver")
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = str(chromium)
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}", _trusting(certificate)):
        options.add_argument(flag)
    # With the path of a driver selenium looks for none itself.
    with Chrome(options=options, service=ChromeService(str(driver))) as chrome:
        browser = Browser(chrome, folder)
        try:
            yield browser
        finally:
            browser.close()


def _trusting(certificate: Path) -> str:
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    return f"--ignore-certificate-errors-spki-list={base64.b64encode(digest).decode()}"


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory, identity_provider: IdentityProvider) -> Iterator[Browser]:
    """Run one browser for all tests of a worker, which trusts the identity provider."""
    with running(tmp_path_factory.mktemp("browser"), identity_provider.server_certificate) as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser) -> Browser:
    """Return a browser in which nobody is signed in."""
    chromium.forget()
    return chromium
