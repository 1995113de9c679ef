"""`yuanjing code`: redeem codes."""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated

import typer

from yuanjing.cli import tables
from yuanjing.cli.runtime import JsonFlag, run, show
from yuanjing.cli.tables import CURRENCY, api_time
from yuanjing.cli.views import Json
from yuanjing.domain.money import format_amount, parse_amount
from yuanjing.domain.redemptions import RedeemCode
from yuanjing.usecases import redemptions
from yuanjing.usecases.redemptions import CodeWish

app = typer.Typer(name="code", help="Redeem codes for promotion money.", no_args_is_help=True)


@app.command()
def create(  # noqa: PLR0913  # the options of one command
    context: typer.Context,
    *,
    amount: Annotated[str, typer.Option(help="CNY that each is worth.")],
    count: Annotated[int, typer.Option(help="How many.")] = 1,
    expires_at: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S"], help="They can be redeemed until then."),
    ] = None,
    money_valid_days: Annotated[
        int | None, typer.Option(help="Days after it was redeemed in which its money can be spent.")
    ] = None,
    max_per_customer: Annotated[int | None, typer.Option(help="How many of them one customer may redeem.")] = None,
    note: Annotated[str, typer.Option(help="For operators: what they are for.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Make codes. They are printed once and cannot be shown again."""
    wish = CodeWish(
        amount_nanos=parse_amount(amount),
        count=count,
        expires_at=expires_at.timestamp() if expires_at else None,
        money_days=money_valid_days,
        customer_max=max_per_customer,
        note=note,
    )
    made = run(context, lambda s: redemptions.create_codes(s.store, s.clock, s.pepper, wish, by=s.operator))
    batch_id = made[0][0].batch_id
    document = {
        "batch_id": batch_id,
        "currency": CURRENCY,
        "codes": [{**to_json_code(code, now=code.created_at), "secret": text} for code, text in made],
    }
    lines = [text for _, text in made]
    note_line = f"({batch_id}; keep them, they are not shown again)"
    show(document, lambda: tables.write(*lines, note_line), as_json=as_json)


@app.command("list")
def list_(
    context: typer.Context,
    *,
    batch: Annotated[str | None, typer.Option(help="Only those that were made together.")] = None,
    before: Annotated[str | None, typer.Option(help="Only below this id.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.")] = 100,
    as_json: JsonFlag = False,
) -> None:
    """List codes, newest first; never their texts."""
    found, now = run(context, lambda s: _list(s.store, s.clock.unix(), batch, before, limit))
    following = found[-1].id if len(found) == limit else None
    document = {"currency": CURRENCY, "codes": [to_json_code(code, now=now) for code in found], "next": following}
    show(document, lambda: _show_codes(found, now), as_json=as_json)


@app.command("show")
def show_(
    context: typer.Context,
    code: Annotated[str, typer.Argument(metavar="CODE", help="Id (code_…), or the code itself.", show_default=False)],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Show a code, and who has redeemed it."""
    found, now = run(context, lambda s: _find(s.store, s.clock.unix(), s.pepper, code))
    document = {"currency": CURRENCY, "code": to_json_code(found, now=now)}
    show(document, lambda: _show_code(found, now), as_json=as_json)


@app.command()
def revoke(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="CODE_OR_BATCH", help="Id of one (code_…) or of a batch.", show_default=False)
    ],
    *,
    as_json: JsonFlag = False,
) -> None:
    """End codes that nobody has redeemed; money that was redeemed stays."""
    ended = run(context, lambda s: redemptions.revoke_codes(s.store, s.clock, name, by=s.operator))
    show({"revoked": ended}, lambda: tables.write(f"{ended} revoked"), as_json=as_json)


def to_json_code(code: RedeemCode, *, now: float) -> Json:
    """A code; never its digest."""
    return {
        "id": code.id,
        "batch_id": code.batch_id,
        "hint": code.hint,
        "state": _state(code, now),
        "amount": format_amount(code.amount_nanos),
        "money_valid_days": code.money_days,
        "max_per_customer": code.customer_max,
        "expires_at": api_time(code.expires_at),
        "note": code.note,
        "created_at": api_time(code.created_at),
        "revoked_at": api_time(code.revoked_at),
        "redeemed_by": code.customer_id,
        "redeemed_at": api_time(code.redeemed_at),
    }


async def _list(
    store: redemptions.Store, now: float, batch: str | None, before: str | None, limit: int
) -> tuple[list[RedeemCode], float]:
    return await redemptions.list_codes(store, batch_id=batch, before=before, limit=limit), now


async def _find(store: redemptions.Store, now: float, pepper: bytes, name: str) -> tuple[RedeemCode, float]:
    return await redemptions.find_code(store, pepper, name), now


def _state(code: RedeemCode, now: float) -> str:
    if code.customer_id is not None:
        return "redeemed"
    if code.revoked_at is not None:
        return "revoked"
    return "open" if code.is_redeemable(now) else "expired"


def _show_codes(found: Sequence[RedeemCode], now: float) -> None:
    rows = [
        (code.id, code.batch_id, code.hint, tables.amount(code.amount_nanos), _state(code, now), code.customer_id or "")
        for code in found
    ]
    columns = ("ID", "BATCH", "BEGINS", "AMOUNT#", "STATE", "CUSTOMER")
    tables.table(columns, rows, empty="no codes; make some: yuanjing code create --amount AMOUNT")


def _show_code(code: RedeemCode, now: float) -> None:
    tables.facts(
        (
            ("id", code.id),
            ("batch", code.batch_id),
            ("begins", code.hint),
            ("state", _state(code, now)),
            ("amount", tables.amount(code.amount_nanos)),
            ("money valid", f"{code.money_days} days" if code.money_days else ""),
            ("per customer", str(code.customer_max or "")),
            ("expires", tables.local_time(code.expires_at)),
            ("created", tables.local_time(code.created_at)),
            ("revoked", tables.local_time(code.revoked_at)),
            ("customer", code.customer_id or ""),
            ("redeemed", tables.local_time(code.redeemed_at)),
            ("note", code.note),
        )
    )
