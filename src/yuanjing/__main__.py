"""`yuanjing` and `python -m yuanjing`."""

import gc
import os
import signal
import sys


def main() -> None:
    """Run the command line and end the process with its exit code."""
    if "serve" in sys.argv:
        # Until the platform can act on it: it must not end a start under way.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Our models are ours; looking for plugins of others in every installed package takes a while, in every process.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # noqa: TID251  # no setting of ours
    gc.disable()  # nothing that is imported becomes garbage
    from yuanjing.cli.app import main as run_command_line  # noqa: PLC0415  # after the above

    gc.enable()
    sys.exit(run_command_line())


if __name__ == "__main__":
    main()
