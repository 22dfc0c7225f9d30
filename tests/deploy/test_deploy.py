"""What deploy/ ships fits the program, as far as can be told without a container engine and without systemd running."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.certificates import certificate_for_loopback
from tests.support.children import ROOT
from tests.support.identity_provider import IdentityProvider, identity_provider
from tests.support.issuer import API
from tests.support.people import HOME
from tests.support.postgresql import MIGRATED, new_cluster, programs
from tests.support.program import installed_program
from tests.support.requirements import require
from tests.support.servers import SECONDS, environment

from supportaccess.server.settings_file import CONFIG_VARIABLE, DATABASE_VARIABLE, VARIABLES, read_settings

__all__ = ["identity_provider"]

DEPLOY = ROOT / "deploy"
SERVER = DEPLOY / "server.toml"
UNIT = DEPLOY / "supportaccess.service"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
INSTALLED = "/opt/supportaccess"
LARGEST_EXPOSURE = 20
"""In tenths, by systemd's own measure: below 2.0 of 10."""


def unit_environment() -> dict[str, str]:
    settings = re.findall(r"^Environment=(\w+)=(.*)$", UNIT.read_text(), re.MULTILINE)
    return {name: value.replace("%d", "/run/credentials/supportaccess.service") for name, value in settings}


@pytest.mark.parametrize("given", [unit_environment(), COMPOSE["services"]["server"]["environment"]])
def test_the_settings_are_taken(given: dict[str, str]) -> None:
    """The example of settings is right, with what the unit and the compose file set beside it."""
    settings = read_settings(SERVER, {name: str(value) for name, value in given.items()})

    assert set(given) <= {*VARIABLES, CONFIG_VARIABLE, DATABASE_VARIABLE}
    assert settings.listen.certificate is not None
    assert (settings.database.sqlite is None) == (DATABASE_VARIABLE in given)


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """Systemd finds nothing wrong with the unit, and little that it leaves open."""
    require(shutil.which("systemd-analyze"), "systemd-analyze (apt-get install systemd)")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(f"{INSTALLED}/bin/supportaccess", f'"{installed_program()}"'))

    for command in (["verify"], ["security", "--offline=yes", f"--threshold={LARGEST_EXPOSURE}"]):
        done = subprocess.run(["systemd-analyze", *command, unit], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_the_compose_file_names_nothing_that_is_not_there() -> None:
    """Each secret, file and service that the compose file refers to is there, and its image is ours to build."""
    services = COMPOSE["services"]

    for service in services.values():
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
        assert set(service.get("depends_on", ())) <= set(services)
        used = re.findall(r"/run/secrets/([\w.-]+)", str(service))
        assert set(used) <= set(service.get("secrets", ()))
        mounted = [volume.split(":")[0] for volume in service.get("volumes", ())]
        assert all((DEPLOY / each).exists() if each.startswith(".") else each in COMPOSE["volumes"] for each in mounted)
    build = services["migrate"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == DEPLOY / "Containerfile"


def test_the_containers_commands_make_a_store(identity_provider: IdentityProvider, tmp_path: Path) -> None:
    """Roles, migration and server, as the compose file starts them, make a store in which everything is right."""
    psql = shutil.which("psql", path=f"{programs()}{os.pathsep}{os.environ['PATH']}")
    require(psql, "PostgreSQL's psql (apt-get install postgresql-client)")
    assert psql is not None
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in ("owner-password", "server-password"):
        (secrets / name).write_text(f"it's {name}\n")
    certificate = certificate_for_loopback(tmp_path, ends=timedelta(days=90))
    certificate.certificate.rename(secrets / "certificate.pem")
    certificate.key.rename(secrets / "key.pem")
    settings = tmp_path / "server.toml"
    settings.write_text(settings_of_the_tests(identity_provider))

    with new_cluster() as cluster:
        cluster.run(f"DROP DATABASE {MIGRATED}")
        cluster.run("DROP ROLE supportaccess_owner; DROP ROLE supportaccess_server")
        roles = tmp_path / "roles.sql"
        roles.write_text((DEPLOY / "roles.sql").read_text().replace("/run/secrets/", shlex.quote(f"{secrets}/")))
        subprocess.run([psql, "-q", "-d", cluster.conninfo(), "-f", roles], check=True, timeout=SECONDS)
        for service, more in (("migrate", ""), ("server", " --check")):
            done = subprocess.run(
                [
                    each.replace("$$", "$").replace("/run/secrets/", shlex.quote(f"{secrets}/"))
                    for each in entrypoint(service, more)
                ],
                env=environment_of(service, tmp_path, settings, secrets, cluster.port),
                capture_output=True, text=True, timeout=SECONDS, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
    assert "Everything is right." in done.stderr


def settings_of_the_tests(provider: IdentityProvider) -> str:
    """Return the example, for the identity provider of the tests."""
    text = re.sub(r"^tenants = .*$", f'tenants = ["{HOME}"]', SERVER.read_text(), flags=re.MULTILINE)
    mine = f'client_id = "{API}"\nauthority = "{provider.authority}"\nca_file = "{provider.ca_file}"'
    return re.sub(r"^client_id = .*$", mine, text, flags=re.MULTILINE)


def entrypoint(service: str, more: str) -> list[str]:
    """Return how a service is started, with something behind it."""
    *shell, script = COMPOSE["services"][service]["entrypoint"]
    return [*shell, script + more]


def environment_of(service: str, folder: Path, settings: Path, secrets: Path, port: int) -> dict[str, str]:
    """Return the environment of a service, as it is on this machine."""
    given = {name: str(value) for name, value in COMPOSE["services"][service]["environment"].items()}
    given[DATABASE_VARIABLE] = given[DATABASE_VARIABLE].replace("host=postgresql", f"host=127.0.0.1 port={port}")
    here = {name: value.replace("/run/secrets", str(secrets)) for name, value in given.items()}
    here |= {CONFIG_VARIABLE: str(settings)} if CONFIG_VARIABLE in given else {}
    return environment(folder, {**here, "PATH": f"{Path(installed_program()).parent}{os.pathsep}{os.environ['PATH']}"})


def test_the_image_has_the_server_in_it(tmp_path: Path) -> None:
    """What the container file copies and runs installs a program that has its server."""
    text = (DEPLOY / "Containerfile").read_text()
    source, installed = tmp_path / "source", tmp_path / "installed"
    source.mkdir()
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        *names, _ = shlex.split(line)
        for name in names:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, source / name)
    build = re.findall(r"^RUN (.*)$", text.partition("\n\nFROM ")[0], re.MULTILINE)
    for command in build:
        words = shlex.split(command.replace(INSTALLED, shlex.quote(str(installed))))
        words[0] = sys.executable if words[0] == "python" else words[0]
        done = subprocess.run(words, cwd=source, capture_output=True, text=True, timeout=280, check=False)
        require(done.returncode == 0, f"a package index to install from: {done.stderr[-500:]}")
    program = installed / "bin" / "supportaccess"

    assert str(program.parent).replace(str(installed), INSTALLED) in text
    done = subprocess.run([program, "serve"], env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert (done.returncode, "no settings" in done.stderr) == (2, True), done.stderr
