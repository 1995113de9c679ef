"""One simulation from its seed to its findings."""

import gc
import hashlib
from collections import Counter
from dataclasses import dataclass

from tests.simulation.audit import Audit
from tests.simulation.chance import SimulatedClock, made_by
from tests.simulation.goods import YUAN, put_up
from tests.simulation.loop import Machine, SimulationLoop
from tests.simulation.people import People
from tests.simulation.plan import Plan
from tests.simulation.processes import Cashier, GatewaySlot, Place, Slot, Surroundings, WorkerSlot
from tests.simulation.provider import Provider
from tests.simulation.storage import Database
from tests.simulation.studio import Studio
from tests.simulation.troubles import Troubles

from yuanjing.adapters.memory.store import MemoryStore
from yuanjing.domain.topups import RefundState
from yuanjing.domain.videos import TaskStep
from yuanjing.ports.store import Tx

_REST_SECONDS = 60.0
_STOP_SECONDS = 12.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a seed came to.

    Attributes:
        digest: of everything that happened, in its order; equal for equal runs.
        findings: what is wrong; empty if all is well.
        trace: what happened, a line each, with its time.
        counts: how much of what there was, so that a test can see that something was tested.
    """

    seed: int
    digest: str
    findings: list[str]
    trace: list[str]
    counts: Counter[str]


class Simulation:
    """Several machines with gateways and a worker each, over one store."""

    def __init__(self, seed: int) -> None:
        self.plan = plan = Plan(seed)
        self.trace: list[str] = []
        self.loop = loop = SimulationLoop(plan.choose)
        self.clock = clock = SimulatedClock(loop)
        database = Database(MemoryStore(clock=clock), loop, plan)
        self.around = Surroundings(
            loop=loop,
            plan=plan,
            clock=clock,
            database=database,
            studio=Studio(loop, plan),
            method=Cashier(),
            bugs=[],
            trace=self._note,
        )
        self.provider = Provider(loop, plan)
        loop.connect = self.provider.connect
        self.places = [Place(Machine(f"m{number}")) for number in range(1, plan.machines + 1)]
        self.gateways = [
            GatewaySlot(self.around, place, f"{place.machine.name}-g{number}")
            for place in self.places
            for number in range(plan.gateways)
        ]
        workers = [WorkerSlot(self.around, place, f"{place.machine.name}-w") for place in self.places]
        self.slots: list[Slot] = [*self.gateways, *workers]
        self.people = People(self.around, self.gateways)
        self.troubles = Troubles(self.around, self.places, self.slots)
        self.people.on_whole = self.troubles.on_whole
        database.on_commit = self.troubles.on_commit
        for slot in self.gateways:
            slot.on_kept = lambda slot=slot: self.troubles.on_kept(slot)

    def _note(self, line: str) -> None:
        self.trace.append(f"{self.loop.time():.6f} {line}")

    def run(self) -> Outcome:
        """Let it happen, come to rest, stop in order, and be looked at."""
        loop, plan = self.loop, self.plan
        self.around.database.do(lambda tx: put_up(tx, plan.poor_nanos))
        for slot in self.slots:
            slot.start()
        loop.run(loop.time() + 1.0)
        end = loop.time() + plan.active_seconds
        for _ in range(plan.operations):
            loop.post(loop.world, self.people.act, delay=plan.choose.uniform(0.0, plan.active_seconds))
        loop.run(end)
        self.troubles.heal()
        findings = self._come_to_rest()
        self._stop()
        findings += self._audit()
        transfers = self.around.database.do(lambda tx: [*tx.ledger.scan_transfers()], may_write=False)
        digest = hashlib.sha256("\n".join([*self.trace, *map(repr, transfers)]).encode()).hexdigest()
        return Outcome(
            seed=plan.seed, digest=digest, findings=findings, trace=self.trace, counts=self._counts(len(transfers))
        )

    def _come_to_rest(self) -> list[str]:
        loop = self.loop
        until = loop.time() + _REST_SECONDS
        while loop.time() < until:
            loop.run(loop.time() + 1.0)
            waits = self.around.database.do(lambda tx: [*self._waits(tx)], may_write=False)
            if not waits:
                return []
        return [f"after {_REST_SECONDS:.0f} s: {what}" for what in waits]

    def _waits(self, tx: Tx) -> list[str]:
        """What is still under way."""
        waits = [f"task {task.id} is {task.step}" for task in tx.tasks.scan() if task.step is not TaskStep.DONE]
        waits += [f"{r.id} is requested" for _, r in tx.topups.scan_refunds() if r.state is RefundState.REQUESTED]
        waits += [
            f"{one.number} is not credited"
            for one in self.people.paid
            if tx.ledger.transfer(f"topup:{one.number}") is None
        ]
        for slot in self.gateways:
            if slot.gateway is None:
                waits.append(f"{slot.name} is not there")
            elif slot.gateway.exchanges:
                waits.append(f"{slot.name} has work")
        return waits

    def _stop(self) -> None:
        """Gateways first, so that the workers post what they leave."""
        loop = self.loop
        for wanted in (self.gateways, self.slots):
            for slot in wanted:
                slot.stop()
            loop.run(
                loop.time() + _STOP_SECONDS, lambda wanted=wanted: not any(slot.process.is_alive for slot in wanted)
            )

    def _audit(self) -> list[str]:
        return Audit(self.around, self.people, self.provider, self.places, self.gateways).findings()

    def _counts(self, transfers: int) -> Counter[str]:
        chats = self.people.chats
        return Counter(
            steps=self.loop.steps,
            chats=len(chats),
            whole=sum(chat.is_whole for chat in chats),
            again=len(chats) - len({chat.number for chat in chats}),
            replayed=sum(chat.is_whole and b"idempotent-replayed" in chat.received for chat in chats),
            served=len(self.provider.served),
            tasks=len(self.around.studio.accepted),
            paid=len(self.people.paid),
            lives=sum(slot.lives for slot in self.slots),
            late=sum(len(slot.late) for slot in self.gateways),
            transfers=transfers,
            virtual_ms=int(self.loop.time() * 1000) - 1_000_000,
        )


def simulate(seed: int) -> Outcome:
    """Run one seed."""
    gc.freeze()  # what was there before need not be searched for garbage many times a second
    try:
        simulation = Simulation(seed)
        with made_by(seed, simulation.clock):
            try:
                return simulation.run()
            finally:
                simulation.loop.close()
    finally:
        gc.unfreeze()


__all__ = ["YUAN", "Outcome", "simulate"]
