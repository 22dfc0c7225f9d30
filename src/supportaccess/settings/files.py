"""Settings files: TOML that people edit too, so what they wrote is kept and what cannot be read is not touched.

Reading is on the way of every command. What only writing needs (tomlkit, filelock) is imported there.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from supportaccess.errors import InvalidInput, StoreUnavailable
from supportaccess.private_files import make_folder, refused, write_private

LARGEST_FILE = 64 * 1024
PATIENCE = 10.0
"""Seconds that a writer waits for another one."""

T = TypeVar("T")
# Compiled when a file is broken, which is seldom: compiling costs every command.
_TABLE = r"^[ \t]*\[\[?([^\[\]]+)\]"
_KEY_OF_ERROR = r" - at `\$\.([\w.]+)[^`]*`"


def broken(path: Path, why: str, *, key: str = "") -> InvalidInput:
    """Return the error for a file whose contents cannot be used, with the line of the key that is wrong."""
    if key and (line := line_of(path, key)):
        why = f"line {line}: {why}"
    return InvalidInput(f"{path} is broken: {why}", hint="Mend the file, or remove it. Nothing in it was changed.")


def read(path: Path, kind: type[T], **known: str) -> T | None:
    """Return a file's table as a `kind`, or None without the file. `known` overrides what the file says.

    Keys that are not of the kind are passed over: a newer version may have written them.
    Raises InvalidInput for a broken file, StoreRefused for one that cannot be read.
    """
    text = _read_text(path)
    if text is None:
        return None
    try:
        return msgspec.convert({**tomllib.loads(text), **known}, kind)
    except RecursionError:
        raise broken(path, "it is nested too deeply") from None
    except ValueError as error:  # of tomllib, of msgspec, and of int() for thousands of digits
        raise broken(path, _with_line(str(error), text)) from None


def line_of(path: Path, key: str) -> int | None:
    """Return the line of a file that sets a key, counted from 1; None where none does, or that cannot be told.

    A key in a table is named `table.key`. Raises StoreRefused for a file that cannot be read.
    """
    text = _read_text(path)
    return None if text is None else _line_of(text, key)


def edit(path: Path, values: Mapping[str, object]) -> None:
    """Set these keys of a file and leave the rest of it as it is, comments too; a key set to None is removed.

    A mapping is a table, of which the same holds.

    To be called under `locked`, in a folder that exists. Raises InvalidInput, StoreRefused.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    before = _read_text(path)
    try:
        document = tomlkit.parse(before or "")
    except (TOMLKitError, RecursionError) as error:
        raise broken(path, str(error)) from None
    _set(document, values)
    after = tomlkit.dumps(document)
    data = after.encode()
    if len(data) > LARGEST_FILE:
        raise broken(path, _too_large())
    if after != before:
        write_private(path, data)


def _set(table: MutableMapping[str, Any], values: Mapping[str, object]) -> None:
    import tomlkit

    for key, value in values.items():
        if isinstance(value, Mapping):
            if not isinstance(table.get(key), MutableMapping):
                table[key] = tomlkit.table()
            _set(table[key], value)
        elif value is not None:
            table[key] = value
        elif key in table:
            del table[key]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from writing settings meanwhile. Raises StoreUnavailable, StoreRefused."""
    from filelock import FileLock, Timeout

    make_folder(folder)
    path = folder / ".lock"
    lock = FileLock(path, timeout=PATIENCE, mode=0o600)
    try:
        lock.acquire()
    except Timeout:
        raise StoreUnavailable(
            f"another process has kept the settings locked for {PATIENCE:g} seconds ({path})", hint="Try again."
        ) from None
    except OSError as error:
        raise refused(path, "locked", error) from error
    try:
        yield
    finally:
        lock.release()


def _with_line(error: str, text: str) -> str:
    """Return what a reader says of a text, with the line where it does not name one."""
    last = text.count("\n", 0, len(text.rstrip("\n"))) + 1
    error = error.replace("(at end of document)", f"(at the end, line {last})")
    key = re.search(_KEY_OF_ERROR, error)
    line = key and _line_of(text, key[1])
    return f"line {line}: {error}" if line else error


def _line_of(text: str, key: str) -> int | None:
    table, _, name = key.rpartition(".")
    for found in re.finditer(rf"""^[ \t]*["']?{re.escape(name)}["']?[ \t]*=""", text, re.MULTILINE):
        before = text[: found.start()]
        try:
            tomllib.loads(before)
        except (ValueError, RecursionError):
            continue  # a line inside a string
        if (re.findall(_TABLE, before, re.MULTILINE) or [""])[-1].strip() == table:
            return before.count("\n") + 1
    return _line_of(text, table) if table else None  # a table within one line


def _read_text(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise refused(path, "read", error) from error
    if len(data) > LARGEST_FILE:
        raise broken(path, _too_large())
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise broken(path, f"line {line} is not UTF-8 text") from None


def _too_large() -> str:
    return f"it is larger than {LARGEST_FILE // 1024} KiB"
