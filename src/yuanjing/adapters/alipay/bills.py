"""Bills: an archive of tables, in GBK, of one day's trades.

The columns' names are those of the downloaded file "业务明细" (https://opendocs.alipay.com/open/204/106262). Columns
are found by them, so that their order does not matter; a table without them, such as the summary, is passed over.
"""

import csv
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Sequence

from yuanjing.adapters.alipay.amounts import from_yuan
from yuanjing.ports.payments import BillLine

_PAYMENT, _REFUND = "交易", "退款"
_KIND, _NUMBER, _TRADE, _AMOUNT, _FEE = "业务类型", "商户订单号", "支付宝交易号", "订单金额", "服务费"
_REFUND_NUMBER = "退款批次号/请求号"
_COLUMNS = (_KIND, _NUMBER, _TRADE, _AMOUNT, _FEE, _REFUND_NUMBER)
_NO_NUMBER = "-"
"""Of a refund that the bill does not name: it was not made by us."""
_UNIT = re.compile(r"[\uff08(].*$")  # in brackets, often full-width
_NO_ARCHIVE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, OSError, EOFError, ValueError)
"""What reading a damaged archive raises."""
_ENCODING = "gb18030"  # all of GBK and more


class BillError(Exception):
    """The file is not a bill as we know them."""


def read_bill(packed: bytes, *, bytes_max: int, files_max: int) -> Sequence[BillLine]:
    """The movements of a downloaded bill.

    Raises:
        BillError: it is larger than allowed, or not a bill as we know them.
    """
    lines: list[BillLine] = []
    is_found = False
    for data in _unpack(packed, bytes_max, files_max):
        try:
            table = list(csv.reader(io.StringIO(data.decode(_ENCODING)), strict=True))
        except (UnicodeDecodeError, csv.Error):
            raise BillError("the bill's table cannot be read") from None
        rows = [[cell.strip() for cell in row] for row in table if row and not row[0].startswith("#")]
        places = _places(rows[0]) if rows else None
        if places is not None:
            is_found = True
            lines += [_line(row, places) for row in rows[1:] if any(row)]
    if not is_found:
        raise BillError("the bill has no table of trades")
    return lines


def _unpack(packed: bytes, bytes_max: int, files_max: int) -> list[bytes]:
    files: list[bytes] = []
    left = bytes_max
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            if len(archive.infolist()) > files_max:
                raise BillError("the bill has too many files")
            for info in archive.infolist():
                with archive.open(info) as file:
                    data = file.read(left + 1)
                left -= len(data)
                if left < 0:
                    raise BillError("the bill is too large")
                files.append(data)
    except _NO_ARCHIVE:
        raise BillError("the bill is not an archive") from None
    return files


def _places(header: list[str]) -> dict[str, int] | None:
    names = [_UNIT.sub("", cell) for cell in header]
    return {column: names.index(column) for column in _COLUMNS} if all(one in names for one in _COLUMNS) else None


def _line(row: list[str], places: dict[str, int]) -> BillLine:
    if len(row) <= max(places.values()):
        raise BillError("a line of the bill is too short")
    cells = {column: row[place] for column, place in places.items()}
    kind = cells[_KIND]
    if kind not in {_PAYMENT, _REFUND}:
        return BillLine(
            number=cells[_NUMBER],
            upstream_id=cells[_TRADE],
            refund_number=cells[_REFUND_NUMBER],
            amount_nanos=_amount_or_zero(cells[_AMOUNT]),
            fee_nanos=-_amount_or_zero(cells[_FEE]),
            is_other=True,
        )
    try:
        amount_nanos, fee_nanos = from_yuan(cells[_AMOUNT]), from_yuan(cells[_FEE] or "0.00")
    except ValueError:
        raise BillError("an amount of the bill cannot be read") from None
    if (amount_nanos < 0) != (kind == _REFUND):
        raise BillError("an amount of the bill has the wrong sign")
    return BillLine(
        number=cells[_NUMBER],
        upstream_id=cells[_TRADE],
        refund_number=(cells[_REFUND_NUMBER] or _NO_NUMBER) if kind == _REFUND else "",
        amount_nanos=abs(amount_nanos),
        fee_nanos=-fee_nanos,
    )


def _amount_or_zero(text: str) -> int:
    """Of a kind that is not known, what its columns hold is not known either."""
    try:
        return from_yuan(text)
    except ValueError:
        return 0
