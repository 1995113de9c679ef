"""Offers and their prices: taking catalogue files in, looking at them, setting prices."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from yuanjing.domain.audit import SYSTEM, Action, Actor
from yuanjing.domain.catalog import Channel, Offer, Provider
from yuanjing.domain.errors import InvalidInputError, NotFoundError
from yuanjing.domain.pricing import ChatPrice, ChatTier, current_price
from yuanjing.domain.usage import COUNT_MAX
from yuanjing.domain.video_pricing import OfferPrice, VideoPrice, VideoRate
from yuanjing.kit.clock import Clock
from yuanjing.kit.ids import sortable_id
from yuanjing.kit.tomlfile import Problem
from yuanjing.ports.store import Store, Topic, Tx
from yuanjing.usecases.audit import record
from yuanjing.usecases.catalog_documents import CatalogDocument, CatalogError, OfferDraft
from yuanjing.usecases.price_documents import PriceDraft, check_rates

SOURCE_LENGTH_MAX = 300
TIERS_MAX = 20
RATES_MAX = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportReport:
    """What an import changed: ids of providers, models of offers, and (model, version) of new prices."""

    providers: tuple[str, ...]
    offers: tuple[str, ...]
    prices: tuple[tuple[str, int], ...]

    @property
    def is_changed(self) -> bool:
        """Whether anything is different now."""
        return bool(self.providers or self.offers or self.prices)


@dataclass(frozen=True, kw_only=True, slots=True)
class DirectoryData:
    """Everything that the gateway's directory is made of, as of one moment; disabled and future things too."""

    providers: tuple[Provider, ...]
    offers: tuple[Offer, ...]
    prices: tuple[OfferPrice, ...]
    channels: tuple[Channel, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class OfferInfo:
    """An offer with the price in force now, if any."""

    offer: Offer
    price: OfferPrice | None
    is_enabled: bool


async def load_directory(store: Store) -> DirectoryData:
    """Read the whole catalogue on one snapshot."""

    def work(tx: Tx) -> DirectoryData:
        return DirectoryData(
            providers=tuple(tx.catalog.providers()),
            offers=tuple(tx.catalog.offers()),
            prices=tuple(tx.catalog.prices()),
            channels=tuple(tx.catalog.channels()),
        )

    return await store.read(work)


async def import_catalog(
    store: Store, clock: Clock, documents: Sequence[CatalogDocument], *, by: Actor = SYSTEM
) -> ImportReport:
    """Make the catalogue agree with these files, all or nothing; what no file names stays as it is.

    A price becomes a new version unless the offer has, or once had, one with the same rates and source: so
    importing the same file again changes nothing, and a price that an operator has set since stays in force. Here and
    below `by` is who is recorded as having done it.

    Raises:
        CatalogError: the files do not fit together or with what is there.
    """

    def work(tx: Tx) -> ImportReport:
        providers = {provider.id: provider for provider in tx.catalog.providers()}
        offers = {offer.id: offer for offer in tx.catalog.offers()}
        given = {provider.id: provider for document in documents for provider in document.providers}
        problems = [*_duplicates(documents), *_misfits(documents, {*providers, *given}, offers)]
        if problems:
            raise CatalogError(problems)
        new_providers = [provider for provider in given.values() if providers.get(provider.id) != provider]
        drafts = [draft for document in documents for draft in document.offers]
        new_offers = [draft.offer for draft in drafts if offers.get(draft.offer.id) != draft.offer]
        for provider in new_providers:
            tx.catalog.save_provider(provider)
            record(tx, clock.unix(), by, Action.PROVIDER_CHANGED, provider.id)
        for offer in new_offers:
            tx.catalog.save_offer(offer)
            record(tx, clock.unix(), by, Action.OFFER_CHANGED, offer.id, details={"model": offer.model})
        report = ImportReport(
            providers=tuple(provider.id for provider in new_providers),
            offers=tuple(offer.model for offer in new_offers),
            prices=tuple(_import_prices(tx, clock, drafts, by)),
        )
        if report.is_changed:
            tx.signals.emit(Topic.CATALOG, "", clock.unix())
        return report

    return await store.write(work)


async def list_offers(store: Store, clock: Clock, *, with_disabled: bool = False) -> list[OfferInfo]:
    """Offers by model, each with its price in force."""

    def work(tx: Tx) -> list[OfferInfo]:
        prices = _by_offer(tx.catalog.prices())
        infos = [_info(offer, prices.get(offer.id, []), clock) for offer in tx.catalog.offers()]
        return [info for info in infos if info.is_enabled or with_disabled]

    return await store.read(work)


async def get_offer(store: Store, clock: Clock, name: str) -> OfferInfo:
    """One offer by id, model or alias, disabled ones too.

    Raises:
        NotFoundError: there is none.
    """

    def work(tx: Tx) -> OfferInfo:
        offer = find_offer(tx, name)
        return _info(offer, tx.catalog.prices(offer.id), clock)

    return await store.read(work)


async def list_prices(store: Store, name: str) -> tuple[Offer, list[OfferPrice]]:
    """An offer and every version of its price, oldest first.

    Raises:
        NotFoundError: no such offer.
    """

    def work(tx: Tx) -> tuple[Offer, list[OfferPrice]]:
        offer = find_offer(tx, name)
        return offer, tx.catalog.prices(offer.id)

    return await store.read(work)


async def set_price(  # noqa: PLR0913  # the parts of one price
    store: Store,
    clock: Clock,
    name: str,
    *,
    terms: Sequence[ChatTier] | Sequence[VideoRate],
    source: str,
    effective_from: dt.datetime | None = None,
    by: Actor = SYSTEM,
) -> OfferPrice:
    """Add a new version of an offer's price, in force at once or from a later time: tiers of chat, rates of video.

    Raises:
        NotFoundError: no such offer.
        InvalidInputError: the terms do not cover what the offer admits, or the time is before an earlier version's.
    """
    if not source.strip() or len(source) > SOURCE_LENGTH_MAX:
        raise InvalidInputError("source: say where the price is from, with its date", param="source")

    def work(tx: Tx) -> OfferPrice:
        offer = find_offer(tx, name)
        tiers = tuple(term for term in terms if isinstance(term, ChatTier))
        rates = tuple(term for term in terms if isinstance(term, VideoRate))
        _check_terms(offer, tiers, rates)
        start = effective_from or clock.now()
        versions = tx.catalog.prices(offer.id)
        if versions and start < versions[-1].effective_from:
            message = f"version {versions[-1].version} begins later, at {versions[-1].effective_from.isoformat()}"
            raise InvalidInputError(f"effective_from: {message}", param="effective_from")
        draft = PriceDraft(effective_from=start, tiers=tiers, rates=rates, source=source.strip())
        price = _new_version(offer.id, versions, draft, clock)
        tx.catalog.add_price(price)
        _record_price(tx, clock, by, offer, price)
        tx.signals.emit(Topic.CATALOG, "", clock.unix())
        return price

    return await store.write(work)


def find_offer(tx: Tx, name: str) -> Offer:
    """The offer of that id, model or alias.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: the name is a model's that several offers have; their ids tell them apart.
    """
    found = [offer for offer in tx.catalog.offers() if name in offer.names]
    exact = next((offer for offer in found if offer.id == name), None)
    if exact is not None or len(found) == 1:
        return exact or found[0]
    if not found:
        raise NotFoundError(f"there is no offer {name[:60]!r}", param="offer")
    which = ", ".join(f"{offer.id} ({offer.operation.value})" for offer in found)
    raise InvalidInputError(f"{name[:60]!r} is several offers: {which}; name one by its id", param="offer")


def _info(offer: Offer, prices: Iterable[OfferPrice], clock: Clock) -> OfferInfo:
    now = clock.now()
    return OfferInfo(offer=offer, price=current_price(prices, now), is_enabled=offer.is_enabled(now))


def _by_offer(prices: Iterable[OfferPrice]) -> dict[str, list[OfferPrice]]:
    groups: dict[str, list[OfferPrice]] = {}
    for price in prices:
        groups.setdefault(price.offer_id, []).append(price)
    return groups


def _import_prices(tx: Tx, clock: Clock, drafts: Iterable[OfferDraft], by: Actor) -> Iterable[tuple[str, int]]:
    known = _by_offer(tx.catalog.prices())
    for draft in drafts:
        versions = known.get(draft.offer.id, [])
        new = draft.price
        if new is None or any(_is_same(old, new) for old in versions):
            continue
        price = _new_version(draft.offer.id, versions, new, clock)
        tx.catalog.add_price(price)
        _record_price(tx, clock, by, draft.offer, price)
        yield draft.offer.model, price.version


def _record_price(tx: Tx, clock: Clock, by: Actor, offer: Offer, price: OfferPrice) -> None:
    details = {
        "model": offer.model,
        "price": price.id,
        "version": price.version,
        "effective_from": price.effective_from.isoformat(),
    }
    record(tx, clock.unix(), by, Action.PRICE_SET, offer.id, details=details)


def _is_same(price: OfferPrice, draft: PriceDraft) -> bool:
    terms = price.tiers if isinstance(price, ChatPrice) else price.rates
    return (terms, price.source) == (draft.tiers or draft.rates, draft.source)


def _new_version(offer_id: str, versions: Sequence[OfferPrice], draft: PriceDraft, clock: Clock) -> OfferPrice:
    """The next version; it never begins before an earlier one, so the newest that has begun is in force."""
    newest = versions[-1] if versions else None
    start = draft.effective_from.astimezone(dt.UTC)
    id_, version = sortable_id("price"), newest.version + 1 if newest else 1
    effective_from = max(start, newest.effective_from) if newest else start
    if draft.rates:
        return VideoPrice(
            id=id_,
            offer_id=offer_id,
            version=version,
            effective_from=effective_from,
            rates=draft.rates,
            source=draft.source,
            created_at=clock.now(),
        )
    return ChatPrice(
        id=id_,
        offer_id=offer_id,
        version=version,
        effective_from=effective_from,
        tiers=draft.tiers,
        source=draft.source,
        created_at=clock.now(),
    )


def _check_terms(offer: Offer, tiers: Sequence[ChatTier], rates: Sequence[VideoRate]) -> None:
    if offer.video is not None:
        problems = check_rates(offer, rates) if rates and not tiers else ["a video is priced by rates"]
        if len(rates) > RATES_MAX:
            problems = [f"at most {RATES_MAX}"]
        if problems:
            raise InvalidInputError(f"rates: {'; '.join(problems)}", param="rates")
        return
    if rates or not 1 <= len(tiers) <= TIERS_MAX:
        raise InvalidInputError(f"tiers: from 1 to {TIERS_MAX}, and no rates of video", param="tiers")
    bounds = [COUNT_MAX if tier.input_up_to is None else tier.input_up_to for tier in tiers]
    if bounds != sorted(set(bounds)):
        raise InvalidInputError("tiers: in rising order, only the last without a bound", param="tiers")
    if offer.chat is not None and bounds[-1] < offer.chat.context_tokens:
        message = f"the last tier ends at {bounds[-1]} tokens, below the model's {offer.chat.context_tokens}"
        raise InvalidInputError(message, param="tiers")


def _duplicates(documents: Sequence[CatalogDocument]) -> Iterable[Problem]:
    """The same provider or offer twice among the files."""
    seen: dict[str, str] = {}
    for document in documents:
        names = [(f"provider {provider.id}", 1) for provider in document.providers]
        names += [(f"offer {draft.offer.id}", draft.line) for draft in document.offers]
        for name, line in names:
            if name in seen:
                message = f"{name} is in {seen[name]} already; keep one of them"
                yield Problem(file=document.name, line=line, message=message)
            seen[name] = document.name


def _misfits(
    documents: Sequence[CatalogDocument], providers: set[str], existing: Mapping[str, Offer]
) -> Iterable[Problem]:
    """Unknown providers, and model names that would mean two offers."""
    drafts = [(document, draft) for document in documents for draft in document.offers]
    replaced = {draft.offer.id for _, draft in drafts}
    owners: dict[tuple[str, str], str] = {}
    for offer in existing.values():
        if offer.id not in replaced:
            owners.update(dict.fromkeys(_names(offer), offer.id))
    for document, draft in drafts:
        for provider in sorted(set(draft.offer.providers) - providers):
            message = f"there is no provider {provider!r}; known are: {', '.join(sorted(providers))}"
            yield Problem(file=document.name, line=draft.line, message=message)
        for name in _names(draft.offer):
            if owners.setdefault(name, draft.offer.id) != draft.offer.id:
                message = f"the name {name[1]!r} belongs to offer {owners[name]} already; choose another"
                yield Problem(file=document.name, line=draft.line, message=message)


def _names(offer: Offer) -> list[tuple[str, str]]:
    return [(offer.operation.value, name) for name in offer.names]
