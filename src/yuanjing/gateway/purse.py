"""Leases in memory: `reserve(ceiling)`, `settle(charge)`, then the spool.

What the ledger holds for a lease is always `free + reserved + what is spooled and not yet posted`; money goes back to
the ledger only after it has left `free`, so a lost reply can strand money for a while but never spend it twice.

Near the end of a balance the processes compete for it through the ledger alone: who waits for money that others hold,
and who is asked for it, gives everything back that is free. The ledger then serves one wish after the other, each
whole, so that somebody gets on with every grant and nothing lies between two processes that both wait.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from yuanjing.domain.errors import FencedError, YuanjingError
from yuanjing.domain.money import Book
from yuanjing.gateway.counters import Counters
from yuanjing.gateway.options import GatewayOptions
from yuanjing.gateway.upstream import Spawn

PurseKey = tuple[Book, str, str | None]
"""Book, customer, and the API key's id if that key has a budget of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refill:
    """What the lease keeper answered: nothing granted means refused.

    `is_budget` says that `available_nanos` is what the key's budget leaves; `budget_held_nanos` of it is not spent, but
    held for requests and tasks that run.
    """

    hold_id: str | None
    granted_nanos: int
    available_nanos: int
    is_recalling: bool
    is_budget: bool = False
    budget_held_nanos: int = 0


class LeaseSource(Protocol):
    """The lease keeper, for one node."""

    async def acquire(
        self, key: PurseKey, *, hold_id: str | None, needed_nanos: int, recent_nanos: int, may_recall: bool
    ) -> Refill:
        """Lease money, or learn how much there is; `may_recall` if somebody waits, for whom others give theirs back."""
        ...

    async def give_back(self, returns: list[tuple[str, int, bool]]) -> None:
        """Return (hold id, amount, whether the lease is given up)."""
        ...


@dataclass(kw_only=True, slots=True, eq=False)
class Waiter:
    """A request that waits for money: called once with None, or with the refusal."""

    ceiling_nanos: int
    floor_nanos: int
    deadline: float
    wake: Callable[["Refill | None"], None]


class Purse:
    """One customer's lease inside one process."""

    __slots__ = (
        "free",
        "hold_id",
        "is_asking",
        "is_dropped",
        "is_filling",
        "is_recalled",
        "key",
        "last_used",
        "refused_until",
        "reserved",
        "short",
        "spent",
        "waiters",
    )

    def __init__(self, key: PurseKey) -> None:
        self.key = key
        self.hold_id: str | None = None
        self.free = 0
        self.reserved = 0
        self.spent = 0
        """Charged since the last look, decayed by `Purses.tick`: about two seconds of recent spending."""
        self.is_filling = False
        self.is_asking = False
        """A call for money is under way; it counts on what is free."""
        self.is_recalled = False
        """Others wait for this money, or the key's terms changed: until the next grant, what becomes free goes back."""
        self.waiters: deque[Waiter] = deque()
        self.is_dropped = False
        self.last_used = 0.0
        self.refused_until = 0.0
        self.short: Refill | None = None
        """The last refusal of a wish, remembered until `refused_until`."""

    def reserve(self, ceiling_nanos: int) -> bool:
        """Set the ceiling aside if it is free; a free offer's charge needs a lease too, to be posted against."""
        if ceiling_nanos > self.free or self.hold_id is None:
            return False
        self.free -= ceiling_nanos
        self.reserved += ceiling_nanos
        return True


class Purses:
    """All purses of this process, and the one coroutine that refills each."""

    def __init__(
        self,
        source: LeaseSource,
        options: GatewayOptions,
        counters: Counters,
        *,
        now: Callable[[], float],
        spawn: Spawn,
        on_fenced: Callable[[], None],
    ) -> None:
        self._source = source
        self._options = options
        self._counters = counters
        self._now = now
        self._spawn = spawn
        self._on_fenced = on_fenced
        self._purses: dict[PurseKey, Purse] = {}
        self._unreturned: list[tuple[str, int, bool]] = []
        self._returned = asyncio.Event()
        self._returned.set()

    def get(self, key: PurseKey) -> Purse:
        """The purse, an empty one at first."""
        purse = self._purses.get(key)
        if purse is None:
            purse = self._purses[key] = Purse(key)
        purse.last_used = self._now()
        return purse

    def wait(self, purse: Purse, waiter: Waiter) -> None:
        """Call `waiter.wake` when money has come, or when it is sure that none will."""
        short = purse.short if self._now() < purse.refused_until and not purse.is_filling else None
        if short is not None and waiter.floor_nanos > short.available_nanos + purse.free:
            waiter.wake(short)
            return
        purse.waiters.append(waiter)
        if not purse.is_filling:
            purse.is_filling = True
            self._spawn(self._fill(purse))

    def settle(self, purse: Purse, hold_id: str, ceiling_nanos: int, charge_nanos: int) -> None:
        """Resolve a reservation: the charge leaves the purse, the rest is free again."""
        assert 0 <= charge_nanos <= ceiling_nanos <= purse.reserved
        rest = ceiling_nanos - charge_nanos
        purse.reserved -= ceiling_nanos
        purse.spent += charge_nanos
        purse.last_used = self._now()
        if purse.hold_id == hold_id and not purse.is_recalled:
            purse.free += rest
        elif rest:
            purse.short = None
            self._give_back(hold_id, rest, is_final=False)

    def renew(self, purse: Purse) -> None:
        """Ask ahead of need, when less is free than is spent in a second: a busy customer never waits."""
        if purse.is_filling or purse.waiters or purse.is_recalled or self._now() < purse.refused_until:
            return
        purse.is_filling = True
        self._spawn(self._fill(purse))

    def forget_refusal(self, book: Book, customer_id: str) -> None:
        """The customer has money again."""
        for purse in self._purses.values():
            if purse.key[0] == book and purse.key[1] == customer_id:
                purse.refused_until = 0.0
                purse.short = None

    async def _fill(self, purse: Purse) -> None:
        first_pause = self._options.lease_wait_seconds / 6
        pause = first_pause
        try:
            while True:
                wish = max(1, purse.waiters[0].ceiling_nanos - purse.free) if purse.waiters else 0
                refill = await self._acquire(purse, wish)
                if refill is None:
                    return
                is_pausing = self._serve(purse, refill, wish)
                if purse.is_recalled or is_pausing:
                    self._yield(purse)
                if not purse.waiters:
                    return
                if is_pausing:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, self._options.lease_wait_seconds / 3)
                else:
                    pause = first_pause
        finally:
            purse.is_filling = False

    async def _acquire(self, purse: Purse, wish: int) -> Refill | None:
        """Ask for a wish, or ahead of need if there is none (0); None if nobody answers, which all waiters know."""
        waiting = sum(w.ceiling_nanos for w in purse.waiters)
        self._counters.lease_calls += 1
        was_recalled, purse.is_recalled = purse.is_recalled, False
        purse.is_asking = True
        is_answered = False
        try:
            refill = await self._source.acquire(
                purse.key,
                hold_id=purse.hold_id,
                needed_nanos=max(1, wish),
                recent_nanos=max(purse.spent, waiting - purse.free, 0),
                may_recall=wish > 0,
            )
            is_answered = True
        except FencedError:
            self._on_fenced()
            self._fail(purse)
            return None
        except YuanjingError:
            self._fail(purse)
            return None
        except Exception:
            self._fail(purse)
            raise  # a bug, and logged as one
        finally:
            purse.is_asking = False
            if not is_answered and (was_recalled or purse.is_recalled):
                self._recall(purse)  # nothing was granted, so it holds on
        self._take(purse, refill, wish, was_recalled=was_recalled)
        return refill

    def _take(self, purse: Purse, refill: Refill, wish: int, *, was_recalled: bool) -> None:
        if refill.granted_nanos:
            if refill.hold_id != purse.hold_id:
                self._change_hold(purse)
                purse.hold_id = refill.hold_id
            purse.free += refill.granted_nanos
            purse.short = None
        else:
            self._counters.lease_refusals += 1
            purse.is_recalled = purse.is_recalled or was_recalled
            purse.short = refill if wish else None
        if not refill.granted_nanos or (not wish and refill.granted_nanos < purse.spent):
            purse.refused_until = self._now() + self._options.refuse_seconds

    def _change_hold(self, purse: Purse) -> None:
        """The ledger gave a new lease instead of extending the old: what is free of the old goes back first.

        Reservations under way carry their hold's id themselves.
        """
        if purse.hold_id is not None:
            self._give_back(purse.hold_id, purse.free, is_final=False)
            purse.free = 0

    def _serve(self, purse: Purse, refill: Refill, wish: int) -> bool:
        """Wake whom the money covers, in order; refuse whom no waiting can help. True to pause before the next call.

        Who is refused may come back at once with a smaller wish, which is for the next call. A refusal of one wish is
        none for a smaller one that the ledger covers: that one goes first then.
        """
        is_refused = bool(wish) and not refill.granted_nanos
        is_coming = (refill.is_recalling or bool(self._unreturned)) and is_refused
        now = self._now()
        first: deque[Waiter] = deque()
        left: deque[Waiter] = deque()
        budget = purse.free if purse.hold_id is not None else -1
        waiting, purse.waiters = purse.waiters, deque()
        try:
            while waiting:
                waiter = waiting.popleft()
                if waiter.ceiling_nanos <= budget:
                    budget -= waiter.ceiling_nanos
                    waiter.wake(None)
                elif is_refused and max(1, waiter.ceiling_nanos - purse.free) <= refill.available_nanos < wish:
                    first.append(waiter)
                elif not is_refused or (is_coming and now < waiter.deadline):
                    left.append(waiter)
                else:
                    waiter.wake(refill)
        finally:  # one that raises must not take those behind it along
            purse.waiters.extendleft(reversed(first + left + waiting))
        return is_coming and not first

    def _fail(self, purse: Purse) -> None:
        waiters, purse.waiters = purse.waiters, deque()
        for waiter in waiters:
            waiter.wake(Refill(hold_id=None, granted_nanos=0, available_nanos=-1, is_recalling=False))

    # giving back

    def _give_back(self, hold_id: str, amount_nanos: int, *, is_final: bool) -> None:
        if not amount_nanos and not is_final:
            return
        self._unreturned.append((hold_id, amount_nanos, is_final))
        self._begin_return()

    def _begin_return(self) -> None:
        if self._unreturned and self._returned.is_set():
            self._returned.clear()
            self._spawn(self._return())

    async def _return(self) -> None:
        try:
            while self._unreturned:
                batch = self._unreturned[:]
                try:
                    await self._source.give_back(batch)
                except FencedError:
                    self._on_fenced()
                    self._unreturned.clear()
                    return
                except YuanjingError:
                    await asyncio.sleep(self._options.heartbeat_seconds)
                    continue
                except Exception:
                    await asyncio.sleep(self._options.heartbeat_seconds)
                    raise  # a bug, and logged as one; `tick` begins again
                del self._unreturned[: len(batch)]
        finally:
            self._returned.set()

    def _yield(self, purse: Purse) -> None:
        """Give back all that is free."""
        if purse.free and purse.hold_id is not None:
            amount, purse.free = purse.free, 0
            purse.short = None
            self._give_back(purse.hold_id, amount, is_final=False)

    def recall(self, hold_ids: set[str]) -> None:
        """Another process or a task needs the money: give back what is free, and what becomes free."""
        for purse in self._purses.values():
            if purse.hold_id in hold_ids:
                self._recall(purse)

    def recall_key(self, key: PurseKey) -> None:
        """The terms of an API key may have changed: what was leased under the old ones goes back and is asked anew.

        What is reserved stays so. The ledger counts it when it grants under the new terms.
        """
        purse = self._purses.get(key) if key[2] is not None else None
        if purse is not None:
            self._recall(purse)

    def _recall(self, purse: Purse) -> None:
        purse.is_recalled = True
        if not purse.is_asking:
            self._yield(purse)

    def tick(self, passed_seconds: float) -> None:
        """Return idle leases, forget empty purses, let the memory of spending fade."""
        self._begin_return()
        now = self._now()
        idle_before = now - self._options.lease_idle_seconds
        for key, purse in list(self._purses.items()):
            purse.spent -= int(purse.spent * min(1.0, passed_seconds / 2))
            if purse.last_used > idle_before or purse.reserved or purse.is_filling:
                continue
            self._close(purse)
            if not purse.free and now >= purse.refused_until:
                purse.is_dropped = True
                del self._purses[key]

    def _close(self, purse: Purse) -> None:
        if purse.hold_id is not None:
            amount, purse.free = purse.free, 0
            hold_id, purse.hold_id = purse.hold_id, None
            purse.is_recalled = False
            self._give_back(hold_id, amount, is_final=True)

    async def close(self) -> None:
        """Give everything back that is not reserved, as well as can be; take-over does the rest."""
        for purse in self._purses.values():
            if not purse.reserved:
                self._close(purse)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._options.close_seconds):
                await self._returned.wait()

    @property
    def count(self) -> int:
        """How many customers have a purse here."""
        return len(self._purses)

    @property
    def leased_nanos(self) -> int:
        """Money leased to this process and not charged."""
        return sum(p.free + p.reserved for p in self._purses.values())
