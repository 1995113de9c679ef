"""`yuanjing serve`: the supervisor of a machine's processes, or a part of the platform that runs by itself."""

import asyncio
import os

from yuanjing.bootstrap.handover import Handover
from yuanjing.bootstrap.supervisor import Supervisor
from yuanjing.kit.logging import configure_logging
from yuanjing.settings import Role, ServeOptions, Settings, SettingsError


def serve(settings: Settings, options: ServeOptions) -> int:
    """Run what `options` ask for until it is stopped; the exit code.

    Raises:
        SettingsError: nothing was started.
    """
    if options.demo and settings.is_production:
        raise SettingsError(["--demo: production mode has no demonstration customer"])
    level = "warning" if options.demo and settings.log_level == "info" else settings.log_level
    if options.role is Role.WORKER:
        return _run_worker(settings, level)
    if options.role is Role.SANDBOX:
        return _run_sandbox(settings, level)
    configure_logging(level, process="supervisor")
    return asyncio.run(Supervisor(settings, options, level).run())


def _run_worker(settings: Settings, level: str) -> int:
    from yuanjing.bootstrap.worker import run_worker  # noqa: PLC0415  # the supervisor does without its imports

    configure_logging(level, process="worker")
    return run_worker(Handover(name="worker", log_level=level, settings_json=settings.to_json()))


def _run_sandbox(settings: Settings, level: str) -> int:
    from yuanjing.bootstrap.ports import listen  # noqa: PLC0415  # the same
    from yuanjing.bootstrap.sandbox import run_sandbox  # noqa: PLC0415  # the same

    configure_logging(level, process="sandbox")
    listener = listen(settings, "sandbox_port", settings.sandbox_host, settings.sandbox_port)
    descriptor = os.dup(listener.socket.fileno())
    listener.socket.close()
    time_scale = settings.sandbox_time_scale
    return run_sandbox(Handover(name="sandbox", log_level=level, listen_fd=descriptor, sandbox_time_scale=time_scale))
