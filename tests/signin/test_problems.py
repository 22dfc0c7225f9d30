"""What an authority's refusals are told as."""

import pytest

from supportaccess.signin.problems import KNOWN, refusal

LOGIN = "supportaccess login --tenant contoso"


def told(text: str, **more: object) -> tuple[str, str, str | None]:
    error = refusal({"error": "invalid_grant", "error_description": text, **more}, tenant="contoso", login=LOGIN)
    return error.message, str(error.hint), error.request_id


@pytest.mark.parametrize("code", KNOWN)
def test_every_known_code_has_a_reason_and_what_mends_it(code: str) -> None:
    """No placeholder is left over, and the code is named."""
    message, hint, _ = told(f"AADSTS{code}: Words of Entra's. Trace ID: x")

    assert message.endswith(f"(AADSTS{code})")
    assert "Words of Entra" not in message
    assert hint
    assert not set("{}") & set(message + hint)


@pytest.mark.parametrize(
    ("code", "why", "mend"),
    [
        ("50076", "second factor", LOGIN),
        ("53003", "Conditional Access", "--with browser"),
        ("65001", "consented", "Consent"),
        ("700016", "not known in the tenant", "client ID"),
        ("700024", "assertion has expired", "clock"),
        ("7000215", "client secret", "Certificates & secrets"),
        ("700082", "not used for too long", LOGIN),
        ("90002", "no such tenant", "tenant ID"),
        ("50020", "not one of this tenant", LOGIN),
    ],
)
def test_what_is_common_is_told_in_plain_words(code: str, why: str, mend: str) -> None:
    """The reasons that people meet are told with the command or the place that mends them."""
    message, hint, _ = told(f"AADSTS{code}: ...")

    assert why in message
    assert mend in hint


def test_what_is_unknown_is_told_as_the_authority_says_it() -> None:
    """The first line of it, of sane length, with its code."""
    message, hint, ids = told("AADSTS99999: Odd.\r\nTrace ID: x", correlation_id="c-1", trace_id="t-1")

    assert message == "no sign-in to contoso: the sign-in has ended (AADSTS99999)"
    assert (hint, ids) == (LOGIN, "correlation c-1, trace t-1")
    assert len(refusal({"error": "odd", "error_description": "x" * 9999}, tenant="c", login=LOGIN).message) < 400
    assert "gave no reason" in refusal({}, tenant="c", login=LOGIN).message
