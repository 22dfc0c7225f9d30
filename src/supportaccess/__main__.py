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
    from supportaccess.cli.main import run

    return run(arguments)


if __name__ == "__main__":
    main()
