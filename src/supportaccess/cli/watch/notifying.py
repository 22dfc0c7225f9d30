"""Sends each event to a chat, a phone or a mailbox, through Apprise. Its URLs hold secrets: they are never shown."""

import logging
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from time import sleep
from typing import Any

from supportaccess.cli.watch.text import message
from supportaccess.domain.events import Event
from supportaccess.errors import InvalidInput, SupportAccessError

URLS_VARIABLE = "SUPPORTACCESS_NOTIFY"
_LARGEST_FILE = 64 * 1024
_SECONDS = 20.0
_PAUSES = (1.0, 4.0)


def urls_of(given: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Return the URLs of `--notify`, where @FILE stands for a file of them, or of the variable. Raises InvalidInput."""
    if not given:
        return environment.get(URLS_VARIABLE, "").split()
    urls: list[str] = []
    for each in given:
        urls += _lines(Path(each[1:])) if each.startswith("@") else [each]
    if not all(url.strip() for url in urls) or not urls:
        raise InvalidInput("--notify is empty", hint="Give an Apprise URL, or @FILE with one a line.")
    return urls


class Notifier:
    """Whoever is to be told, by Apprise."""

    def __init__(self, urls: Iterable[str], aliases: Mapping[str, str]) -> None:
        """Take the URLs. Raises SupportAccessError without Apprise, InvalidInput for what is none of its URLs."""
        if find_spec("apprise") is None:
            raise SupportAccessError(
                "--notify needs Apprise, which is not installed", hint="pip install 'supportaccess[notify]'"
            )
        # What it logs has URLs in it.
        logging.getLogger("apprise").addHandler(logging.NullHandler())
        logging.getLogger("apprise").propagate = False
        import apprise

        self._aliases = aliases
        self._text = apprise.NotifyFormat.TEXT
        self._services: list[tuple[str, Any]] = []
        for number, url in enumerate(urls, 1):
            service = apprise.Apprise()
            if not service.add(url):
                raise InvalidInput(
                    f"the {_ordinal(number)} URL to notify is none that Apprise knows",
                    hint="Its forms: https://appriseit.com/services. It is not shown, as it may hold a secret.",
                )
            self._services.append((_kind(url), service))

    def send(self, event: Event) -> str | None:
        """Tell everybody of an event; return what went wrong, if anything did."""
        title, body = message(event, self._aliases)
        failed = [kind for kind, service in self._services if not self._sent(service, title, body)]
        return f"no notification was sent by {', '.join(failed)}" if failed else None

    def _sent(self, service: Any, title: str, body: str) -> bool:
        for pause in (*_PAUSES, None):
            try:
                if service.notify(
                    body=body, title=title, body_format=self._text, interpret_escapes=False, timeout=_SECONDS
                ):
                    return True
            except Exception:  # noqa: BLE001, S110 - whatever one of a hundred plugins raises; its text may have the URL
                pass
            if pause is not None:
                sleep(pause)
        return False


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            text = file.read(_LARGEST_FILE).decode()
    except OSError as error:
        raise InvalidInput(f"{path}, named by --notify, cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{path}, named by --notify, is not UTF-8 text") from None
    if os.name != "nt" and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InvalidInput(f"{path} can be read by others, and the URLs in it hold secrets", hint=f"chmod 600 {path}")
    found = [line.strip() for line in text.splitlines()]
    return [line for line in found if line and not line.startswith("#")]


def _kind(url: str) -> str:
    """Return the kind of service alone: of the rest any part may be secret."""
    kind = url.partition("://")[0]
    return kind if kind.isalnum() else "a service"


def _ordinal(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")
