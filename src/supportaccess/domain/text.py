"""What text a record may hold. Text of records is untrusted: it is kept as given and escaped where it is shown."""

from typing import Annotated

import msgspec

from supportaccess.errors import InvalidInput
from supportaccess.structs import described

LONGEST_REASON = 1000
LONGEST_TITLE = 256
LONGEST_NAME = 256
LONGEST_SUPPORT_REQUEST_ID = 64


def _some_text(longest: int) -> msgspec.Meta:
    return described(minLength=1, maxLength=longest, pattern=r"^[^\x00]*[^\s\x00\x1c-\x1f\x85\xa0][^\x00]*$")


SupportRequestId = Annotated[
    str, described(minLength=1, maxLength=LONGEST_SUPPORT_REQUEST_ID, pattern=r"^[^\s\x00-\x20\x7f-\xa0]+$")
]
Reason = Annotated[str, _some_text(LONGEST_REASON)]
Title = Annotated[str, _some_text(LONGEST_TITLE)]
Name = Annotated[str, _some_text(LONGEST_NAME)]


def check_text(name: str, text: str, longest: int) -> str:
    """Return the text without surrounding blanks. Raises InvalidInput when it is empty, too long or not storable."""
    text = text.strip()
    if not text:
        raise InvalidInput(f"{name} is empty")
    if len(text) > longest:
        raise InvalidInput(f"{name} has {len(text):,} characters; {longest:,} is the most")
    if "\x00" in text:
        raise InvalidInput(f"{name} contains a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"{name} is not valid Unicode text") from None
    return text


def check_support_request_id(text: str) -> str:
    """Return a support request ID: opaque, but one visible word."""
    text = check_text("the support request ID", text, LONGEST_SUPPORT_REQUEST_ID)
    if not text.isprintable() or any(character.isspace() for character in text):
        raise InvalidInput(f"{text!r} is not a support request ID: it has blanks or control characters in it")
    return text
