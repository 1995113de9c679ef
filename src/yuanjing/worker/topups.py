"""What time does with top-ups: it asks for orders and refunds that are open, and compares each day's bill."""

import asyncio
import datetime as dt
from collections.abc import Coroutine, Mapping

from yuanjing.domain.bills import BillReport
from yuanjing.domain.money import format_amount
from yuanjing.domain.topups import Refund, TopUp
from yuanjing.ports.payments import PaymentMethod, PaymentRefusedError, PaymentUnavailableError
from yuanjing.usecases.topups import Bills, Notifications, Refunds, TopUpParts, TopUps
from yuanjing.worker.supervisor import Logger

_AT_ONCE = 100
_PRUNED_MAX = 1000
_TOLD_MAX = 20


class TopUpLoops:
    """Passes of the worker's loops; each says whether there is more to do at once.

    When the worker is to stop, it does not wait for a payment method: whatever was asked can be asked again.
    """

    def __init__(self, parts: TopUpParts, logger: Logger, stop: asyncio.Event) -> None:
        self._methods: Mapping[str, PaymentMethod] = parts.methods
        self._topups = TopUps(parts)
        self._refunds = Refunds(parts, self._tell_late_move)
        self._notifications = Notifications(parts)
        self._bills = Bills(parts)
        self._logger = logger
        self._stop = stop

    async def sweep(self) -> bool:
        """Orders that are due."""
        return await self._until_stop(self._topups.sweep(_AT_ONCE)) == _AT_ONCE

    async def sweep_refunds(self) -> bool:
        """Refunds whose end is not known."""
        return await self._until_stop(self._refunds.sweep(_AT_ONCE)) == _AT_ONCE

    async def prune(self) -> bool:
        """Forged notifications that are old."""
        return await self._notifications.prune(_PRUNED_MAX) == _PRUNED_MAX

    async def match_bills(self) -> bool:
        """Bills that were not compared yet. A method that gives none is asked again in the next pass."""
        for name in [name for name, method in self._methods.items() if method.has_bills]:
            await self._until_stop(self._match(name))
        return False

    async def _match(self, name: str) -> int:
        def tell(day: dt.date, error: PaymentUnavailableError | PaymentRefusedError) -> None:
            facts = {"method": name, "day": day.isoformat()}
            self._logger.warning("topups.no_bill", code=error.code, reason=error.message, **facts)

        reports = await self._bills.match_due(name, tell)
        for report in reports:
            self._tell(report)
        return len(reports)

    async def _until_stop(self, work: Coroutine[object, object, int]) -> int:
        """What the work comes to; 0 if the worker stops before it does."""
        loop = asyncio.get_running_loop()
        task, stopped = loop.create_task(work), loop.create_task(self._stop.wait())
        try:
            await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else 0
        finally:
            stopped.cancel()
            if task.cancel():
                await asyncio.wait((task,))

    def _tell_late_move(self, topup: TopUp, refund: Refund) -> None:
        """Its money was the customer's again; see `Refunds`."""
        self._logger.warning(
            "topups.refund_moved_late",
            method=topup.method,
            number=topup.number,
            refund=refund.number,
            amount=format_amount(refund.amount_nanos),
            state=refund.state.value,
        )

    def _tell(self, report: BillReport) -> None:
        facts = {"method": report.method, "day": report.day.isoformat()}
        self._logger.info("topups.bill_compared", lines=report.lines, findings=report.findings_total, **facts)
        for finding in report.findings[:_TOLD_MAX]:
            self._logger.warning(
                "topups.bill_differs",
                kind=finding.kind.value,
                number=finding.number,
                refund=finding.refund_number or None,
                ours=None if finding.ours_nanos is None else format_amount(finding.ours_nanos),
                theirs=None if finding.theirs_nanos is None else format_amount(finding.theirs_nanos),
                **facts,
            )
