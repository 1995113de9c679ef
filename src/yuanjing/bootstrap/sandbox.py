"""The process of the simulated providers."""

import asyncio
import socket
from collections.abc import Callable

import structlog
import uvicorn
import uvloop

from yuanjing.bootstrap.handover import Handover
from yuanjing.bootstrap.http_server import HttpServer
from yuanjing.bootstrap.process import raise_file_limit, say_ready
from yuanjing.sandbox.app import create_app
from yuanjing.sandbox.options import SandboxOptions

_STOP_SECONDS = 1


def run_sandbox(handover: Handover, on_ready: Callable[[], None] | None = None) -> int:
    """Simulate on the listening socket that was handed over; the exit code. `on_ready` is called when it works."""
    assert handover.listen_fd is not None
    raise_file_limit()
    listener = socket.socket(fileno=handover.listen_fd)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(handover, listener, on_ready))
    return 0


async def _serve(handover: Handover, listener: socket.socket, on_ready: Callable[[], None] | None) -> None:
    log = structlog.get_logger("sandbox")
    config = uvicorn.Config(
        create_app(_options(handover)),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    server = HttpServer(config, on_stop=lambda: log.info("sandbox stopping"))
    say_ready(handover.ready_fd)  # its socket takes connections already
    if on_ready is not None:
        on_ready()
    log.info("sandbox started")
    await server.serve(sockets=[listener])
    log.info("sandbox stopped")


def _options(handover: Handover) -> SandboxOptions:
    if handover.payments_folder is None:
        return SandboxOptions(time_scale=handover.sandbox_time_scale)
    from yuanjing.bootstrap.simulated_payments import merchant_options  # noqa: PLC0415  # not every sandbox takes money

    alipay = merchant_options(handover.payments_folder)
    return SandboxOptions(time_scale=handover.sandbox_time_scale, alipay=alipay)
