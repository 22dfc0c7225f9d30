"""Programs that sign, or should: OpenSSL and an HSM as docs/operate/external-signer.md has them, and what is wrong."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.requirements import require

_PAGE = Path(__file__).parents[2] / "docs" / "operate" / "external-signer.md"


class OpenSsl:
    """A key that OpenSSL has, and the program of the documentation that signs with it."""

    def __init__(self, folder: Path, name: str = "elsewhere") -> None:
        require(shutil.which("openssl"), "openssl 3")
        key = folder / f"{name}.pem"
        self.public = folder / f"{name}.public.pem"
        _run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(key)])
        _run(["openssl", "pkey", "-in", str(key), "-pubout", "-out", str(self.public)])
        self.program = program(folder / name, _script({"/etc/supportaccess/elsewhere.pem": str(key)}))


class SoftHsm:
    """A key in an HSM that is software, made as the documentation says, and its program that signs with it.

    `variables` are what its module needs in the environment.
    """

    def __init__(self, folder: Path) -> None:
        require(
            all(map(shutil.which, ("softhsm2-util", "pkcs11-tool"))), "SoftHSM, OpenSC: apt-get install softhsm2 opensc"
        )
        tokens, settings, pin = folder / "tokens", folder / "softhsm2.conf", folder / "hsm.pin"
        tokens.mkdir()
        settings.write_text(f"directories.tokendir = {tokens}\n")
        pin.write_text("c4nary-pin\n")
        self.public = folder / "public.pem"
        self.variables = {"SOFTHSM2_CONF": str(settings)}
        self.program = program(folder / "hsm", _script({"/etc/supportaccess/hsm.pin": str(pin)}))
        secrets = ["--so-pin", "c4nary-officer", "--pin", "c4nary-pin"]
        _run(["softhsm2-util", "--init-token", "--free", "--label", "audit", *secrets], folder, self.variables)
        make, read = re.findall(r"^\$ (pkcs11-tool .*)$", _PAGE.read_text("utf-8"), re.MULTILINE)
        _run([*shlex.split(make), "--pin", "c4nary-pin"], folder, self.variables)
        _run(shlex.split(read), folder, self.variables)


def program(path: Path, script: str) -> Path:
    """Write a program."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(script)
    new.chmod(0o755)
    new.replace(path)  # while it may be running
    return path


def shell(path: Path, text: str) -> Path:
    """Write a program of one line."""
    return program(path, f"#!/bin/sh\n{text}\n")


def _script(places: Mapping[str, str]) -> str:
    """Return the script of the documentation that names files in these places, with our own instead."""
    scripts = re.findall(r"^```sh\n(.*?)^```", _PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    (script,) = (each for each in scripts if all(place in each for place in places))
    for place, ours in places.items():
        script = script.replace(place, shlex.quote(ours))
    return str(script)


def _run(command: Sequence[str], folder: Path | None = None, variables: Mapping[str, str] | None = None) -> None:
    subprocess.run(command, check=True, capture_output=True, cwd=folder, env={**os.environ, **(variables or {})})
