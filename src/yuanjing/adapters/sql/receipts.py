"""The public keys of receipts in SQL."""

from collections.abc import Sequence

import sqlalchemy as sa

from yuanjing.adapters.sql.receipt_tables import receipt_keys
from yuanjing.adapters.sql.work import Work, insert, to_fields, to_row
from yuanjing.ports.receipts import ReceiptKey

_ADD = insert(receipt_keys).on_conflict_do_nothing()
_ALL = sa.select(receipt_keys).order_by(receipt_keys.c.created_at.desc(), receipt_keys.c.id.desc())


class SqlReceiptKeys:
    """See `yuanjing.ports.receipts.ReceiptKeyTable`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def add(self, key: ReceiptKey) -> None:
        """See the port."""
        self._work.do(_ADD, **to_row(receipt_keys, key))

    def list(self) -> Sequence[ReceiptKey]:
        """See the port."""
        return [ReceiptKey(**to_fields(row)) for row in self._work.rows(_ALL)]
