"""Which offers a caller may see and buy."""

from dataclasses import dataclass

from yuanjing.domain.catalog import Offer
from yuanjing.domain.errors import NotFoundError, YuanjingError
from yuanjing.domain.identity import Caller
from yuanjing.domain.pricing import ChatPrice
from yuanjing.edge.parts import EdgeParts
from yuanjing.usecases.catalog import OfferInfo, get_offer, list_offers

_NAME_SHOWN_MAX = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class SoldOffer:
    """An offer that can be bought now, with the price in force."""

    offer: Offer
    price: ChatPrice

    @property
    def created(self) -> int:
        """From when it has been offered, in Unix seconds; 0 if nobody has said."""
        start = self.offer.enabled_from
        return int(start.timestamp()) if start is not None else 0


class ModelNotFoundError(YuanjingError):
    """No offer of that name can be bought now."""

    code = "model_not_found"

    def __init__(self, name: str) -> None:
        shown = name[:_NAME_SHOWN_MAX]
        super().__init__(f"The model '{shown}' does not exist; see GET /v1/models", param="model")


class ModelNotAllowedError(YuanjingError):
    """The key has a list of models, and this one is not on it."""

    code = "model_not_allowed"

    def __init__(self, model: str) -> None:
        super().__init__(f"This API key may not use the model '{model}'", param="model")


async def sold_offers(parts: EdgeParts, caller: Caller) -> list[SoldOffer]:
    """What the caller's key may use now, by model."""
    infos = await list_offers(parts.store, parts.clock)
    sold = [_sold(info) for info in infos]
    return [s for s in sold if s is not None and caller.key.limits.allows_model(s.offer.model)]


async def sold_offer(parts: EdgeParts, caller: Caller, name: str) -> SoldOffer:
    """One offer by model, alias or llmid.

    Raises:
        ModelNotFoundError: there is none that can be bought now.
        ModelNotAllowedError: the caller's key may not use it.
    """
    try:
        info = await get_offer(parts.store, parts.clock, name)
    except NotFoundError as error:
        raise ModelNotFoundError(name) from error
    sold = _sold(info)
    if sold is None:
        raise ModelNotFoundError(name)
    if not caller.key.limits.allows_model(sold.offer.model):
        raise ModelNotAllowedError(sold.offer.model)
    return sold


def _sold(info: OfferInfo) -> SoldOffer | None:
    """An offer without a price in force cannot be bought."""
    if not info.is_enabled or info.price is None:
        return None
    return SoldOffer(offer=info.offer, price=info.price)
