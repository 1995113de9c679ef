"""Notices about low balances in memory."""

from yuanjing.adapters.memory.journal import Journal
from yuanjing.domain.alerts import BalanceAlert


class MemoryAlerts:
    """See `yuanjing.ports.alerts.AlertTable`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._rows: dict[str, BalanceAlert] = {}

    def lock(self, customer_id: str) -> BalanceAlert:
        """See the port."""
        return self._rows.get(customer_id) or BalanceAlert(customer_id=customer_id)

    def save(self, alert: BalanceAlert) -> None:
        """See the port."""
        self._journal.put(self._rows, alert.customer_id, alert)

    def list(self, *, after: str | None, limit: int) -> list[BalanceAlert]:
        """See the port."""
        rows = (self._rows[id_] for id_ in sorted(self._rows) if after is None or id_ > after)
        return [row for row in rows if row.below_nanos is not None][:limit]
