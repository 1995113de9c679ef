"""`yuanjing key`: API keys."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from yuanjing.cli import tables
from yuanjing.cli.runtime import JsonFlag, TestFlag, book_of, run, show
from yuanjing.cli.views import to_json_key
from yuanjing.domain.identity import ApiKey, BudgetPeriod, KeyLimits
from yuanjing.domain.money import Book, parse_amount
from yuanjing.ports.store import Store
from yuanjing.usecases import keys
from yuanjing.usecases.customers import find_customer

if TYPE_CHECKING:
    from yuanjing.bootstrap.services import Services

app = typer.Typer(name="key", help="API keys.", no_args_is_help=True)

_SECONDS_PER_DAY = 86_400
CustomerArgument = Annotated[
    str, typer.Argument(metavar="CUSTOMER", help="Id (cus_…) or mobile number.", show_default=False)
]


@app.command()
def create(  # noqa: PLR0913  # the options of one command
    context: typer.Context,
    customer: CustomerArgument,
    *,
    test: TestFlag = False,
    name: Annotated[str, typer.Option(help="Name for its owner.")] = "",
    expires_days: Annotated[int | None, typer.Option(min=1, max=36_500, help="Days until it expires.")] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Only this model, or only the offer with this llmid; may be repeated.")
    ] = None,
    network: Annotated[list[str] | None, typer.Option(help="Only from this network; may be repeated.")] = None,
    rpm: Annotated[int | None, typer.Option(help="Requests a minute at most.")] = None,
    tpm: Annotated[int | None, typer.Option(help="Tokens a minute at most.")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Requests at once at most.")] = None,
    budget: Annotated[str | None, typer.Option(help="CNY that it may spend.")] = None,
    budget_period: Annotated[BudgetPeriod, typer.Option(help="When the budget starts afresh.")] = BudgetPeriod.TOTAL,
    as_json: JsonFlag = False,
) -> None:
    """Make a key. It is printed once and cannot be shown again."""
    limits = KeyLimits(
        models=tuple(model or ()),
        networks=tuple(network or ()),
        requests_per_minute=rpm,
        tokens_per_minute=tpm,
        concurrency=concurrency,
        budget_nanos=None if budget is None else parse_amount(budget),
        budget_period=budget_period,
    )
    wish = _Wish(customer=customer, book=book_of(test=test), name=name, limits=limits, expires_days=expires_days)
    made, text = run(context, lambda s: _create(s, wish))
    document = {"key": to_json_key(made), "secret": text}
    show(document, lambda: tables.write(text, f"({made.id}; keep it, it is not shown again)"), as_json=as_json)


@app.command("list")
def list_(
    context: typer.Context,
    customer: CustomerArgument,
    *,
    after: Annotated[str | None, typer.Option(help="Begin above this id.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.")] = 100,
    as_json: JsonFlag = False,
) -> None:
    """List the keys of a customer, oldest first."""
    found = run(context, lambda s: _list(s.store, customer, after, limit))
    following = found[-1].id if len(found) == limit else None
    document = {"keys": [to_json_key(key) for key in found], "next": following}
    show(document, lambda: _show_keys(found), as_json=as_json)


@app.command()
def revoke(
    context: typer.Context,
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="Id (key_…), or the 8 characters after yj_live_.", show_default=False)
    ],
    *,
    as_json: JsonFlag = False,
) -> None:
    """End a key for ever."""
    ended = run(context, lambda s: keys.revoke_key(s.store, s.clock, key, by=s.operator))
    line = f"{ended.id} was revoked at {tables.local_time(ended.revoked_at)}"
    show({"key": to_json_key(ended)}, lambda: tables.write(line), as_json=as_json)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wish:
    customer: str
    book: Book
    name: str
    limits: KeyLimits
    expires_days: int | None


async def _create(s: "Services", wish: _Wish) -> tuple[ApiKey, str]:
    owner = await find_customer(s.store, wish.customer)
    lifetime = None if wish.expires_days is None else wish.expires_days * _SECONDS_PER_DAY
    return await keys.create_key(
        s.store,
        s.clock,
        s.pepper,
        customer_id=owner.id,
        book=wish.book,
        name=wish.name,
        limits=wish.limits,
        expires_at=None if lifetime is None else s.clock.unix() + lifetime,
        by=s.operator,
    )


async def _list(store: Store, customer: str, after: str | None, limit: int) -> list[ApiKey]:
    owner = await find_customer(store, customer)
    return await keys.list_keys(store, owner.id, after=after, limit=limit)


def _show_keys(found: list[ApiKey]) -> None:
    rows = [
        (
            key.id,
            f"yj_{key.book}_{key.public_id}_…",
            key.name,
            _state(key),
            ", ".join(key.limits.models),
            "" if key.limits.budget_nanos is None else tables.amount(key.limits.budget_nanos),
        )
        for key in found
    ]
    tables.table(("ID", "KEY", "NAME", "STATE", "MODELS", "BUDGET#"), rows, empty="no keys")


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return f"revoked {tables.local_time(key.revoked_at)}"
    if key.expires_at is not None:
        return f"until {tables.local_time(key.expires_at)}"
    return "valid"
