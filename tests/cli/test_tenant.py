"""`supportaccess tenant`."""

import stat

import pytest
from tests.cli.home import Home
from tests.cli.terminal import CTRL_C
from tests.support.people import FOREIGN, HOME, RESOURCE


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


@pytest.mark.process
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


class TestRename:
    @pytest.mark.parametrize("place", ["pipe", "terminal"])
    def test_gives_another_alias(self, home: Home, place: str) -> None:
        """The alias changes and nothing else does, comments and keys of a newer version included."""
        path = home.config / "tenants" / f"{HOME}.toml"
        path.write_text('# ours\nalias = "contoso"\nstore = "https://store.example.com"\nnewer = 1\n')
        arguments = ("tenant", "rename", "contoso", "contoso-eu")
        if place == "pipe":
            done = home.run(*arguments)
            assert (done.code, done.out) == (0, f"{HOME}\tcontoso-eu\thttps://store.example.com\ttrue\n")
            assert done.err == f"Tenant contoso ({HOME}) is now called contoso-eu.\n"
        else:
            screen = home.on_terminal(*arguments)
            assert screen.code == 0
            assert f"Tenant contoso ({HOME}) is now called contoso-eu." in screen.words
        assert path.read_text() == ('# ours\nalias = "contoso-eu"\nstore = "https://store.example.com"\nnewer = 1\n')

    def test_takes_the_alias_away(self, home: Home) -> None:
        """An empty alias leaves the tenant with its ID."""
        done = home.run("tenant", "rename", "contoso", "")
        assert done.code == 0
        assert done.err == f"Tenant contoso ({HOME}) has no alias any more.\n"
        assert listed(home) == [{"tenantId": HOME, "store": "embedded", "isDefault": True}]

    @pytest.mark.parametrize(
        ("name", "alias", "code"),
        [("contoso", "fabrikam", 2), ("contoso", "two words", 2), ("nobody", "n", 5), (RESOURCE, "n", 3)],
    )
    def test_refuses(self, home: Home, name: str, alias: str, code: int) -> None:
        """An alias that is taken or is none, and a tenant that is not there, change nothing."""
        home.add_tenant(FOREIGN, "fabrikam")
        before = listed(home)
        done = home.run("tenant", "rename", name, alias)
        assert (done.code, done.out) == (code, "")
        assert done.err.startswith("Error: ")
        assert listed(home) == before


class TestShowOrigin:
    def origins(self, home: Home, *arguments: str, env: dict[str, str] | None = None) -> dict[str, tuple[str, str]]:
        """Return each setting's value and origin."""
        shown = home.run("tenant", "show", *arguments, "--show-origin", "-o", "json", env=env)
        assert shown.code == 0, shown.err
        return {row["name"]: (row["value"], row["origin"]) for row in shown.json}

    def test_names_the_line_of_the_file(self, home: Home) -> None:
        """Each value that a file sets has its path and line; the others have the variable, or are defaults."""
        path = home.config / "tenants" / f"{HOME}.toml"
        path.write_text('# ours\n\nalias = "contoso"\n')
        (home.config / "config.toml").write_text(f'\ndefault_tenant = "{HOME}"\n')
        found = self.origins(home)
        config = f"{home.config}/config.toml, line 2"
        assert found["tenantId"] == (HOME, config)
        assert found["defaultTenant"] == (HOME, config)
        assert found["alias"] == ("contoso", f"{path}, line 3")
        assert found["store"] == ("embedded", "default")
        assert found["configFolder"] == (str(home.config), "SUPPORTACCESS_CONFIG_DIR")
        assert found["output"][1] == "default"

    def test_a_flag_goes_before_a_variable_and_that_before_a_file(self, home: Home) -> None:
        """What names the tenant is told for each of the ways, in their order."""
        home.add_tenant(FOREIGN, "fabrikam")
        variables = {"SUPPORTACCESS_TENANT": "fabrikam", "SUPPORTACCESS_OUTPUT": "csv"}
        assert self.origins(home, "contoso", env=variables)["tenantId"] == (HOME, "the argument")
        by_variable = self.origins(home, env=variables)
        assert by_variable["tenantId"] == (FOREIGN, "SUPPORTACCESS_TENANT")
        assert by_variable["output"] == ("csv", "SUPPORTACCESS_OUTPUT")

    def test_tells_what_the_endpoint_said(self, home: Home) -> None:
        """A value that is the discovery document's says so, with when that was fetched; another one does not."""
        path = home.config / "tenants" / f"{HOME}.toml"
        path.write_text(
            'store = "https://store.example.com"\n'
            'client_id = "aaaaaaaa-0000-4000-8000-00000000a711"\n'
            'authority = "https://login.microsoftonline.us"\n'
            "scopes = [\n  'api://aaaaaaaa-0000-4000-8000-00000000a711/access',\n]\n"
            "[sign_in]\nmethod = 'device-code'\n"
            "[discovery]\nfetched_at = 2026-11-01T10:00:00Z\nstale_at = 2026-11-02T10:00:00Z\napi_version = 'v1'\n"
            "authority = 'https://login.microsoftonline.com'\n"
            "client_id = 'aaaaaaaa-0000-4000-8000-00000000a711'\nscopes = ['api://aaaaaaaa-0000-4000-8000-00000000a711/access']\n"
        )
        found = self.origins(home, HOME)
        told = "discovery document of https://store.example.com, fetched 2026-11-01T10:00:00Z"
        assert found["clientId"][1] == f"{told} ({path}, line 2)"
        assert found["scopes"] == ("api://aaaaaaaa-0000-4000-8000-00000000a711/access", f"{told} ({path}, line 4)")
        assert found["authority"] == ("https://login.microsoftonline.us", f"{path}, line 3")
        assert found["signIn"] == ("device-code", f"{path}, line 8")

    def test_shows_no_secret(self, home: Home) -> None:
        """That there is an access token is told with its variable; the token is not, on a terminal neither."""
        env = {"SUPPORTACCESS_ACCESS_TOKEN": "canary.canary.canary"}
        assert self.origins(home, env=env)["accessToken"][1] == "SUPPORTACCESS_ACCESS_TOKEN"
        screen = home.on_terminal("tenant", "show", "--show-origin", env=env)
        assert screen.code == 0
        assert "SUPPORTACCESS_ACCESS_TOKEN" in screen.words
        assert "canary" not in screen.text

    def test_of_a_list_names_each_file(self, home: Home) -> None:
        """In a list the origin of a profile is its file."""
        rows = home.run("tenant", "list", "--show-origin", "-o", "json").json
        assert [row["origin"] for row in rows] == [str(home.config / "tenants" / f"{HOME}.toml")]
        assert "origin" not in listed(home)[0]
        assert home.on_terminal("tenant", "list", "--show-origin").code == 0

    def test_reads_alone(self, home: Home) -> None:
        """Showing settings writes nothing."""
        before = {path: path.stat().st_mtime_ns for path in home.folder.rglob("*")}
        self.origins(home)
        assert {path: path.stat().st_mtime_ns for path in home.folder.rglob("*")} == before
