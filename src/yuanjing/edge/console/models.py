"""`/api/models…`: what is sold, for whoever wants to look before having a key."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from yuanjing.domain.catalog import ChatLimits
from yuanjing.domain.dialects import Dialect
from yuanjing.domain.pricing import ChatPrice
from yuanjing.domain.video_pricing import OfferPrice
from yuanjing.edge.console.bodies import api_time
from yuanjing.edge.error_docs import Json, error_responses
from yuanjing.edge.offers import SoldOffer, all_sold_offers, any_sold_offer
from yuanjing.edge.parts import EdgeParts, Parts
from yuanjing.edge.pricing import Tier, price_text, price_text_zh, to_api_tiers
from yuanjing.edge.video_models import VideoDetails, to_api_video_details
from yuanjing.edge.video_prices import CURRENCY, VideoRateView, to_api_rates

NAME_LENGTH_MAX = 200
router = APIRouter(prefix="/api", tags=["square"])


class ModelPrice(BaseModel):
    """The version of a price that is in force."""

    id: str
    version: int
    effective_from: str
    currency: str
    source: str
    tiers: list[Tier] = Field(description="Of chat: CNY per million tokens, by the length of the input. Else empty.")
    rates: list[VideoRateView] = Field(description="Of videos. Else empty.")


class ChatDetails(BaseModel):
    """What bounds a chat request."""

    context_tokens: int = Field(description="Input and output together.")
    output_tokens_max: int
    choices_max: int = Field(description="The largest `n`.")
    refused_fields: list[str] = Field(description="Fields of a request that are not offered.")
    refused_tools: list[str] = Field(description="Types of tools that are not offered.")


class SquareModel(BaseModel):
    """A model for one operation, as anybody may see it."""

    object: Literal["model"]
    llmid: str
    model: str
    label: str
    provider: str
    operation: str
    description: str
    description_zh: str
    aliases: list[str]
    capabilities: list[str]
    enabled_from: str | None = Field(description="From when it has been sold; null if nobody has said.")
    enabled_until: str | None = Field(description="When it goes; null if nobody has said.")
    parameters: Json = Field(description="JSON Schema 2020-12 of the request, with `x-` hints.")
    price: ModelPrice
    price_text: str
    price_text_zh: str
    chat: ChatDetails | None = Field(description="Of chat; else null.")
    video: VideoDetails | None = Field(description="Of videos; else null.")


class SquareModelList(BaseModel):
    """All that is sold now."""

    object: Literal["list"]
    data: list[SquareModel]


@router.get("/models", responses=error_responses(Dialect.CONSOLE, "store_unavailable"))
async def list_square_models(parts: Parts) -> SquareModelList:
    """All models that are sold now, by name, with their parameters and prices; for anybody."""
    return SquareModelList(object="list", data=[_to_api_model(sold, parts) for sold in await all_sold_offers(parts)])


@router.get("/models/{llmid}", responses=error_responses(Dialect.CONSOLE, "model_not_found", "store_unavailable"))
async def get_square_model(
    parts: Parts, llmid: Annotated[str, Path(max_length=NAME_LENGTH_MAX, description="The `llmid`.")]
) -> SquareModel:
    """One of them."""
    return _to_api_model(await any_sold_offer(parts, llmid, models="/api/models"), parts)


def _to_api_model(sold: SoldOffer, parts: EdgeParts) -> SquareModel:
    offer = sold.offer
    start, end = offer.enabled_from, offer.enabled_until
    return SquareModel(
        object="model",
        llmid=offer.id,
        model=offer.model,
        label=offer.label,
        provider=offer.provider_label,
        operation=offer.operation.value,
        description=offer.description,
        description_zh=offer.description_zh,
        aliases=list(offer.aliases),
        capabilities=list(offer.capabilities),
        enabled_from=None if start is None else api_time(start.timestamp()),
        enabled_until=None if end is None else api_time(end.timestamp()),
        parameters=dict(offer.parameters),
        price=_to_api_price(sold.price),
        price_text=price_text(sold.price),
        price_text_zh=price_text_zh(sold.price),
        chat=None if offer.chat is None else _to_api_chat(offer.chat),
        video=to_api_video_details(sold, parts.videos.under_way_max),
    )


def _to_api_price(price: OfferPrice) -> ModelPrice:
    is_chat = isinstance(price, ChatPrice)
    return ModelPrice(
        id=price.id,
        version=price.version,
        effective_from=api_time(price.effective_from.timestamp()),
        currency=CURRENCY,
        source=price.source,
        tiers=to_api_tiers(price) if is_chat else [],
        rates=[] if is_chat else to_api_rates(price),
    )


def _to_api_chat(limits: ChatLimits) -> ChatDetails:
    return ChatDetails(
        context_tokens=limits.context_tokens,
        output_tokens_max=limits.output_tokens_max,
        choices_max=limits.choices_max,
        refused_fields=list(limits.refused_fields),
        refused_tools=list(limits.refused_tools),
    )
