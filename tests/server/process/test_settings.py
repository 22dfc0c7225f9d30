"""Settings: what may be set, and what is said of mistakes."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from supportaccess.errors import InvalidInput, StoreRefused, SupportAccessError
from supportaccess.server.settings import PermissionsFrom, ServerSettings, Table, WebhookSettings
from supportaccess.server.settings_file import CONFIG_VARIABLE, DATABASE_VARIABLE, EXAMPLE, VARIABLES, read_settings

PAGE = (Path(__file__).parents[3] / "docs" / "operate" / "settings.md").read_text()
TENANT = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
GOOD = f'[identity]\ntenants = ["{TENANT}"]\nclient_id = "{TENANT}"\n[database]\nsqlite = "store.db"\n'
CANARY = "c4nary-that-must-not-be-seen"


def read(folder: Path, text: str, **environment: str) -> ServerSettings:
    """Read settings from a file and the environment."""
    path = folder / "server.toml"
    path.write_text(text)
    return read_settings(path, environment)


def replaced(old: str, new: str) -> str:
    """Return good settings with something else in one place."""
    assert old in GOOD
    return GOOD.replace(old, new)


def test_the_example_of_the_message_is_good(tmp_path: Path) -> None:
    """What a user is shown who gave nothing can be used as it is."""
    settings = read(tmp_path, EXAMPLE)

    assert settings.listen.certificate == Path("/etc/supportaccess/certificate.pem")
    with pytest.raises(InvalidInput, match="no settings: name a file") as refused:
        read_settings(None, {})
    assert EXAMPLE in refused.value.message


def test_paths_stand_in_the_folder_of_the_file(tmp_path: Path) -> None:
    """A path that does not begin at the root begins where the file is."""
    assert read(tmp_path, GOOD).database.sqlite == tmp_path / "store.db"


def test_guids_are_taken_in_any_case_and_once(tmp_path: Path) -> None:
    """Tenants are kept in lower case, each once."""
    upper = "ABCDEFAB-0000-4000-8000-000000000001"
    settings = read(tmp_path, replaced(f'["{TENANT}"]', f'["{upper}", "{upper.lower()}"]'))

    assert settings.identity.tenants == (upper.lower(),)


def test_the_environment_alone_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container needs no file."""
    monkeypatch.chdir(tmp_path)
    settings = read_settings(
        None,
        {
            "SUPPORTACCESS_SERVER_TENANTS": f"{TENANT}, {OTHER}",
            "SUPPORTACCESS_SERVER_CLIENT_ID": TENANT,
            "SUPPORTACCESS_SERVER_PERMISSIONS_FROM": "directoryRoles",
            "SUPPORTACCESS_SERVER_ADDRESS": "0.0.0.0",  # noqa: S104 - what a container has
            "SUPPORTACCESS_SERVER_PORT": "80",
            "SUPPORTACCESS_SERVER_BEHIND_PROXY": "true",
            "SUPPORTACCESS_SERVER_TRUSTED_PROXIES": "10.0.0.0/8,192.0.2.1",
            "SUPPORTACCESS_SERVER_PUBLIC_URL": "https://support.example/",
            "SUPPORTACCESS_SERVER_WORKERS": "4",
            "SUPPORTACCESS_SERVER_LOG_LEVEL": "warning",
            DATABASE_VARIABLE: f"postgresql://server:{CANARY}@db/supportaccess",
        },
    )

    assert settings.identity.permissions_from is PermissionsFrom.DIRECTORY_ROLES
    assert (settings.listen.port, settings.listen.workers, settings.log_level) == (80, 4, "warning")
    assert settings.listen.trusted_proxies == ("10.0.0.0/8", "192.0.2.1")
    assert settings.listen.public_url == "https://support.example"
    assert settings.database.postgresql == f"postgresql://server:{CANARY}@db/supportaccess"


def test_a_variable_goes_before_the_file(tmp_path: Path) -> None:
    """The environment's database takes the place of the file's, whatever kind that is."""
    settings = read(tmp_path, GOOD, SUPPORTACCESS_DATABASE="host=db dbname=supportaccess")

    assert (settings.database.sqlite, settings.database.postgresql) == (None, "host=db dbname=supportaccess")
    assert read(tmp_path, GOOD, SUPPORTACCESS_DATABASE="/srv/other.db").database.sqlite == Path("/srv/other.db")


def test_a_variable_names_the_file(tmp_path: Path) -> None:
    """Without --config the variable says which file, and --config goes before it."""
    path = tmp_path / "server.toml"
    path.write_text(GOOD)

    assert read_settings(None, {CONFIG_VARIABLE: str(path)}).identity.tenants == (TENANT,)
    assert read_settings(path, {CONFIG_VARIABLE: "/nowhere"}).identity.tenants == (TENANT,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[identity", "is not TOML: "),
        ("", "identity.tenants: it is missing"),
        (replaced(f'client_id = "{TENANT}"\n', ""), "identity.client_id: it is missing"),
        (replaced("client_id", "clientid"), "there is no key identity.clientid; did you mean client_id?"),
        ("sweep = 5\n" + GOOD, "there is no key sweep; did you mean sweep_seconds?"),
        (GOOD + "[listem]\n", "there is no key listem; did you mean listen?"),
        (GOOD + "[limits]\nzzz = 1\n", "there is no key limits.zzz; there are: requests_per_address, "),
        (replaced(f'["{TENANT}"]', f'"{TENANT}"'), "identity.tenants: expected a list, got a text"),
        (replaced(f'["{TENANT}"]', "[]"), "identity.tenants: expected a list of length >= 1"),
        (replaced(f'["{TENANT}"]', '["contoso"]'), "identity.tenants: 'contoso' is not a GUID"),
        (replaced(f'["{TENANT}"]', "[7]"), "identity.tenants: expected a text, got a whole number"),
        (replaced(f'"{TENANT}"\n[', '"contoso"\n['), "identity.client_id: 'contoso' is not a GUID"),
        (GOOD + '[listen]\nport = "80"\n', "listen.port: expected a whole number, got a text"),
        (GOOD + "[listen]\nport = 70000\n", "listen.port: expected a whole number <= 65535"),
        (GOOD + "[listen]\nworkers = 0\n", "listen.workers: expected a whole number >= 1"),
        (GOOD + "[limits]\nbody_seconds = 0\n", "limits.body_seconds: expected a number > 0"),
        ('log_level = "loud"\n' + GOOD, "log_level: it must be one of debug, info, warning, error"),
        (
            replaced("[database]", 'permissions_from = "x"\n[database]'),
            "identity.permissions_from: it must be one of directoryRoles, appRoles",
        ),
        (replaced('sqlite = "store.db"', "sqlite = 3"), "database.sqlite: expected the path of a file"),
        (replaced('sqlite = "store.db"', ""), "database: it needs one of sqlite (a path) and postgresql"),
        (replaced("[database]", '[database]\npostgresql = "host=db"'), "database: it needs one of sqlite"),
        (GOOD + "[listen]\nworkers = 2\n", "listen.workers: 2 worker processes need PostgreSQL"),
        (GOOD + '[listen]\naddress = "0.0.0.0"\n', "listen.address: 0.0.0.0 can be reached from other machines"),
        (GOOD + '[listen]\ncertificate = "c.pem"\n', "listen.certificate: certificate and key go together"),
        (GOOD + '[listen]\ntrusted_proxies = ["10.0.0.1"]\n', "listen.trusted_proxies: it needs behind_proxy = true"),
        (
            GOOD + '[listen]\nbehind_proxy = true\ntrusted_proxies = ["*"]\n',
            "listen.trusted_proxies: '*' is neither an IP address nor a network",
        ),
        (GOOD + '[listen]\npublic_url = "http://support.example"\n', "listen.public_url: it must begin with https://"),
        (GOOD + '[listen]\npublic_url = "https://u:p@h"\n', "listen.public_url: it may have a scheme, a host"),
        (GOOD + '[listen]\npublic_url = "support"\n', "listen.public_url: 'support' is not a URL that begins with"),
        (replaced("[database]", 'authority = "http://login"\n[database]'), "identity.authority: it must begin with"),
        *(
            (
                replaced("[database]", f'decision_auth_context = "{wrong}"\n[database]'),
                "identity.decision_auth_context: '",
            )
            for wrong in ("", "c0", "c100", "C1", "cp1", "c1 c2", "\u0441" + "1")
        ),
        (replaced("tenants = [", "tenants = " + "[" * 30_000), "is not TOML"),
    ],
    ids=lambda text: text[-40:],
)
def test_mistakes_are_told_with_their_place(text: str, said: str, tmp_path: Path) -> None:
    """The message names the file, the key, and what is allowed there."""
    with pytest.raises(InvalidInput) as refused:
        read(tmp_path, text)

    assert said in refused.value.message
    assert str(tmp_path / "server.toml") in refused.value.message


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SUPPORTACCESS_SERVER_PORT", "https", "'https' cannot be taken: use a whole number"),
        ("SUPPORTACCESS_SERVER_PORT", "70000", "expected a whole number <= 65535"),
        ("SUPPORTACCESS_SERVER_BEHIND_PROXY", "perhaps", "'perhaps' cannot be taken: use true or false"),
        ("SUPPORTACCESS_SERVER_TENANTS", "contoso", "'contoso' is not a GUID"),
        ("SUPPORTACCESS_SERVER_WORKERS", "3", "3 worker processes need PostgreSQL"),
        ("SUPPORTACCESS_SERVER_ADDRESS", "::", ":: can be reached from other machines"),
        (DATABASE_VARIABLE, "postgresql://[", "it is not a connection string"),
    ],
)
def test_mistakes_in_variables_name_the_variable(name: str, value: str, said: str, tmp_path: Path) -> None:
    """What the environment gave is told under the variable's name."""
    with pytest.raises(InvalidInput) as refused:
        read(tmp_path, GOOD, **{name: value})

    assert refused.value.message.startswith(f"{name}: ")
    assert said in refused.value.message


@pytest.mark.parametrize(
    "conninfo",
    [f"postgresql://server:{CANARY}@db/x", f"host=db password={CANARY}", f"host=db sslpassword='{CANARY}'"],
)
def test_a_password_in_the_file_is_refused_and_not_repeated(conninfo: str, tmp_path: Path) -> None:
    """Secrets come from the environment or from files of their own."""
    with pytest.raises(InvalidInput, match="it has a password") as refused:
        read(tmp_path, replaced('sqlite = "store.db"', f'postgresql = "{conninfo}"'))

    assert CANARY not in f"{refused.value.message} {refused.value.hint}"


@pytest.mark.parametrize("path", ["", "/nowhere/server.toml"])
def test_a_file_that_cannot_be_read_is_told(path: str, tmp_path: Path) -> None:
    """A folder, or nothing at all, is no settings file."""
    with pytest.raises(StoreRefused, match="cannot be read"):
        read_settings(Path(path or tmp_path), {})


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a = 1\n" * 100_000, b"a = 9" + b"9" * 10_000])
def test_a_file_that_is_no_text_is_told(data: bytes, tmp_path: Path) -> None:
    """Bytes, heaps of text and endless numbers are refused, and nothing else happens."""
    (tmp_path / "server.toml").write_bytes(data)

    with pytest.raises(SupportAccessError):
        read_settings(tmp_path / "server.toml", {})


def keys(kind: type[Table], above: str = "") -> Iterator[str]:
    """Yield every key of the file."""
    for field in msgspec.structs.fields(kind):
        if isinstance(field.type, type) and issubclass(field.type, Table):
            yield from keys(field.type, f"{field.name}.")
        elif field.name == "webhooks":
            yield from keys(WebhookSettings, "webhooks.")
        else:
            yield f"{above}{field.name}"


def default_of(key: str) -> str:
    """Return the default of a key as the page writes it."""
    kind: type[Table] = ServerSettings
    *tables, name = key.split(".")
    for table in tables:
        types = {each.name: each.type for each in msgspec.structs.fields(kind)} | {"webhooks": WebhookSettings}
        kind = types[table]
    field = next(field for field in msgspec.structs.fields(kind) if field.name == name)
    if field.default is msgspec.NODEFAULT:
        return "required"
    if field.default is None or field.default == ():
        return "none"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


def test_the_page_has_every_key_with_its_default() -> None:
    """docs/operate/settings.md and the structs say the same."""
    told = dict(re.findall(r"^\| `([a-z_.]+)` \| ([^|]+) \|", PAGE, re.MULTILINE))

    assert set(told) == set(keys(ServerSettings))
    assert told == {key: default_of(key) for key in told}


def test_the_page_has_every_variable_with_its_key() -> None:
    """docs/operate/settings.md and the program name the same variables."""
    told = dict(re.findall(r"^\| `(SUPPORTACCESS_[A-Z_]+)` \| ([^|]+) \|", PAGE, re.MULTILINE))
    known = {name: f"`{each.table}.{each.key}`".replace("`.", "`") for name, each in VARIABLES.items()}

    assert {name: cell for name, cell in told.items() if name in known} == known
    assert set(told) - set(known) == {CONFIG_VARIABLE, DATABASE_VARIABLE}
