"""A shared store whose people sign in at a real identity provider, with their homes."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.cli.home import ProcessHome, Result
from tests.support.certificates import certificate_for_loopback
from tests.support.identity_provider import ADA, IdentityProvider, identity_provider
from tests.support.issuer import API, CLIENT
from tests.support.people import HOME, RESOURCE
from tests.support.program import installed_program
from tests.support.servers import SECONDS, RunningServer, running_server

__all__ = ["identity_provider", "store"]

BROWSER = Path(__file__).with_name("browser.py")
TENANTS = {"contoso": HOME, "fabrikam": RESOURCE}


@dataclass(frozen=True)
class User(ProcessHome):
    """Somebody who trusts store and provider, and keeps tokens unencrypted, as a machine without a desktop has it."""

    trusted: Path
    shared: "Store"

    @property
    def environment(self) -> dict[str, str]:
        """A clean environment."""
        return {**super().environment, "SSL_CERT_FILE": str(self.trusted)}

    @property
    def tokens(self) -> Path:
        """Where the token caches are."""
        return self.folder / "cache" / "tokens"

    def cache(self, tenant_id: str = HOME) -> Path:
        """Return the token cache of a tenant."""
        return self.tokens / f"{tenant_id}.json"

    def profile(self, tenant_id: str = HOME) -> Path:
        """Return the profile of a tenant."""
        return self.config / "tenants" / f"{tenant_id}.toml"

    def browsing(self, login: str = ADA) -> dict[str, str]:
        """Return the variables with which a browser opens, in which somebody signs in."""
        script = self.folder / f"browser-{login.partition('@')[0]}"
        run = f'exec "{sys.executable}" "{BROWSER}" "{self.trusted}" "{login}" "$1" >"{script}.log" 2>&1'
        script.write_text(f"#!/bin/sh\n{run}\n")
        script.chmod(0o700)
        return {"BROWSER": f"{script} %s &"}

    def login(
        self, *more: str, tenant: str = "contoso", login: str = ADA, env: Mapping[str, str] | None = None
    ) -> Result:
        """Sign in with a browser, for the first time or again."""
        arguments = ["--endpoint", self.shared.url, "--tenant", TENANTS[tenant], "--alias", tenant, *more]
        return self.run(
            "login",
            *arguments,
            "--with",
            "browser",
            "--allow-plaintext-cache",
            env={**self.browsing(login), **(env or {})},
        )

    def enter_code(self, *arguments: str, login: str = ADA, env: Mapping[str, str] | None = None) -> Result:
        """Run the program until it shows a code, enter that, and wait for the end."""
        with subprocess.Popen(
            [installed_program(), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.environment, **(env or {})},
            cwd=self.folder,
        ) as process:
            assert process.stderr is not None
            assert process.stdout is not None
            said = ""
            while (found := re.search(r"Open (\S+) in any browser and enter the code (\S+)\.\n", said)) is None:
                line = process.stderr.readline()
                assert line, said
                said += line
            self.shared.provider.enter_code(found[1], found[2], login)
            out, err = process.communicate(timeout=SECONDS)
            return Result(process.returncode, out, said + err)


class Store:
    """The store. `url` is its endpoint."""

    def __init__(self, folder: Path, provider: IdentityProvider, server: RunningServer, authority: Path) -> None:
        self.url = server.url
        self.server = server
        self.provider = provider
        self._trusted = folder / "trusted.pem"
        self._trusted.write_bytes(authority.read_bytes() + provider.ca_file.read_bytes())

    def user(self, folder: Path) -> User:
        """Return the home of somebody new."""
        folder.mkdir(exist_ok=True)
        return User(folder, self._trusted, self)


@contextmanager
def running(folder: Path, provider: IdentityProvider, identity: str = "") -> Iterator[Store]:
    """Run a store over TLS, with these settings of identity beside the usual ones."""
    certificate = certificate_for_loopback(folder)
    settings = folder / "server.toml"
    settings.write_text(
        f'[identity]\ntenants = ["{HOME}", "{RESOURCE}"]\nclient_id = "{API}"\npublic_client_id = "{CLIENT}"\n'
        f'authority = "{provider.authority}"\nca_file = "{provider.ca_file}"\n{identity}\n'
        f'[database]\nsqlite = "store.db"\n[listen]\nport = 0\n'
        f'certificate = "{certificate.certificate}"\nkey = "{certificate.key}"\n'
    )
    with running_server(folder, settings) as server:
        yield Store(folder, provider, server, certificate.authority)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory, identity_provider: IdentityProvider) -> Iterator[Store]:
    """Run one store for all tests of a worker."""
    with running(tmp_path_factory.mktemp("store"), identity_provider) as store:
        yield store
