"""The entry point: answers `--version` before anything else is imported."""

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        from supportaccess import __version__

        sys.stdout.write(f"supportaccess {__version__}\n")
        sys.exit(0)
    from supportaccess.cli.main import run

    sys.exit(run(arguments))


if __name__ == "__main__":
    main()
