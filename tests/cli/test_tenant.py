"""`supportaccess tenant`."""

import stat

import pytest
from tests.cli.home import Home
from tests.cli.terminal import CTRL_C
from tests.support.people import FOREIGN, HOME


def listed(home: Home) -> list[dict[str, object]]:
    """Return the profiles."""
    result = home.run("tenant", "list", "-q", "-o", "json")
    assert result.code == 0
    profiles: list[dict[str, object]] = result.json
    return profiles


def test_none_yet(new_home: Home) -> None:
    """Without profiles the list is empty, and says how to add one."""
    result = new_home.run("tenant", "list")
    assert (result.code, result.out) == (0, "")
    assert "supportaccess tenant set TENANT_ID --alias NAME" in result.err
    assert "supportaccess tenant set" in new_home.on_terminal("tenant", "list").text


@pytest.mark.parametrize("place", ["pipe", "terminal"])
def test_the_first_profile_becomes_the_default(new_home: Home, place: str) -> None:
    """A new profile is kept for its owner alone; the first is the default, a second is not."""
    if place == "pipe":
        assert new_home.run("tenant", "set", HOME.upper(), "--alias", "contoso").code == 0
    else:
        screen = new_home.on_terminal("tenant", "set", HOME.upper(), "--alias", "contoso")
        assert screen.code == 0
        assert "contoso" in screen.text
    assert new_home.run("tenant", "set", FOREIGN).code == 0
    assert listed(new_home) == [
        {"tenantId": FOREIGN, "store": "embedded", "isDefault": False},
        {"tenantId": HOME, "alias": "contoso", "store": "embedded", "isDefault": True},
    ]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in new_home.config.rglob("*") if path.is_file()}
    assert modes == {0o600}


def test_use(home: Home) -> None:
    """`use` chooses the default, by alias or ID."""
    home.add_tenant(FOREIGN, "fabrikam")
    result = home.run("tenant", "use", "fabrikam")
    assert (result.code, result.out) == (0, "")
    assert "The default tenant is now fabrikam." in result.err
    assert home.run("tenant", "show", "-o", "json").json["tenantId"] == FOREIGN
    assert home.on_terminal("tenant", "use", HOME).code == 0
    assert home.run("tenant", "show", "-o", "json").json["tenantId"] == HOME
    assert home.run("tenant", "use", "99999999-9999-4999-8999-999999999999").code == 3


def test_show_says_what_chose_the_tenant(home: Home) -> None:
    """`show` says where the choice comes from: the argument, the environment, or the settings file."""
    home.add_tenant(FOREIGN, "fabrikam")
    shown = home.run("tenant", "show", "-o", "json").json
    assert (shown["tenantId"], shown["alias"], shown["isDefault"]) == (HOME, "contoso", True)
    assert shown["origin"] == str(home.config / "config.toml")
    by_variable = home.run("tenant", "show", "-o", "json", env={"SUPPORTACCESS_TENANT": "fabrikam"}).json
    assert (by_variable["tenantId"], by_variable["origin"]) == (FOREIGN, "SUPPORTACCESS_TENANT")
    assert home.run("tenant", "show", "fabrikam", "-o", "json").json["origin"] == "the argument"
    screen = home.on_terminal("tenant", "show", "fabrikam")
    assert screen.code == 0
    assert FOREIGN in screen.text
    assert "fabrikam" in screen.text


def test_several_tenants_and_no_default(new_home: Home) -> None:
    """With several tenants and no default a command asks which one is meant: exit 3."""
    new_home.add_tenant(HOME, "contoso")
    new_home.add_tenant(FOREIGN, "fabrikam")
    result = new_home.run("list")
    assert result.code == 3
    assert "contoso, fabrikam" in result.err
    assert "supportaccess tenant use ALIAS" in result.err
    assert "--tenant ALIAS" in result.err


def test_aliases(home: Home) -> None:
    """An alias can be changed and taken away; one that another tenant has, or that is none, is refused."""
    home.add_tenant(FOREIGN, "fabrikam")
    assert home.run("tenant", "set", "contoso", "--alias", "home").code == 0
    assert home.run("list", "-t", "HOME", "-q").code == 0
    for alias in ("fabrikam", "FABRIKAM", "two words", HOME, "x" * 65, "\x1b[2J", "ähnlich"):
        result = home.run("tenant", "set", "home", "--alias", alias)
        assert (result.code, result.out) == (2, "")
    assert home.run("tenant", "set", "home", "--alias", "").code == 0
    assert listed(home)[0] == {"tenantId": HOME, "store": "embedded", "isDefault": True}


def test_remove(home: Home) -> None:
    """Removing asks on a terminal and needs --yes off it; what the store holds stays."""
    (record,) = home.raised()
    assert home.on_terminal("tenant", "remove", "contoso", answer="n\n").code == 1
    assert home.on_terminal("tenant", "remove", "contoso", answer=CTRL_C).code == 130
    assert home.run("tenant", "remove", "contoso").code == 2
    assert len(listed(home)) == 1
    screen = home.on_terminal("tenant", "remove", "contoso", answer="y\n")
    assert screen.code == 0
    assert "The store still has its requests." in screen.text
    assert listed(home) == []
    assert home.run("tenant", "set", HOME).code == 0
    assert home.run("list", "-o", "ids").out == f"{record.id}\n"


def test_formats(home: Home) -> None:
    """Profiles come in every format, IDs among them."""
    assert home.run("tenant", "list", "-o", "ids").out == f"{HOME}\n"
    assert home.run("tenant", "list").out == f"{HOME}\tcontoso\tembedded\ttrue\n"
    assert home.run("tenant", "list", "--columns", "alias", "-o", "csv").out == "alias\ncontoso\n"
    assert max(map(len, home.on_terminal("tenant", "list").lines)) <= 80
