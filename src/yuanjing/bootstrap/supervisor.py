"""The supervisor of one machine's processes.

It binds the ports, starts the others, has the store prepared while they import, and lets them go. It starts again what
dies, rolls the gateways at SIGHUP, and stops all in order: gateways drain first, the worker posts what they have
spooled, the sandbox goes last.
"""

import asyncio
import json
import re
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from yuanjing.bootstrap.children import Child, Plan
from yuanjing.bootstrap.data_folder import FolderLocks
from yuanjing.bootstrap.forks import Forks
from yuanjing.bootstrap.handover import Handover
from yuanjing.bootstrap.payment_choice import payments_folder
from yuanjing.bootstrap.ports import Listener, PortName, listen
from yuanjing.bootstrap.preparation import Announcement, have_prepared
from yuanjing.settings import Role, ServeOptions, Settings

_REQUESTS = re.compile(r"^yuanjing_exchanges\{[^}]*\} (\S+)$", re.MULTILINE)
_PATIENCE_SECONDS = 0.7
_KILL_MARGIN_SECONDS = 20.0
_WORKER_STOP_SECONDS = 15.0
_SANDBOX_STOP_SECONDS = 5.0
EXIT_NOT_READY = 1


def count_requests(metrics: Path) -> int:
    """How many chat requests are in work on this machine, by what its gateways have published last."""
    texts: list[str] = []
    for path in metrics.glob("g*.prom"):
        with suppress(OSError):  # its process has just ended
            texts.append(path.read_text(encoding="utf-8"))
    return sum(int(float(value)) for text in texts for value in _REQUESTS.findall(text))


class Supervisor:
    """Starts, watches and stops the processes of one machine."""

    def __init__(self, settings: Settings, options: ServeOptions, log_level: str, locks: FolderLocks) -> None:
        self._settings = settings
        self._options = options
        self._log_level = log_level
        self._locks = locks
        self._log = structlog.get_logger("supervisor")
        self._forks = Forks(self._log)
        self._stop = asyncio.Event()
        self._stops = 0
        self._listeners: list[Listener] = []
        self._gateways: list[Child] = []
        self._worker: Child | None = None
        self._sandbox: Child | None = None
        self._sandbox_address: str | None = None
        self._rolls = 0
        self._rolls_wanted = asyncio.Event()

    async def run(self) -> int:
        """Until SIGTERM or SIGINT; a second one does not wait. The exit code.

        Raises:
            SettingsError: nothing was started.
            YuanjingError: the store cannot be prepared; what was started has ended again.
            OSError: the system has no room for another process.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ask_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self._rolls_wanted.set)
        self._log.info("supervisor started")
        try:
            return await self._run()
        finally:
            await self._stop_all()
            self._forks.close()
            self._log.info("supervisor stopped")

    async def _run(self) -> int:
        platform = self._listen("port")
        sandbox = None
        if self._options.sandbox:
            sandbox = self._listen("sandbox_port")
            self._sandbox_address = sandbox.address
        self._locks.tell(platform.address)
        sandbox_address = sandbox.address if sandbox else self._options.sandbox_url
        preparing = asyncio.get_running_loop().create_task(self._prepare(platform.address, sandbox_address))
        try:
            await self._start_all(platform, sandbox)
        finally:
            demo = await preparing
        if self._stop.is_set():
            return 0
        children = self._children()
        for child in children:
            child.go()
        for child in children:
            if not await self._wait_for(child.first_is_ready):
                self._log.error("process did not become ready", child=child.name)
                return 0 if self._stop.is_set() else EXIT_NOT_READY
        self._announce(platform.address, sandbox_address, demo)
        self._log.info("platform ready", address=platform.address, gateways=len(self._gateways))
        await self._until_stopped(platform)
        return 0

    def _listen(self, name: PortName) -> Listener:
        listener = listen(self._settings, name)
        self._listeners.append(listener)
        return listener

    async def _prepare(self, platform: str, sandbox: str | None) -> Announcement | None:
        """In a task, so that a signal can interrupt a database that does not answer."""
        handover = replace(
            self._handover("supervisor"),
            address=platform,
            sandbox_address=sandbox,
            with_demo=self._options.demo,
        )
        work = asyncio.get_running_loop().create_task(have_prepared(self._forks, handover))
        await self._wait_for(work)
        if not work.done():
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
            return None
        return work.result()

    async def _wait_for(self, future: "asyncio.Future[Any]") -> bool:
        """Wait for a future or for the word to stop; whether the future is there and its result true."""
        stopped = asyncio.get_running_loop().create_task(self._stop.wait())
        await asyncio.wait((future, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        return future.done() and future.exception() is None and bool(future.result())

    # processes

    async def _start_all(self, platform: Listener, sandbox: Listener | None) -> None:
        """The gateways last: the forker then imports for them what the others do without."""
        if self._options.role is Role.ALL:
            handover = replace(
                self._handover("worker"), address=platform.address, sandbox_address=self._sandbox_address
            )
            self._worker = self._child("worker", handover)
            await self._worker.start()
        if sandbox is not None:
            handover = replace(
                self._handover("sandbox", with_settings=False), payments_folder=payments_folder(self._settings)
            )
            self._sandbox = self._child("sandbox", handover, sandbox)
            await self._sandbox.start()
        for slot in range(self._settings.workers):
            self._gateways.append(self._gateway(platform, slot))
            await self._gateways[-1].start()

    def _child(self, kind: str, handover: Handover, listener: Listener | None = None) -> Child:
        return Child(
            Plan(kind=kind, handover=handover, listener=listener.socket if listener else None), self._forks, self._log
        )

    def _gateway(self, platform: Listener, slot: int) -> Child:
        handover = replace(
            self._handover(f"gateway-{slot}", slot=slot),
            address=platform.address,
            sandbox_address=self._sandbox_address,
        )
        return self._child("gateway", handover, platform)

    def _handover(self, name: str, *, slot: int = 0, with_settings: bool = True) -> Handover:
        return Handover(
            name=name,
            log_level=self._log_level,
            slot=slot,
            sandbox_time_scale=self._settings.sandbox_time_scale,
            settings_json=self._settings.to_json() if with_settings else "{}",
        )

    def _children(self) -> list[Child]:
        others = [child for child in (self._worker, self._sandbox) if child is not None]
        return [*self._gateways, *others]

    # announcing, rolling, stopping

    def _announce(self, address: str, sandbox: str | None, demo: Announcement | None) -> None:
        if self._options.as_json:
            document = {"address": address, "sandbox": sandbox} if demo is None else demo.document
            sys.stdout.write(json.dumps(document) + "\n")
        elif demo is not None:
            sys.stdout.write(demo.text)
        else:
            sys.stdout.write(f"Yuanjing is ready at {address}\n")
        with suppress(OSError):  # whoever started us may not listen
            sys.stdout.flush()

    async def _until_stopped(self, platform: Listener) -> None:
        """Roll as often as SIGHUP asks for it; several that come during a roll are one."""
        loop = asyncio.get_running_loop()
        stopped = loop.create_task(self._stop.wait())
        while not self._stop.is_set():
            wanted = loop.create_task(self._rolls_wanted.wait())
            await asyncio.wait((stopped, wanted), return_when=asyncio.FIRST_COMPLETED)
            wanted.cancel()
            if self._rolls_wanted.is_set() and not self._stop.is_set():
                self._rolls_wanted.clear()
                await self._roll(platform)

    async def _roll(self, platform: Listener) -> None:
        """Replace the gateways one by one: a new one serves before the old one drains. Slots alternate."""
        self._rolls += 1
        self._log.info("rolling the gateways")
        offset = self._settings.workers if self._rolls % 2 else 0
        for index, old in enumerate(list(self._gateways)):
            new = self._gateway(platform, index + offset)
            await new.start()
            self._gateways.append(new)
            new.go()
            if not await self._wait_for(new.first_is_ready):
                if not self._stop.is_set():
                    self._log.error("rolling stopped: the new gateway is not ready", child=new.name)
                    self._gateways.remove(new)
                    await new.end(0)
                return
            ending = asyncio.get_running_loop().create_task(old.end(self._gateway_stop_seconds))
            await self._wait_for(ending)
            if not ending.done():
                return  # stopping: it ends together with the others
            self._gateways.remove(old)
        self._log.info("gateways rolled")

    @property
    def _gateway_stop_seconds(self) -> float:
        return self._settings.shutdown_drain_seconds + _KILL_MARGIN_SECONDS

    def _ask_to_stop(self) -> None:
        self._stops += 1
        self._stop.set()
        if self._stops > 1:
            for child in self._children():
                child.kill()

    async def _ask_for_patience(self) -> None:
        """Somebody who watches is told what a stop waits for, if it does; elsewhere the gateways' log lines do it."""
        if not self._options.demo:
            return
        await asyncio.sleep(_PATIENCE_SECONDS)
        if self._stops == 1:
            number = count_requests(self._settings.data / "metrics")
            what = "1 running request" if number == 1 else f"{number or ''} running requests".lstrip()
            sys.stderr.write(f"Finishing {what}; press Ctrl-C again to stop at once.\n")

    async def _stop_all(self) -> None:
        self._stop.set()
        for listener in self._listeners:
            listener.socket.close()
        patience = asyncio.get_running_loop().create_task(self._ask_for_patience())
        async with asyncio.TaskGroup() as group:
            for child in self._gateways:
                group.create_task(child.end(self._gateway_stop_seconds))
        patience.cancel()
        if self._worker is not None:
            await self._worker.end(_WORKER_STOP_SECONDS)
        if self._sandbox is not None:
            await self._sandbox.end(_SANDBOX_STOP_SECONDS)
