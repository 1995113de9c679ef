"""`yuanjing usage`: what was used, and how charges came about."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import typer

from yuanjing.cli import tables
from yuanjing.cli.runtime import JsonFlag, run, show
from yuanjing.cli.tables import CURRENCY
from yuanjing.cli.views import to_json_explanation, to_json_usage
from yuanjing.domain.catalog import Operation
from yuanjing.domain.money import Book
from yuanjing.domain.usage import Meter, PostedUsage
from yuanjing.ports.store import Store
from yuanjing.ports.usages import UsageFilter
from yuanjing.usecases import usages
from yuanjing.usecases.customers import find_customer
from yuanjing.usecases.usages import UsageExplanation

app = typer.Typer(name="usage", help="What was used, and how charges came about.", no_args_is_help=True)


@app.command("list")
def list_(  # noqa: PLR0913  # the options of one command
    context: typer.Context,
    *,
    customer: Annotated[str | None, typer.Option(help="Only of this customer: id or mobile number.")] = None,
    key: Annotated[str | None, typer.Option(help="Only of this key: its id.")] = None,
    model: Annotated[str | None, typer.Option(help="Only of this model.")] = None,
    book: Annotated[Book | None, typer.Option(help="Only of this book.")] = None,
    operation: Annotated[Operation | None, typer.Option(help="Only of this operation.")] = None,
    start: Annotated[
        dt.datetime | None, typer.Option("--from", help="Only what was posted then or later, on this machine's clock.")
    ] = None,
    end: Annotated[dt.datetime | None, typer.Option("--to", help="Only what was posted before then.")] = None,
    before: Annotated[str | None, typer.Option(help="Only what was posted before this usage id.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    as_json: JsonFlag = False,
) -> None:
    """List usage records, newest first."""
    where = UsageFilter(
        key_id=key,
        model=model,
        book=book,
        operation=None if operation is None else operation.value,
        posted_from=None if start is None else start.timestamp(),
        posted_until=None if end is None else end.timestamp(),
        limit=limit,
    )
    found = run(context, lambda s: _list(s.store, where, customer, before))
    document = {
        "currency": CURRENCY,
        "usages": [to_json_usage(posted) for posted in found],
        "next": found[-1].record.id if len(found) == limit else None,
    }
    show(document, lambda: _show_usages(found), as_json=as_json)


@app.command("show")
def show_(
    context: typer.Context,
    usage: Annotated[str, typer.Argument(metavar="USAGE", help="Usage id (x-yuanjing-usage-id).", show_default=False)],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Show a usage record and the arithmetic of its charge."""
    found = run(context, lambda s: usages.show_usage(s.store, usage))
    document = {
        "currency": CURRENCY,
        "usage": to_json_usage(found.posted),
        "explanation": to_json_explanation(found),
    }
    show(document, lambda: _show_explanation(found), as_json=as_json)


async def _list(store: Store, where: UsageFilter, customer: str | None, before: str | None) -> list[PostedUsage]:
    owner = await find_customer(store, customer) if customer else None
    last = await usages.show_usage(store, before) if before else None
    place = (last.posted.posted_at, last.posted.record.id) if last else None
    own = replace(where, customer_id=owner.id if owner else None, before=place)
    return await usages.list_usages(store, own)


def _show_usages(found: list[PostedUsage]) -> None:
    rows = [
        (
            posted.record.id,
            tables.local_time(posted.record.started_at),
            posted.record.book.value,
            posted.record.model,
            *_counts(posted.record.meters),
            tables.amount(posted.record.charge_nanos),
            posted.record.status.value,
        )
        for posted in found
    ]
    columns = ("ID", "AT", "BOOK", "MODEL", "INPUT#", "OUTPUT#", "CHARGE#", "STATUS")
    tables.table(columns, rows, empty="no usage")


def _counts(meters: Mapping[str, int]) -> tuple[str, str]:
    """Input and output; of a video what was counted, under output."""
    if Meter.INPUT_TOKENS in meters or Meter.OUTPUT_TOKENS in meters or not meters:
        return str(meters.get(Meter.INPUT_TOKENS, 0)), str(meters.get(Meter.OUTPUT_TOKENS, 0))
    return "", ", ".join(f"{count} {meter}" for meter, count in meters.items())


def _show_explanation(found: UsageExplanation) -> None:
    record = found.posted.record
    tables.facts(
        (
            ("usage", record.id),
            ("customer", record.customer_id),
            ("key", record.key_id),
            ("at", tables.local_time(record.started_at)),
            ("model", f"{record.model} ({record.upstream_model or record.model} by {record.channel_id})"),
            ("status", record.status.value),
            ("request", record.request_id),
            ("upstream", record.upstream_request_id),
            ("time", f"first byte {record.first_byte_ms} ms, all {record.duration_ms} ms"),
            ("settled by", found.posted.settle_transfer_id or "nothing to settle"),
        ),
    )
    tables.write("", *found.lines)
