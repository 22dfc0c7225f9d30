"""Where the support request ID is found, and when it stays unknown."""

from typing import Any

import pytest
from tests.sources.builders import event, read_one

ONE, TWO = "2605010040001234", "2605010040005678"


def found(details: list[dict[str, Any]], targets: list[dict[str, Any]] | None = None) -> str | None:
    return read_one(event(additionalDetails=details, targetResources=targets or [])).support_request_id


def changed(name: str, new: object, old: object = None) -> list[dict[str, Any]]:
    return [{"modifiedProperties": [{"displayName": name, "oldValue": old, "newValue": new}]}]


@pytest.mark.parametrize(
    ("details", "targets"),
    [
        ([{"key": "Info", "value": ONE}], []),
        ([{"key": "Info", "value": f"ticket {ONE}."}], []),
        ([{"key": None, "value": f"({ONE})"}], []),
        ([{"Key": "Info", "Value": ONE}], []),
        ([{"key": "Info", "value": int(ONE)}], []),
        ([], [{"displayName": f"Request #{ONE}"}]),
        ([], [{"id": ONE}]),
        ([], changed("Reference", f'"{ONE}"')),
        ([], changed("Reference", f'["{ONE}"]')),
        ([], changed("Reference", None, f'"{ONE}"')),
        ([{"key": "a", "value": ONE}, {"key": "b", "value": ONE}], [{"id": ONE}]),
        ([{"key": "Info", "value": TWO}, {"key": "Support Request ID", "value": ONE}], [{"id": TWO}]),
        ([{"key": "Ticket title", "value": f"about {ONE}"}], [{"id": TWO}]),
        ([{"key": "Info", "value": TWO}], changed("SupportRequestId", f'"{ONE}"')),
    ],
)
def test_found(details: list[dict[str, Any]], targets: list[dict[str, Any]]) -> None:
    """Sixteen digits are found wherever they may stand; what is named for a support request goes first."""
    assert found(details, targets) == ONE


@pytest.mark.parametrize("key", ["SupportRequestId", "support request", "Ticket", "caseNumber", "Support Ticket No."])
@pytest.mark.parametrize("value", ["SR-17", '"SR-17"', '["SR-17"]'])
def test_any_word_under_its_own_name(key: str, value: str) -> None:
    """Under the name of a support request's ID any one visible word is taken."""
    assert found([{"key": key, "value": value}]) == "SR-17"


def test_leading_zeros() -> None:
    """An ID that is all digits keeps its zeros."""
    assert found([{"key": "SupportRequestId", "value": "17"}]) == "17"
    assert found([{"key": "SupportRequestId", "value": "0017"}]) == "0017"


@pytest.mark.parametrize(
    ("details", "targets"),
    [
        ([], []),
        ([{"key": "Info", "value": "SR-17"}], []),
        ([{"key": "Info", "value": ONE + "1"}], []),
        ([{"key": "Info", "value": ONE[:-1]}], []),
        ([{"key": "Info", "value": f"x{ONE}"}], []),
        ([{"key": "Info", "value": f"{ONE}-1"}], []),
        ([{"key": "Info", "value": f"Directory_{ONE}_1"}], []),
        ([{"key": "Info", "value": f"0.{ONE}"}], []),
        ([{"key": "Info", "value": "\uff11" * 16}], []),
        ([{"key": "a", "value": ONE}, {"key": "b", "value": TWO}], []),
        ([{"key": "a", "value": f"{ONE} {TWO}"}], []),
        ([{"key": "Ticket", "value": ONE}, {"key": "Case", "value": TWO}], []),
        ([{"key": "SupportRequestId", "value": "two words"}], []),
        ([{"key": "SupportRequestId", "value": "x" * 65}], []),
        ([{"key": "SupportRequestId", "value": "null"}], []),
        ([{"key": "SupportRequestId", "value": "true"}], []),
        ([{"key": "SupportRequestId", "value": "{}"}], []),
        ([{"key": "SupportRequestId", "value": True}], []),
        ([{"key": "SupportRequestId", "value": "a\x1bb"}], []),
        ([{"key": "Support request status", "value": "Open"}], []),
        ([{"key": "SupportRequestTenantId", "value": "8d3fc0a1-5a52-4c6e-9c0e-3f5b0a6d2e71"}], []),
        ([{"key": "RequestId", "value": "abc"}], []),
        ([], changed("SupportRequestId", f'"{ONE}"', f'"{TWO}"')),
    ],
)
def test_unknown(details: list[dict[str, Any]], targets: list[dict[str, Any]]) -> None:
    """What is a part of something else, not a word, or one of two is no support request ID."""
    assert found(details, targets) is None
