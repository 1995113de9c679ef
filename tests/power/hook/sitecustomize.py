"""Every Python process imports this at its start, its folder being in PYTHONPATH: its disk is recorded, or full."""

import os
from pathlib import Path

if "POWER_TRACE" in os.environ:  # noqa: TID251  # a test's own variables
    from recording import record_disk

    record_disk(Path(os.environ["POWER_TRACE"]), Path(os.environ["POWER_ROOT"]))  # noqa: TID251  # the same

if "POWER_FULL" in os.environ:  # noqa: TID251  # the same
    from filling import fill_disk

    fill_disk(Path(os.environ["POWER_FULL"]), Path(os.environ["POWER_ROOT"]))  # noqa: TID251  # the same
