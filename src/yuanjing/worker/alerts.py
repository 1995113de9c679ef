"""The worker's loop of notices about low balances."""

import asyncio

from yuanjing.usecases.balance_alerts import AlertReport, BalanceAlerts
from yuanjing.worker.supervisor import Logger


class AlertLoop:
    """One pass looks through all customers who have drawn a line. A worker that is to stop waits for no sender."""

    def __init__(self, alerts: BalanceAlerts, logger: Logger, stop: asyncio.Event) -> None:
        self._alerts = alerts
        self._logger = logger
        self._stop = stop

    async def run(self) -> bool:
        """Tell who is to be told; there is never more to do at once."""
        loop = asyncio.get_running_loop()
        task, stopped = loop.create_task(self._alerts.run()), loop.create_task(self._stop.wait())
        try:
            await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                self._say(task.result())
        finally:
            stopped.cancel()
            if task.cancel():
                await asyncio.wait((task,))
        return False

    def _say(self, report: AlertReport) -> None:
        if report.trouble:
            self._logger.warning("alerts.sender_unavailable", error=report.trouble, waiting=report.waiting)
        if report.told or report.refused:
            self._logger.info("alerts.told", told=report.told, refused=report.refused, waiting=report.waiting)
