"""`/v1/models`: what the key may use, in OpenAI's shape."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel

from yuanjing.domain.catalog import Operation
from yuanjing.domain.dialects import Dialect
from yuanjing.edge.auth import AuthenticatedCaller
from yuanjing.edge.error_docs import KEY_CODES, error_responses
from yuanjing.edge.offers import SoldOffer, sold_offer, sold_offers
from yuanjing.edge.parts import Parts
from yuanjing.edge.pricing import price_text, price_text_zh

router = APIRouter(tags=["models"])


class ModelDetails(BaseModel):
    """What the platform adds to OpenAI's keys."""

    llmid: str
    provider: str
    label: str
    aliases: list[str]
    capabilities: list[str]
    context_tokens: int | None
    output_tokens_max: int | None
    price_text: str
    price_text_zh: str


class Model(BaseModel):
    """A model: OpenAI's keys first."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    yuanjing: ModelDetails


class ModelList(BaseModel):
    """A list of models, by name."""

    object: Literal["list"]
    data: list[Model]


@router.get("/v1/models", responses=error_responses(Dialect.OPENAI, *KEY_CODES))
async def list_models(parts: Parts, caller: AuthenticatedCaller) -> ModelList:
    """The chat models that this API key may use, in OpenAI's shape."""
    offers = await sold_offers(parts, caller)
    return ModelList(
        object="list", data=[to_api_model(sold) for sold in offers if sold.offer.operation is Operation.CHAT]
    )


@router.get(
    "/v1/models/{model:path}",
    responses=error_responses(Dialect.OPENAI, *KEY_CODES, "model_not_found", "model_not_allowed"),
)
async def get_model(
    parts: Parts, caller: AuthenticatedCaller, model: Annotated[str, Path(description="Model name, alias or llmid.")]
) -> Model:
    """One chat model; its `id` is the model's own name, also where an alias or an llmid was asked for."""
    return to_api_model(await sold_offer(parts, caller, model, Operation.CHAT, models="/v1/models"))


def to_api_model(sold: SoldOffer) -> Model:
    """A model object."""
    offer = sold.offer
    return Model(
        id=offer.model,
        object="model",
        created=sold.created,
        owned_by=offer.provider_label,
        yuanjing=ModelDetails(
            llmid=offer.id,
            provider=offer.provider_label,
            label=offer.label,
            aliases=list(offer.aliases),
            capabilities=list(offer.capabilities),
            context_tokens=offer.chat.context_tokens if offer.chat else None,
            output_tokens_max=offer.chat.output_tokens_max if offer.chat else None,
            price_text=price_text(sold.price),
            price_text_zh=price_text_zh(sold.price),
        ),
    )
