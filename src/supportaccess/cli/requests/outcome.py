"""How the IDs of a decision fared, and what is said of that at the end: always with the tenant it was in."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import asdict

from supportaccess.cli.app.context import Context
from supportaccess.cli.app.exit_codes import ExitCode, exit_code_of
from supportaccess.cli.output.fields import ACCESS_REQUESTS_OF_TENANTS, AccessRequestOfTenant
from supportaccess.cli.output.printer import Printer
from supportaccess.domain.records import AccessRequest
from supportaccess.errors import SupportAccessError


@dataclass
class Outcome:
    """What was decided, what failed, and what Ctrl-C left, in one tenant; `tenant` is how that one is shown."""

    tenant: str
    decided: list[AccessRequest] = field(default_factory=list)
    failed: list[ExitCode] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def fail(self, context: Context, name: str, error: SupportAccessError) -> None:
        """Tell why one failed, and keep that."""
        self.failed.append(exit_code_of(error))
        about = f"tenant {self.tenant}" if name in error.message else f"{name} in tenant {self.tenant}"
        context.streams.tell(error, about=about)

    def exit_code(self, asked: int) -> ExitCode:
        """Return how the command ends that was asked for so many."""
        if self.left:
            return ExitCode.INTERRUPTED
        if not self.failed:
            return ExitCode.DONE
        return self.failed[0] if asked == 1 else ExitCode.SOME_FAILED

    def sum_up(self, context: Context, participle: str, asked: int) -> None:
        """Say how many were decided, unless all of them were."""
        done = f"{participle} in tenant {self.tenant}"
        if self.left:
            context.streams.error(
                f"Interrupted: {len(self.decided)} {done}, {len(self.failed)} failed, "
                f"{len(self.left)} not tried:\n" + "\n".join(f"  {each}" for each in self.left)
            )
        elif self.failed and asked > 1:
            context.streams.error(f"{len(self.decided)} of {asked} {done}, {len(self.failed)} failed.")


def decided_printer(context: Context, *, output: str | None, columns: str | None, query: str | None) -> Printer:
    """Return what prints the records of a decision: in columns with their tenant. Raises InvalidInput."""
    return context.printer(ACCESS_REQUESTS_OF_TENANTS, output=output, columns=columns, query=query)


def print_decided(printer: Printer, records: Sequence[AccessRequest], tenant_id: str) -> None:
    """Print the records as they now stand: as the API has them, or in columns with the tenant whose view they are."""
    if printer.prints_objects:
        printer.print_all(records)
    else:
        printer.print_all(AccessRequestOfTenant(**asdict(record), tenant_id=tenant_id) for record in records)
