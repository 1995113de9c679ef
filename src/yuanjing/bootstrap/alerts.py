"""The worker's notices about low balances, from the settings."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from yuanjing.bootstrap.services import Services
from yuanjing.bootstrap.sms import open_sms
from yuanjing.usecases.balance_alerts import BalanceAlerts, can_tell
from yuanjing.worker.alerts import AlertLoop
from yuanjing.worker.supervisor import Logger
from yuanjing.worker.worker import Chore


@asynccontextmanager
async def open_alerts(services: Services, log: Logger, stop: asyncio.Event) -> AsyncGenerator[tuple[Chore, ...]]:
    """The chore; none where there is no sender that has such a notice.

    Raises:
        SettingsError: see `open_sms`.
    """
    settings = services.settings
    async with open_sms(settings, services.clock) as sms:
        if sms is None or not can_tell(sms):
            yield ()
            return
        loop = AlertLoop(BalanceAlerts(store=services.store, clock=services.clock, sms=sms), log, stop)
        yield (Chore(name="balance_alerts", run=loop.run, pause_seconds=settings.low_balance_check_seconds),)
