"""Somebody who fills in the forms of web pages, without a browser: for what needs no script."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import requests

SECONDS = 30


class Reader:
    """Reads pages and fills in their forms. `page` is the page that was read last; cookies are kept."""

    def __init__(self, url: str, ca_file: Path) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(ca_file)
        self.page = self._session.get(url, timeout=SECONDS)

    @property
    def form(self) -> "Form":
        """The form of the page."""
        return Form(self.page)

    def fill(self, **fields: str) -> None:
        """Fill in the form of the page and send it."""
        form = self.form
        self.page = self._session.post(form.action, data={**form.fields, **fields}, timeout=SECONDS)
        assert self.page.status_code < 500, self.page.text  # a page that passes a refusal on has the status 400


class Form(HTMLParser):
    """The form of a page: where it goes, and its fields."""

    def __init__(self, page: requests.Response) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self._page = page
        self.feed(page.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "form":
            self.action = urljoin(self._page.url, found.get("action") or "")
        elif tag == "input" and found.get("name"):
            self.fields[str(found["name"])] = found.get("value") or ""
