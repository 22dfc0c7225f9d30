"""Programs that sign, or should: OpenSSL as docs/operate/external-signer.md has it, and what goes wrong."""

import re
import shutil
import subprocess
from pathlib import Path

from tests.support.requirements import require

_PAGE = Path(__file__).parents[2] / "docs" / "operate" / "external-signer.md"


class OpenSsl:
    """A key that OpenSSL has, and the program of the documentation that signs with it."""

    def __init__(self, folder: Path, name: str = "elsewhere") -> None:
        require(shutil.which("openssl"), "openssl 3")
        key = folder / f"{name}.pem"
        self.public = folder / f"{name}.public.pem"
        _run("genpkey", "-algorithm", "ed25519", "-out", str(key))
        _run("pkey", "-in", str(key), "-pubout", "-out", str(self.public))
        (script,) = re.findall(r"^```sh\n(.*?)^```", _PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
        assert "/etc/supportaccess/elsewhere.pem" in script
        self.program = program(folder / name, script.replace("/etc/supportaccess/elsewhere.pem", str(key)))


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


def _run(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
