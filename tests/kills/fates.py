"""What happens to the processes: SIGKILL and SIGSTOP at moments that the seed chooses."""

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Sequence

from tests.kills.machines import Machine

PAUSE_SECONDS = (7.0, 10.0)
"""Longer than a silent gateway is waited for, and than a worker's claim on a video lasts."""
SHORT_PAUSE_SECONDS = (0.3, 2.5)
_ZOMBIE_SECONDS = 12.0
_RESTART_SECONDS = 90.0
_AGE_SECONDS = 3.0
_WORKER_SHARE = 0.3
_LONG_SHARE = 0.75


class Fates:
    """Kills and pauses while the load goes on; the moments are shares of the work, so that the seed decides."""

    def __init__(self, machines: Sequence[Machine], *, kills: int, pauses: int, seed: int) -> None:
        self.done: Counter[str] = Counter()
        self._machines = machines
        self._random = random.Random(seed)  # noqa: S311  # nothing secret
        self._alone = {"gateway": asyncio.Lock(), "worker": asyncio.Lock()}
        """One of each role is paused at a time, so that the other machine's goes on."""
        self._paused: list[Machine] = []
        """Those with a paused process. If gateway and worker of one both are, the machine is lost with its spool, whose
        rows come late (docs/operations/failures.md): money and budget may have been spent a second time meanwhile."""
        self._deeds = [*["kill"] * kills, *["pause"] * pauses]
        self._random.shuffle(self._deeds)
        self._zombie: int | None = None
        """The first that is paused: a gateway, for long, and nobody kills it; so that one is taken over and wakes."""

    async def run(self, progress: Callable[[], float]) -> None:
        """Until all is done; `progress` tells how much of the work is, from 0 to 1."""
        count = len(self._deeds)
        async with asyncio.TaskGroup() as group:
            for number, deed in enumerate(self._deeds):
                moment = (number + self._random.uniform(0.2, 1.0)) / (count + 1.5)
                while progress() < moment:  # noqa: ASYNC110  # what the load has done tells nobody
                    await asyncio.sleep(0.02)
                role = "worker" if self._random.random() < _WORKER_SHARE else "gateway"
                self.done["while there was load"] += progress() < 1.0
                if deed == "kill":
                    await self._kill(role)
                else:
                    is_first = self._deeds.index("pause") == number
                    group.create_task(self._pause("gateway" if is_first else role, is_first=is_first))

    async def _victim(self, role: str, *, spared: Sequence[Machine] = ()) -> tuple[int, Machine]:
        """One of the role's processes that has worked for a while: who dies at once is started later and later."""
        async with asyncio.timeout(_RESTART_SECONDS):
            while True:
                machines = [machine for machine in self._machines if machine not in spared]
                found = {pid: machine for machine in machines for pid in machine.pids(role, seconds=_AGE_SECONDS)}
                if pids := sorted(found.keys() - {self._zombie}):
                    pid = self._random.choice(pids)
                    return pid, found[pid]
                await asyncio.sleep(0.1)

    async def _kill(self, role: str) -> None:
        pid, _ = await self._victim(role)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.done[f"killed {role}"] += 1

    async def _pause(self, role: str, *, is_first: bool) -> None:
        """A kill may come in between, and ends it."""
        is_long = self._random.random() < _LONG_SHARE
        seconds = self._random.uniform(*(PAUSE_SECONDS if is_long else SHORT_PAUSE_SECONDS))
        seconds = _ZOMBIE_SECONDS if is_first else seconds
        async with self._alone[role]:
            pid, machine = await self._victim(role, spared=self._paused)
            self._paused.append(machine)
            self._zombie = pid if is_first else self._zombie
            try:
                os.kill(pid, signal.SIGSTOP)
                self.done[f"paused {role}"] += 1
                await asyncio.sleep(seconds)
            except ProcessLookupError:
                return
            finally:
                self._paused.remove(machine)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
