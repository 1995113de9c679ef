"""`yuanjing serve`: the supervisor of a machine's processes, or a part of the platform that runs by itself."""

import asyncio
import json
import os
import sys

from yuanjing.bootstrap.checks import check
from yuanjing.bootstrap.data_folder import FolderLocks, Part, parts_of, prepare_data
from yuanjing.bootstrap.handover import Handover
from yuanjing.bootstrap.logs import start_logging
from yuanjing.settings import Role, ServeOptions, Settings, SettingsError


def serve(settings: Settings, options: ServeOptions) -> int:
    """Run what `options` ask for until it is stopped; the exit code.

    Raises:
        SettingsError, SchemaError: nothing was started, or made.
    """
    if options.demo and settings.is_production:
        raise SettingsError(["--demo: production mode has no demonstration customer"])
    if options.role is not Role.SANDBOX:
        check(settings)
    level = "warning" if options.demo and settings.log_level == "info" else settings.log_level
    prepare_data(settings)
    with FolderLocks(settings, parts_of(options)) as locks:
        if options.role is Role.WORKER:
            return _run_worker(settings, options, level)
        if options.role is Role.SANDBOX:
            return _run_sandbox(settings, options, level, locks)
        return _run_supervisor(settings, options, level, locks)


def _run_supervisor(settings: Settings, options: ServeOptions, level: str, locks: FolderLocks) -> int:
    from yuanjing.bootstrap.supervisor import Supervisor  # noqa: PLC0415  # the others do without its imports

    start_logging(level, process="supervisor")
    return asyncio.run(Supervisor(settings, options, level, locks).run())


def _run_worker(settings: Settings, options: ServeOptions, level: str) -> int:
    from yuanjing.bootstrap.worker import run_worker  # noqa: PLC0415  # the supervisor does without its imports

    start_logging(level, process="worker")
    handover = Handover(name="worker", log_level=level, settings_json=settings.to_json())
    return run_worker(handover, on_ready=lambda: _announce("The worker", None, options))


def _run_sandbox(settings: Settings, options: ServeOptions, level: str, locks: FolderLocks) -> int:
    from yuanjing.bootstrap.payment_choice import payments_folder  # noqa: PLC0415  # the same
    from yuanjing.bootstrap.ports import listen  # noqa: PLC0415  # the same
    from yuanjing.bootstrap.sandbox import run_sandbox  # noqa: PLC0415  # the same

    start_logging(level, process="sandbox")
    listener = listen(settings, "sandbox_port")
    locks.tell(listener.address, Part.SANDBOX)
    descriptor = os.dup(listener.socket.fileno())
    listener.socket.close()
    time_scale = settings.sandbox_time_scale
    handover = Handover(
        name="sandbox",
        log_level=level,
        listen_fd=descriptor,
        sandbox_time_scale=time_scale,
        payments_folder=payments_folder(settings),
    )
    return run_sandbox(handover, on_ready=lambda: _announce("The sandbox", listener.address, options))


def _announce(subject: str, sandbox: str | None, options: ServeOptions) -> None:
    """Say that a part is ready; its document has the keys of the whole platform's."""
    if options.as_json:
        sys.stdout.write(json.dumps({"address": None, "sandbox": sandbox}) + "\n")
    else:
        sys.stdout.write(f"{subject} is ready{f' at {sandbox}' if sandbox else ''}\n")
    sys.stdout.flush()
