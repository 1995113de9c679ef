"""`yuanjing topup`: what customers have paid in, what goes back, and the bills of payment methods."""

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from yuanjing.cli import tables
from yuanjing.cli.runtime import Json, JsonFlag, run, show
from yuanjing.cli.tables import CURRENCY
from yuanjing.domain.audit import Actor
from yuanjing.domain.bills import BillReport
from yuanjing.domain.errors import InvalidInputError, NotFoundError
from yuanjing.domain.money import parse_amount
from yuanjing.domain.topups import KeptNotification, Refund, RefundState, TopUp, TopUpState
from yuanjing.ports.store import Store
from yuanjing.ports.topups import TopUpFilter
from yuanjing.usecases.customers import find_customer
from yuanjing.usecases.topups import Bills, Notifications, Refunds, TopUpParts, reports
from yuanjing.usecases.topups.reports import TopUpReport

if TYPE_CHECKING:
    from yuanjing.bootstrap.services import Services

T = TypeVar("T")
app = typer.Typer(name="topup", help="Top-ups, refunds and bills.", no_args_is_help=True)

_TopUpArgument = Annotated[str, typer.Argument(metavar="ORDER", help="Id (top_…) or number (YJ…).", show_default=False)]
_AMOUNT_HELP = "Amount of CNY, such as 12.50."


@app.command("list")
def list_(  # noqa: PLR0913  # the options of one command
    context: typer.Context,
    *,
    customer: Annotated[str | None, typer.Option(help="Only of this customer: id or mobile number.")] = None,
    method: Annotated[str | None, typer.Option(help="Only of this payment method.")] = None,
    state: Annotated[TopUpState | None, typer.Option(help="Only in this state.")] = None,
    flagged: Annotated[bool, typer.Option("--flagged", help="Only those that operators should look at.")] = False,
    before: Annotated[str | None, typer.Option(help="Only older ones than this id.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    as_json: JsonFlag = False,
) -> None:
    """List top-ups, newest first."""
    where = TopUpFilter(method=method, state=state, is_flagged=True if flagged else None, before=before, limit=limit)
    found = run(context, lambda s: _list(s.store, where, customer))
    document = {
        "currency": CURRENCY,
        "topups": [_to_json(one) for one in found],
        "next": found[-1].id if len(found) == limit else None,
    }
    show(document, lambda: _show_topups(found), as_json=as_json)


@app.command("show")
def show_(context: typer.Context, order: _TopUpArgument, *, as_json: JsonFlag = False) -> None:
    """Show a top-up with its refunds and the notifications about it."""
    report = run(context, lambda s: reports.show_topup(s.store, order))
    document = {
        "currency": CURRENCY,
        "topup": _to_json(report.topup),
        "refunds": [_to_json_refund(one) for one in report.refunds],
        "notifications": [_to_json_notification(one) for one in report.notifications],
    }
    show(document, lambda: _show_report(report), as_json=as_json)


@app.command("confirm")
def confirm(
    context: typer.Context,
    order: _TopUpArgument,
    *,
    evidence: Annotated[str, typer.Option(help="What shows the payment, such as the bank's reference.")],
    amount: Annotated[str | None, typer.Option(help="What has come; it must be what was ordered.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Credit a bank transfer that has come. Repeating it changes nothing."""
    nanos = None if amount is None else parse_amount(amount)
    done = run(
        context,
        lambda s: _with(s, lambda p: Notifications(p).confirm(order, evidence, amount_nanos=nanos, by=s.operator)),
    )
    document = {"currency": CURRENCY, "topup": _to_json(done)}
    line = f"{done.id} is credited: {tables.amount(done.amount_nanos)} to {done.customer_id}"
    show(document, lambda: tables.write(line), as_json=as_json)


@app.command("refund")
def refund(
    context: typer.Context,
    order: _TopUpArgument,
    amount: Annotated[str | None, typer.Argument(help=f"{_AMOUNT_HELP} All that can go back.")] = None,
    *,
    note: Annotated[str, typer.Option(help="Who asked for it, and why; some payers read it.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Give money back to the payer, all of a top-up or a part. It leaves the balance at once."""
    nanos = None if amount is None else parse_amount(amount)
    done = run(context, lambda s: _with(s, lambda p: Refunds(p).start(order, nanos, note, by=s.operator)))
    words = {
        RefundState.DONE: "has gone back",
        RefundState.REQUESTED: "is on its way; the worker asks until it has arrived",
        RefundState.FAILED: f"was refused and is the customer's again: {done.note}",
    }
    document = {"currency": CURRENCY, "refund": _to_json_refund(done)}
    line = f"{done.id}: {tables.amount(done.amount_nanos)} {words[done.state]}"
    show(document, lambda: tables.write(line), as_json=as_json)


@app.command("bill")
def bill(
    context: typer.Context,
    *,
    date: Annotated[str, typer.Option(help="Day of UTC+8, such as 2026-11-29.")],
    method: Annotated[str | None, typer.Option(help="Of this payment method; needed if there are several.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Load and compare it now.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show how a day's bill differs from the books; the worker compares each once."""
    try:
        day = dt.date.fromisoformat(date)
    except ValueError as error:
        raise InvalidInputError("date: write a day such as 2026-11-29", param="date") from error
    report = run(context, lambda s: _with(s, lambda p: _bill(p, method, day, again_by=s.operator if again else None)))
    show(_to_json_bill(report), lambda: _show_bill(report), as_json=as_json)


async def _with(services: "Services", work: Callable[[TopUpParts], Awaitable[T]]) -> T:
    """Do what needs the payment methods.

    Raises:
        NotFoundError: there is none.
    """
    from yuanjing.bootstrap.demo import read_addresses  # noqa: PLC0415  # listing does without it
    from yuanjing.bootstrap.payments import open_payments  # noqa: PLC0415  # the same

    addresses = read_addresses(services)
    async with open_payments(services, address=addresses.platform, sandbox_address=addresses.sandbox) as parts:
        if parts is None:
            raise NotFoundError("no payment method is set up", param="method")
        return await work(parts)


async def _list(store: Store, where: TopUpFilter, customer: str | None) -> list[TopUp]:
    owner = await find_customer(store, customer) if customer else None
    return await reports.list_topups(store, where, customer_id=owner.id if owner else None)


async def _bill(parts: TopUpParts, name: str | None, day: dt.date, *, again_by: Actor | None) -> BillReport:
    names = [one for one, method in parts.methods.items() if method.has_bills and name in (None, one)]
    if len(names) != 1:
        given = ", ".join(names) or "there is none"
        raise InvalidInputError(f"method: choose one with bills ({given})", param="method")
    bills = Bills(parts)
    report = await (bills.match(names[0], day, by=again_by) if again_by else bills.report(names[0], day))
    if report is None:
        hint = "there is no bill yet" if again_by else "it was not compared yet; compare it with --again"
        raise NotFoundError(f"{names[0]} {day}: {hint}", param="date")
    return report


def _to_json(topup: TopUp) -> Json:
    return {
        "id": topup.id,
        "number": topup.number,
        "book": topup.book.value,
        "customer_id": topup.customer_id,
        "method": topup.method,
        "way": topup.way.value,
        "amount": tables.plain_amount(topup.amount_nanos),
        "refunded": tables.plain_amount(topup.refunded_nanos),
        "state": topup.state.value,
        "upstream_id": topup.upstream_id or None,
        "created_at": tables.api_time(topup.created_at),
        "expires_at": tables.api_time(topup.expires_at),
        "paid_at": tables.api_time(topup.paid_at),
        "credited_at": tables.api_time(topup.credited_at),
        "closed_at": tables.api_time(topup.closed_at),
        "flag": topup.flag or None,
        "note": topup.note or None,
    }


def _to_json_refund(one: Refund) -> Json:
    return {
        "id": one.id,
        "topup_id": one.topup_id,
        "number": one.number,
        "amount": tables.plain_amount(one.amount_nanos),
        "state": one.state.value,
        "created_at": tables.api_time(one.created_at),
        "ended_at": tables.api_time(one.ended_at),
        "note": one.note or None,
    }


def _to_json_notification(one: KeptNotification) -> Json:
    return {
        "id": one.id,
        "received_at": tables.api_time(one.received_at),
        "verdict": one.verdict.value,
        "reason": one.reason or None,
        "raw": one.raw.decode("utf-8", "replace"),
    }


def _to_json_bill(report: BillReport) -> Json:
    def amount(nanos: int | None) -> str | None:
        return None if nanos is None else tables.plain_amount(nanos)

    return {
        "currency": CURRENCY,
        "method": report.method,
        "date": report.day.isoformat(),
        "checked_at": tables.api_time(report.checked_at),
        "lines": report.lines,
        "paid": amount(report.paid_nanos),
        "refunded": amount(report.refunded_nanos),
        "fees": amount(report.fee_nanos),
        "findings_total": report.findings_total,
        "findings": [
            {
                "kind": one.kind.value,
                "number": one.number,
                "refund_number": one.refund_number or None,
                "ours": amount(one.ours_nanos),
                "theirs": amount(one.theirs_nanos),
            }
            for one in report.findings
        ],
    }


def _show_topups(found: list[TopUp]) -> None:
    rows = [
        (
            one.id,
            one.number,
            tables.local_time(one.created_at),
            one.customer_id,
            one.method,
            one.way.value,
            one.state.value,
            tables.amount(one.amount_nanos),
            tables.amount(one.refunded_nanos),
            one.flag,
        )
        for one in found
    ]
    columns = ("ID", "NUMBER", "AT", "CUSTOMER", "METHOD", "WAY", "STATE", "AMOUNT#", "REFUNDED#", "FLAG")
    tables.table(columns, rows, empty="no top-ups")


def _show_report(report: TopUpReport) -> None:
    topup = report.topup
    tables.facts(
        (
            ("top-up", topup.id),
            ("number", topup.number),
            ("customer", topup.customer_id),
            ("method", f"{topup.method}, {topup.way.value}"),
            ("amount", tables.amount(topup.amount_nanos)),
            ("refunded", tables.amount(topup.refunded_nanos)),
            ("state", topup.state.value),
            ("flag", topup.flag),
            ("upstream", topup.upstream_id),
            ("created", tables.local_time(topup.created_at)),
            ("expires", tables.local_time(topup.expires_at)),
            ("paid", tables.local_time(topup.paid_at)),
            ("credited", tables.local_time(topup.credited_at)),
            ("closed", tables.local_time(topup.closed_at)),
            ("note", topup.note),
        )
    )
    tables.write("")
    refunds = [
        (one.id, tables.local_time(one.created_at), one.state.value, tables.amount(one.amount_nanos), one.note)
        for one in report.refunds
    ]
    tables.table(("REFUND", "AT", "STATE", "AMOUNT#", "NOTE"), refunds, empty="no refunds")
    tables.write("")
    told = [(one.id, tables.local_time(one.received_at), one.verdict.value, one.reason) for one in report.notifications]
    tables.table(("NOTIFICATION", "AT", "VERDICT", "WHY"), told, empty="no notifications")


def _show_bill(report: BillReport) -> None:
    tables.facts(
        (
            ("bill", f"{report.method} {report.day}"),
            ("compared", tables.local_time(report.checked_at)),
            ("lines", str(report.lines)),
            ("paid", tables.amount(report.paid_nanos)),
            ("refunded", tables.amount(report.refunded_nanos)),
            ("fees", tables.amount(report.fee_nanos)),
            ("differs", str(report.findings_total)),
        )
    )
    tables.write("")
    rows = [
        (
            one.kind.value,
            one.number,
            one.refund_number,
            "" if one.ours_nanos is None else tables.amount(one.ours_nanos),
            "" if one.theirs_nanos is None else tables.amount(one.theirs_nanos),
        )
        for one in report.findings
    ]
    tables.table(("KIND", "NUMBER", "REFUND", "OURS#", "THEIRS#"), rows, empty="no differences")
