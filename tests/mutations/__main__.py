"""Breaks a copy of this checkout in one place after the other, and says which test notices.

    python -m tests.mutations [NAME...] [--list] [-- PYTEST OPTION...]

A mutation is a patch in this folder; README.md says what its header has. It is killed when a test of its folder, or of
`contract`, fails with it and passes without it. The table is printed to standard output; the exit code is 1 when a
mutation survived that was killed before.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FOLDERS = ("domain", "tlog", "sources", "store", "cli")
SURVIVED = "survived"

_NOT_COPIED = (".git", ".venv", "__pycache__", ".*_cache", ".hypothesis")
_PYTEST = ("-x", "-q", "-rfE", "--tb=no", "--color=no", "-p", "no:cacheprovider")
_FAILURE = re.compile(r"^(?:FAILED|ERROR) ([^\s\[]+)", re.MULTILINE)
_NONE_FAILED = {0, 5}  # 5: none was chosen, by an option
_BEFORE = re.compile(r"^\| (\d\d-\S+) \|(?:[^|\n]*\|){3} (\S+) \|", re.MULTILINE)
_HEADING = """\
| Mutation | Folder | Breaks | Shown by | Killed at f350651 by | Killed now by |
|---|---|---|---|---|---|"""
# Its folder is where the tests look for the program, and what it finds first is the copy.
_PROGRAM = """\
#!{python}
import sys
from supportaccess.__main__ import main
sys.exit(main())
"""


class Mutation(NamedTuple):
    """A patch, and its header: `first` is the file of tests that most likely kills it."""

    path: Path
    breaks: str
    folder: str
    shown_by: str
    first: str

    @property
    def name(self) -> str:
        """How it is named in the table."""
        return self.path.stem

    @property
    def needs_process(self) -> bool:
        """Whether only a real process, or several, can show it."""
        return self.shown_by == "a process"


def mutations() -> list[Mutation]:
    """Return all mutations, in order."""
    return [_read(path) for path in sorted(HERE.glob("*.patch"))]


def _read(path: Path) -> Mutation:
    header = dict(line.split(": ", 1) for line in path.read_text().partition("\n\n")[0].splitlines())
    return Mutation(path, header["Breaks"], header["Folder"], header["Shown-by"], header["First"])


def git_apply(mutation: Mutation, folder: Path, *options: str) -> str:
    """Apply a mutation to a checkout, and return what is wrong if it does not apply."""
    # Within a repository around the folder git would skip every file, and call that a success.
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(folder.parent)}
    command = ["git", "apply", *options, str(mutation.path)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


class Copy:
    """A copy of this checkout, with a Python whose `supportaccess` it is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._python = folder / ".venv" / "bin" / "python"
        shutil.copytree(ROOT, folder, symlinks=True, ignore=shutil.ignore_patterns(*_NOT_COPIED))
        # Another PYTHONPATH would go before the copy.
        self._environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self._make_environment(folder / ".venv")

    def _make_environment(self, folder: Path) -> None:
        """Make a virtual environment that has this one's packages and, before them, the copy."""
        venv.create(folder, symlinks=True)
        packages = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
        base = {"base": str(folder), "platbase": str(folder)}
        found_first = Path(sysconfig.get_path("purelib", "venv", base)) / "copy.pth"
        found_first.write_text("\n".join([str(self._folder / "src"), *packages]) + "\n")
        program = folder / "bin" / "supportaccess"
        program.write_text(_PROGRAM.format(python=self._python))
        program.chmod(0o755)
        found = self._run(self._python, "-c", "import supportaccess; print(supportaccess.__file__)").stdout
        if not found.startswith(str(self._folder)):
            raise SystemExit(f"the program that would be tested is not the copy but {found}")

    @contextmanager
    def broken_by(self, mutation: Mutation) -> Iterator[None]:
        """Apply a mutation, and take it back."""
        self._patch(mutation)
        try:
            yield
        finally:
            self._patch(mutation, "--reverse")

    def failing(self, tests: Sequence[str], options: Sequence[str]) -> str | None:
        """Run tests until one fails, and return that one, without what it is parametrized with."""
        done = self._run(self._python, "-m", "pytest", *_PYTEST, *options, *tests)
        failed = _FAILURE.search(done.stdout)
        if failed is None and done.returncode not in _NONE_FAILED:
            raise SystemExit(f"pytest did not run {' '.join(tests)}:\n{done.stdout}{done.stderr}")
        return failed[1] if failed else None

    def has(self, file: str) -> bool:
        """Return whether there is such a file."""
        return (self._folder / file).exists()

    def _patch(self, mutation: Mutation, *options: str) -> None:
        if said := git_apply(mutation, self._folder, *options):
            raise SystemExit(f"{mutation.name} does not apply:\n{said}")
        # What was compiled from a file of the same size within the same second would be taken for it.
        for compiled in (self._folder / "src").rglob("__pycache__"):
            shutil.rmtree(compiled)
        # Examples that failed with another mutation.
        shutil.rmtree(self._folder / ".hypothesis", ignore_errors=True)

    def _run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self._folder, env=self._environment, capture_output=True, text=True, check=False
        )


def killer(copy: Copy, mutation: Mutation, options: Sequence[str]) -> str:
    """Return the test that kills a mutation, or that it survived. The likeliest file of tests is run first."""
    options = list(options)
    for tests in ([mutation.first], [f"tests/{mutation.folder}", "tests/contract"]):
        while all(map(copy.has, tests)):
            with copy.broken_by(mutation):
                failed = copy.failing(tests, options)
            if failed is None:
                break
            if copy.failing([failed], options) is None:
                return failed
            sys.stderr.write(f"{failed} is left out: it fails without {mutation.name} too\n")
            options.append(f"--deselect={failed}")
    return SURVIVED


def chosen(names: Sequence[str]) -> list[Mutation]:
    """Return the mutations whose names begin with these, or all without a name."""
    known = mutations()
    for name in names:
        if not any(each.name.startswith(name) for each in known):
            raise SystemExit(f"there is no mutation {name}")
    return [each for each in known if not names or each.name.startswith(tuple(names))]


def row(mutation: Mutation, before: str, now: str) -> str:
    """Return a mutation's line of the table."""
    cells = (mutation.name, mutation.folder, mutation.breaks, mutation.shown_by, before, now)
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str]) -> int:
    """Run the mutations that were named and return the exit code."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    parser = ArgumentParser(prog="python -m tests.mutations", epilog="What follows -- goes to pytest.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a name, or its beginning; default all")
    parser.add_argument("--list", action="store_true", help="list the mutations and what they break")
    asked = parser.parse_args(arguments[:end])
    found = chosen(asked.names)
    if asked.list:
        sys.stdout.writelines(f"{each.name}: {each.breaks}\n" for each in found)
        return 0
    before = dict(_BEFORE.findall((HERE / "README.md").read_text()))
    now: dict[str, str] = {}
    with TemporaryDirectory(prefix="supportaccess-") as folder:
        copy = Copy(Path(folder).resolve() / "checkout")
        for each in found:
            now[each.name] = killer(copy, each, arguments[end + 1 :])
            sys.stderr.write(f"{each.name}: {now[each.name]}\n")
    table = [_HEADING, *(row(each, before.get(each.name, ""), now[each.name]) for each in found)]
    sys.stdout.write("\n".join(table) + "\n")
    lost = [name for name, by in now.items() if by == SURVIVED and before.get(name) != SURVIVED]
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
