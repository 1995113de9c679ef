"""A day's bill beside our books: what was paid and not credited is credited now, every other difference is kept.

Lines are matched by the order's number, never by time. What is ours alone is looked for among the orders that were paid
that day by the payment method's clock; refunds have no such time, so those near midnight are asked for.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from yuanjing.domain.audit import Action, Actor
from yuanjing.domain.bills import FINDINGS_MAX, BillFinding, BillReport, FindingKind
from yuanjing.domain.errors import InvalidInputError, NotFoundError
from yuanjing.domain.topups import Refund, RefundState, TopUp, TopUpState, Verdict
from yuanjing.ports.payments import BillLine, PaymentMethod, PaymentRefusedError, PaymentState, PaymentUnavailableError
from yuanjing.ports.store import Tx
from yuanjing.ports.topups import TopUpFilter
from yuanjing.usecases.audit import record
from yuanjing.usecases.topups.crediting import credit
from yuanjing.usecases.topups.parts import TopUpParts

T = TypeVar("T")
OnNoBill = Callable[[dt.date, PaymentUnavailableError | PaymentRefusedError], None]
"""Is told of a day whose bill could not be had, and why."""

BILL_ZONE = dt.timezone(dt.timedelta(hours=8))
_DAY = dt.timedelta(days=1)
_DAY_SECONDS = 86_400.0
_EMPTY_SECONDS = 36 * 3600.0
"""So long after its end a day of which we have nothing may still get a bill; some methods have none of an empty day."""
_MIDNIGHT_SECONDS = 600.0
"""By so much our time of a refund and the payment method's may differ."""
_BATCH = 200


class Bills:
    """Compares bills, each once by itself and again when an operator asks."""

    def __init__(self, parts: TopUpParts) -> None:
        self._parts = parts

    async def match_due(self, method_name: str, on_no_bill: OnNoBill) -> list[BillReport]:
        """Compare the bills of past days that were not compared yet, oldest first; those that were compared now.

        A day whose bill cannot be had holds up no other. It is asked for in each pass of its days, and once more
        after them; then the report says that it could not be read.
        """
        if not await self._parts.store.read(lambda tx: tx.topups.list(TopUpFilter(method=method_name, limit=1))):
            return []  # nobody has ever ordered by it
        today = self._today()
        done: list[BillReport] = []
        for back in range(self._parts.policy.bill_days + 1, 0, -1):
            day = today - back * _DAY
            if await self.report(method_name, day) is not None:
                continue
            try:
                report = await self.match(method_name, day)
            except (PaymentUnavailableError, PaymentRefusedError) as error:
                on_no_bill(day, error)
                report = await self._give_up(method_name, day) if back > self._parts.policy.bill_days else None
            done += [] if report is None else [report]
        return done

    async def report(self, method_name: str, day: dt.date) -> BillReport | None:
        """The compared bill of a day; None if it was not compared yet."""
        return await self._parts.store.read(lambda tx: tx.topups.bill(method_name, day))

    async def match(self, method_name: str, day: dt.date, *, by: Actor | None = None) -> BillReport | None:
        """Compare the bill of a day, and keep the report; None if there is no bill yet.

        `by` is who is recorded as having wanted it; None if it is done as every day.

        Raises:
            NotFoundError: no such payment method, or it has no bills.
            InvalidInputError: the day is not over.
            PaymentUnavailableError, PaymentRefusedError: the method does not give it.
        """
        method = self._parts.methods.get(method_name)
        if method is None or not method.has_bills:
            raise NotFoundError(f"there is no payment method {method_name[:40]!r} with bills", param="method")
        if day >= self._today():
            raise InvalidInputError("date: there are bills of past days only (UTC+8)", param="date")
        lines = await method.bill(day)
        comparison = _Comparison(self._parts, method, day)
        if lines is None:
            if not await comparison.is_given_up():
                return None
        else:
            await comparison.compare(lines)
        report = comparison.report(lines or ())

        def work(tx: Tx) -> None:
            tx.topups.save_bill(report)
            if by is not None:
                details = {"findings": report.findings_total}
                record(tx, report.checked_at, by, Action.BILL_COMPARED, f"{method_name} {day}", details=details)

        await self._parts.store.write(work)
        return report

    async def _give_up(self, method_name: str, day: dt.date) -> BillReport | None:
        """The report of a day whose bill could not be read; None if we may not have been there that day."""
        comparison = _Comparison(self._parts, self._parts.methods[method_name], day)
        if not await comparison.give_up() and await self.report(method_name, day - _DAY) is None:
            return None
        report = comparison.report(())
        await self._parts.store.write(lambda tx: tx.topups.save_bill(report))
        return report

    def _today(self) -> dt.date:
        return dt.datetime.fromtimestamp(self._parts.clock.unix(), BILL_ZONE).date()


class _Comparison:
    """One bill and our books of the same day."""

    def __init__(self, parts: TopUpParts, method: PaymentMethod, day: dt.date) -> None:
        self._parts = parts
        self._method = method
        self._day = day
        self._start = dt.datetime.combine(day, dt.time(), BILL_ZONE).timestamp()
        self._end = self._start + _DAY_SECONDS
        self._findings: list[BillFinding] = []
        self._total = 0

    def report(self, lines: Sequence[BillLine]) -> BillReport:
        """What was found."""
        return BillReport(
            method=self._method.name,
            day=self._day,
            checked_at=self._parts.clock.unix(),
            lines=len(lines),
            paid_nanos=sum(line.amount_nanos for line in lines if _is_payment(line)),
            refunded_nanos=sum(line.amount_nanos for line in lines if _is_refund(line)),
            fee_nanos=sum(line.fee_nanos for line in lines),
            findings=tuple(self._findings),
            findings_total=self._total,
        )

    async def is_given_up(self) -> bool:
        """Whether there will be no bill any more; if there should be one, that is a finding."""
        paid = await self._parts.store.read(self._paid)
        refunded = await self._parts.store.read(self._refunded)
        since = self._parts.clock.unix() - self._end
        if not paid and not refunded:
            return since >= _EMPTY_SECONDS
        if since < (self._parts.policy.bill_days - 1) * _DAY_SECONDS:
            return False
        self._add_ours(FindingKind.NO_BILL, paid, refunded)
        return True

    async def give_up(self) -> bool:
        """The bill could not be read: everything of ours is a finding, or the day by itself; whether there was any."""
        paid = await self._parts.store.read(self._paid)
        refunded = await self._parts.store.read(self._refunded)
        self._add_ours(FindingKind.UNREADABLE, paid, refunded)
        if paid or refunded:
            return True
        self._add(FindingKind.UNREADABLE, "")
        return False

    async def compare(self, lines: Sequence[BillLine]) -> None:
        """Both directions, payments and refunds."""
        for line in lines:
            if line.is_other:
                self._add(FindingKind.UNKNOWN_KIND, line.number, line.refund_number, theirs=line.amount_nanos)
        payments = [line for line in lines if _is_payment(line)]
        for batch in _batches(payments):
            orders = await self._orders(line.number for line in batch)
            for line in batch:
                await self._compare_payment(line, orders.get(line.number))
        refunds: defaultdict[tuple[str, str], int] = defaultdict(int)
        for line in lines:
            if _is_refund(line):
                refunds[line.number, line.refund_number] += line.amount_nanos
        for batch in _batches(list(refunds.items())):
            ours = await self._parts.store.read(lambda tx, batch=batch: self._known(tx, [key for key, _ in batch]))
            for key, theirs in batch:
                self._compare_refund(key, theirs, ours.get(key))
        await self._look_for_ours({line.number for line in payments}, set(refunds))

    async def _orders(self, numbers: Iterator[str]) -> dict[str, TopUp]:
        wanted = list(numbers)
        found = await self._parts.store.read(lambda tx: [tx.topups.lock(number) for number in wanted])
        return {one.number: one for one in found if one is not None and one.method == self._method.name}

    async def _compare_payment(self, line: BillLine, topup: TopUp | None) -> None:
        theirs = line.amount_nanos
        if topup is None:
            self._add(FindingKind.UNKNOWN_ORDER, line.number, theirs=theirs)
        elif topup.amount_nanos != theirs:
            ours = topup.amount_nanos if topup.state is TopUpState.CREDITED else None
            self._add(FindingKind.AMOUNT_DIFFERS, line.number, ours=ours, theirs=theirs)
        elif topup.state is not TopUpState.CREDITED:
            kind = await self._credit_late(topup)
            if kind is not None:
                ours = theirs if kind is FindingKind.CREDITED_LATE else None
                self._add(kind, line.number, ours=ours, theirs=theirs)
        elif topup.upstream_id != line.upstream_id:  # it was credited for another payment
            self._add(FindingKind.NOT_CREDITED, line.number, theirs=theirs)

    async def _credit_late(self, topup: TopUp) -> FindingKind | None:
        """The bill is a reason to ask; what is credited is what the payment method answers."""
        try:
            payment = await self._method.query(topup.number)
        except PaymentRefusedError:
            return FindingKind.NOT_CREDITED
        if payment.state is not PaymentState.PAID:
            return FindingKind.NOT_CREDITED
        at = self._parts.clock.unix()
        verdict, _ = await self._parts.store.write(lambda tx: credit(tx, payment, topup.method, at))
        if verdict is Verdict.REPEATED:
            return None
        return FindingKind.CREDITED_LATE if verdict is Verdict.CREDITED else FindingKind.NOT_CREDITED

    def _known(self, tx: Tx, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Refund]:
        found: dict[tuple[str, str], Refund] = {}
        for number in {number for number, _ in keys}:
            topup = tx.topups.lock(number)
            if topup is not None and topup.method == self._method.name:
                found |= {(number, refund.number): refund for refund in tx.topups.refunds(topup.id)}
        return found

    def _compare_refund(self, key: tuple[str, str], theirs: int, refund: Refund | None) -> None:
        if refund is None:
            self._add(FindingKind.UNKNOWN_REFUND, *key, theirs=theirs)
        elif refund.amount_nanos != theirs or refund.state is RefundState.FAILED:
            ours = None if refund.state is RefundState.FAILED else refund.amount_nanos
            self._add(FindingKind.REFUND_DIFFERS, *key, ours=ours, theirs=theirs)

    async def _look_for_ours(self, payments: set[str], refunds: set[tuple[str, str]]) -> None:
        for topup in await self._parts.store.read(self._paid):
            if topup.number not in payments:
                self._add(FindingKind.MISSING_THERE, topup.number, ours=topup.amount_nanos)
        for topup, refund in await self._parts.store.read(self._refunded):
            if (topup.number, refund.number) in refunds:
                continue
            if not await self._is_of_a_neighbour(topup, refund):
                self._add(FindingKind.REFUND_MISSING_THERE, topup.number, refund.number, ours=refund.amount_nanos)

    async def _is_of_a_neighbour(self, topup: TopUp, refund: Refund) -> bool:
        """Whether it may stand in the bill of the day before or after, and has moved."""
        ended_at = refund.created_at if refund.ended_at is None else refund.ended_at
        is_near = refund.created_at < self._start + _MIDNIGHT_SECONDS or ended_at > self._end - _MIDNIGHT_SECONDS
        return is_near and await self._method.find_refund(topup.number, refund.number)

    def _paid(self, tx: Tx) -> Sequence[TopUp]:
        return tx.topups.paid_between(self._method.name, self._start, self._end)

    def _refunded(self, tx: Tx) -> Sequence[tuple[TopUp, Refund]]:
        return tx.topups.refunds_between(self._method.name, self._start, self._end)

    def _add_ours(self, kind: FindingKind, paid: Sequence[TopUp], refunded: Sequence[tuple[TopUp, Refund]]) -> None:
        for topup in paid:
            self._add(kind, topup.number, ours=topup.amount_nanos)
        for topup, refund in refunded:
            self._add(kind, topup.number, refund.number, ours=refund.amount_nanos)

    def _add(
        self,
        kind: FindingKind,
        number: str,
        refund_number: str = "",
        *,
        ours: int | None = None,
        theirs: int | None = None,
    ) -> None:
        self._total += 1
        if len(self._findings) < FINDINGS_MAX:
            self._findings.append(
                BillFinding(kind=kind, number=number, refund_number=refund_number, ours_nanos=ours, theirs_nanos=theirs)
            )


def _is_payment(line: BillLine) -> bool:
    return not line.is_other and not line.refund_number


def _is_refund(line: BillLine) -> bool:
    return not line.is_other and bool(line.refund_number)


def _batches(items: Sequence[T]) -> Iterator[list[T]]:
    left = iter(items)
    while batch := list(islice(left, _BATCH)):
        yield batch
