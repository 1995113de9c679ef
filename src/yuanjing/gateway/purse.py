"""Leases in memory: `reserve(ceiling)`, `settle(charge)`, then the spool.

What the ledger holds for a lease is always `free + reserved + what is spooled and not yet posted`; money goes back to
the ledger only after it has left `free`, so a lost reply can strand money for a while but never spend it twice.

Near the end of a balance the processes compete for it through the ledger alone: who waits for money that others hold,
and who is asked for it, gives everything back that is free. The ledger then serves one wish after the other, each
whole, so that somebody gets on with every grant and nothing lies between two processes that both wait.

Who is asked answers in any case, if need be with nothing, so that those who wait know when nothing more will come
(docs/decisions/0024-recalls.md).
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from yuanjing.domain.errors import FencedError, YuanjingError
from yuanjing.domain.money import Book
from yuanjing.gateway.counters import Counters
from yuanjing.gateway.lease_source import Asked, GivenBack, LeaseSource, PurseKey, Refill
from yuanjing.gateway.options import GatewayOptions
from yuanjing.gateway.upstream import Spawn

_PAUSES_FIRST, _PAUSES_GROW, _PAUSES_LONGEST = 64, 1.5, 8
"""Parts of `lease_wait_seconds`: the pauses between two calls while others are asked, and how they grow; a signal that
money has come ends a pause at once."""
_CEILINGS = 8
"""A lease that a request has to wait for is so many of its ceilings: a customer who asks now and then would else miss
by what the request before has cost, each time."""
_AHEAD = 4
"""A lease that is asked ahead of need is so many times the recent spending, about eight seconds of it: with two, a
hundred busy customers would have the ledger asked fifty times a second."""


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
        "asked",
        "free",
        "hold_id",
        "is_asking",
        "is_dropped",
        "is_filling",
        "is_recalled",
        "key",
        "last_used",
        "news",
        "owes_answer",
        "patient_until",
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
        self.owes_answer = False
        """Others wait for this money and have not been told yet how much of it is free."""
        self.asked: Asked = {}
        self.patient_until: float | None = None
        """Until when others' answers are waited for, since the last question; None if all have answered."""
        self.news: asyncio.Event | None = None
        """While it is filled: money has come to the customer, or an answer to this process's question."""
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

    def forget_refusal(self) -> None:
        """The ledger may say yes now: who comes next asks it, and who waits does so at once."""
        self.refused_until = 0.0
        self.short = None
        if self.news is not None:
            self.news.set()


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
        self.processes = 1
        """How many gateway processes there are, this one included."""
        self._unreturned: list[tuple[PurseKey | None, GivenBack]] = []
        """What goes back, with the purse that it comes from; None if no purse has had that lease for a while."""
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
            self._give_back(purse.key, GivenBack(hold_id=hold_id, amount_nanos=rest, is_wanted=purse.is_recalled))

    def renew(self, purse: Purse) -> None:
        """Ask ahead of need, when less is free than is spent in a second: a busy customer never waits."""
        if purse.is_filling or purse.waiters or purse.is_recalled or self._now() < purse.refused_until:
            return
        purse.is_filling = True
        self._spawn(self._fill(purse))

    def forget_refusal(self, book: Book, customer_id: str) -> None:
        """The customer has money again, or somebody who was asked for it has answered.

        Those who have not answered are waited for no longer than before.
        """
        for purse in self._purses.values():
            if purse.key[:2] == (book, customer_id):
                purse.forget_refusal()

    async def _fill(self, purse: Purse) -> None:
        first_pause = self._options.lease_wait_seconds / _PAUSES_FIRST
        pause = first_pause
        news = purse.news = asyncio.Event()
        try:
            while True:
                news.clear()
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
                    await _wait(news, pause)
                    pause = min(_PAUSES_GROW * pause, self._options.lease_wait_seconds / _PAUSES_LONGEST)
                else:
                    pause = first_pause
        finally:
            purse.is_filling = False
            purse.news = None

    async def _acquire(self, purse: Purse, wish: int) -> Refill | None:
        """Ask for a wish, or ahead of need if there is none (0); None if nobody answers, which all waiters know."""
        waiting = sum(w.ceiling_nanos for w in purse.waiters)
        several = _CEILINGS * purse.waiters[0].ceiling_nanos if wish else 0
        self._counters.lease_calls += 1
        was_recalled, purse.is_recalled = purse.is_recalled, False
        purse.is_asking = True
        is_answered = False
        try:
            refill = await self._source.acquire(
                purse.key,
                hold_id=purse.hold_id,
                needed_nanos=max(1, wish),
                recent_nanos=max(purse.spent if wish else _AHEAD * purse.spent, max(waiting, several) - purse.free, 0),
                asked=purse.asked if wish else None,
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
            purse.short = purse.patient_until = None
        else:
            self._counters.lease_refusals += 1
            purse.is_recalled = purse.is_recalled or was_recalled
            purse.short = refill if wish else None
            if wish:
                if not refill.asked.items() <= purse.asked.items():
                    purse.patient_until = None  # somebody was asked who was not asked before
                purse.asked = refill.asked
        if not refill.granted_nanos or (not wish and refill.granted_nanos < purse.spent):
            # The more processes, the longer: all together ask no more often about a customer who has nothing.
            purse.refused_until = self._now() + self.processes * self._options.refuse_seconds

    def _change_hold(self, purse: Purse) -> None:
        """The ledger gave a new lease instead of extending the old: what is free of the old goes back first.

        Reservations under way carry their hold's id themselves.
        """
        if purse.hold_id is not None:
            given = GivenBack(hold_id=purse.hold_id, amount_nanos=purse.free, is_answer=purse.owes_answer)
            purse.free, purse.owes_answer = 0, False
            self._give_back(purse.key, given)

    def _serve(self, purse: Purse, refill: Refill, wish: int) -> bool:
        """Wake whom the money covers, in order; refuse whom no waiting can help. True to pause before the next call.

        Who is refused may come back at once with a smaller wish, which is for the next call. A refusal of one wish is
        none for a smaller one that the ledger covers: that one goes first then.
        """
        is_refused = bool(wish) and not refill.granted_nanos
        is_coming = is_refused and (refill.is_recalling or self._is_returning(purse))
        now = self._now()
        patient_until = self._be_patient(purse, now, is_coming=is_coming)
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
                elif not is_refused or (is_coming and now < min(waiter.deadline, patient_until)):
                    left.append(waiter)
                else:
                    waiter.wake(refill)
        finally:  # one that raises must not take those behind it along
            purse.waiters.extendleft(reversed(first + left + waiting))
        return is_coming and not first

    def _be_patient(self, purse: Purse, now: float, *, is_coming: bool) -> float:
        """Until when to wait for what others are asked for.

        Who does not answer in that time has died, or is cut off: nobody waits for it a second time.
        """
        if not is_coming:
            purse.patient_until = None
        elif purse.patient_until is None:
            purse.patient_until = now + self._options.lease_wait_seconds
        return purse.patient_until or 0.0

    def _fail(self, purse: Purse) -> None:
        waiters, purse.waiters = purse.waiters, deque()
        for waiter in waiters:
            waiter.wake(Refill(hold_id=None, granted_nanos=0, available_nanos=-1, is_recalling=False))

    # giving back

    def _give_back(self, key: PurseKey | None, given: GivenBack) -> None:
        if given.amount_nanos or given.is_final or given.is_answer:
            self._unreturned.append((key, given))
            self._begin_return()

    def _is_returning(self, purse: Purse) -> bool:
        """Whether money of this customer is on its way back to the ledger."""
        return any(
            given.amount_nanos and key is not None and key[:2] == purse.key[:2] for key, given in self._unreturned
        )

    def _begin_return(self) -> None:
        if self._unreturned and self._returned.is_set():
            self._returned.clear()
            self._spawn(self._return())

    async def _return(self) -> None:
        try:
            while self._unreturned:
                batch = [given for _, given in self._unreturned]
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
        """Give back all that is free; nothing, if that is the answer that somebody waits for."""
        if (purse.free or purse.owes_answer) and purse.hold_id is not None:
            amount, purse.free = purse.free, 0
            if amount:
                purse.short = None
            given = GivenBack(
                hold_id=purse.hold_id,
                amount_nanos=amount,
                is_wanted=purse.is_recalled,
                is_answer=purse.owes_answer,
            )
            purse.owes_answer = False
            self._give_back(purse.key, given)

    def recall(self, hold_ids: set[str]) -> None:
        """Another process or a task needs the money: give back what is free, and what becomes free.

        A question whose answer is under way may be heard a second time; it gets no second answer, which could be taken
        for that to the next question.
        """
        answered = {given.hold_id for _, given in self._unreturned if given.is_answer}
        unknown = hold_ids - answered
        for purse in self._purses.values():
            if purse.hold_id in hold_ids:
                unknown.discard(purse.hold_id)
                purse.owes_answer = purse.owes_answer or purse.hold_id not in answered
                self._recall(purse)
        if not any(purse.is_asking for purse in self._purses.values()):  # else one may be on its way to its purse
            for hold_id in sorted(unknown):  # its purse has another lease by now
                self._give_back(None, GivenBack(hold_id=hold_id, amount_nanos=0, is_answer=True))

    def recall_key(self, key: PurseKey) -> None:
        """The terms of an API key may have changed: what was leased under the old ones goes back and is asked anew.

        What is reserved stays so. The ledger counts it when it grants under the new terms. A refusal under the old ones
        says nothing any more.
        """
        purse = self._purses.get(key) if key[2] is not None else None
        if purse is not None:
            purse.forget_refusal()
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
            purse.is_recalled = purse.owes_answer = False
            self._give_back(purse.key, GivenBack(hold_id=hold_id, amount_nanos=amount, is_final=True))

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


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Until it is set, for so long at most."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
