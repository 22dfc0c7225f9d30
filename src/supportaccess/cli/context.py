"""What a command works with, each part made when it is first asked for.

streams    nothing
clock      nothing
settings   environment
printer    streams, clock, settings (for the names of tenants)
store      settings, clock
"""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from supportaccess.cli.output.streams import Streams
from supportaccess.domain.errors import InvalidInput

# What --help does not need is imported where it is used: it would cost every command.
if TYPE_CHECKING:
    from supportaccess.cli.output.fields import Layout
    from supportaccess.cli.output.formats import Format
    from supportaccess.cli.output.printer import Printer
    from supportaccess.domain.permissions import Caller
    from supportaccess.domain.times import Clock
    from supportaccess.settings.paths import Paths
    from supportaccess.settings.profiles import Profile, Settings
    from supportaccess.store.protocol import RequestStore
    from supportaccess.store.sql.sqlite import SqliteEngine


class Context:
    """One run of the command line."""

    def __init__(self, streams: Streams, environment: Mapping[str, str]) -> None:
        self.streams = streams
        self.environment = environment
        self.debug = environment.get("SUPPORTACCESS_DEBUG", "") not in {"", "0"}

    def switch_on(self, flag: str) -> None:
        """Take one of the options that every command has."""
        match flag:
            case "quiet":
                self.streams.quiet = True
            case "no_color":
                self.streams.colour = self.streams.err_colour = False
            case "debug":
                self.debug = True
            case _:
                raise ValueError(flag)

    @cached_property
    def clock(self) -> "Clock":
        """This machine's clock."""
        from supportaccess.domain.times import system_clock

        return system_clock

    @cached_property
    def paths(self) -> "Paths":
        """Where our files are."""
        from supportaccess.settings.paths import Paths

        return Paths.from_environment(self.environment)

    @cached_property
    def settings(self) -> "Settings":
        """The tenant profiles."""
        from supportaccess.settings.profiles import Settings

        return Settings(self.paths, self.environment)

    def printer(
        self, layout: "Layout", *, output: "Format | None", columns: str | None = None, query: str | None = None
    ) -> "Printer":
        """Return what prints records of one kind as the options ask. Raises InvalidInput for a wrong option."""
        from supportaccess.cli.output.formats import Format
        from supportaccess.cli.output.printer import Printer

        chosen = output or self._format_of_environment()
        table = chosen is Format.TABLE or (chosen is None and self.streams.out_is_terminal)
        return Printer(
            self.streams,
            layout,
            now=self.clock(),
            output=chosen,
            columns=columns,
            query=query,
            aliases=self.aliases() if table else None,
        )

    def aliases(self) -> dict[str, str]:
        """Return the names to show for tenants."""
        return {profile.tenant_id: profile.alias for profile in self.settings.readable_profiles() if profile.alias}

    def tenant_id(self, name: str, *, by: str) -> str:
        """Return the ID of a tenant by its ID, with a profile or without one, or by its alias.

        `by` is the option or argument that named it.
        """
        from supportaccess.domain.tenants import is_guid, parse_tenant_id

        return parse_tenant_id(name) if is_guid(name) else self.settings.chosen(name, by=by).tenant_id

    @cached_property
    def engine(self) -> "SqliteEngine":
        """The embedded store's database, opened once."""
        from supportaccess.store.embedded import open_embedded

        return open_embedded(self.paths.store)

    def store(self, tenant: str | None) -> "RequestStore":
        """Open the store for reading, in the tenant that the option, the environment or the settings name."""
        return self.store_of(self.settings.chosen(tenant).tenant_id)

    def store_to_change(self, tenant: str | None, *, dry_run: bool = False) -> "RequestStore":
        """Open the store for changes: with the proofs for the other tenants, and what fell due written down.

        Nothing is written down in a dry run.
        """
        return self.store_of_to_change(self.settings.chosen(tenant).tenant_id, dry_run=dry_run)

    def store_of(self, tenant_id: str) -> "RequestStore":
        """Open the embedded store of a tenant, for reading."""
        from supportaccess.store.sql.store import SqlStore

        return SqlStore(self.engine, self._local_caller(tenant_id), clock=self.clock)

    def store_of_to_change(self, tenant_id: str, *, dry_run: bool = False) -> "RequestStore":
        """Open the embedded store of a tenant, for changes."""
        from supportaccess.store.sql.maintenance import sweep
        from supportaccess.store.sql.store import SqlStore

        if not dry_run:
            sweep(self.engine, self.clock)
        also = [self._local_caller(profile.tenant_id) for profile in self._embedded_profiles()]
        return SqlStore(self.engine, self._local_caller(tenant_id), also=also, clock=self.clock)

    def close(self) -> None:
        """Give back what was opened."""
        if "engine" in self.__dict__:
            self.engine.close()

    def _embedded_profiles(self) -> "list[Profile]":
        from supportaccess.settings.profiles import EMBEDDED

        return [profile for profile in self.settings.readable_profiles() if profile.store == EMBEDDED]

    def _local_caller(self, tenant_id: str) -> "Caller":
        from supportaccess.cli.local_account import local_account
        from supportaccess.domain.permissions import Caller, Permission

        # Whoever may open the file may do everything: docs/decisions/0004-the-embedded-store-trusts-its-owner.md
        return Caller(tenant_id=tenant_id, actor=local_account(tenant_id), permissions=frozenset(Permission))

    def _format_of_environment(self) -> "Format | None":
        from supportaccess.cli.output.formats import Format

        name = self.environment.get("SUPPORTACCESS_OUTPUT")
        if not name:
            return None
        try:
            return Format(name)
        except ValueError:
            raise InvalidInput(
                f"SUPPORTACCESS_OUTPUT is {name!r}, which is no output format", hint=f"Use one of {', '.join(Format)}."
            ) from None
