"""The tenants that a reading command asks: one, or several side by side.

Of several, each fails for itself: it is told which one, why and what mends it, and the others go on.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from supportaccess.cli.app.context import Context
from supportaccess.cli.app.exit_codes import ExitCode
from supportaccess.cli.output.text import counted
from supportaccess.errors import InvalidInput, NotSignedIn, SupportAccessError, VerificationFailed
from supportaccess.settings.profiles import Profile
from supportaccess.store.protocol import RequestReader

if TYPE_CHECKING:
    from supportaccess.store.background import Pending, Workers

T = TypeVar("T")


class Tenant(NamedTuple):
    """A tenant that is asked: how it is shown, how a command names it, and its store."""

    shown: str
    name: str
    store: RequestReader


class Tenants:
    """What `--tenant`, any number of times, or `--all-tenants` is for.

    `several` rows say whose they are, and a failure is one tenant's; of a single tenant it is the command's.
    """

    def __init__(self, context: Context, names: Sequence[str] | None, *, every: bool) -> None:
        """Open the stores. Raises what a name or, of a single tenant, its store is refused for."""
        self._context = context
        self.several = every or len(names or ()) > 1
        self._failed: list[str] = []
        self._altered = False
        profiles = self._profiles(names or (), every)
        self._asked = len(profiles) + len(self._failed)
        self._opened = [opened for profile in profiles for opened in self._open(profile)]

    def __iter__(self) -> Iterator[Tenant]:
        """Yield the tenants of which none has failed so far."""
        return (tenant for tenant in self._opened if tenant.shown not in self._failed)

    @cached_property
    def workers(self) -> "Workers":
        """What asks shared stores side by side."""
        from supportaccess.store.background import MOST_AT_ONCE, Workers

        return Workers(MOST_AT_ONCE)

    @property
    def have_failed(self) -> bool:
        """Whether any of several has."""
        return bool(self._failed)

    @property
    def all_failed(self) -> bool:
        """Whether there is none left that could answer."""
        return not any(True for _ in self)

    def ask_each(self, ask: Callable[[RequestReader], T]) -> list[tuple[Tenant, T]]:
        """Ask shared stores side by side and the embedded one meanwhile; return the answers of those that answer."""
        asked = [(tenant, self._start(tenant.store, ask)) for tenant in self]
        answers: list[tuple[Tenant, T]] = []
        for tenant, pending in asked:
            try:
                answers.append((tenant, pending()))
            except SupportAccessError as error:
                self.fail(tenant.shown, tenant.name, error)
        return answers

    def fail(self, shown: str, name: str | None, error: SupportAccessError) -> None:
        """Tell that a tenant failed, and ask it no more.

        Raises the error of a single one; and of any a log that does not hold, where the command would go on for ever.
        """
        altered = isinstance(error, VerificationFailed)
        if not self.several or (altered and self._context.follows):
            raise error
        self._altered = self._altered or altered
        self._failed.append(shown)
        if error.hint is None and name is not None:
            error.hint = f"supportaccess doctor --tenant {name}"
        self._context.streams.tell(error, about=f"tenant {shown}")

    def leave_out(self, tenant: Tenant) -> None:
        """Ask a tenant no more, that has nothing to say."""
        self._opened.remove(tenant)

    def sum_up(self) -> ExitCode:
        """Say at the end, below the rows, whether some are missing; return the exit code."""
        if not self._failed:
            return ExitCode.DONE
        self._context.streams.error(f"{len(self._failed)} of {counted(self._asked, 'tenant')} failed: see above.")
        return ExitCode.VERIFICATION_FAILED if self._altered else ExitCode.SOME_FAILED

    def _start(self, store: RequestReader, ask: Callable[[RequestReader], T]) -> Callable[[], T]:
        # The embedded store's connection belongs to this thread.
        work: Callable[[], T] = partial(ask, store)
        pending: Pending[T] | None = self.workers.start(work) if store.is_remote and self.several else None
        return work if pending is None else pending.result

    def _profiles(self, names: Sequence[str], every: bool) -> list[Profile]:
        """Return the tenants that are meant, each once."""
        settings = self._context.settings
        if not every:
            chosen = [settings.chosen(name) for name in names] or [settings.chosen(None)]
            return list({profile.tenant_id: profile for profile in chosen}.values())
        if names:
            raise InvalidInput("--tenant and --all-tenants contradict each other")
        profiles, unreadable = settings.every_profile()
        for stem, error in unreadable.items():
            self.fail(stem, None, error)
        if not profiles and not unreadable:
            raise NotSignedIn("no tenant is set up yet", hint="supportaccess tenant set TENANT_ID")
        return profiles

    def _open(self, profile: Profile) -> list[Tenant]:
        try:
            return [Tenant(profile.shown, profile.name, self._context.store_of(profile))]
        except SupportAccessError as error:
            self.fail(profile.shown, profile.name, error)
            return []
