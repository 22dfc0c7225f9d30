"""The one table of the methods of sign-in, and what follows from it."""

import re
from inspect import signature
from pathlib import Path

import pytest

from supportaccess.settings.sign_in import OPTIONS, Method, SignIn, taken_by
from supportaccess.signin import methods
from supportaccess.signin.environment import sign_in_of
from supportaccess.signin.method import Request, Result, entry_of

PAGE = Path(__file__).parents[2] / "docs" / "sign-in.md"
MODULES = {path.stem for path in Path(str(methods.__file__)).parent.glob("*.py")} - {"__init__"}


@pytest.mark.parametrize("method", Method)
def test_every_method_has_its_module(method: Method) -> None:
    """What signs in takes a request and returns a result; it comes from the method's own module."""
    entry = entry_of(method)

    assert entry.__module__ == f"{methods.__name__}.{method.replace('-', '_')}"
    assert [each.annotation for each in signature(entry).parameters.values()] == [Request]
    assert signature(entry).return_annotation == Result


def test_every_module_is_a_method() -> None:
    """No module lies beside them that no method is found by."""
    assert {method.replace("-", "_") for method in Method} == MODULES


def test_the_table_names_its_own_parts() -> None:
    """What an option replaces or yields to is another part, of the same method."""
    for option in OPTIONS.values():
        for other in {*option.replaces, option.unless} - {None}:
            assert OPTIONS[str(other)].methods == option.methods


def test_no_name_is_there_twice() -> None:
    """Each flag, variable and name of a setting stands for one part."""
    for names in (
        [option.flag for option in OPTIONS.values()],
        [option.variable for option in OPTIONS.values()],
        [option.shown for option in OPTIONS.values()],
    ):
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_variable_sets_its_part(name: str) -> None:
    """A pipeline sets each part by its variable; of a secret the profile's words have the variable's name alone."""
    option = OPTIONS[name]
    how = sign_in_of({"SUPPORTACCESS_SIGN_IN": option.methods[0], option.variable: "1"})

    kept = True if option.metavar is None else option.variable if option.is_secret else "1"
    assert how == SignIn(method=option.methods[0], **{name: kept})  # type: ignore[arg-type]


@pytest.mark.parametrize("method", [method for method in Method if not method.is_a_persons])
def test_the_page_has_what_a_pipeline_sets(method: Method) -> None:
    """In docs/sign-in.md, the line of a method names exactly the variables that it takes."""
    line = re.search(rf"^\| `{method}` \|(.*)\|$", PAGE.read_text(), re.MULTILINE)

    assert line is not None
    named = set(re.findall(r"`(SUPPORTACCESS_\w+|AZURE_FEDERATED_TOKEN_FILE)`", line[1]))
    taken = taken_by(method).values()
    assert named - {"SUPPORTACCESS_CLIENT_ID"} == {
        name for option in taken for name in (option.variable, option.fallback) if name
    }


def test_the_page_has_how_people_sign_in() -> None:
    """In docs/sign-in.md, the table of `--with` has the methods of people, in the order in which help names them."""
    people = PAGE.read_text().partition("| `--with` | how |")[2].partition("\n\n")[0]

    assert re.findall(r"^\| `([\w-]+)` \|", people, re.MULTILINE) == [each for each in Method if each.is_a_persons]
