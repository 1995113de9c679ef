"""A day's bill beside our books: what is missing on either side, or differs, is found, and kept."""

import asyncio
import datetime as dt
from dataclasses import replace

import pytest
from tests.support.shop import YUAN, Shop

from yuanjing.domain.bills import FindingKind
from yuanjing.domain.errors import InvalidInputError, NotFoundError
from yuanjing.domain.topups import RefundState, TopUpState
from yuanjing.ports.payments import BillLine, PaymentRefusedError, PaymentUnavailableError
from yuanjing.usecases.topups.bills import BILL_ZONE
from yuanjing.worker.topups import TopUpLoops

DAY_SECONDS = 86_400.0
OTHER = BillLine(number="", upstream_id="1", refund_number="", amount_nanos=-3 * YUAN, fee_nanos=0, is_other=True)


def today(shop: Shop) -> dt.date:
    return dt.datetime.fromtimestamp(shop.clock.unix(), BILL_ZONE).date()


async def to_noon(shop: Shop, days: int = 0) -> None:
    """Put the clocks forward to noon in Beijing, so that no test runs into midnight; at least some days."""
    moment = dt.datetime.fromtimestamp(shop.clock.unix(), BILL_ZONE)
    noon = dt.datetime.combine(moment.date(), dt.time(12), BILL_ZONE) + dt.timedelta(days=max(days, 1))
    await shop.advance((noon - moment).total_seconds())


@pytest.fixture
async def day(shop: Shop) -> dt.date:
    """The day on which the test's payments are made."""
    await to_noon(shop)
    return today(shop)


async def paid(shop: Shop, amount: str = "10.00", fault: str = ""):
    made = await shop.order("page", amount)
    await shop.pay(made, fault)
    if fault == "":
        await shop.attempts(made["number"], 1)
    return made


async def match(shop: Shop, day: dt.date):
    report = await shop.bills.match("alipay", day)
    assert report is not None
    assert await shop.bills.report("alipay", day) == report
    return report


def kinds(report):
    return [(one.kind, one.number) for one in report.findings]


async def test_a_day_on_which_all_is_well(shop: Shop, day: dt.date):
    made = [await paid(shop, "10.00"), await paid(shop, "2.50")]
    await shop.refunds.start(made[0]["id"], 4 * YUAN, "")
    with pytest.raises(InvalidInputError):
        await shop.bills.match("alipay", day)
    await to_noon(shop)
    report = await match(shop, day)
    assert (report.lines, report.paid_nanos, report.refunded_nanos) == (3, 12_500_000_000, 4 * YUAN)
    assert report.fee_nanos > 0
    assert (report.findings, report.findings_total) == ((), 0)
    await shop.check(8_500_000_000)


async def test_a_payment_that_nobody_told_us_of_is_credited_by_the_bill(shop: Shop, day: dt.date):
    made = await paid(shop, "10.00", "lost")
    closed = await shop.row(made)
    closed = replace(closed, state=TopUpState.CLOSED, next_at=None)
    await shop.store.write(lambda tx: tx.topups.save(closed))
    await to_noon(shop)
    await shop.orders.sweep()
    await shop.check(0)
    report = await match(shop, day)
    assert kinds(report) == [(FindingKind.CREDITED_LATE, made["number"])]
    await shop.check(10 * YUAN)
    row = await shop.row(made)
    assert row.flag == "paid after it was closed"
    assert dt.datetime.fromtimestamp(row.paid_at or 0, BILL_ZONE).date() == day  # by Alipay's clock
    assert kinds(await match(shop, day)) == []
    await shop.check(10 * YUAN)


async def test_what_is_missing_there_is_found(shop: Shop, day: dt.date):
    gone, there = await paid(shop, "10.00"), await paid(shop, "2.00")
    await asyncio.to_thread(shop.box.post, "bill-difference", kind="missing", out_trade_no=gone["number"])
    await to_noon(shop)
    report = await match(shop, day)
    assert kinds(report) == [(FindingKind.MISSING_THERE, gone["number"])]
    assert (report.findings[0].ours_nanos, report.findings[0].theirs_nanos) == (10 * YUAN, None)
    assert there["number"] not in str(report.findings)
    await shop.check(12 * YUAN)


@pytest.mark.parametrize("fault", ["", "lost"])
async def test_another_amount_there_is_found_and_never_credited(shop: Shop, day: dt.date, fault: str):
    made = await paid(shop, "10.00", fault)
    await asyncio.to_thread(
        shop.box.post, "bill-difference", kind="amount", out_trade_no=made["number"], amount="11.00"
    )
    await to_noon(shop)
    report = await match(shop, day)
    assert kinds(report) == [(FindingKind.AMOUNT_DIFFERS, made["number"])]
    ours = None if fault else 10 * YUAN
    assert (report.findings[0].ours_nanos, report.findings[0].theirs_nanos) == (ours, 11 * YUAN)
    await shop.check(0 if fault else 10 * YUAN)


async def test_an_order_that_is_not_here_is_found(shop: Shop, day: dt.date):
    await paid(shop)
    await asyncio.to_thread(shop.box.post, "bill-difference", kind="extra", out_trade_no="elsewhere_1", amount="3.00")
    await to_noon(shop)
    report = await match(shop, day)
    assert kinds(report) == [(FindingKind.UNKNOWN_ORDER, "elsewhere_1")]
    await shop.check(10 * YUAN)


async def test_a_refund_that_was_made_there_is_found(shop: Shop, day: dt.date):
    made = await paid(shop)
    fields = {"out_trade_no": made["number"], "amount": "3.00", "out_request_no": "console_1"}
    await asyncio.to_thread(shop.box.post, "refunds", **fields)
    await to_noon(shop)
    report = await match(shop, day)
    (finding,) = report.findings
    assert (finding.kind, finding.refund_number, finding.theirs_nanos) == (
        FindingKind.UNKNOWN_REFUND,
        "console_1",
        3 * YUAN,
    )
    await shop.check(10 * YUAN)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"state": RefundState.FAILED}, FindingKind.REFUND_DIFFERS),
        ({"state": RefundState.REQUESTED, "ended_at": None}, None),
        ({"number": "Rother"}, FindingKind.REFUND_MISSING_THERE),
    ],
)
async def test_a_refund_that_differs_is_found(shop: Shop, day: dt.date, change, kind: FindingKind | None):
    made = await paid(shop)
    refund = await shop.refunds.start(made["id"], 3 * YUAN, "")
    tables = shop.store._tx.topups  # type: ignore[attr-defined]  # behind its back
    tables._refunds[refund.id] = replace(refund, **change)
    await to_noon(shop)
    found = [one.kind for one in (await match(shop, day)).findings]
    unknown = [FindingKind.UNKNOWN_REFUND] if "number" in change else []
    assert found == unknown + ([kind] if kind else [])


async def test_a_refund_near_midnight_may_stand_in_the_next_bill(shop: Shop, day: dt.date):
    made = await paid(shop)
    refund = await shop.refunds.start(made["id"], 3 * YUAN, "")
    before = dt.datetime.combine(day, dt.time(0, 1), BILL_ZONE).timestamp() - DAY_SECONDS
    tables = shop.store._tx.topups  # type: ignore[attr-defined]  # behind its back
    tables._refunds[refund.id] = replace(refund, created_at=before - 200, ended_at=before)
    await to_noon(shop)
    await shop.bills.match("alipay", day - dt.timedelta(days=1))  # there is no bill of that day
    report = await match(shop, day)
    assert report.findings == ()


async def test_a_bill_that_is_not_there_yet_is_asked_for_again(shop: Shop, day: dt.date):
    made = await paid(shop)
    midnight = dt.datetime.combine(day, dt.time(), BILL_ZONE).timestamp() + DAY_SECONDS
    await shop.advance(midnight + 8 * 3600 - shop.clock.unix())
    assert await shop.bills.match("alipay", day) is None
    assert await shop.bills.report("alipay", day) is None
    await shop.advance(2 * 3600)
    assert (await match(shop, day)).findings == ()
    await asyncio.to_thread(shop.box.post, "bill-difference", kind="missing", out_trade_no=made["number"])
    await shop.check(10 * YUAN)


async def test_a_bill_that_never_comes_is_given_up_and_told(shop: Shop, day: dt.date):
    made = await paid(shop)
    await asyncio.to_thread(shop.box.post, "bill-difference", kind="missing", out_trade_no=made["number"])
    await to_noon(shop, 3)
    assert await shop.bills.match("alipay", day) is None
    await to_noon(shop, 4)
    report = await match(shop, day)
    assert kinds(report) == [(FindingKind.NO_BILL, made["number"])]
    empty = await match(shop, day - dt.timedelta(days=3))
    assert (empty.lines, empty.findings) == (0, ())


async def test_the_worker_compares_each_past_day_once_and_tells(shop: Shop, day: dt.date):
    lines = []

    class Log:
        def info(self, event, **facts):
            lines.append((event, facts))

        warning = info

    await paid(shop)
    gone = await paid(shop, "7.00")
    await asyncio.to_thread(shop.box.post, "bill-difference", kind="missing", out_trade_no=gone["number"])
    await to_noon(shop)
    loops = TopUpLoops(shop.parts, Log(), asyncio.Event())  # type: ignore[arg-type]
    await asyncio.to_thread(shop.box.fault, "http500")
    await loops.match_bills()
    ((event, facts), *others) = lines  # the first day of all; the others are not held up
    assert (event, facts["day"]) == ("topups.no_bill", (day - dt.timedelta(days=7)).isoformat())
    assert {event for event, _ in others} == {"topups.bill_compared", "topups.bill_differs"}
    await loops.match_bills()
    facts = {"method": "alipay", "day": day.isoformat()}
    assert ("topups.bill_compared", {"lines": 1, "findings": 1, **facts}) in lines
    assert len([one for one in lines if one[0] == "topups.bill_compared"]) == 8  # with the one that has just left
    (differs,) = [told for event, told in lines if event == "topups.bill_differs"]
    assert (differs["kind"], differs["number"], differs["ours"]) == ("missing_there", gone["number"], "7.00")
    lines.clear()
    await loops.match_bills()
    assert lines == []


async def test_a_bill_that_cannot_be_had_is_no_report(shop: Shop, day: dt.date):
    await paid(shop)
    await to_noon(shop)
    for trouble in ("http500", "wrong_signature"):
        await asyncio.to_thread(shop.box.fault, trouble)
        with pytest.raises(PaymentUnavailableError):
            await shop.bills.match("alipay", day)
        assert await shop.bills.report("alipay", day) is None
    with pytest.raises(NotFoundError):
        await shop.bills.match("other", day)


class Unreadable:
    """A method whose bill of one day cannot be read."""

    def __init__(self, method, day, error):
        self._method, self._day, self._error = method, day, error

    def __getattr__(self, name):
        return getattr(self._method, name)

    async def bill(self, day):
        if day == self._day:
            raise self._error
        return await self._method.bill(day)


@pytest.mark.parametrize("error", [PaymentUnavailableError("not readable"), PaymentRefusedError("no such file")])
async def test_a_bill_that_cannot_be_read_holds_up_no_other_day_and_is_given_up(shop: Shop, day: dt.date, error):
    made = await paid(shop)
    await to_noon(shop)
    second = today(shop)
    lost = await paid(shop, "7.00", "lost")
    shop.parts.methods["alipay"] = Unreadable(shop.parts.methods["alipay"], day, error)  # type: ignore[index]
    told = []

    async def due():
        return {one.day: one for one in await shop.bills.match_due("alipay", lambda *what: told.append(what))}

    await to_noon(shop)
    first = await due()
    assert kinds(first[second]) == [(FindingKind.CREDITED_LATE, lost["number"])]
    assert (day in first, told) == (False, [(day, error)])
    await shop.check(17 * YUAN)
    await to_noon(shop, 5)
    assert day not in await due()
    assert await shop.bills.report("alipay", day) is None
    await to_noon(shop)  # eight days after it
    report = (await due())[day]
    assert kinds(report) == [(FindingKind.UNREADABLE, made["number"])]
    assert report.findings[0].ours_nanos == 10 * YUAN
    assert await shop.bills.report("alipay", day) == report
    assert told == [(day, error)] * 3
    assert day not in await due()


async def test_a_day_without_anything_whose_bill_cannot_be_read_is_told_too(shop: Shop, day: dt.date):
    await shop.order()  # not paid
    error = PaymentUnavailableError("not readable")
    shop.parts.methods["alipay"] = Unreadable(shop.parts.methods["alipay"], day, error)  # type: ignore[index]
    found = []
    for days in (2, 6):
        await to_noon(shop, days)
        found += await shop.bills.match_due("alipay", lambda *_: None)
    (report,) = [one for one in found if one.day == day]
    assert kinds(report) == [(FindingKind.UNREADABLE, "")]


async def test_a_day_before_the_first_order_is_not_told_of(shop: Shop, day: dt.date):
    await shop.order()
    before = day - dt.timedelta(days=8)
    error = PaymentUnavailableError("away")
    shop.parts.methods["alipay"] = Unreadable(shop.parts.methods["alipay"], before, error)  # type: ignore[index]
    assert before not in [one.day for one in await shop.bills.match_due("alipay", lambda *_: None)]
    assert await shop.bills.report("alipay", before) is None


async def test_a_movement_of_another_kind_is_found_and_the_rest_compared(shop: Shop, day: dt.date):
    made = await paid(shop)
    await to_noon(shop)
    method = shop.parts.methods["alipay"]
    lines = [*(await method.bill(day) or ()), replace(OTHER, number=made["number"])]

    async def bill(_day):
        return lines

    method.bill = bill  # type: ignore[method-assign]
    report = await match(shop, day)
    assert kinds(report) == [(FindingKind.UNKNOWN_KIND, made["number"])]
    assert (report.findings[0].ours_nanos, report.findings[0].theirs_nanos) == (None, -3 * YUAN)
    assert (report.lines, report.paid_nanos, report.refunded_nanos) == (2, 10 * YUAN, 0)
    await shop.check(10 * YUAN)
