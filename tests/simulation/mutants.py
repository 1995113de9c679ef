"""Faults that the simulation must find: each takes away one thing that keeps money or tasks right.

They are put into the running program by a test, and found by some seed. A simulation that finds nothing is only worth
something if it would find these.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from yuanjing.adapters.memory import ledger as memory_ledger
from yuanjing.adapters.memory.nodes import MemoryNodes
from yuanjing.adapters.memory.usages import MemoryUsages
from yuanjing.domain.idempotency import Standing
from yuanjing.domain.topups import TopUpState
from yuanjing.domain.usage import PostedUsage, UsageRecord
from yuanjing.domain.videos import TaskStep, VideoTask
from yuanjing.gateway.exchange import Exchange
from yuanjing.gateway.purse import Purse
from yuanjing.gateway.settlement import Settled, Spooler
from yuanjing.ports.store import Tx
from yuanjing.usecases import idempotency, leases, returns
from yuanjing.usecases.budgets import LockedBudget
from yuanjing.usecases.topups import crediting
from yuanjing.usecases.videos import finishing
from yuanjing.worker.video.desk import Desk
from yuanjing.worker.video.submitting import Submitter

Patch = pytest.MonkeyPatch
_PLENTY = 10**15


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A fault, a word of what the audit says of it, and below which seed one has found it."""

    name: str
    apply: Callable[[Patch], None]
    finding: str
    seeds: int = 150


def no_fence(patch: Patch) -> None:
    """A process that was taken over goes on placing and returning leases."""
    for module in (leases, returns):
        patch.setattr(module, "fence", lambda *_: None)


def acknowledged_before_spooled(patch: Patch) -> None:
    """The customer has its answer before its usage is on the disk."""

    class Nobody:
        def on_durable(self) -> None:
            pass

        def on_not_durable(self, *, is_refused: bool) -> None:
            del is_refused

    add = Spooler.add

    def early(self: Spooler, record: UsageRecord, settled: Settled) -> None:
        settled.on_durable()
        add(self, record, Nobody())

    patch.setattr(Spooler, "add", early)


def no_limit(patch: Patch) -> None:
    """Leases are given whatever the balance, and the ledger lets it go below zero."""
    patch.setattr(leases._Standing, "spendable_nanos", property(lambda self: _PLENTY if self.is_allowed else 0))
    patch.setattr(memory_ledger, "may_go_negative", lambda _: True)


def no_budget(patch: Patch) -> None:
    """Nobody looks at what a key's budget leaves."""
    patch.setattr(LockedBudget, "left_nanos", property(lambda _: _PLENTY))


def usage_posted_again(patch: Patch) -> None:
    """Neither the place in the spool nor the id of a usage is unique any more."""

    def advance(self: MemoryNodes, node_id: str, incarnation: int, *, posted_seq: int, **_: int) -> bool:
        position = self._positions[node_id, incarnation]
        moved = replace(position, posted_seq=max(posted_seq, position.posted_seq))
        self._journal.put(self._positions, (node_id, incarnation), moved)
        return True

    def add_new(self: MemoryUsages, usages: Sequence[PostedUsage]) -> set[str]:
        for usage in usages:
            self._journal.put(self._usages, usage.record.id, usage)
        return {usage.record.id for usage in usages}

    patch.setattr(MemoryNodes, "advance", advance)
    patch.setattr(MemoryUsages, "existing", lambda *_: set())
    patch.setattr(MemoryUsages, "add_new", add_new)


def payment_credited_again(patch: Patch) -> None:
    """Each notification of a payment is one more payment."""
    credited, told = crediting.credited, iter(range(10**6))

    def again(topup, **payment):
        return credited(replace(topup, state=TopUpState.CREATED), **payment)

    top_up = crediting.ledger.top_up

    def another(*where, method, number):
        return replace(top_up(*where, method=method, number=number), id=f"topup:{number}:{next(told)}")

    patch.setattr(crediting, "credited", again)
    patch.setattr(crediting.ledger, "top_up", another)


def no_hold(patch: Patch) -> None:
    """Whoever has a lease is trusted: nothing is asked of what is free in it."""

    def trusting(self: Purse, ceiling_nanos: int) -> bool:
        if self.hold_id is None:
            return False
        self.free -= ceiling_nanos
        self.reserved += ceiling_nanos
        return True

    patch.setattr(Purse, "reserve", trusting)


def ended_in_two_transactions(patch: Patch) -> None:
    """A task's money moves in one transaction, and its final state is written in the next."""
    finish = Desk.finish

    async def twice(self: Desk, task: VideoTask, work: Callable[[Tx, VideoTask], VideoTask | None]) -> bool:
        ended: list[VideoTask] = []

        def first(tx: Tx, mine: VideoTask) -> VideoTask | None:
            done = work(tx, mine)
            ended[:] = [done] if done is not None else []
            return done

        is_done = await finish(self, task, first)
        if ended:
            await self.commit(lambda tx: tx.tasks.save(ended[0], "ended"))
        return is_done

    patch.setattr(finishing, "_saved", lambda _, done, __: done)
    patch.setattr(Desk, "finish", twice)


def sent_again(patch: Patch) -> None:
    """A submission of unknown outcome is taken for one that was refused."""

    def waits(self: Submitter, task: VideoTask) -> VideoTask:
        return replace(task, step=TaskStep.WAITING, sent_at=None, next_at=self._desk.clock.unix() + 1)

    patch.setattr(Submitter, "_lost", waits)


def retried_after_the_first_byte(patch: Patch) -> None:
    """What has broken is begun anew on the next channel, although its customer has a part of it."""
    patch.setattr(Exchange, "_may_retry", lambda self, *_: self._attempts < len(self._routes))


def no_names(patch: Patch) -> None:
    """A name that is taken stands for nothing."""
    patch.setattr(idempotency, "standing_of", lambda *_: Standing.RUNNING)
    patch.setattr(idempotency, "_is_lost", lambda *_: True)


def names_freed_early(patch: Patch) -> None:
    """The name of a request that is still running is free."""
    patch.setattr(idempotency, "_is_lost", lambda *_: True)


MUTANTS = (
    Mutant(name="no_fence", apply=no_fence, finding="does not live any more"),
    Mutant(
        name="acknowledged_before_spooled", apply=acknowledged_before_spooled, finding="was answered and not charged"
    ),
    Mutant(name="no_limit", apply=no_limit, finding="below zero"),
    Mutant(name="no_budget", apply=no_budget, finding="of a budget of"),
    Mutant(name="usage_posted_again", apply=usage_posted_again, finding="should own"),
    Mutant(name="payment_credited_again", apply=payment_credited_again, finding="not credited once"),
    Mutant(name="no_hold", apply=no_hold, finding="was charged late"),
    Mutant(name="ended_in_two_transactions", apply=ended_in_two_transactions, finding="has not ended", seeds=400),
    Mutant(name="sent_again", apply=sent_again, finding="times by its provider"),
    Mutant(name="no_names", apply=no_names, finding="times under one name"),
    Mutant(name="names_freed_early", apply=names_freed_early, finding="times under one name"),
    Mutant(
        name="retried_after_the_first_byte", apply=retried_after_the_first_byte, finding="pieces of several answers"
    ),
)
