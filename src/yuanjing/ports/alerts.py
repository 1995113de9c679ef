"""The rows of notices about low balances."""

from typing import Protocol

from yuanjing.domain.alerts import BalanceAlert


class AlertTable(Protocol):
    """Lines of customers below which they want to be told."""

    def lock(self, customer_id: str) -> BalanceAlert:
        """That of a customer, locked; one without a line if there is none."""
        ...

    def save(self, alert: BalanceAlert) -> None:
        """Write it."""
        ...

    def list(self, *, after: str | None, limit: int) -> list[BalanceAlert]:
        """Those with a line, in the order of their customers' ids, above `after`; not locked."""
        ...
