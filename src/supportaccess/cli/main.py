"""Runs one command and turns whatever happens into a message and an exit code."""

import os
import signal
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from supportaccess import __version__
from supportaccess.cli.app.context import Context
from supportaccess.cli.app.exit_codes import ExitCode, exit_code_of
from supportaccess.cli.app.group import Lazy, LazyGroup
from supportaccess.cli.output.streams import Streams
from supportaccess.errors import SupportAccessError, VerificationFailed

PROGRAM = "supportaccess"
_DAILY, _REST = "Daily", "The record, set-up and upkeep"


def _lazy(summary: str, module: str, function: str, section: str = "Commands") -> Lazy:
    return Lazy(summary, f"supportaccess.cli.{module}:{function}", None, section)


COMMANDS: Mapping[str, Lazy] = {
    "login": _lazy("Sign in to a tenant of a shared store.", "account.login", "login", _DAILY),
    "logout": _lazy("Forget a tenant's tokens on this machine.", "account.login", "logout", _DAILY),
    "whoami": _lazy("Who am I there, and what may I do?", "account.whoami", "whoami", _DAILY),
    "list": _lazy("List access requests: by default what needs attention.", "requests.list", "list_requests", _DAILY),
    "show": _lazy("Show one request with its history and where each field is from.", "requests.show", "show", _DAILY),
    "approve": _lazy("Let the engineer in, for as long as you say.", "requests.decisions", "approve", _DAILY),
    "reject": _lazy("Refuse a request.", "requests.decisions", "reject", _DAILY),
    "revoke": _lazy("End access that is open, now.", "requests.decisions", "revoke", _DAILY),
    "watch": _lazy("Follow new and changing requests, and tell others of them.", "watch.watch", "watch", _DAILY),
    "import": _lazy("Read an Entra audit log export into the store.", "requests.import_", "import_export", _REST),
    "audit": Lazy(
        "The audit log: read it, prove that it was not altered.",
        "",
        {
            "log": _lazy("List the entries of the audit log.", "audit.log", "log"),
            "lint": _lazy("Find access and decisions that should worry somebody.", "audit.lint", "lint"),
            "who": _lazy("Who could approve, and who did.", "audit.who", "who"),
            "verify": _lazy("Recompute the log and hold everything against it.", "audit.verify", "verify"),
            "receipt": _lazy("Write the proof that a decision is in the log.", "audit.proofs", "receipt"),
            "export": _lazy("Write the whole log as files that anybody can verify.", "audit.proofs", "export_log"),
            "forget": _lazy("Forget what was seen of a log, after a rollback.", "audit.proofs", "forget"),
            "report": _lazy("Report a period: one page for an auditor, JSON or CSV.", "audit.report.report", "report"),
        },
        _REST,
        (
            ("Who did what in the last month", "supportaccess audit log --since 30d"),
            ("Is the log as it was written?", "supportaccess audit verify"),
            ("Fail a pipeline while something is wrong", "supportaccess audit lint --fail-if-any"),
        ),
    ),
    "provider": Lazy(
        "The provider's side: raise and withdraw requests, close tickets.",
        "",
        {
            "raise": _lazy("Raise an access request.", "provider", "raise_request"),
            "withdraw": _lazy("Withdraw pending requests.", "provider", "withdraw"),
            "close": _lazy("Close support requests: ends their open access.", "provider", "close"),
        },
        _REST,
        (("The ticket is solved", "supportaccess provider close 2610070040001234 --yes"),),
    ),
    "tenant": Lazy(
        "Tenant profiles: which tenants there are, and which one is meant.",
        "",
        {
            "list": _lazy("List the tenant profiles.", "tenant.tenant", "list_profiles"),
            "use": _lazy("Choose the default tenant.", "tenant.tenant", "use"),
            "show": _lazy("Show one profile and where it comes from.", "tenant.tenant", "show"),
            "set": _lazy("Add a profile, or change it.", "tenant.tenant", "set_profile"),
            "rename": _lazy("Give a tenant another alias, or none.", "tenant.tenant", "rename"),
            "remove": _lazy("Remove a profile; what the store holds stays.", "tenant.tenant", "remove"),
        },
        _REST,
        (("From now on mean contoso", "supportaccess tenant use contoso"),),
    ),
    "store": Lazy(
        "Look after the embedded store, or a shared store's database.",
        "",
        {
            "info": _lazy("Where the store is and what it holds.", "store.store", "info"),
            "backup": _lazy("Copy the store to a new file.", "store.store", "backup"),
            "key": Lazy(
                "The key that signs the audit log.",
                "",
                {
                    "show": _lazy("Print the verifier key, to be kept elsewhere.", "store.key", "show"),
                    "make": _lazy("Make the key, under a name of your own.", "store.key", "make"),
                    "rotate": _lazy("Replace the key by a new one.", "store.key", "rotate_key"),
                },
                examples=(("The key that auditors verify with", "supportaccess store key show"),),
            ),
            "rollback": _lazy("Record that an older backup was restored.", "store.key", "rollback"),
            "sweep": _lazy("Write down which limits and deadlines have passed.", "store.store", "sweep_store"),
            "migrate": _lazy("Bring a shared store's database up to date.", "store.store", "migrate"),
        },
        _REST,
        (("A copy of today", "supportaccess store backup store-$(date +%F).db"),),
    ),
    "serve": _lazy("Start the REST server of a shared store.", "serve", "serve", _REST),
    "doctor": _lazy("Why does it not work?", "doctor.doctor", "doctor", _REST),
}

_HELP = "See, decide, end and prove what vendor support may read in your tenant."
_EPILOG = "Try: supportaccess list --approved; `supportaccess COMMAND -h` has examples"


def run(arguments: Sequence[str], environment: Mapping[str, str] = os.environ, streams: Streams | None = None) -> int:
    """Run the command line and return the exit code; without streams, on those of the process.

    Nothing is raised, and no traceback shown unless asked for.
    """
    context = Context(Streams.from_process(environment) if streams is None else streams, environment)
    try:
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code = _concluded(context, _run(context, arguments))
        context.streams.close()
    except SupportAccessError as error:
        code = _refused(context, error)
    finally:
        context.close()
    return code


def _run(context: Context, arguments: Sequence[str]) -> int:
    group = LazyGroup(COMMANDS, name=PROGRAM, summary=_HELP, epilog=_EPILOG, version=f"{PROGRAM} {__version__}")
    try:
        result = group.main(args=list(arguments), prog_name=PROGRAM, standalone_mode=False, obj=context)
    except SupportAccessError as error:
        return _refused(context, error)
    except typer.TyperException as error:
        return _wrong_usage(context, error)
    except (typer.Abort, KeyboardInterrupt):
        context.streams.error("Interrupted.")
        return ExitCode.INTERRUPTED
    except OSError as error:
        return _failed(context, error) if error.filename is None else _unusable(context, error)
    except Exception as error:  # noqa: BLE001 - the last place where one can be caught, so that no traceback is shown
        # Ctrl-C while a class of a module is made comes as the cause of another error.
        if isinstance(error.__cause__, KeyboardInterrupt):
            context.streams.error("Interrupted.")
            return ExitCode.INTERRUPTED
        return _failed(context, error)
    if type(result) is int and result == ExitCode.INTERRUPTED:  # Ctrl-C, by Typer; a command's own is an ExitCode
        context.streams.error("Interrupted.")
    return int(result) if isinstance(result, int) else ExitCode.DONE


def _concluded(context: Context, code: int) -> int:
    """Do what is left at the end of a command. What was done stands, whatever becomes of that."""
    try:
        context.conclude()
        if (found := context.contradiction) is not None:
            return ExitCode.VERIFICATION_FAILED if context.streams.has_told(found) else _refused(context, found)
    except VerificationFailed as error:
        return _refused(context, error)
    except SupportAccessError as error:
        context.streams.warn(f"What was done stands, but the log is not signed yet: {error.message}")
        if error.hint:
            context.streams.advise(error.hint)
    return code


def _refused(context: Context, error: SupportAccessError) -> int:
    if context.debug:
        _show_traceback(context)
    context.streams.tell(error)
    return exit_code_of(error)


def _wrong_usage(context: Context, error: Any) -> int:
    usage_context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        context.streams.write(error.format_message() + "\n")
        return ExitCode.DONE
    context.streams.error(f"Error: {error.format_message()}")
    if usage_context is not None:
        context.streams.advise(f"{usage_context.command_path} --help")
    return ExitCode.USAGE


def _unusable(context: Context, error: OSError) -> int:
    if context.debug:
        _show_traceback(context)
    context.streams.error(f"Error: {error.filename} cannot be used: {error.strerror}")
    return ExitCode.FAILED


def _failed(context: Context, error: Exception) -> int:
    if context.debug:
        _show_traceback(context)
    context.streams.error(f"Error: the program failed: {type(error).__name__}: {error}")
    if not context.debug:
        context.streams.advise("the same command with --debug, and report what it shows.")
    return ExitCode.FAILED


def _show_traceback(context: Context) -> None:
    from traceback import format_exc

    context.streams.error(format_exc().rstrip(), colour=None)
