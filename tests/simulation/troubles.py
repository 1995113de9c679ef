"""Faults that happen to processes and machines, and when.

Some come at any time. Others wait for the moments that matter, just after something was written and before anybody
knows: those are as short as a callback, and chance alone would hardly ever meet them.
"""

from collections.abc import Sequence

from tests.simulation.loop import KilledError, Process
from tests.simulation.processes import GatewaySlot, Place, Slot, Surroundings

_HOUR_SECONDS = 3600.0
_SOON_SECONDS = 2.5


class Troubles:
    """Makes the faults of a plan."""

    def __init__(self, around: Surroundings, places: Sequence[Place], slots: Sequence[Slot]) -> None:
        self._around = around
        self._places = places
        self._slots = slots
        self._gateways = [one for one in slots if isinstance(one, GatewaySlot)]
        for name, work, pause in (
            ("crash", self._crash, 2.5),
            ("pause", self._pause, 3.0),
            ("clock", self._turn_clock, 2.0),
            ("machine", self._lose_machine, 6.0),
            ("outage", self._outage, 4.0),
        ):
            if name in around.plan.faults:
                self._again(work, pause)

    def _again(self, work, pause: float) -> None:
        plan, loop = self._around.plan, self._around.loop

        def go() -> None:
            if not plan.is_healed:
                work()
                self._again(work, pause)

        loop.post(loop.world, go, delay=plan.choose.uniform(0.3, 2 * pause))

    # at any time

    def _crash(self) -> None:
        self._around.plan.choose.choice(self._slots).end()

    def _pause(self) -> None:
        """As SIGSTOP does; its leases may be taken over before it wakes."""
        process = self._around.plan.choose.choice(self._slots).process
        if process.is_alive and not process.is_paused:
            self._around.trace(f"{process.name} is paused")
            process.is_paused = True
            self._later(self._around.plan.choose.uniform(0.2, 9.0), self._wake, process)

    def _wake(self, process: Process) -> None:
        if process.is_paused:
            self._around.trace(f"{process.name} goes on")
            process.is_paused = False

    def _turn_clock(self) -> None:
        place = self._around.plan.choose.choice(self._places)
        place.machine.wall_offset_seconds = self._around.plan.choose.choice((-_HOUR_SECONDS, 0.0, 0.7, _HOUR_SECONDS))
        self._around.trace(f"{place.machine.name} is off by {place.machine.wall_offset_seconds}")

    def _lose_machine(self) -> None:
        """All of it is gone for a time, its disk too."""
        place = self._around.plan.choose.choice(self._places)
        if place.is_away:
            return
        self._around.trace(f"{place.machine.name} is lost")
        place.is_away = True
        for slot in self._slots:
            if slot.place is place:
                if isinstance(slot, GatewaySlot):
                    slot.late.add((slot.name, slot.incarnation))
                slot.end()
        self._later(self._around.plan.choose.uniform(1.0, 9.0), self._return_machine, place)

    def _return_machine(self, place: Place) -> None:
        if place.is_away:
            self._around.trace(f"{place.machine.name} is back")
            place.is_away = False
            for slot in self._slots:
                slot.start()

    def _outage(self) -> None:
        self._around.trace("the database is away")
        self._around.database.is_away = True
        self._later(self._around.plan.choose.uniform(0.2, 4.0), self._end_outage)

    def _end_outage(self) -> None:
        self._around.database.is_away = False

    def _later(self, seconds: float, work, *args: object) -> None:
        loop = self._around.loop
        loop.post(loop.world, work, *args, delay=seconds)

    # at moments that matter

    def on_whole(self, slot: GatewaySlot) -> None:
        """A customer has its whole answer: the process may be killed in that very moment."""
        self._kill_inside(slot, 0.12)

    def on_kept(self, slot: GatewaySlot) -> None:
        """Usage is on the disk, and nobody knows yet."""
        self._kill_inside(slot, 0.08)

    def _kill_inside(self, slot: GatewaySlot, share: float) -> None:
        plan = self._around.plan
        if "crash" in plan.faults and plan.chance(share) and self._around.loop.current is slot.process:
            slot.end()
            raise KilledError

    def on_commit(self, process: Process) -> None:
        """Something is committed, and its process does not know yet."""
        plan = self._around.plan
        self._note_take_overs()
        if "crash" in plan.faults and plan.chance(0.01):
            for slot in self._slots:
                if slot.process is process:
                    slot.end()

    def _note_take_overs(self) -> None:
        """Which lives were ended although they go on: what those spool from now on comes late."""
        nodes = {node.id: node for node in self._around.database.store._tx.nodes.all()}
        for slot in self._gateways:
            node = nodes.get(slot.name)
            if slot.gateway is not None and node is not None and node.incarnation != slot.incarnation:
                slot.late.add((slot.name, slot.incarnation))

    # the end of all of them

    def heal(self) -> None:
        """Nothing fails any more, what is down comes back, and clocks go right.

        A while later, when all that can be done at once is done, they are put forward for all: what was written by a
        clock that was ahead would else wait for an hour.
        """
        around = self._around
        around.trace("all is well")
        around.plan.heal()
        self._end_outage()
        for place in self._places:
            place.machine.wall_offset_seconds = 0.0
            self._return_machine(place)
        for slot in self._slots:
            self._wake(slot.process)
            slot.start()
        self._later(_SOON_SECONDS, self._put_forward)

    def _put_forward(self) -> None:
        for place in self._places:
            place.machine.wall_offset_seconds = 2 * _HOUR_SECONDS
