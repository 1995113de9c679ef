"""Telling customers by SMS that their balance is low.

The order of one notice: it is claimed (committed), sent, and marked as told (committed); no transaction is open while
it is sent. A crash before it went out loses nothing, since the claim ends; one between sending and marking sends it
once more. So a notice is never lost, and told twice at worst.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from yuanjing.domain.alerts import BalanceAlert
from yuanjing.domain.identity import Customer, Language
from yuanjing.domain.money import NANOS_PER_YUAN, Book
from yuanjing.kit.clock import Clock
from yuanjing.ports.messages import Notice, SmsLimitedError, SmsRefusedError, SmsSender, SmsUnavailableError
from yuanjing.ports.store import Store, Tx

PAGE = 500
"""How many customers are looked at in one unit of work."""
AT_ONCE = 20
"""How many notices are claimed together; so many may be told twice after a crash."""
_FEN_NANOS = NANOS_PER_YUAN // 100


@dataclass(kw_only=True, slots=True)
class AlertReport:
    """What one pass did.

    Attributes:
        told: notices that went out.
        refused: numbers that the sender does not serve; they count as told.
        waiting: notices that the sender did not take for now; they are sent again when their claim has ended.
        trouble: what the sender said when it took nothing any more, which ended the pass; empty if it did not.
    """

    told: int = 0
    refused: int = 0
    waiting: int = 0
    trouble: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Claimed:
    customer: Customer
    below_nanos: int
    owned_nanos: int


@dataclass(kw_only=True, slots=True)
class BalanceAlerts:
    """Looks through the customers who have drawn a line, page by page."""

    store: Store
    clock: Clock
    sms: SmsSender
    report: AlertReport = field(default_factory=AlertReport)

    async def run(self) -> AlertReport:
        """Tell all whose balance is low, and arm those whose is not any more."""
        self.report = AlertReport()
        after: str | None = None
        while not self.report.trouble:
            page, due = await self.store.read(lambda tx, after=after: self._page(tx, after))
            await self._look_at(due)
            if len(page) < PAGE:
                break
            after = page[-1].customer_id
        return self.report

    def _page(self, tx: Tx, after: str | None) -> tuple[list[BalanceAlert], list[str]]:
        """A page, and those for whom something is to be done as far as can be seen without a lock."""
        page = tx.alerts.list(after=after, limit=PAGE)
        now, owned = self.clock.unix(), tx.ledger.owned(Book.LIVE, [alert.customer_id for alert in page])
        due = [
            alert.customer_id
            for alert in page
            if alert.is_due(owned[alert.customer_id], now) or alert.is_to_arm(owned[alert.customer_id])
        ]
        return page, due

    async def _look_at(self, due: Sequence[str]) -> None:
        for start in range(0, len(due), AT_ONCE):
            ids = due[start : start + AT_ONCE]
            for one in await self.store.write(lambda tx, ids=ids: self._claim(tx, ids)):
                if self.report.trouble:
                    return
                await self._tell(one)

    def _claim(self, tx: Tx, customer_ids: Sequence[str]) -> list[_Claimed]:
        """Decide again under the lock, so that two workers do not tell the same one."""
        claimed: list[_Claimed] = []
        for customer_id in sorted(customer_ids):
            alert, now = tx.alerts.lock(customer_id), self.clock.unix()
            owned = tx.ledger.owned(Book.LIVE, [customer_id])[customer_id]
            customer = tx.customers.get(customer_id)
            if alert.is_to_arm(owned):
                tx.alerts.save(alert.armed())
            elif alert.is_due(owned, now) and customer is not None and customer.disabled_at is None:
                assert alert.below_nanos is not None, alert
                tx.alerts.save(alert.claimed(now))
                claimed.append(_Claimed(customer=customer, below_nanos=alert.below_nanos, owned_nanos=owned))
        return claimed

    async def _tell(self, one: _Claimed) -> None:
        fields = {"balance": _fen(one.owned_nanos), "threshold": _fen(one.below_nanos)}
        try:
            await self.sms.send_notice(one.customer.mobile, notice_for(self.sms, one.customer), fields)
        except SmsRefusedError:
            self.report.refused += 1
        except SmsLimitedError:
            self.report.waiting += 1
            return
        except SmsUnavailableError as error:
            self.report.waiting += 1
            self.report.trouble = error.message
            return
        else:
            self.report.told += 1
        await self.store.write(lambda tx: _mark(tx, one.customer.id, self.clock.unix()))


def notice_for(sms: SmsSender, customer: Customer) -> Notice:
    """The notice in the customer's language, if the sender has it in that one."""
    wanted = Notice.LOW_BALANCE_EN if customer.language is Language.EN else Notice.LOW_BALANCE
    other = Notice.LOW_BALANCE if wanted is Notice.LOW_BALANCE_EN else Notice.LOW_BALANCE_EN
    return wanted if wanted in sms.notices else other


def can_tell(sms: SmsSender) -> bool:
    """Whether the sender has the notice in any language."""
    return bool(sms.notices & {Notice.LOW_BALANCE, Notice.LOW_BALANCE_EN})


def _mark(tx: Tx, customer_id: str, at: float) -> BalanceAlert:
    told = tx.alerts.lock(customer_id).told(at)
    tx.alerts.save(told)
    return told


def _fen(nanos: int) -> str:
    """CNY to the fen, rounded down: nobody is told of more than there is."""
    return f"{nanos // NANOS_PER_YUAN}.{nanos % NANOS_PER_YUAN // _FEN_NANOS:02d}"
