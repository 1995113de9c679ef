"""`yuanjing` and `python -m yuanjing`."""

import gc
import os
import sys

from yuanjing.bootstrap.launch import drop_early, launch_early


def main() -> None:
    """Run the command line and end the process with its exit code."""
    # Our models are ours; looking for plugins of others in every installed package takes a while, in every process.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # noqa: TID251  # no setting of ours
    launch_early(sys.argv[1:])
    gc.disable()  # nothing that is imported becomes garbage
    from yuanjing.cli.app import main as run_command_line  # noqa: PLC0415  # after the above

    gc.enable()
    try:
        code = run_command_line()
    finally:
        drop_early()
    sys.exit(code)


if __name__ == "__main__":
    main()
