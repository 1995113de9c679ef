"""The simulated providers alone, for measurements: `python -m bench.video_sandbox PORT TIME_SCALE`."""

import sys

import uvicorn

from yuanjing.sandbox.app import create_app
from yuanjing.sandbox.options import SandboxOptions


def main() -> None:
    """Serve until ended."""
    port, time_scale = int(sys.argv[1]), float(sys.argv[2])
    app = create_app(SandboxOptions(time_scale=time_scale, video_tasks_max=10**6, video_fault_wait_max_seconds=10**7))
    uvicorn.run(app, host="127.0.0.1", port=port, ws="none", log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
