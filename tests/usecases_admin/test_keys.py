import pytest

from yuanjing.domain.errors import InvalidInputError, NotFoundError
from yuanjing.domain.identity import (
    AuthenticationError,
    BudgetPeriod,
    KeyLimits,
    book_of,
    format_key,
    is_well_formed,
    public_id_of,
)
from yuanjing.domain.money import Book
from yuanjing.ports.store import Topic
from yuanjing.usecases import keys
from yuanjing.usecases.customers import create_customer
from yuanjing.usecases.key_finder import KeyFinder
from yuanjing.usecases.keys import authenticate, create_key, list_keys, revoke_key


@pytest.fixture
async def customer(store, clock):
    return await create_customer(store, clock, mobile="13800138000", test_grant_nanos=0)


@pytest.mark.parametrize("book", list(Book))
async def test_a_new_key_opens_for_its_customer(store, clock, pepper, customer, book):
    key, text = await create_key(store, clock, pepper, customer_id=customer.id, book=book, name="mine")
    assert is_well_formed(text)
    assert (public_id_of(text), book_of(text)) == (key.public_id, book)
    caller = await authenticate(KeyFinder(store), clock, pepper, text)
    assert (caller.key, caller.customer) == (key, customer)
    assert await KeyFinder(store).find(key.public_id) == (key, customer)


async def test_the_store_does_not_hold_the_key(store, clock, pepper, customer):
    key, text = await create_key(store, clock, pepper, customer_id=customer.id, book=Book.LIVE)
    (kept,) = await list_keys(store, customer.id)
    assert kept == key
    secret = text.split("_")[3]
    assert secret not in repr(kept)


async def test_wrong_keys_are_refused_alike(store, clock, pepper, customer):
    _, text = await create_key(store, clock, pepper, customer_id=customer.id, book=Book.LIVE)
    wrong_secret = format_key(Book.LIVE, public_id_of(text), "A" * 32)
    other_book = format_key(Book.TEST, public_id_of(text), text.split("_")[3])
    unknown = format_key(Book.LIVE, "AAAAAAAA", "A" * 32)
    for presented in ("", "x", text[:-1], text + "0", text.swapcase(), wrong_secret, other_book, unknown, "é" * 57):
        with pytest.raises(AuthenticationError, match=r"^Invalid API Key$"):
            await authenticate(KeyFinder(store), clock, pepper, presented)
    with pytest.raises(AuthenticationError):
        await authenticate(KeyFinder(store), clock, b"other pepper", text)


async def test_an_unknown_key_costs_a_comparison_too(store, clock, pepper, customer, monkeypatch):
    _, text = await create_key(store, clock, pepper, customer_id=customer.id, book=Book.LIVE)
    compared = []
    real = keys.is_same_digest
    monkeypatch.setattr(keys, "is_same_digest", lambda a, b: compared.append((len(a), len(b))) or real(a, b))
    await authenticate(KeyFinder(store), clock, pepper, text)
    with pytest.raises(AuthenticationError):
        await authenticate(KeyFinder(store), clock, pepper, format_key(Book.LIVE, "AAAAAAAA", "A" * 32))
    assert compared == [(32, 32), (32, 32)]


async def test_a_revoked_key_is_refused_and_the_gateways_are_told_once(store, clock, pepper, customer, signals):
    key, text = await create_key(store, clock, pepper, customer_id=customer.id, book=Book.LIVE)
    revoked = await revoke_key(store, clock, key.public_id)
    clock.advance(5)
    again = await revoke_key(store, clock, key.id)
    assert revoked.revoked_at == again.revoked_at is not None
    assert await signals() == [(Topic.KEY, key.public_id)]
    with pytest.raises(AuthenticationError):
        await authenticate(KeyFinder(store), clock, pepper, text)
    with pytest.raises(NotFoundError):
        await revoke_key(store, clock, "key_nothing")


async def test_an_expired_key_is_refused_from_its_second_on(store, clock, pepper, customer):
    _, text = await create_key(
        store, clock, pepper, customer_id=customer.id, book=Book.LIVE, expires_at=clock.unix() + 10
    )
    clock.advance(9)
    await authenticate(KeyFinder(store), clock, pepper, text)
    clock.advance(1)
    with pytest.raises(AuthenticationError):
        await authenticate(KeyFinder(store), clock, pepper, text)
    with pytest.raises(InvalidInputError):
        await create_key(store, clock, pepper, customer_id=customer.id, book=Book.LIVE, expires_at=clock.unix())


async def test_limits_are_checked_and_brought_into_one_form(catalog_store, clock, pepper):
    customer = await create_customer(catalog_store, clock, mobile="13800138000", test_grant_nanos=0)
    limits = KeyLimits(
        models=("deepseek-chat", "qwen3-max", "VaKNrpZ37Ybrg5DWGio6b"),
        networks=(" 10.0.0.0/8 ", "192.0.2.7", "2001:db8::/32"),
        requests_per_minute=1,
        budget_nanos=1,
        budget_period=BudgetPeriod.DAY,
    )
    key, _ = await create_key(catalog_store, clock, pepper, customer_id=customer.id, book=Book.LIVE, limits=limits)
    assert key.limits.models == ("deepseek-v4-flash", "qwen3-max", "VaKNrpZ37Ybrg5DWGio6b")
    assert key.limits.networks == ("10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32")
    assert key.limits.allows_offer("any", "qwen3-max")
    assert key.limits.allows_offer("VaKNrpZ37Ybrg5DWGio6b", "any")
    assert not key.limits.allows_offer("any", "kimi-k2.5")
    assert KeyLimits().allows_offer("any", "kimi-k2.5")
    for address in ("10.9.8.7", "192.0.2.7", "2001:db8::1", "::ffff:10.1.1.1"):
        assert key.limits.allows_address(address), address
    for address in ("11.0.0.1", "2001:db9::1", "nonsense", ""):
        assert not key.limits.allows_address(address), address
    assert KeyLimits().allows_address("nonsense")


@pytest.mark.parametrize(
    "case",
    [
        ("::ffff:127.0.0.1", "127.0.0.1/32", "127.0.0.1"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8", "::ffff:10.1.2.3"),
        ("::ffff:0:0/96", "0.0.0.0/0", "203.0.113.9"),
        ("::/0", "::/0", "2001:db8::1"),
        ("::ffff:0:0:0/80", "::ffff:0:0:0/80", "::ffff:0:1:2"),
    ],
)
async def test_networks_are_compared_as_callers_addresses_are(store, clock, pepper, customer, case):
    written, kept, inside = case
    limits = KeyLimits(networks=(written,))
    key, _ = await create_key(store, clock, pepper, customer_id=customer.id, book=Book.LIVE, limits=limits)
    assert key.limits.networks == (kept,)
    assert key.limits.allows_address(inside)


@pytest.mark.parametrize("network", ["fe80::1%eth0", "fe80::1%\n=1", "fe80::%1/64"])
async def test_a_network_of_one_link_is_refused_clearly(store, clock, pepper, customer, network):
    limits = KeyLimits(networks=(network,))
    with pytest.raises(InvalidInputError, match=r"^networks: an address with a zone") as caught:
        await create_key(store, clock, pepper, customer_id=customer.id, book=Book.LIVE, limits=limits)
    assert caught.value.param == "networks"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "limits",
    [
        KeyLimits(models=("no-such-model",)),
        KeyLimits(networks=("10.0.0.1/8",)),
        KeyLimits(networks=("here",)),
        KeyLimits(networks=("10.0.0.1",) * 201),
        KeyLimits(requests_per_minute=0),
        KeyLimits(tokens_per_minute=-1),
        KeyLimits(concurrency=10**10),
        KeyLimits(budget_nanos=0),
        KeyLimits(budget_nanos=10**19),
    ],
)
async def test_limits_that_mean_nothing_are_refused(store, clock, pepper, customer, limits):
    with pytest.raises(InvalidInputError):
        await create_key(store, clock, pepper, customer_id=customer.id, book=Book.LIVE, limits=limits)
    assert await list_keys(store, customer.id) == []


async def test_a_name_is_one_line(store, clock, pepper, customer):
    with pytest.raises(InvalidInputError):
        await create_key(store, clock, pepper, customer_id=customer.id, book=Book.LIVE, name="a\nb")


async def test_a_key_needs_a_customer(store, clock, pepper):
    with pytest.raises(NotFoundError):
        await create_key(store, clock, pepper, customer_id="cus_x", book=Book.LIVE)
    with pytest.raises(NotFoundError):
        await list_keys(store, "cus_x")
    assert await KeyFinder(store).find("AAAAAAAA") is None
