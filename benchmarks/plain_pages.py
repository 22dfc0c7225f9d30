"""The floor of a long list: pages with requests, decoded with msgspec. Argument: URL; the token in TOKEN.

Prints a line after the first page, and the number of rows at the end.
"""

import os
import sys

import msgspec
import requests

from supportaccess.store.wire import RequestList


def main(url: str) -> None:
    """Follow the links to the end."""
    decoder, rows = msgspec.json.Decoder(RequestList), 0
    following: str | msgspec.UnsetType = url
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {os.environ['TOKEN']}"
        while following is not msgspec.UNSET:
            answer = session.get(following, timeout=60)
            answer.raise_for_status()
            page = decoder.decode(answer.content)
            if rows == 0:
                print("first page", flush=True)
            rows += len(page.value)
            following = page.next_link
    print(rows)


if __name__ == "__main__":
    main(sys.argv[1])
