"""Bills of past days: an archive of two tables in GBK, as the merchant's console gives them."""

import csv
import datetime as dt
import io
import secrets
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass

from yuanjing.sandbox.alipay.clock import BEIJING, SimulatedClock, written
from yuanjing.sandbox.alipay.options import AlipayOptions
from yuanjing.sandbox.alipay.problems import refused
from yuanjing.sandbox.alipay.trades import BUYER_LOGON_ID, Trade, Trades, yuan

_HEADER = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额(元),商家实收(元),"
    "支付宝红包(元),集分宝(元),支付宝优惠(元),商家优惠(元),券核销金额(元),券名称,商家红包消费金额(元),卡消费金额(元),退款批次号/请求号,"
    "服务费(元),分润(元),备注"
).translate({ord("("): "\uff08", ord(")"): "\uff09"})
_SUMMARY = (
    "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额(元),商家实收(元),支付宝优惠(元),商家优惠(元),服务费(元),分润(元),实收净额(元)"
).translate({ord("("): "\uff08", ord(")"): "\uff09"})


@dataclass(frozen=True, kw_only=True)
class Movement:
    """One line: money in, or back."""

    trade_no: str
    out_trade_no: str
    subject: str
    created_at: float
    at: float
    fen: int
    refund_number: str
    fee_fen: int


@dataclass(kw_only=True)
class Difference:
    """What buttons change in bills.

    Attributes:
        missing: orders that are left out.
        amounts: orders whose amount is another, in fen.
        extra: movements that no order here has.
    """

    missing: set[str]
    amounts: dict[str, int]
    extra: list[tuple[str, int]]


class Bills:
    """Makes bills when they are asked for; each address is good for half a minute."""

    def __init__(self, options: AlipayOptions, clock: SimulatedClock, trades: Trades) -> None:
        self._options = options
        self._clock = clock
        self._trades = trades
        self._made: dict[str, tuple[float, str, bytes]] = {}
        self.difference = Difference(missing=set(), amounts={}, extra=[])

    def order(self, biz: dict[str, object]) -> str:
        """A token under which the bill can be had.

        Raises:
            Problem: there is no such bill, or not yet.
        """
        kind, date = biz.get("bill_type"), str(biz.get("bill_date", ""))
        days = _days(date)
        if kind != "trade" or days is None:
            raise refused("isv.invalid-arguments")
        first, after = days
        ready = dt.datetime.combine(after, dt.time(self._options.bill_hour), BEIJING)
        if self._clock.beijing() < ready:
            raise refused("isp.bill_not_exist")
        movements = self._movements(first, after)
        if not movements:
            raise refused("isp.bill_not_exist")
        now = self._clock.unix()
        self._made = {token: one for token, one in self._made.items() if one[0] > now}
        token = secrets.token_urlsafe(18)
        data = _packed(self._options.seller_id, first, after, movements, now)
        self._made[token] = (now + self._options.bill_url_seconds, f"{self._options.seller_id}_{date}.csv.zip", data)
        return token

    def take(self, token: str) -> tuple[str, bytes] | None:
        """Name and content of the file, while its address is good."""
        until, name, data = self._made.get(token, (0.0, "", b""))
        return (name, data) if until > self._clock.unix() else None

    def _movements(self, first: dt.date, after: dt.date) -> Sequence[Movement]:
        begin, end = (dt.datetime.combine(day, dt.time(), BEIJING).timestamp() for day in (first, after))
        found = [line for trade in self._trades.all() for line in self._lines(trade) if begin <= line.at < end]
        found += [
            Movement(
                trade_no=f"{first:%Y%m%d}22001{secrets.randbelow(10**15):015}",
                out_trade_no=number,
                subject="",
                created_at=begin,
                at=begin,
                fen=fen,
                refund_number="",
                fee_fen=self._fee(fen),
            )
            for number, fen in self.difference.extra
        ]
        return sorted(found, key=lambda line: line.at)

    def _lines(self, trade: Trade) -> list[Movement]:
        order, difference = trade.order, self.difference
        if trade.paid_at is None or order.out_trade_no in difference.missing:
            return []
        sums = [(trade.paid_at, difference.amounts.get(order.out_trade_no, order.fen), "")]
        sums += [(one.done_at, -one.fen, one.out_request_no) for one in trade.refunds.values()]
        return [
            Movement(
                trade_no=trade.trade_no,
                out_trade_no=order.out_trade_no,
                subject=order.subject,
                created_at=trade.created_at,
                at=at,
                fen=fen,
                refund_number=number,
                fee_fen=self._fee(fen) if fen > 0 else 0,
            )
            for at, fen, number in sums
        ]

    def _fee(self, fen: int) -> int:
        """Rounded half up."""
        return (fen * self._options.fee_ten_thousandths + 5000) // 10_000


def _days(text: str) -> tuple[dt.date, dt.date] | None:
    """The first day, and the one after the last: of a day or a month."""
    try:
        if text.count("-") == 1:
            first = dt.date.fromisoformat(f"{text}-01")
            return first, (first + dt.timedelta(days=32)).replace(day=1)
        first = dt.date.fromisoformat(text)
        return first, first + dt.timedelta(days=1)
    except (ValueError, OverflowError):
        return None


def _packed(seller: str, first: dt.date, after: dt.date, movements: Sequence[Movement], now: float) -> bytes:
    period = f"#起始日期:[{first:%Y年%m月%d日} 00:00:00]   终止日期:[{after:%Y年%m月%d日} 00:00:00]"
    stamp = f"#导出时间:[{written(now)}]"
    rule = "-" * 41
    paid, back = sum(one.fen > 0 for one in movements), sum(one.fen < 0 for one in movements)
    detail = [
        "#支付宝业务明细查询", f"#账号:[{seller}0156]", period, f"#{rule}业务明细列表{rule}", _HEADER,
        *(_row(one) for one in movements), f"#{rule}业务明细列表结束{rule}",
        f"#交易合计:{paid}笔", f"#退款合计:{back}笔", stamp,
    ]  # fmt: skip
    total, fees = sum(one.fen for one in movements), sum(one.fee_fen for one in movements)
    cells = ["合计", "", paid, back]
    sums = [yuan(total), yuan(total), "0.00", "0.00", yuan(-fees), "0.00", yuan(total - fees)]
    summary = ["#支付宝业务汇总查询", period, _SUMMARY, _line([*cells, *sums]), stamp]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, lines in (("业务明细", detail), ("业务明细(汇总)", summary)):
            text = "\r\n".join(lines) + "\r\n"
            archive.writestr(f"{seller}_{first:%Y%m%d}_{name}.csv", text.encode("gbk", "replace"))
    return file.getvalue()


def _row(one: Movement) -> str:
    amount, zero = yuan(one.fen), "0.00"
    return _line([
        f"{one.trade_no}\t", f"{one.out_trade_no}\t", "退款" if one.refund_number else "交易", one.subject,
        written(one.created_at), written(one.at), "\t", "", "\t", "\t", f"{BUYER_LOGON_ID}\t", amount, amount,
        zero, zero, zero, zero, zero, "", zero, zero, f"{one.refund_number}\t", yuan(-one.fee_fen), zero, "",
    ])  # fmt: skip


def _line(cells: Sequence[object]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="").writerow(cells)
    return file.getvalue()
