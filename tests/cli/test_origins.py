"""`--show-origin` where variables go before the profile: each is named, with the value that holds."""

import re
from pathlib import Path

import pytest
from tests.cli.home import Home
from tests.support.people import HOME, RESOURCE

API = "api://aaaaaaaa-0000-4000-8000-00000000a711"
OURS = "dddddddd-0000-4000-8000-000000000004"
STORE = "https://store.example.com"
SECRET = {"SUPPORTACCESS_CLIENT_SECRET": "canary"}
CERTIFICATE = {"SUPPORTACCESS_CLIENT_CERTIFICATE": "/etc/robot.pfx"}
GITHUB = {"SUPPORTACCESS_SIGN_IN": "github"}
FILE = {"SUPPORTACCESS_SIGN_IN": "token-file"}
IDENTITY = {"SUPPORTACCESS_SIGN_IN": "managed-identity"}
NOT_SHOWN = "(set; not shown)"

# Variable: what it is set to beside what else, the setting that shows it, and the value that is shown.
VARIABLES: dict[str, tuple[str, dict[str, str], str, str]] = {
    "SUPPORTACCESS_TENANT": ("fabrikam", {}, "tenantId", RESOURCE),
    "SUPPORTACCESS_OUTPUT": ("json", {}, "output", "json"),
    "SUPPORTACCESS_CONFIG_DIR": ("", {}, "configFolder", ""),
    "SUPPORTACCESS_DATA_DIR": ("", {}, "dataFolder", ""),
    "SUPPORTACCESS_CACHE_DIR": ("", {}, "cacheFolder", ""),
    "SUPPORTACCESS_ACCESS_TOKEN": ("canary", {}, "accessToken", NOT_SHOWN),
    "SUPPORTACCESS_ACCESS_TOKEN_FILE": ("/canary", {}, "accessToken", NOT_SHOWN),
    "SUPPORTACCESS_ENDPOINT": ("https://Other.example.com/", {}, "store", "https://other.example.com"),
    "SUPPORTACCESS_SIGN_IN": ("github", {}, "signIn", "github"),
    "SUPPORTACCESS_CLIENT_ID": (OURS, GITHUB, "clientId", OURS),
    "SUPPORTACCESS_AUTHORITY": ("https://login.microsoftonline.us", GITHUB, "authority", "https://login.microsoftonline.us"),
    "SUPPORTACCESS_CLIENT_SECRET": ("canary", {}, "clientSecret", NOT_SHOWN),
    "SUPPORTACCESS_CLIENT_SECRET_FILE": ("/etc/secret", {}, "clientSecretFile", "/etc/secret"),
    "SUPPORTACCESS_CLIENT_CERTIFICATE": ("/etc/robot.pfx", {}, "certificate", "/etc/robot.pfx"),
    "SUPPORTACCESS_CLIENT_CERTIFICATE_PASSPHRASE": ("canary", CERTIFICATE, "passphrase", NOT_SHOWN),
    "SUPPORTACCESS_CLIENT_CERTIFICATE_PASSPHRASE_FILE": ("/etc/pass", CERTIFICATE, "passphraseFile", "/etc/pass"),
    "SUPPORTACCESS_CLIENT_CERTIFICATE_SEND_CHAIN": ("1", CERTIFICATE, "sendChain", "yes"),
    "SUPPORTACCESS_MANAGED_IDENTITY": (f"client_id={OURS}", IDENTITY, "managedIdentity", f"client_id={OURS}"),
    "SUPPORTACCESS_SERVICE_CONNECTION": (
        "ours", {"SUPPORTACCESS_SIGN_IN": "azure-pipelines"}, "serviceConnection", "ours",
    ),
    "SUPPORTACCESS_FEDERATED_TOKEN_FILE": ("/run/token", FILE, "tokenFile", "/run/token"),
    "SUPPORTACCESS_ALLOW_PLAINTEXT_CACHE": ("1", {}, "allowPlaintextCache", "yes"),
}  # fmt: skip

OF_NO_TENANT = {
    "SUPPORTACCESS_DATABASE",
    "SUPPORTACCESS_DEBUG",
    "SUPPORTACCESS_NOTIFY",
    "SUPPORTACCESS_NO_COLOR",
    "SUPPORTACCESS_PUBLIC_KEY",
}
"""Variables that stand for no value of a tenant; those of the server beside them."""


@pytest.fixture
def home(new_home: Home) -> Home:
    """Return a home with contoso, signed in to a shared store by its profile, and fabrikam."""
    new_home.add_tenant(HOME, "contoso", default=True)
    new_home.add_tenant(RESOURCE, "fabrikam")
    profile_of(new_home).write_text(
        f"alias = 'contoso'\nstore = '{STORE}'\nclient_id = 'eeeeeeee-0000-4000-8000-000000000005'\n"
        f"authority = 'https://login.microsoftonline.com'\nscopes = ['{API}/access']\n"
        "[sign_in]\nmethod = 'client-secret'\nsecret_variable = 'OUR_SECRET'\nsecret_file = '/not/used'\n"
        "[account]\nname = 'the pipeline'\n"
        "[discovery]\nfetched_at = 2026-11-01T10:00:00Z\nstale_at = 2026-11-02T10:00:00Z\napi_version = 'v1'\n"
        f"authority = 'https://login.microsoftonline.com'\nclient_id = '{API[6:]}'\nscopes = ['{API}/access']\n"
    )
    return new_home


def profile_of(home: Home) -> Path:
    return home.config / "tenants" / f"{HOME}.toml"


def origins(home: Home, env: dict[str, str] | None = None) -> dict[str, tuple[str, str]]:
    """Return each setting's value and origin."""
    shown = home.run("tenant", "show", "--show-origin", "-o", "json", env=env)
    assert shown.code == 0, shown.err
    assert "canary" not in shown.out + shown.err
    return {row["name"]: (row["value"], row["origin"]) for row in shown.json}


def documented() -> set[str]:
    page = (Path(__file__).parents[2] / "docs" / "contract.md").read_text()
    return set(re.findall(r"^\| `(SUPPORTACCESS_\w+)` \|", page, re.MULTILINE))


def test_every_documented_variable_is_known_here() -> None:
    """What docs/contract.md names is shown with its origin, or is of no tenant."""
    of_the_server = {name for name in documented() if name.startswith("SUPPORTACCESS_SERVER_")}

    assert documented() - of_the_server - OF_NO_TENANT == set(VARIABLES)


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_variable_is_named_with_its_value(home: Home, variable: str) -> None:
    """The value that holds is the variable's, and it is named; without it, another one is."""
    text, others, name, value = VARIABLES[variable]
    if not text:  # one that every test's home has
        assert origins(home)[name] == (home.environment[variable], variable)
        return

    assert origins(home, {**others, variable: text})[name] == (value, variable)
    assert variable not in {origin for _, origin in origins(home, others).values()}


def test_without_variables_the_profile_holds(home: Home) -> None:
    """What the profile signs in by has its line; a secret has the name of its variable alone."""
    found, path = origins(home), profile_of(home)

    assert found["signIn"] == ("client-secret", f"{path}, line 7")
    assert found["clientSecret"] == ("(in the variable OUR_SECRET; not shown)", f"{path}, line 8")
    assert "clientSecretFile" not in found
    assert found["account"] == ("the pipeline", f"{path}, line 11")
    assert found["clientId"] == ("eeeeeeee-0000-4000-8000-000000000005", f"{path}, line 3")
    assert found["allowPlaintextCache"] == ("no", "default")


def test_what_a_variable_puts_out_of_force_is_not_shown(home: Home) -> None:
    """An application that signs in by variables has nothing of the profile's sign-in but the endpoint's word."""
    found = origins(home, {**SECRET, "SUPPORTACCESS_CLIENT_SECRET_FILE": "/not/used", "SUPPORTACCESS_CLIENT_ID": OURS})

    assert found["signIn"] == ("client-secret", "SUPPORTACCESS_CLIENT_SECRET")
    assert found["clientId"] == (OURS, "SUPPORTACCESS_CLIENT_ID")
    assert not {"account", "clientSecretFile"} & set(found)
    told = f"discovery document of {STORE}, fetched 2026-11-01T10:00:00Z ({profile_of(home)}, line 16)"
    assert found["authority"] == ("https://login.microsoftonline.com", told)


def test_another_endpoint_has_nothing_of_the_profiles_sign_in(home: Home) -> None:
    """A variable that names another store leaves no application, authority or account of the first one."""
    found = origins(home, {"SUPPORTACCESS_ENDPOINT": "https://other.example.com"})

    assert not {"clientId", "authority", "scopes", "signIn", "account"} & set(found)


def test_a_client_id_alone_says_nothing(home: Home) -> None:
    """Where no variable says how to sign in, those that go with it are out of force, and the profile's value holds."""
    assert origins(home, {"SUPPORTACCESS_CLIENT_ID": OURS})["clientId"][1] == f"{profile_of(home)}, line 3"


def test_kubernetes_names_file_and_application(home: Home) -> None:
    """The variables of a workload identity are named where they stand in for ours."""
    found = origins(home, {**FILE, "AZURE_CLIENT_ID": OURS, "AZURE_FEDERATED_TOKEN_FILE": "/var/run/token"})

    assert found["clientId"] == (OURS, "AZURE_CLIENT_ID")
    assert found["tokenFile"] == ("/var/run/token", "AZURE_FEDERATED_TOKEN_FILE")


def test_the_setting_of_all_tenants_has_its_line(home: Home) -> None:
    """Whether tokens may lie unencrypted is told with the line of config.toml."""
    config = home.config / "config.toml"
    config.write_text(f"default_tenant = '{HOME}'\nallow_plaintext_cache = true\n")

    assert origins(home)["allowPlaintextCache"] == ("yes", f"{config}, line 2")


def test_a_list_names_the_variable_too(home: Home) -> None:
    """In a list each store is the one that holds for a command, with the variable behind the profile's file."""
    arguments = ("tenant", "list", "--show-origin", "-o", "json")
    env = {"SUPPORTACCESS_ENDPOINT": "https://other.example.com"}
    rows = home.run(*arguments, env=env).json

    assert {row["store"] for row in rows} == {"https://other.example.com"}
    assert rows[0]["origin"] == f"{profile_of(home)}; its store: SUPPORTACCESS_ENDPOINT"
    assert [row["store"] for row in home.run(*arguments).json] == [STORE, "embedded"]
    screen = home.on_terminal("tenant", "show", "--show-origin", env=env, columns=200)
    assert (screen.code, "SUPPORTACCESS_ENDPOINT" in screen.text) == (0, True)
