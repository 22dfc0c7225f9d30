"""A browser with somebody in front of it: `browser.py CA_FILE LOGIN URL`, as BROWSER starts it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support.pages import Reader


def main(ca_file: str, login: str, url: str) -> None:
    """Sign in on the pages, and let them send the program what it waits for."""
    reader = Reader(url, Path(ca_file))
    while (form := reader.form).action:
        if "login" in form.fields and login == "nobody":
            reader.fill(cancel="")
        else:
            reader.fill(**({"login": login} if "login" in form.fields else {}))


if __name__ == "__main__":
    main(*sys.argv[1:])
