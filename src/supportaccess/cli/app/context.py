"""What a command works with, each part made when it is first asked for.

streams    nothing
clock      nothing
settings   environment
printer    streams, clock, settings (for the names of tenants)
tokens     settings, environment, clock, streams (for whom to ask)
store      settings, clock; of a shared store tokens
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from supportaccess.cli.output.streams import Streams

# What --help does not need is imported where it is used: it would cost every command.
if TYPE_CHECKING:
    from supportaccess.cli.app.token_provider import TokenProvider
    from supportaccess.cli.app.witness import Witness
    from supportaccess.cli.output.fields import Layout
    from supportaccess.cli.output.printer import Printer
    from supportaccess.domain.audit import Step
    from supportaccess.domain.permissions import Caller
    from supportaccess.domain.times import Clock
    from supportaccess.errors import VerificationFailed
    from supportaccess.settings.paths import Paths
    from supportaccess.settings.profiles import Profile, Settings
    from supportaccess.signin.tokens import Tokens
    from supportaccess.store.http.client import Client
    from supportaccess.store.http.proofs import HttpProofs
    from supportaccess.store.http.store import HttpStore
    from supportaccess.store.protocol import RequestReader, RequestStore
    from supportaccess.store.sql.sqlite.engine import SqliteEngine
    from supportaccess.store.wire import Discovery
    from supportaccess.tlog.keys import Keys


class Context:
    """One run of the command line."""

    def __init__(self, streams: Streams, environment: Mapping[str, str]) -> None:
        self.streams = streams
        self.environment = environment
        self._clients: dict[str, Client] = {}
        self.patience: float | None = None
        """Seconds for which a shared store is asked again when it does not answer; None: as long as is usual."""
        self.follows = False
        """Whether the command goes on until it is ended: it waits by itself for a store that is away."""
        self._tokens: dict[tuple[str, str], Tokens] = {}
        self._changes_the_store = False
        self._witnesses: dict[tuple[str, str], Witness] = {}
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
        self, layout: "Layout", *, output: str | None, columns: str | None = None, query: str | None = None
    ) -> "Printer":
        """Return what prints records of one kind as the options ask. Raises InvalidInput for a wrong option."""
        from supportaccess.cli.output.printer import Printer

        return Printer(
            self.streams,
            layout,
            now=self.clock(),
            output=output or self._format_of_environment(),
            columns=columns,
            query=query,
            aliases=self.aliases,
        )

    def aliases(self) -> dict[str, str]:
        """Return the names to show for tenants."""
        return {profile.tenant_id: profile.alias for profile in self.settings.readable_profiles() if profile.alias}

    def shown(self, tenant_id: str) -> str:
        """Return the tenant as it is shown where nothing may be mistaken: its alias, if it has one, and its ID."""
        known = (profile.shown for profile in self.settings.readable_profiles() if profile.tenant_id == tenant_id)
        return next(known, tenant_id)

    def tenant_id(self, name: str, *, by: str) -> str:
        """Return the ID of a tenant by its ID, with a profile or without one, or by its alias.

        `by` is the option or argument that named it.
        """
        from supportaccess.domain.tenants import is_guid, parse_tenant_id

        return parse_tenant_id(name) if is_guid(name) else self.settings.chosen(name, by=by).tenant_id

    @cached_property
    def engine(self) -> "SqliteEngine":
        """The embedded store's database, opened once."""
        from supportaccess.store.sql.sqlite.open import open_embedded

        return open_embedded(self.paths.store)

    @cached_property
    def keys(self) -> "Keys":
        """What signs the embedded store's audit logs, outside its file."""
        from supportaccess.tlog.keys import Keys

        return Keys(self.paths.keys)

    def store(self, tenant: str | None) -> "RequestReader":
        """Open the store for reading, in the tenant that the option, the environment or the settings name."""
        return self.store_of(self.settings.chosen(tenant))

    def store_to_change(self, tenant: str | None, *, dry_run: bool = False) -> "RequestStore":
        """Open the store for changes: with the proofs for the other tenants, and what fell due written down.

        Nothing is written down in a dry run.
        """
        return self.store_of_to_change(self.settings.chosen(tenant), dry_run=dry_run)

    def store_of(self, profile: "Profile") -> "RequestReader":
        """Open the store of a tenant, for reading."""
        if profile.is_remote:
            return self.http_store(profile)
        from supportaccess.store.sql.reader import SqlReader

        caller = self._checked_caller(profile)
        if self.follows:
            from supportaccess.store.sql.followed_store import FollowedStore

            return FollowedStore(self.engine, caller, self.keys, clock=self.clock, note=self.write_down)
        return SqlReader(self.engine, caller, clock=self.clock, note=self.write_down)

    def store_of_to_change(self, profile: "Profile", *, dry_run: bool = False) -> "RequestStore":
        """Open the store of a tenant, for changes. A shared store writes down by itself what fell due."""
        also = self.tenants_on(profile.store)
        if profile.is_remote:
            return self.http_store(profile, also=also)
        if not dry_run:
            from supportaccess.store.sql.maintenance import sweep

            self.begin_changes()
            sweep(self.engine, self.clock)
        from supportaccess.store.sql.store import SqlStore

        caller = self._checked_caller(profile)
        proofs = [self.local_caller(tenant_id) for tenant_id in also]
        return SqlStore(self.engine, caller, also=proofs, clock=self.clock, note=self.write_down)

    def begin_changes(self) -> None:
        """Make sure that each log of the embedded store goes on from what was signed; the end signs what is written."""
        from supportaccess.store.sql.checkpoints import refuse_rollback

        refuse_rollback(self.engine, self.keys)
        self._changes_the_store = True

    def conclude(self) -> None:
        """Sign what a command wrote, and hold shared stores against what was seen of their logs before.

        Raises SupportAccessError; what was done stands.
        """
        if self._changes_the_store:
            from supportaccess.store.sql.checkpoints import sign_all

            sign_all(self.engine, self.keys)
        for witness in self._witnesses.values():
            witness.conclude()
            if witness.warning:
                self.streams.warn(witness.warning)

    @property
    def contradiction(self) -> "VerificationFailed | None":
        """How the log of a shared store did not go on from what was seen of it, as far as that showed by now."""
        return next((witness.failed for witness in self._witnesses.values() if witness.failed), None)

    def tenants_on(self, store: str) -> list[str]:
        """Return the tenants that have a profile with this store."""
        return [profile.tenant_id for profile in self.settings.readable_profiles() if profile.store == store]

    def client(self, endpoint: str) -> "Client":
        """Return what asks an endpoint, with one set of connections for all tenants. Raises InvalidInput."""
        from supportaccess.store.http.client import PATIENCE, Client

        if endpoint not in self._clients:
            patience = PATIENCE if self.patience is None else self.patience
            self._clients[endpoint] = Client(endpoint, patience=patience, waiting=self.streams.note)
        return self._clients[endpoint]

    def discover(self, endpoint: str) -> "Discovery":
        """Ask an endpoint what it takes to sign in there."""
        from supportaccess.store.http.store import discover

        return discover(self.client(endpoint))

    def http_store(self, profile: "Profile", *, also: Sequence[str] = (), witnessed: bool = True) -> "HttpStore":
        """Open a shared store. Raises InvalidInput; a missing sign-in shows when it is first asked."""
        from supportaccess.store.http.store import HttpStore, unnoticed

        tokens = self.tokens(profile)
        others = [each for each in self.settings.readable_profiles() if each.tenant_id in also] if also else []
        return HttpStore(
            self.client(profile.store),
            profile.tenant_id,
            tokens,
            mend=lambda: tokens.mend,
            also={other.tenant_id: self.tokens(other) for other in others},
            notice=self._witness(profile).notice if witnessed else unnoticed,
        )

    def tokens(self, profile: "Profile") -> "Tokens":
        """Return the access tokens of a tenant, the same ones for the whole command."""
        where = (profile.tenant_id, profile.store)
        if where not in self._tokens:
            self._tokens[where] = self._token_provider.tokens(profile)
        return self._tokens[where]

    @cached_property
    def _token_provider(self) -> "TokenProvider":
        from supportaccess.cli.app.token_provider import TokenProvider

        return TokenProvider(
            environment=self.environment,
            cache=self.paths.cache,
            settings=self.settings,
            streams=self.streams,
            clock=self.clock,
            discover=self.discover,
        )

    def http_proofs(self, profile: "Profile", *, hasty: bool = False, witnessed: bool = False) -> "HttpProofs":
        """Return the proofs of a log in a shared store."""
        from supportaccess.store.http.proofs import HttpProofs
        from supportaccess.store.http.store import unnoticed

        return HttpProofs(
            self.client(profile.store),
            self.tokens(profile),
            hasty=hasty,
            notice=self._witness(profile).notice if witnessed else unnoticed,
        )

    def _witness(self, profile: "Profile") -> "Witness":
        from supportaccess.cli.app.witness import Witness

        named = profile.store, profile.tenant_id
        if named not in self._witnesses:
            proofs = self.http_proofs(profile, hasty=True)
            self._witnesses[named] = Witness(proofs, self.paths.logs, *named, self.clock, patient=self.follows)
        return self._witnesses[named]

    def close(self) -> None:
        """Give back what was opened."""
        if "engine" in self.__dict__:
            self.engine.close()
        for client in self._clients.values():
            client.close()

    def unchecked_store(self, profile: "Profile") -> "RequestReader":
        """Open a store as it is, for whoever finds out what is wrong with it."""
        if profile.is_remote:
            return self.http_store(profile, witnessed=False)
        from supportaccess.store.sql.reader import SqlReader

        return SqlReader(self.engine, self.local_caller(profile.tenant_id), clock=self.clock, note=self.write_down)

    def _checked_caller(self, profile: "Profile") -> "Caller":
        """Return who runs the command, once the log of the tenant was seen to go on from what was signed of it."""
        from supportaccess.store.sql.checkpoints import refuse_other_log

        refuse_other_log(self.engine, self.keys, profile.tenant_id)
        return self.local_caller(profile.tenant_id)

    def write_down(self, attempt: "Step") -> None:
        """Write to the embedded store's log what was refused, or that it was read; say so when that cannot be done."""
        from supportaccess.errors import SupportAccessError
        from supportaccess.store.sql.attempts import record

        try:
            if not self._changes_the_store:
                self.begin_changes()
            record(self.engine, attempt)
        except SupportAccessError as error:
            self.streams.warn(f"The audit log has no entry of this ({attempt.activity}): {error.message}")

    def local_caller(self, tenant_id: str) -> "Caller":
        """Return who runs the command, as a caller of a tenant."""
        from supportaccess.cli.app.local_account import local_account
        from supportaccess.domain.permissions import Caller, Permission

        # Whoever may open the file may do everything: docs/decisions/0004-the-embedded-store-trusts-its-owner.md
        return Caller(tenant_id=tenant_id, actor=local_account(tenant_id), permissions=frozenset(Permission))

    def _format_of_environment(self) -> str | None:
        from supportaccess.cli.output.formats import format_named

        name = self.environment.get("SUPPORTACCESS_OUTPUT")
        return format_named(name, by="SUPPORTACCESS_OUTPUT") if name else None
