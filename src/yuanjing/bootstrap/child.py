"""The life of a process that the forker has forked: to import what only its kind needs, and wait for the word to go.

So all kinds import at the same time, while the store is prepared.
"""

import gc
from collections.abc import Callable
from dataclasses import replace

import structlog

from yuanjing.bootstrap.handover import Handover, receive
from yuanjing.bootstrap.logs import start_logging
from yuanjing.domain.errors import YuanjingError

EXIT_FAILED = 1


def main(kind: str, line: int, listen_fd: int | None = None) -> int:
    """Become a process of this kind; the exit code.

    Args:
        kind: `prepare`, `gateway`, `worker` or `sandbox`.
        line: the socket on which the supervisor tells what to do, and is answered.
        listen_fd: the listening socket, if it listens.
    """
    gc.disable()  # nothing that is imported becomes garbage
    run = _runner(kind)
    gc.freeze()
    gc.enable()
    handover = receive(line)
    if handover is None:
        return 0
    start_logging(handover.log_level, process=handover.name)
    log = structlog.get_logger(kind)
    try:
        return run(replace(handover, ready_fd=line, listen_fd=listen_fd))
    except YuanjingError as error:
        log.error("process failed", code=error.code, reason=error.message)  # noqa: TRY400  # expected: no traceback
    except Exception:
        log.exception("process failed")
    return EXIT_FAILED


def _runner(kind: str) -> Callable[[Handover], int]:
    """The function for the kind, and with it everything that it imports."""
    if kind == "prepare":
        from yuanjing.bootstrap.prepare import run_prepare  # noqa: PLC0415  # see the module's docstring

        return run_prepare
    if kind == "gateway":
        from yuanjing.bootstrap.gateway import run_gateway  # noqa: PLC0415  # the same

        return run_gateway
    if kind == "worker":
        from yuanjing.bootstrap.worker import run_worker  # noqa: PLC0415  # the same

        return run_worker
    assert kind == "sandbox", kind
    from yuanjing.bootstrap.sandbox import run_sandbox  # noqa: PLC0415  # the same

    return run_sandbox
