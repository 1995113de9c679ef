from dataclasses import replace

import pytest
from tests.adapters.store_contract.builders import TEST, channel, offer, price, provider
from tests.support.video_offers import OFFERS, price_of

from yuanjing.domain.catalog import OnDisconnect
from yuanjing.domain.errors import AlreadyExistsError, NotFoundError
from yuanjing.domain.video_offers import VideoLimits
from yuanjing.ports.store import Store, Tx


async def test_providers_are_replaced_by_id(store: Store):
    other = replace(provider("ark", "Ark"), on_disconnect=OnDisconnect.CANCEL, quirks=())
    await store.write(lambda tx: (tx.catalog.save_provider(provider()), tx.catalog.save_provider(other)))
    assert await store.read(lambda tx: tx.catalog.providers()) == [other, provider()]
    await store.write(lambda tx: tx.catalog.save_provider(provider(label="New")))
    assert await store.read(lambda tx: tx.catalog.providers()) == [other, provider(label="New")]


async def test_offers_are_replaced_by_id_and_ordered_by_model(store: Store):
    bare = replace(offer("offer_0"), chat=None, aliases=(), parameters={}, enabled_from=None)
    first = offer("offer_9", "a-model")
    until = replace(offer("offer_2"), enabled_until=offer().enabled_from)
    for each in (bare, first, until, offer()):
        await store.write(lambda tx, each=each: tx.catalog.save_offer(each))
    assert await store.read(lambda tx: tx.catalog.offers()) == [first, bare, offer(), until]
    changed = replace(offer(), label="Other", parameters={"type": "object"})
    await store.write(lambda tx: tx.catalog.save_offer(changed))
    assert await store.read(lambda tx: tx.catalog.offers()) == [first, bare, changed, until]


async def test_prices_are_added_and_never_replaced(store: Store):
    second, other = price("price_2", version=2), replace(price("price_0", "offer_0"), created_at=None)

    def work(tx: Tx) -> None:
        tx.catalog.save_offer(offer())
        tx.catalog.save_offer(offer("offer_0"))
        for each in (second, price(), other):
            tx.catalog.add_price(each)
        with pytest.raises(AlreadyExistsError):
            tx.catalog.add_price(price("price_3", version=2))
        with pytest.raises(AlreadyExistsError):
            tx.catalog.add_price(price(version=3))
        with pytest.raises(NotFoundError):
            tx.catalog.add_price(price("price_4", "offer_x"))

    await store.write(work)
    assert await store.read(lambda tx: tx.catalog.prices()) == [other, price(), second]
    assert await store.read(lambda tx: tx.catalog.prices("offer_1")) == [price(), second]
    assert await store.read(lambda tx: tx.catalog.price("price_2")) == second
    assert await store.read(lambda tx: tx.catalog.price("price_x")) is None


async def test_replacing_an_offer_keeps_its_prices(store: Store):
    await store.write(lambda tx: (tx.catalog.save_offer(offer()), tx.catalog.add_price(price())))
    await store.write(lambda tx: tx.catalog.save_offer(replace(offer(), label="Other")))
    assert await store.read(lambda tx: tx.catalog.prices()) == [price()]


async def test_everything_of_video_comes_back(store: Store):
    vendor = replace(provider(), protocol="ark", video=VideoLimits(tasks_max=7))

    def work(tx: Tx) -> None:
        tx.catalog.save_provider(vendor)
        for each in OFFERS.values():
            tx.catalog.save_offer(each)
            tx.catalog.add_price(replace(price_of(each), id=f"price_{each.id}"))

    await store.write(work)
    assert await store.read(lambda tx: tx.catalog.providers()) == [vendor]
    assert {each.id: each for each in await store.read(lambda tx: tx.catalog.offers())} == OFFERS
    expected = [replace(price_of(each), id=f"price_{each.id}") for each in OFFERS.values()]
    found = await store.read(lambda tx: tx.catalog.prices())
    assert sorted(found, key=lambda each: each.id) == sorted(expected, key=lambda each: each.id)


async def test_channels_are_replaced_by_id(store: Store):
    other = replace(channel("chan_0", is_enabled=True), book=TEST, offers=(), upstream_models={})

    def work(tx: Tx) -> None:
        tx.catalog.save_provider(provider())
        tx.catalog.save_channel(channel())
        tx.catalog.save_channel(other)
        with pytest.raises(NotFoundError):
            tx.catalog.save_channel(channel("chan_2", "nobody"))

    await store.write(work)
    assert await store.read(lambda tx: tx.catalog.channels()) == [other, channel()]
    await store.write(lambda tx: tx.catalog.save_channel(channel(is_enabled=True)))
    assert await store.read(lambda tx: tx.catalog.channels()) == [other, channel(is_enabled=True)]


async def test_a_credential_is_replaced_only_if_it_is_still_the_old_one(store: Store):
    first = replace(channel(), credential=b"old")
    await store.write(lambda tx: (tx.catalog.save_provider(provider()), tx.catalog.save_channel(first)))
    assert not await store.write(lambda tx: tx.catalog.replace_credential(first.id, b"older", b"new"))
    assert not await store.write(lambda tx: tx.catalog.replace_credential("ch_x", b"old", b"new"))
    assert await store.read(lambda tx: tx.catalog.channels()) == [first]
    assert await store.write(lambda tx: tx.catalog.replace_credential(first.id, b"old", b"new"))
    assert await store.read(lambda tx: tx.catalog.channels()) == [replace(first, credential=b"new")]
