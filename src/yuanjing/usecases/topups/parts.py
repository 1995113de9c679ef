"""What top-ups are made with."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from yuanjing.domain.money import NANOS_PER_YUAN
from yuanjing.kit.clock import Clock
from yuanjing.ports.payments import PaymentMethod
from yuanjing.ports.store import Store

_DOUBLINGS_MAX = 16
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class TopUpPolicy:
    """The limits of top-ups; see the settings `topup_…`.

    Attributes:
        order_seconds: how long an order can be paid.
        open_max: orders of one customer that are not paid yet.
        per_hour: orders of one customer within an hour, paid or not.
        ask_seconds: while a customer looks at an order, its payment method is asked so often at most.
        ask_wait_seconds: and the customer waits for its answer no longer.
        first_check_seconds: when a payment method is asked of a new order for the first time; the pause doubles.
        check_seconds_max: the longest such pause.
        asked_at_once: questions to payment methods that a sweep waits for at the same time.
        refund_seconds: a payment method is asked about one refund no longer, by one process at a time.
        late_seconds: for so long after its expiry an order is still asked for, as a payment may have come in last.
        forged_per_hour: forged notifications that one process keeps within an hour.
        forged_seconds: how long they are kept.
        bill_days: how many past days' bills are compared.
    """

    amount_min_nanos: int = NANOS_PER_YUAN
    amount_max_nanos: int = 50_000 * NANOS_PER_YUAN
    order_seconds: float = 1800.0
    open_max: int = 20
    per_hour: int = 100
    ask_seconds: float = 3.0
    ask_wait_seconds: float = 5.0
    first_check_seconds: float = 5.0
    check_seconds_max: float = 300.0
    asked_at_once: int = 8
    refund_seconds: float = 100.0
    late_seconds: float = 600.0
    forged_per_hour: int = 200
    forged_seconds: float = 30 * 86_400.0
    bill_days: int = 7

    @property
    def refund_claim_seconds(self) -> float:
        """So long nobody else asks about a refund that is being asked about; its answer is kept by then."""
        return 2 * self.refund_seconds

    def pause_seconds(self, checks: int) -> float:
        """How long to wait after so many questions that brought no end."""
        return min(self.first_check_seconds * 2 ** min(checks, _DOUBLINGS_MAX), self.check_seconds_max)


@dataclass(frozen=True, kw_only=True, slots=True)
class TopUpParts:
    """What the use cases need.

    Attributes:
        methods: by name; those that are set up.
        subject: what payers read.
        return_url: where a payer's browser goes afterwards, by the order's id.
        notify_url: where a method tells of payments, by its name; empty if it cannot reach us.
    """

    store: Store
    clock: Clock
    methods: Mapping[str, PaymentMethod]
    policy: TopUpPolicy
    subject: str
    return_url: Callable[[str], str]
    notify_url: Callable[[str], str]


async def each(items: Sequence[T], work: Callable[[T], Awaitable[object]], at_once: int) -> None:
    """Do the work for each item, so many at the same time; one that waits long does not hold up the others.

    The first that fails ends the others, and its error is raised.
    """
    room = asyncio.Semaphore(at_once)

    async def one(item: T) -> None:
        async with room:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for item in items:
                group.create_task(one(item))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
