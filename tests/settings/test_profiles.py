import re
import stat
from pathlib import Path

import pytest

from supportaccess.errors import Ambiguous, InvalidInput, NotFound, NotSignedIn
from supportaccess.settings.paths import Paths
from supportaccess.settings.profiles import Profile, Settings

A = "aaaaaaaa-0000-4000-8000-000000000001"
B = "bbbbbbbb-0000-4000-8000-000000000002"
C = "cccccccc-0000-4000-8000-000000000003"


def add(settings: Settings, **aliases: str) -> None:
    for tenant_id, alias in aliases.items():
        settings.save(Profile(tenant_id={"a": A, "b": B, "c": C}[tenant_id], alias=alias))


class TestSave:
    def test_a_saved_profile_is_read_back(self, settings: Settings) -> None:
        """What was saved is what is read."""
        profile = Profile(tenant_id=A, alias="contoso")

        settings.save(profile)

        assert [profile] == settings.profiles()
        assert profile == settings.chosen("contoso")

    def test_profiles_are_sorted_by_name(self, settings: Settings) -> None:
        """Aliases sort without regard to case, and an ID stands in for an alias."""
        add(settings, a="Zulu", b="alpha")
        settings.save(Profile(tenant_id=C))

        assert [profile.name for profile in settings.profiles()] == ["alpha", C, "Zulu"]

    def test_files_and_folders_are_ours_alone(self, settings: Settings, paths: Paths) -> None:
        """Folders have mode 0700 and files 0600, the lock too."""
        add(settings, a="contoso")
        settings.use(A)

        made = [paths.config, *sorted(paths.config.rglob("*"))]

        assert [".lock", "config.toml", "tenants", f"{A}.toml"] == [path.name for path in made[1:]]
        for path in made:
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)

    def test_the_tenant_id_is_kept_in_lower_case(self, settings: Settings) -> None:
        """A tenant ID in capitals is the same tenant."""
        settings.save(Profile(tenant_id=A.upper()))
        settings.save(Profile(tenant_id=A, alias="contoso"))
        settings.use(A.upper())

        assert [profile.tenant_id for profile in settings.profiles()] == [A]
        assert settings.default_tenant() == A
        assert settings.chosen(A.upper()).alias == "contoso"

    def test_what_people_wrote_stays(self, settings: Settings, paths: Paths) -> None:
        """Comments, unknown keys and tables stay when a profile is updated."""
        add(settings, a="contoso")
        path = paths.config / "tenants" / f"{A}.toml"
        written = '# mine\r\nalias = "old" # a customer\r\nnewer = [1,\n 2] # kept\n\n[table]\nalias = "inner"\n'
        path.write_bytes(written.encode())

        settings.save(Profile(tenant_id=A, alias="new"))

        expected = written.replace('"old"', '"new"').replace("# kept\n", '# kept\nstore = "embedded"\n')
        assert path.read_bytes() == expected.encode()

    def test_an_alias_can_be_taken_away(self, settings: Settings) -> None:
        """A profile saved without an alias has none any more."""
        add(settings, a="contoso")

        settings.save(Profile(tenant_id=A))

        assert settings.chosen(A).alias is None

    def test_saving_the_same_writes_nothing(self, settings: Settings, paths: Paths) -> None:
        """A profile that is as it should be is not written again."""
        add(settings, a="contoso")
        path = paths.config / "tenants" / f"{A}.toml"
        before = path.stat()

        add(settings, a="contoso")

        assert (before.st_ino, before.st_mtime_ns) == (path.stat().st_ino, path.stat().st_mtime_ns)

    @pytest.mark.parametrize("alias", ["a", "A.b_c-9", "x" * 64, "0", "a" * 8])
    def test_an_alias_is_a_word(self, settings: Settings, alias: str) -> None:
        """Letters, digits, dots, underscores and dashes, up to 64 of them."""
        add(settings, a=alias)

        assert settings.chosen(alias).alias == alias

    @pytest.mark.parametrize("alias", ["", " ", "a b", "x" * 65, "a/b", "a\n", "ä", "\u212a", "\x1b[1m", B, B.upper()])
    def test_other_aliases_are_refused(self, settings: Settings, paths: Paths, alias: str) -> None:
        """Anything else, and a GUID above all, is refused before anything is written."""
        with pytest.raises(InvalidInput, match="is not an alias"):
            add(settings, a=alias)
        assert not paths.config.exists()

    def test_an_alias_belongs_to_one_tenant(self, settings: Settings) -> None:
        """An alias that another tenant has, in whatever case, is refused; the tenant itself may change its case."""
        add(settings, a="contoso", b="fabrikam")

        with pytest.raises(InvalidInput, match=f"{A} already has the alias 'contoso'"):
            add(settings, b="Contoso")
        add(settings, a="CONTOSO")

        assert [profile.alias for profile in settings.profiles()] == ["CONTOSO", "fabrikam"]

    @pytest.mark.parametrize(
        "profile", [Profile(tenant_id="contoso"), Profile(tenant_id="../../etc"), Profile(tenant_id=A, store="tape")]
    )
    def test_values_that_cannot_be_are_refused(self, settings: Settings, paths: Paths, profile: Profile) -> None:
        """A tenant ID that is none, or an unknown store, is refused before anything is written."""
        with pytest.raises(InvalidInput):
            settings.save(profile)
        assert not paths.config.exists()


class TestUseAndRemove:
    def test_the_default_tenant(self, settings: Settings, paths: Paths) -> None:
        """`use` sets the default tenant and leaves the rest of config.toml."""
        add(settings, a="contoso", b="fabrikam")
        (paths.config / "config.toml").write_text("# mine\nnewer = true\n")

        settings.use(A)
        settings.use(B)

        assert settings.default_tenant() == B
        assert (paths.config / "config.toml").read_text() == f'# mine\nnewer = true\ndefault_tenant = "{B}"\n'

    def test_only_a_tenant_with_a_profile_can_be_the_default(self, settings: Settings) -> None:
        """A tenant that is not set up cannot become the default."""
        with pytest.raises(NotSignedIn, match=A) as raised:
            settings.use(A)

        assert f"supportaccess tenant set {A}" in str(raised.value.hint)
        assert settings.default_tenant() is None

    def test_a_removed_profile_is_gone(self, settings: Settings) -> None:
        """Another tenant's default stays when a profile is removed."""
        add(settings, a="contoso", b="fabrikam")
        settings.use(B)

        settings.remove(A)

        assert [profile.tenant_id for profile in settings.profiles()] == [B]
        assert settings.default_tenant() == B

    def test_removing_the_default_tenant_leaves_no_default(self, settings: Settings) -> None:
        """No default may lead to a tenant that is gone."""
        add(settings, a="contoso", b="fabrikam")
        settings.use(A)

        settings.remove(A.upper())

        assert settings.default_tenant() is None
        assert settings.chosen(None).tenant_id == B

    def test_what_is_not_there_cannot_be_removed(self, settings: Settings) -> None:
        """A tenant without a profile is an error, not a silent success."""
        with pytest.raises(NotSignedIn, match=A):
            settings.remove(A)


class TestChosen:
    def test_flag_then_variable_then_default_then_the_only_one(self, paths: Paths) -> None:
        """Each way to name a tenant goes before the next one, and `origin` tells which it was."""
        nothing, variable = Settings(paths, {}), Settings(paths, {"SUPPORTACCESS_TENANT": "b"})

        add(nothing, a="a")
        assert (nothing.chosen(None).tenant_id, nothing.origin(None)) == (A, "the only profile")
        add(nothing, b="b", c="c")
        nothing.use(C)
        assert (C, str(paths.config / "config.toml")) == (nothing.chosen(None).tenant_id, nothing.origin(None))
        assert (variable.chosen(None).tenant_id, variable.origin(None)) == (B, "SUPPORTACCESS_TENANT")
        assert (variable.chosen("a").tenant_id, variable.origin("a")) == (A, "--tenant")

    @pytest.mark.parametrize("name", ["contoso", "CONTOSO", A, A.upper()])
    def test_a_name_is_an_alias_or_an_id(self, settings: Settings, name: str) -> None:
        """Both are taken in any case."""
        add(settings, a="Contoso", b="b")

        assert settings.chosen(name).tenant_id == A

    def test_a_look_alike_letter_names_nobody(self, settings: Settings) -> None:
        """The Kelvin sign is no k."""
        add(settings, a="k")

        with pytest.raises(NotFound):
            settings.chosen("\u212a")

    def test_an_empty_variable_counts_as_none_and_an_empty_flag_does_not(self, paths: Paths) -> None:
        """`--tenant "$T"` with T unset must not fall through to the default tenant."""
        settings = Settings(paths, {"SUPPORTACCESS_TENANT": ""})
        add(settings, a="contoso")

        assert settings.chosen(None).tenant_id == A
        with pytest.raises(InvalidInput, match="--tenant is empty"):
            settings.chosen("")

    def test_nothing_is_set_up(self, settings: Settings, paths: Paths) -> None:
        """The first use is told both ways to begin, and asking creates nothing."""
        for ask in (settings.chosen, settings.origin):
            with pytest.raises(NotSignedIn, match="no tenant is set up yet") as raised:
                ask(None)
            assert "supportaccess import FILE --tenant TENANT_ID" in str(raised.value.hint)
            assert "supportaccess tenant set TENANT_ID" in str(raised.value.hint)
        assert settings.profiles() == []
        assert settings.default_tenant() is None
        assert not paths.config.exists()

    def test_several_and_no_default(self, settings: Settings) -> None:
        """Among several tenants none is guessed; all are named."""
        add(settings, a="contoso", b="fabrikam")

        with pytest.raises(NotSignedIn, match="contoso, fabrikam") as raised:
            settings.chosen(None)
        assert "supportaccess tenant use ALIAS" in str(raised.value.hint)
        assert "--tenant" in str(raised.value.hint)

    def test_an_id_without_a_profile(self, paths: Paths) -> None:
        """A tenant ID that is not set up names the command that sets it up, and what named it."""
        settings = Settings(paths, {"SUPPORTACCESS_TENANT": A.upper()})

        with pytest.raises(NotSignedIn, match=f"{A}, named by SUPPORTACCESS_TENANT,") as raised:
            settings.chosen(None)
        assert f"supportaccess tenant set {A}" in str(raised.value.hint)

    def test_an_alias_that_nobody_has(self, settings: Settings) -> None:
        """The nearest alias is proposed, as it is written."""
        add(settings, a="Contoso-Prod", b="fabrikam")

        with pytest.raises(
            NotFound, match=r"'contso-prod', named by --tenant; did you mean 'Contoso-Prod'\?"
        ) as raised:
            settings.chosen("contso-prod")
        assert "supportaccess tenant list" in str(raised.value.hint)
        with pytest.raises(NotFound, match=r"named by --tenant$"):
            settings.chosen("zzz")

    def test_an_alias_that_two_files_claim(self, settings: Settings, paths: Paths) -> None:
        """Files mended by hand can share an alias: neither tenant is guessed, and both IDs still work."""
        add(settings, a="contoso", b="fabrikam")
        (paths.config / "tenants" / f"{B}.toml").write_text('alias = "CONTOSO"\n')

        with pytest.raises(Ambiguous, match=f"{A}, {B}"):
            settings.chosen("contoso")
        assert settings.chosen(B).tenant_id == B

    def test_the_file_name_is_the_tenant(self, settings: Settings, paths: Paths) -> None:
        """A tenant ID inside a file does not make it another tenant's."""
        add(settings, a="contoso")
        (paths.config / "tenants" / f"{A}.toml").write_text(f'tenant_id = "{B}"\n')

        assert [profile.tenant_id for profile in settings.profiles()] == [A]

    def test_files_of_editors_are_passed_over(self, settings: Settings, paths: Paths) -> None:
        """Hidden files, back-ups and other kinds of file are no profiles."""
        add(settings, a="contoso")
        for name in (f".#{A}.toml", f"{B}.toml~", "README", f".{B}.toml.1f.tmp"):
            (paths.config / "tenants" / name).write_text("= broken")

        assert [profile.tenant_id for profile in settings.profiles()] == [A]

    def test_a_default_tenant_in_capitals(self, settings: Settings, paths: Paths) -> None:
        """A default tenant written by hand may be in capitals."""
        add(settings, a="contoso", b="b")
        (paths.config / "config.toml").write_text(f'default_tenant = "{A.upper()}"')

        assert settings.chosen(None).tenant_id == A
        settings.remove(A)
        assert settings.default_tenant() is None


def test_names_in_messages_are_escaped(settings: Settings) -> None:
    """A name is quoted: control characters do not reach the terminal."""
    with pytest.raises(NotFound, match=re.escape(r"'\x1b[2J'")):
        settings.chosen("\x1b[2J")


def test_a_profile_file_reads_as_designed(settings: Settings, paths: Paths) -> None:
    """The file is the contract: its name is the tenant, its keys are alias and store."""
    add(settings, a="contoso")

    file: Path = paths.config / "tenants" / f"{A}.toml"

    assert file.read_text() == 'alias = "contoso"\nstore = "embedded"\n'
