"""The shipped offers of video, and requests for them as an edge reads them."""

from collections.abc import Mapping
from pathlib import Path

from yuanjing.domain.artifacts import IncomingFile
from yuanjing.domain.catalog import Offer
from yuanjing.domain.money import Book
from yuanjing.domain.parameters import Fields, ResolvedVideo, resolve_video
from yuanjing.domain.usage import PostedUsage, UsageRecord
from yuanjing.domain.video_pricing import VideoPrice, conditions_to_text
from yuanjing.domain.videos import RateConditions
from yuanjing.usecases.catalog_documents import shipped_documents

DRAFTS = {
    draft.offer.id: draft
    for document in shipped_documents()
    for draft in document.offers
    if draft.offer.video is not None
}
OFFERS: Mapping[str, Offer] = {id_: draft.offer for id_, draft in DRAFTS.items()}
FILE = IncomingFile(name="a.jpg", size_bytes=1000, place=Path("/nowhere"))

HAPPYHORSE_T2V, HAPPYHORSE_I2V, HAPPYHORSE_R2V = (
    "o5vfXYD5BURJWRTWpopE5",
    "7y7kfYM0Xasizyi37WvAZ",
    "6o9n_7u2K927hNlD8_72f",
)
WAN_T2V, WAN_PICTURES = "u9HZyfDoqU6uKI6M1BTks", "x4HksKp9mXR1Yv60mw6Py"
SEEDANCE_T2V, SEEDANCE_I2V, SEEDANCE_R2V = "YjjGgxO_Xma8PWsMjJvps", "UeYax4591ytnPcr9eumry", "dmPXF65TD1riKj9KaxLmg"
WETOKEN_T2V, WETOKEN_I2V, WETOKEN_R2V = "TWay-xd0p0pkEX-_Kuhto", "tb0VSY6WeyGbzaolU1_qE", "nVbH7lEO51soqTbLGIHE_"
SEEDANCE15_T2V, SEEDANCE15_I2V = "CrEMkFQfRCmbmopZsCqLj", "7RTOJD6K8A7RXCMG4GnQ9"
VIDU_T2V, VIDU_I2V = "r0ill7L0s6PtBS8mkmg-7", "FK_h7FLYnosv2TkMN4ATC"


def fields(**values: object) -> Fields:
    """Fields of a request, each with one value, or with those of a list."""
    return {name: value if isinstance(value, list) else [value] for name, value in values.items()}


def resolve(llmid: str = "", **values: object) -> ResolvedVideo:
    """What a request to the shipped catalogue asks for."""
    named = {"llmid": llmid} if llmid else {}
    return resolve_video(fields(**named, **values), list(OFFERS.values()))


def price_of(offer: Offer) -> VideoPrice:
    """The offer's shipped price."""
    draft = DRAFTS[offer.id].price
    assert draft is not None
    return VideoPrice(
        id="price_1",
        offer_id=offer.id,
        version=1,
        effective_from=draft.effective_from,
        rates=draft.rates,
        source=draft.source,
    )


def posted_video(price: VideoPrice, *, charge: int = 5_009_400_000, **conditions: object) -> PostedUsage:
    """The usage of a video of five seconds in 720p by Seedance 2.0."""
    offer = OFFERS[price.offer_id]
    values = {"model": offer.model, "resolution": "720p", "has_audio": True, "is_off_peak": False}
    made = RateConditions(**({"has_video_input": False} | values | conditions))  # type: ignore[arg-type]
    record = UsageRecord(
        id="v" * 21,
        book=Book.LIVE,
        customer_id="cus_1",
        key_id="key_1",
        offer_id=offer.id,
        model=offer.model,
        operation=offer.operation.value,
        channel_id="ch_1",
        hold_id="hold_1",
        price_id=price.id,
        meters={"video_tokens": 108_900},
        ceiling_nanos=6 * 10**9,
        charge_nanos=charge,
        extra={**conditions_to_text(made), "task_id": "936759404378734592"},
    )
    return PostedUsage(record=record, settle_transfer_id="settle:1", late_shortfall_nanos=0, posted_at=1.0)
