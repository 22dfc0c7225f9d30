"""The entry point: answers `--version` before anything else is imported."""

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        code = _run(sys.argv[1:])
    except KeyboardInterrupt:  # while the program itself was still being read
        code = 130
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    if arguments == ["--version"] and sys.stdout is not None:
        from supportaccess import __version__

        try:
            sys.stdout.write(f"supportaccess {__version__}\n")
            sys.stdout.flush()
        except OSError:
            pass  # whatever hinders it, the long way tells
        else:
            return 0
    _end_quietly_on_ctrl_c()
    from supportaccess.cli.main import run

    return run(arguments)


def _end_quietly_on_ctrl_c() -> None:
    """Let Ctrl-C end the process at once, with nothing said, while modules are read; `run` takes it over."""
    from signal import SIG_DFL, SIGINT, default_int_handler, getsignal, signal

    if getsignal(SIGINT) is default_int_handler:
        signal(SIGINT, SIG_DFL)


if __name__ == "__main__":
    main()
