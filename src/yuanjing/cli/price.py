"""`yuanjing price`: the versions of an offer's price."""

import datetime as dt
from typing import Annotated

import typer

from yuanjing.cli import tables
from yuanjing.cli.offer import OfferArgument
from yuanjing.cli.runtime import JsonFlag, run, show
from yuanjing.cli.tables import CURRENCY
from yuanjing.cli.views import to_json_price
from yuanjing.domain.catalog import Offer
from yuanjing.domain.errors import InvalidInputError
from yuanjing.domain.money import parse_amount
from yuanjing.domain.pricing import RATE_NANOS_MAX, ChatPrice, ChatTier
from yuanjing.domain.usage import COUNT_MAX
from yuanjing.usecases import catalog

app = typer.Typer(name="price", help="The versions of an offer's price.", no_args_is_help=True)

_RATES = 4
_RATES_MIN = 2


@app.command("list")
def list_(context: typer.Context, offer: OfferArgument, *, as_json: JsonFlag = False) -> None:
    """List every version of an offer's price, oldest first."""
    found, prices = run(context, lambda s: catalog.list_prices(s.store, offer))
    document = {
        "offer_id": found.id,
        "model": found.model,
        "currency": CURRENCY,
        "prices": [to_json_price(price) for price in prices],
    }
    show(document, lambda: _show_prices(found, prices), as_json=as_json)


@app.command("set")
def set_(
    context: typer.Context,
    offer: OfferArgument,
    *,
    tier: Annotated[
        list[str],
        typer.Option(
            metavar="[UP_TO:]IN/OUT[/READ[/WRITE]]",
            help="Rates in CNY per million tokens: input, output, cache read, cache write; repeated for each tier "
            "of input length, such as 32768:2.5/10 and then 4/16.",
        ),
    ],
    source: Annotated[str, typer.Option(help="Where the price is from, with its date.")],
    effective_from: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S"], help="In force from then (default: now)."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Add a version of an offer's price; requests that have begun keep the one they began with."""
    tiers = [_read_tier(text) for text in tier]
    start = effective_from.astimezone(dt.UTC) if effective_from else None
    price = run(
        context,
        lambda s: catalog.set_price(s.store, s.clock, offer, tiers=tiers, source=source, effective_from=start),
    )
    document = {"currency": CURRENCY, "price": to_json_price(price)}
    line = f"version {price.version} is in force from {tables.local_time(price.effective_from)}"
    show(document, lambda: tables.write(line), as_json=as_json)


def _read_tier(text: str) -> ChatTier:
    bound_text, has_bound, rates_text = text.rpartition(":")
    rates = rates_text.split("/")
    if not _RATES_MIN <= len(rates) <= _RATES:
        raise InvalidInputError(f"tier {text[:60]!r}: write [UP_TO:]IN/OUT[/READ[/WRITE]]", param="tier")
    if has_bound and not (bound_text.isascii() and bound_text.isdigit() and 0 < int(bound_text) < COUNT_MAX):
        raise InvalidInputError(f"tier {text[:60]!r}: UP_TO is a number of tokens", param="tier")
    nanos = [parse_amount(rate) for rate in rates]
    if max(nanos) > RATE_NANOS_MAX:
        raise InvalidInputError(f"tier {text[:60]!r}: a rate is at most one million CNY", param="tier")
    optional = [*nanos[_RATES_MIN:], None, None]
    return ChatTier(
        input_up_to=int(bound_text) if has_bound else None,
        input_nanos=nanos[0],
        output_nanos=nanos[1],
        cache_read_nanos=optional[0],
        cache_write_nanos=optional[1],
    )


def _show_prices(offer: Offer, prices: list[ChatPrice]) -> None:
    if not prices:
        tables.write(f"{offer.model} has no price; set one: yuanjing price set {offer.model} --tier IN/OUT --source …")
    for price in prices:
        start = tables.local_time(price.effective_from)
        tables.write(f"version {price.version} from {start}, CNY per million tokens ({price.source})")
        tables.price_table(price)
