"""What text a record may hold. Text of records is untrusted: it is kept as given and escaped where it is shown."""

from supportaccess.errors import InvalidInput

LONGEST_REASON = 1000
LONGEST_TITLE = 256
LONGEST_NAME = 256
LONGEST_SUPPORT_REQUEST_ID = 64


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
