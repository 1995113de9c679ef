"""The entry of the processes that a supervisor starts: `python -m yuanjing.bootstrap.child gateway|worker|sandbox`.

Each kind imports only what it needs, and does so before it waits for the word to go, so that all kinds import at the
same time while the supervisor prepares the store.
"""

import ctypes
import gc
import os
import signal
import sys
from collections.abc import Callable

import structlog

from yuanjing.bootstrap.handover import Handover, receive
from yuanjing.bootstrap.logs import start_logging
from yuanjing.domain.errors import YuanjingError

_PR_SET_PDEATHSIG = 1
EXIT_FAILED = 1


def main(kind: str) -> int:
    """Become a process of this kind; the exit code."""
    gc.disable()  # nothing that is imported becomes garbage, and looking for it costs a tenth of the start
    run = _runner(kind)
    gc.freeze()
    gc.enable()
    handover = receive()
    if handover is None or not _follow(handover.parent):
        return 0
    start_logging(handover.log_level, process=handover.name)
    log = structlog.get_logger(kind)
    try:
        return run(handover)
    except YuanjingError as error:
        log.error("process failed", code=error.code, reason=error.message)  # noqa: TRY400  # expected: no traceback
    except Exception:
        log.exception("process failed")
    return EXIT_FAILED


def _runner(kind: str) -> Callable[[Handover], int]:
    """The function for the kind, and with it everything that it imports."""
    if kind == "gateway":
        from yuanjing.bootstrap.gateway import run_gateway  # noqa: PLC0415  # see the module's docstring

        return run_gateway
    if kind == "worker":
        from yuanjing.bootstrap.worker import run_worker  # noqa: PLC0415  # the same

        return run_worker
    assert kind == "sandbox", kind
    from yuanjing.bootstrap.sandbox import run_sandbox  # noqa: PLC0415  # the same

    return run_sandbox


def _follow(parent: int | None) -> bool:
    """On Linux: when the supervisor dies in whatever way, this one is asked to end. False if it is dead already."""
    if parent is None:
        return True
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    return os.getppid() == parent


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
