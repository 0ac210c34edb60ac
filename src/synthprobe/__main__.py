"""The command ``synthprobe``, and ``python -m synthprobe``."""

import sys


def main() -> None:
    """Load the command line and run it."""
    try:
        from synthprobe.cli.main import main as run_command
    except KeyboardInterrupt:  # pressed before there is anything that could be undone
        sys.exit(130)
    run_command()


if __name__ == "__main__":
    main()
