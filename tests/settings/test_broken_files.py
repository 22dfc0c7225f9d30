import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import costly

from supportaccess.errors import InvalidInput, StoreRefused, SupportAccessError
from supportaccess.settings.files import LARGEST_FILE
from supportaccess.settings.paths import Paths
from supportaccess.settings.profiles import Profile, Settings

A = "aaaaaaaa-0000-4000-8000-000000000001"
B = "bbbbbbbb-0000-4000-8000-000000000002"

BROKEN = {
    "syntax": (b'alias = "a"\nstore = \n', "line 2"),
    "cut off": (b'# ours\nalias = "con', "line 2"),
    "no text": (b'alias = "a"\n# \xff\n', "line 2 is not UTF-8"),
    "key twice": (b'alias = "a"\nalias = "b"\n', "line 2"),
    "wrong type": (b"# ours\n\nalias = 5\n", "line 3: .*alias"),
    "wrong type of store": (b'alias = """\nstore = 1"""\nstore = [1]\n', "line 3: .*store"),
    "unknown store": (b'store = "tape"\n', "line 1: 'tape' is not the URL of a store"),
    "bad alias": (b'# ours\nalias = "two words"\n', "line 2: 'two words' is not an alias"),
    "GUID as alias": (f'alias = "{B}"\n'.encode(), "is not an alias"),
    "unknown method": (b'[sign_in]\nmethod = "password"\n', "password"),
    "authority without TLS": (b'authority = "http://login.example.com"\n', "is not the https URL of an authority"),
    "scope of Graph": (b'scopes = ["https://graph.microsoft.com/.default"]\n', "is not a scope of a store"),
    "no client ID": (b'client_id = "me"\n', "'me' is not a client ID"),
    "time without an offset": (b"[discovery]\nfetched_at = 2026-11-25T00:00:00\n", "fetched_at"),
    "nested": (b"x = " + b"[" * 30_000, "nested too deeply"),
    "long number": (b"x = " + b"1" * 30_000, "digits"),
    "large": (b"# " + b"x" * LARGEST_FILE, "larger than 64 KiB"),
    "binary": (bytes(range(256)), "is not UTF-8|line 1"),
}


@pytest.fixture
def good(settings: Settings) -> Settings:
    """Return settings with tenant A in order."""
    settings.save(Profile(tenant_id=A, alias="good"))
    return settings


@pytest.fixture
def file(paths: Paths) -> Path:
    """Return where tenant B's file goes."""
    return paths.config / "tenants" / f"{B}.toml"


def each_of(settings: Settings) -> list[Callable[[], object]]:
    """Everything that needs tenant B's file."""
    return [
        settings.profiles,
        lambda: settings.chosen(B),
        lambda: settings.save(Profile(tenant_id=B, alias="mended")),
        lambda: settings.use(B),
        lambda: settings.remove(B),
    ]


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_named_and_left_alone(good: Settings, file: Path, kind: str) -> None:
    """Whoever needs a broken file hears its path, what is wrong and where; nobody overwrites it."""
    contents, why = BROKEN[kind]
    file.write_bytes(contents)

    for ask in each_of(good):
        with pytest.raises(InvalidInput, match=f"(?s)^{file} is broken: .*({why})") as raised:
            ask()
        assert "Mend the file, or remove it" in str(raised.value.hint)
    assert file.read_bytes() == contents
    assert good.default_tenant() is None


@pytest.mark.parametrize("kind", BROKEN)
def test_other_tenants_go_on(good: Settings, file: Path, kind: str) -> None:
    """A broken file does no harm to commands for other tenants, by ID or by alias."""
    file.write_bytes(BROKEN[kind][0])

    assert good.chosen(A).alias == good.chosen("good").alias == "good"
    good.use(A)
    assert good.chosen(None).tenant_id == A
    good.save(Profile(tenant_id=A, alias="better"))
    good.remove(A)


def test_an_alias_that_may_be_in_the_broken_file(good: Settings, file: Path) -> None:
    """An alias that is in no readable file may be the broken one's: that is what is told, not "nobody has it"."""
    file.write_text('alias = "wanted"\nstore =')

    with pytest.raises(InvalidInput, match=str(file)):
        good.chosen("wanted")


@pytest.mark.parametrize("name", ["contoso.toml", f"{B.upper()}.toml", f"{B} (copy).toml"])
def test_a_file_whose_name_is_no_tenant(good: Settings, file: Path, name: str) -> None:
    """A tenant file is found by its name, so a wrong name is told; other tenants go on."""
    file.with_name(name).write_text("")

    with pytest.raises(InvalidInput, match="is broken: its name is not a tenant ID in lower case"):
        good.profiles()
    assert good.chosen("good").tenant_id == A


def test_the_only_file_has_a_wrong_name(settings: Settings, file: Path) -> None:
    """A misnamed file is not taken for the only profile."""
    file.parent.mkdir(parents=True)
    file.with_name("contoso.toml").write_text("")

    with pytest.raises(InvalidInput, match=r"contoso\.toml is broken"):
        settings.chosen(None)


@pytest.mark.parametrize(
    ("contents", "why"),
    [
        ("default_tenant = \n", "line 1"),
        ("default_tenant = 1", "default_tenant"),
        ('default_tenant = "good"', "'good' is not a tenant ID"),
        ('default_tenant = ""', "'' is not a tenant ID"),
        ("#" * LARGEST_FILE + "#", "64 KiB"),
    ],
)
def test_a_broken_configuration(good: Settings, paths: Paths, contents: str, why: str) -> None:
    """A broken config.toml stops what needs the default tenant and is left alone; naming a tenant still works."""
    path = paths.config / "config.toml"
    path.write_text(contents)

    for ask in (good.default_tenant, lambda: good.chosen(None), lambda: good.use(A), lambda: good.remove(A)):
        with pytest.raises(InvalidInput, match=f"^{path} is broken: .*{why}"):
            ask()
    assert path.read_text() == contents
    assert good.chosen("good") == good.chosen(A)
    good.save(Profile(tenant_id=A, alias="good"))


def test_a_file_of_the_largest_size_is_read(good: Settings, file: Path) -> None:
    """64 KiB are taken; an update that would not fit is refused, and the file stays."""
    contents = 'alias = "b"\n#'.ljust(LARGEST_FILE, "x")
    file.write_text(contents)

    assert good.chosen("b").tenant_id == B
    with pytest.raises(InvalidInput, match="larger than 64 KiB"):
        good.save(Profile(tenant_id=B, alias="b"))
    assert file.read_text() == contents


def test_a_byte_order_mark_is_no_harm(good: Settings, file: Path) -> None:
    """Windows editors write one."""
    file.write_bytes(b'\xef\xbb\xbfalias = "b"\n')

    assert good.chosen("b").tenant_id == B
    good.save(Profile(tenant_id=B, alias="c"))
    assert good.chosen("c").tenant_id == B


def test_an_empty_file_is_a_profile(good: Settings, file: Path) -> None:
    """Nothing is required of a file."""
    file.write_text("")

    assert good.chosen(B) == Profile(tenant_id=B)


def test_a_folder_in_the_place_of_a_file(good: Settings, file: Path) -> None:
    """What cannot be read as a file is told with its path, and other tenants go on."""
    file.mkdir()

    for ask in each_of(good):
        with pytest.raises(StoreRefused, match=f"{file} cannot be read"):
            ask()
    assert good.chosen("good").tenant_id == A


@pytest.mark.parametrize("place", ["config", "config/tenants"])
def test_a_file_in_the_place_of_a_folder(settings: Settings, tmp_path: Path, place: str) -> None:
    """A file where a folder belongs is told with its path."""
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.write_text("")

    for ask in (settings.profiles, lambda: settings.chosen(A), lambda: settings.save(Profile(tenant_id=A))):
        with pytest.raises(StoreRefused, match=str(path)):
            ask()
    assert path.read_text() == ""


@contextmanager
def ordinary_account() -> Iterator[None]:
    """Give up root's right to read everything."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_what_this_account_may_not_read(good: Settings, file: Path) -> None:
    """A missing right is told with the path."""
    file.write_text("")
    file.chmod(0)

    with ordinary_account(), pytest.raises(StoreRefused, match=f"{file} cannot be read: Permission denied"):
        good.chosen(B)


@pytest.mark.parametrize("operation", ["open", "iterdir"])
def test_a_missing_right(good: Settings, monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    """A missing right, on a file or on the folder, is told with the path and what to look at."""

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, operation, denied)

    with pytest.raises(StoreRefused, match=r"tenants.* cannot be read: Permission denied") as raised:
        good.chosen("good")
    assert "right" in str(raised.value.hint)


values = st.recursive(
    st.booleans() | st.integers(-(2**62), 2**62) | st.text(max_size=8) | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(unknown=st.dictionaries(st.text(min_size=1, max_size=8), values, max_size=5))
@costly(60)
def test_what_a_newer_version_wrote_stays(good: Settings, file: Path, unknown: dict[str, object]) -> None:
    """Whatever other keys and tables a file holds, saving keeps all of them and changes its own."""
    own = {"alias": "ours", "store": "embedded"}
    known = {field.name for field in msgspec.structs.fields(Profile)}
    others = {key: value for key, value in unknown.items() if key not in known}
    file.write_bytes(tomlkit.dumps(others).encode())

    good.save(Profile(tenant_id=B, alias="ours"))

    assert tomlkit.parse(file.read_bytes()).unwrap() == {**others, **own}
    assert good.chosen("ours") == Profile(tenant_id=B, alias="ours")


@given(contents=st.binary(max_size=60) | st.text("alis=\"'[]{}.#\n5\\u \t", max_size=40).map(str.encode))
@costly(200)
def test_no_contents_are_a_traceback(good: Settings, file: Path, contents: bytes) -> None:
    """Whatever a file holds, it is a profile or an error of ours, for readers and writers alike."""
    file.write_bytes(contents)
    for ask in (lambda: good.chosen(B), lambda: good.save(Profile(tenant_id=B))):
        try:
            ask()
        except SupportAccessError as error:
            assert str(file) in error.message  # noqa: PT017
            assert file.read_bytes() == contents
