"""Which offers a caller may see and buy."""

from dataclasses import dataclass

from yuanjing.domain.catalog import Offer, Operation
from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.identity import Caller
from yuanjing.domain.video_pricing import OfferPrice
from yuanjing.edge.parts import EdgeParts
from yuanjing.usecases.catalog import OfferInfo, list_offers

_NAME_SHOWN_MAX = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class SoldOffer:
    """An offer that can be bought now, with the price in force."""

    offer: Offer
    price: OfferPrice

    @property
    def created(self) -> int:
        """From when it has been offered, in Unix seconds; 0 if nobody has said."""
        start = self.offer.enabled_from
        return int(start.timestamp()) if start is not None else 0


class ModelNotFoundError(YuanjingError):
    """No offer of that name can be bought now."""

    code = "model_not_found"

    def __init__(self, name: str, models: str) -> None:
        shown = name[:_NAME_SHOWN_MAX]
        super().__init__(f"The model '{shown}' does not exist; see GET {models}", param="model")


class ModelNotAllowedError(YuanjingError):
    """The key has a list of models, and this one is not on it."""

    code = "model_not_allowed"

    def __init__(self, model: str) -> None:
        super().__init__(f"This API key may not use the model '{model}'", param="model")


async def all_sold_offers(parts: EdgeParts) -> list[SoldOffer]:
    """What can be bought now, by model, whoever asks."""
    sold = [_sold(info) for info in await list_offers(parts.store, parts.clock)]
    return [s for s in sold if s is not None]


async def any_sold_offer(parts: EdgeParts, llmid: str, *, models: str) -> SoldOffer:
    """One of them by its id. Who names none is sent to the list at `models`.

    Raises:
        ModelNotFoundError: there is none that can be bought now.
    """
    for sold in await all_sold_offers(parts):
        if sold.offer.id == llmid:
            return sold
    raise ModelNotFoundError(llmid, models)


async def sold_offers(parts: EdgeParts, caller: Caller) -> list[SoldOffer]:
    """What the caller's key may use now, by model."""
    limits = caller.key.limits
    return [s for s in await all_sold_offers(parts) if limits.allows_offer(s.offer.id, s.offer.model)]


async def sold_offer(
    parts: EdgeParts, caller: Caller, name: str, operation: Operation | None = None, *, models: str
) -> SoldOffer:
    """One offer by llmid, model or alias, for an operation or for any.

    Of several with one name it is the first in the order of operations. Who names none is sent to the list at `models`.

    Raises:
        ModelNotFoundError: there is none that can be bought now.
        ModelNotAllowedError: the caller's key may not use it.
    """
    infos = await list_offers(parts.store, parts.clock)
    named = [info for info in infos if name in info.offer.names and operation in (None, info.offer.operation)]
    sold = [s for s in map(_sold, named) if s is not None]
    if not sold:
        raise ModelNotFoundError(name, models)
    allowed = [s for s in sold if caller.key.limits.allows_offer(s.offer.id, s.offer.model)]
    if not allowed:
        raise ModelNotAllowedError(sold[0].offer.model)
    order = list(Operation)
    return min(allowed, key=lambda s: (s.offer.id != name, order.index(s.offer.operation)))


def _sold(info: OfferInfo) -> SoldOffer | None:
    """An offer without a price in force cannot be bought."""
    if not info.is_enabled or info.price is None:
        return None
    return SoldOffer(offer=info.offer, price=info.price)
