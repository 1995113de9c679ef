"""Redeem codes in SQL."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import sqlalchemy as sa

from yuanjing.adapters.sql.bulk import Bulk
from yuanjing.adapters.sql.promotion_tables import IS_REDEEMED, redeem_codes
from yuanjing.adapters.sql.work import Work, lockable, to_fields, to_row
from yuanjing.domain.errors import AlreadyExistsError
from yuanjing.domain.redemptions import RedeemCode
from yuanjing.ports.damage import Damaged, readable

_ADD = Bulk(redeem_codes)
_BY_ID = sa.select(redeem_codes).where(redeem_codes.c.id == sa.bindparam("code"))
_BY_DIGEST = lockable(sa.select(redeem_codes).where(redeem_codes.c.digest == sa.bindparam("key")))
_SAVE = (
    sa.update(redeem_codes)
    .where(redeem_codes.c.id == sa.bindparam("code"))
    .values(customer_id=sa.bindparam("by"), redeemed_at=sa.bindparam("moment"))
)
_REVOKE = (
    sa.update(redeem_codes)
    .where((redeem_codes.c.id == sa.bindparam("name")) | (redeem_codes.c.batch_id == sa.bindparam("name")))
    .where(redeem_codes.c.customer_id.is_(None), redeem_codes.c.revoked_at.is_(None))
    .values(revoked_at=sa.bindparam("moment"))
)
_COUNT = (
    sa.select(sa.func.count().label("codes"))
    .select_from(redeem_codes)
    .where(redeem_codes.c.batch_id == sa.bindparam("batch"), redeem_codes.c.customer_id == sa.bindparam("customer"))
)
_REDEEMED = (
    sa.select(redeem_codes)
    .where(IS_REDEEMED, redeem_codes.c.customer_id == sa.bindparam("customer"))
    .order_by(redeem_codes.c.redeemed_at.desc(), redeem_codes.c.id.desc())
    .limit(sa.bindparam("limit"))
)
_REDEEMED_BEFORE = _REDEEMED.where(
    sa.tuple_(redeem_codes.c.redeemed_at, redeem_codes.c.id)
    < sa.tuple_(sa.bindparam("moment", type_=sa.Double()), sa.bindparam("below", type_=sa.Text()))
)
_NEWEST_FIRST = sa.select(redeem_codes).order_by(redeem_codes.c.id.desc()).limit(sa.bindparam("limit"))

_ALL_REDEEMED = sa.select(redeem_codes).where(IS_REDEEMED).order_by(redeem_codes.c.id)


class SqlRedeemCodes:
    """See `yuanjing.ports.promotions.RedeemCodeTable`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def add(self, *codes: RedeemCode) -> None:
        """See the port."""
        added = _ADD.add_new(self._work, [to_row(redeem_codes, code) for code in codes])
        if len(added) < len(codes):
            raise AlreadyExistsError("a code exists")

    def get(self, code_id: str) -> RedeemCode | None:
        """See the port."""
        row = self._work.find(_BY_ID, code=code_id)
        return None if row is None else _code(row)

    def lock(self, digest: bytes) -> RedeemCode | None:
        """See the port."""
        rows = self._work.locked(_BY_DIGEST, key=digest)
        return _code(rows[0]) if rows else None

    def save(self, code: RedeemCode) -> None:
        """See the port."""
        self._work.do(_SAVE, code=code.id, by=code.customer_id, moment=code.redeemed_at)

    def revoke(self, name: str, at: float) -> int:
        """See the port."""
        return self._work.do(_REVOKE, name=name, moment=at)

    def count_redeemed(self, batch_id: str, customer_id: str) -> int:
        """See the port."""
        return self._work.rows(_COUNT, batch=batch_id, customer=customer_id)[0].codes

    def redeemed(self, customer_id: str, *, before: tuple[float, str] | None, limit: int) -> list[RedeemCode]:
        """See the port."""
        if before is None:
            rows = self._work.rows(_REDEEMED, customer=customer_id, limit=limit)
        else:
            moment, below = before
            rows = self._work.rows(_REDEEMED_BEFORE, customer=customer_id, limit=limit, moment=moment, below=below)
        return [_code(row) for row in rows]

    def list(self, *, batch_id: str | None, before: str | None, limit: int) -> list[RedeemCode]:
        """See the port."""
        statement = _NEWEST_FIRST
        if batch_id is not None:
            statement = statement.where(redeem_codes.c.batch_id == batch_id)
        if before is not None:
            statement = statement.where(redeem_codes.c.id < before)
        return [_code(row) for row in self._work.rows(statement, limit=limit)]

    def scan_redeemed(self) -> Iterator[RedeemCode | Damaged]:
        """See the port."""
        for row in self._work.stream(_ALL_REDEEMED):
            yield readable(row.id, partial(_code, row))


def _code(row: sa.Row[Any]) -> RedeemCode:
    return RedeemCode(**to_fields(row))
