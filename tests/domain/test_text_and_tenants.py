import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportaccess.domain.tenants import is_guid, parse_tenant_id
from supportaccess.domain.text import LONGEST_SUPPORT_REQUEST_ID, check_support_request_id, check_text
from supportaccess.errors import InvalidInput

GUID = "8d3fc0a1-5a52-4c6e-9c0e-3f5b0a6d2e71"


@given(st.uuids())
def test_a_tenant_id_is_taken_in_any_case(identifier: object) -> None:
    """A GUID is a tenant ID whatever its case, and is kept in lower case."""
    assert str(identifier) == parse_tenant_id(str(identifier).upper())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "contoso.onmicrosoft.com",
        GUID.replace("-", ""),
        f"{{{GUID}}}",
        f" {GUID}",
        f"{GUID}\n",
        f"{GUID}0",
        GUID.replace("8d3f", "8d3g"),
        GUID.replace("8", "\uff18"),
        GUID.replace("8", "\u0668"),
        "\u212a" + GUID[1:],
        "\u017f" + GUID[1:],
        "\x00" + GUID[1:],
        "\ud800" + GUID[1:],
    ],
)
def test_what_only_looks_like_a_tenant_id_is_refused(text: str) -> None:
    """Names, other spellings of GUIDs, look-alike digits and letters are no tenant IDs."""
    assert not is_guid(text)
    with pytest.raises(InvalidInput):
        parse_tenant_id(text)


@pytest.mark.parametrize("letter", ["\u212a", "\u017f", "\uff21"])
def test_look_alikes_stay_what_they_are_in_a_support_request_id(letter: str) -> None:
    """A letter that folds to an ASCII one is kept as it was given: the ID is opaque."""
    assert check_support_request_id(f"SR{letter}") == f"SR{letter}"


@given(st.text(st.characters(), max_size=80))
def test_any_text_is_taken_stripped_or_refused(text: str) -> None:
    """Text is returned without surrounding blanks and can be encoded, or it is InvalidInput and nothing else."""
    try:
        taken = check_text("the reason", text, 60)
    except InvalidInput:
        assert not text.strip() or len(text.strip()) > 60 or "\x00" in text or _has_surrogates(text)
        return
    assert text.strip() == taken
    assert taken.encode().decode() == taken
    assert "\x00" not in taken


@given(st.text(st.characters(), max_size=80))
def test_a_support_request_id_is_one_visible_word(text: str) -> None:
    """Whatever is taken as a support request ID has no blanks, no control characters and at most 64 characters."""
    try:
        taken = check_support_request_id(text)
    except InvalidInput:
        return
    assert taken.isprintable()
    assert [taken] == taken.split()
    assert len(taken) <= LONGEST_SUPPORT_REQUEST_ID


@pytest.mark.parametrize(
    "text", ["", " ", "a b", "a\tb", "a\u200bb", "a\x1b[2Jb", "a\u202eb", "1" * 65, "a\x00", "\udcff"]
)
def test_what_is_no_support_request_id_is_refused(text: str) -> None:
    """Blanks, invisible and control characters, and too many characters are refused."""
    with pytest.raises(InvalidInput):
        check_support_request_id(text)


@pytest.mark.parametrize("text", ["2603010050001234", "SR-17/b", "Ω", " 17 ", "1" * 64])
def test_what_is_a_support_request_id(text: str) -> None:
    """Any visible word is one, without the blanks around it."""
    assert text.strip() == check_support_request_id(text)


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
