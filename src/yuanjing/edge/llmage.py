"""`/llmage/v1/…`: models, prices and the balance, in the seed's dialect."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from yuanjing.domain.catalog import Operation
from yuanjing.domain.dialects import Dialect
from yuanjing.domain.money import format_amount
from yuanjing.edge.auth import AuthenticatedCaller
from yuanjing.edge.error_docs import KEY_CODES, Json, error_responses
from yuanjing.edge.offers import SoldOffer, sold_offer, sold_offers
from yuanjing.edge.parts import EdgeParts, Parts
from yuanjing.edge.pricing import Price, Pricing, price_text, price_text_zh, to_api_price, to_api_pricing
from yuanjing.edge.video_models import VideoDetails, to_api_video_details
from yuanjing.edge.video_prices import CURRENCY, VideoPriceView, VideoPricing
from yuanjing.usecases.customers import customer_balances

_TEXT_LENGTH_MAX = 200
router = APIRouter(prefix="/llmage/v1", tags=["llmage"])


def _given(value: object) -> object:
    """The dialect's rule: an empty text is not given."""
    return None if value == "" else value


class ModelsQuery(BaseModel):
    """Filters; unknown ones are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore")

    operation: Annotated[Annotated[Operation, Field(strict=False)] | None, BeforeValidator(_given)] = Field(
        default=None, description="Only models for this operation."
    )
    provider: Annotated[Annotated[str, Field(max_length=_TEXT_LENGTH_MAX)] | None, BeforeValidator(_given)] = Field(
        default=None, description="Only models of this provider, in any case of letters."
    )


class PricingQuery(BaseModel):
    """Which model's price is wanted."""

    model_config = ConfigDict(strict=True, extra="ignore")

    model: str = Field(min_length=1, max_length=_TEXT_LENGTH_MAX, description="Model name, alias or llmid.")
    operation: Annotated[Annotated[Operation, Field(strict=False)] | None, BeforeValidator(_given)] = Field(
        default=None, description="Which one, if the model is sold for several operations."
    )


class LlmageModel(BaseModel):
    """A model: OpenAI's keys first."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    llmid: str
    model: str
    provider: str
    operation: str
    label: str
    description: str
    description_zh: str
    aliases: list[str]
    capabilities: list[str]
    context_tokens: int | None
    output_tokens_max: int | None
    parameters: Json = Field(description="JSON Schema 2020-12 of the request, with `x-` hints.")
    price: Price | VideoPriceView
    price_text: str
    price_text_zh: str


class LlmageVideoModel(LlmageModel):
    """A model that makes videos."""

    video: VideoDetails


class LlmageModelList(BaseModel):
    """A list of models, by name."""

    object: Literal["list"]
    data: list[LlmageVideoModel | LlmageModel]


class Balance(BaseModel):
    """What the customer has in the book of its key; posted amounts of CNY, as decimal strings."""

    object: Literal["balance"]
    book: Literal["live", "test"]
    currency: str
    available: str = Field(description="What can be spent.")
    held: str = Field(description="What is reserved for work under way.")
    promotion: str = Field(description="What was given by promotions.")
    as_of: int = Field(description="Unix seconds.")


@router.get("/models", responses=error_responses(Dialect.LLMAGE, *KEY_CODES, "invalid_parameter"))
async def list_llmage_models(
    parts: Parts, caller: AuthenticatedCaller, query: Annotated[ModelsQuery, Query()]
) -> LlmageModelList:
    """The models that this API key may use, with their parameters and prices."""
    offers = await sold_offers(parts, caller)
    return LlmageModelList(
        object="list", data=[_to_api_model(sold, parts) for sold in offers if _is_wanted(sold, query)]
    )


@router.get(
    "/pricing",
    responses=error_responses(
        Dialect.LLMAGE,
        *KEY_CODES,
        "missing_required_parameter",
        "invalid_parameter",
        "model_not_found",
        "model_not_allowed",
    ),
)
async def get_pricing(
    parts: Parts, caller: AuthenticatedCaller, query: Annotated[PricingQuery, Query()]
) -> Pricing | VideoPricing:
    """What a model costs now."""
    sold = await sold_offer(parts, caller, query.model, query.operation, models="/llmage/v1/models")
    return to_api_pricing(sold.offer.model, sold.price)


@router.get("/balance", responses=error_responses(Dialect.LLMAGE, *KEY_CODES))
async def get_balance(parts: Parts, caller: AuthenticatedCaller) -> Balance:
    """What the key's customer has: real money with a live key, play money with a test key."""
    as_of = int(parts.clock.unix())
    book = caller.key.book
    balance = (await customer_balances(parts.store, caller.customer.id))[book]
    return Balance(
        object="balance",
        book=book.value,
        currency=CURRENCY,
        available=format_amount(balance.available_nanos),
        held=format_amount(balance.held_nanos),
        promotion=format_amount(balance.promotion_nanos),
        as_of=as_of,
    )


def _is_wanted(sold: SoldOffer, query: ModelsQuery) -> bool:
    operations = {sold.offer.operation.value, *sold.offer.capabilities}  # a model may make videos from a text, too
    if query.operation is not None and query.operation.value not in operations:
        return False
    return query.provider is None or sold.offer.provider_label.casefold() == query.provider.casefold()


def _to_api_model(sold: SoldOffer, parts: EdgeParts) -> LlmageModel:
    offer = sold.offer
    model = LlmageModel(
        id=offer.model,
        object="model",
        created=sold.created,
        owned_by=offer.provider_label,
        llmid=offer.id,
        model=offer.model,
        provider=offer.provider_label,
        operation=offer.operation.value,
        label=offer.label,
        description=offer.description,
        description_zh=offer.description_zh,
        aliases=list(offer.aliases),
        capabilities=list(offer.capabilities),
        context_tokens=offer.chat.context_tokens if offer.chat else None,
        output_tokens_max=offer.chat.output_tokens_max if offer.chat else None,
        parameters=dict(offer.parameters),
        price=to_api_price(sold.price),
        price_text=price_text(sold.price),
        price_text_zh=price_text_zh(sold.price),
    )
    video = to_api_video_details(sold, parts.videos.under_way_max)
    return model if video is None else LlmageVideoModel(**dict(model), video=video)
