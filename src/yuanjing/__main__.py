"""`yuanjing` and `python -m yuanjing`."""

import signal
import sys


def main() -> None:
    """Run the command line and end the process with its exit code."""
    if "serve" in sys.argv:
        # Until the platform can act on it: it must not end a start under way.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from yuanjing.cli.app import main as run_command_line  # noqa: PLC0415  # after the above

    sys.exit(run_command_line())


if __name__ == "__main__":
    main()
