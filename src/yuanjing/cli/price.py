"""`yuanjing price`: the versions of an offer's price."""

import datetime as dt
from typing import Annotated

import typer

from yuanjing.cli import tables
from yuanjing.cli.offer import OfferArgument
from yuanjing.cli.price_tables import price_table, price_title
from yuanjing.cli.runtime import JsonFlag, run, show
from yuanjing.cli.tables import CURRENCY
from yuanjing.cli.views import to_json_price
from yuanjing.domain.catalog import Offer
from yuanjing.domain.errors import InvalidInputError
from yuanjing.domain.money import parse_amount
from yuanjing.domain.pricing import RATE_NANOS_MAX, ChatTier
from yuanjing.domain.tasks import VideoMeter
from yuanjing.domain.usage import COUNT_MAX
from yuanjing.domain.video_pricing import PER_MAX, OfferPrice, VideoRate
from yuanjing.usecases import catalog

app = typer.Typer(name="price", help="The versions of an offer's price.", no_args_is_help=True)

_RATES = 4
_RATES_MIN = 2
_TEXT_CONDITIONS = ("model", "resolution")
_FLAG_CONDITIONS = {"audio": "has_audio", "off_peak": "is_off_peak", "video_input": "has_video_input"}
_FLAGS = {"yes": True, "no": False}


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
def set_(  # noqa: PLR0913  # an option each
    context: typer.Context,
    offer: OfferArgument,
    *,
    tier: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[UP_TO:]IN/OUT[/READ[/WRITE]]",
            help="Of chat: rates in CNY per million tokens: input, output, cache read, cache write; repeated for each "
            "tier of input length, such as 32768:2.5/10 and then 4/16.",
        ),
    ] = None,
    rate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METER=AMOUNT[/PER][,CONDITION=VALUE]...",
            help="Of video: CNY for PER units of video_seconds, video_tokens or provider_credits, where the conditions "
            "hold: model, resolution, audio, off_peak, video_input; repeated, the first that fits is charged, such as "
            "video_tokens=51/1000000,resolution=1080p and then video_tokens=46/1000000.",
        ),
    ] = None,
    source: Annotated[str, typer.Option(help="Where the price is from, with its date.")],
    effective_from: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S"], help="In force from then (default: now)."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Add a version of an offer's price; requests that have begun keep the one they began with."""
    if bool(tier) == bool(rate):
        raise InvalidInputError("give --tier for chat or --rate for video", param="tier")
    terms = [_read_tier(text) for text in tier] if tier else [_read_rate(text) for text in rate or ()]
    start = effective_from.astimezone(dt.UTC) if effective_from else None
    price = run(
        context,
        lambda s: catalog.set_price(
            s.store, s.clock, offer, terms=terms, source=source, effective_from=start, by=s.operator
        ),
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


def _read_rate(text: str) -> VideoRate:
    first, *conditions = text.split(",")
    meter, _, amount = first.partition("=")
    amount, _, per = amount.partition("/")
    units = _whole(per or "1")
    if meter not in list(VideoMeter) or not 1 <= units <= PER_MAX:
        message = f"rate {text[:60]!r}: write METER=AMOUNT[/PER], METER one of {', '.join(VideoMeter)}"
        raise InvalidInputError(message, param="rate")
    nanos = parse_amount(amount)
    if nanos > RATE_NANOS_MAX:
        raise InvalidInputError(f"rate {text[:60]!r}: a rate is at most one million CNY", param="rate")
    values = dict(_read_condition(condition) for condition in conditions)
    return VideoRate(meter=VideoMeter(meter), amount_nanos=nanos, per=units, **values)  # pyright: ignore[reportArgumentType]  # the conditions are its fields


def _read_condition(text: str) -> tuple[str, str | bool]:
    name, _, value = text.partition("=")
    if name in _TEXT_CONDITIONS and value:
        return name, value
    if name in _FLAG_CONDITIONS and value in _FLAGS:
        return _FLAG_CONDITIONS[name], _FLAGS[value]
    known = [*(f"{name}=TEXT" for name in _TEXT_CONDITIONS), *(f"{name}=yes|no" for name in _FLAG_CONDITIONS)]
    raise InvalidInputError(f"condition {text[:60]!r}: write {', '.join(known)}", param="rate")


def _whole(text: str) -> int:
    """The number; 0 if it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(PER_MAX)) else 0


def _show_prices(offer: Offer, prices: list[OfferPrice]) -> None:
    if not prices:
        option, name = ("--tier IN/OUT", offer.model) if offer.video is None else ("--rate METER=AMOUNT", offer.id)
        tables.write(f"{offer.model} has no price; set one: yuanjing price set {name} {option} --source …")
    for price in prices:
        start = tables.local_time(price.effective_from)
        tables.write(f"version {price.version} from {start}, {price_title(price)}")
        price_table(price)
