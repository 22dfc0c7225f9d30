"""Checks of the program itself and of the files that all tenants share."""

import platform
import sqlite3
from collections.abc import Iterator

from supportaccess import __version__
from supportaccess.cli.app.context import Context
from supportaccess.cli.doctor.checks import Check, failed, passed, refused, tried
from supportaccess.cli.output.text import counted
from supportaccess.errors import SupportAccessError
from supportaccess.settings.rights import check_rights


def machine_checks(context: Context) -> Iterator[Check]:
    """Check the program, every settings file, and who else can read our files."""
    yield _program()
    yield from _settings(context)
    yield from _rights(context)


def _program() -> Check:
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return passed("program", f"supportaccess {__version__}, {versions}")


def _settings(context: Context) -> Iterator[Check]:
    """Read every file, and name each that is broken."""
    try:
        profiles, unreadable = context.settings.every_profile()
    except SupportAccessError as error:
        yield refused("settings", error)
        return
    yield from (refused("settings", error) for error in unreadable.values())
    checked = tried("settings", lambda: _config(context, len(profiles)))
    if not unreadable or checked.mend is not None:
        yield checked


def _config(context: Context, profiles: int) -> Check:
    context.settings.default_tenant()
    return passed("settings", f"{context.paths.config}: {counted(profiles, 'tenant profile')}")


def _rights(context: Context) -> Iterator[Check]:
    found = check_rights(context.paths)
    for path, trouble in found:
        told, _, mend = trouble.rpartition(": ")
        yield failed("file rights", f"{path}: {told}", mend)
    if not found:
        yield passed("file rights", "settings, tokens and store are for your account alone")
