"""How long a key is looked at does not tell how much of it is right."""

import hmac

import pytest

from yuanjing.domain.identity import AuthenticationError, format_key, public_id_of
from yuanjing.domain.money import Book
from yuanjing.usecases.customers import create_customer
from yuanjing.usecases.key_finder import KeyFinder
from yuanjing.usecases.keys import authenticate, create_key, revoke_key


@pytest.fixture
def compared(monkeypatch):
    """What is compared in constant time."""
    seen = []
    real = hmac.compare_digest

    def compare(left, right):
        seen.append((left, right))
        return real(left, right)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    return seen


async def test_every_key_is_compared_once_in_constant_time(store, clock, pepper, compared):
    """Right, wrong, revoked and unknown ones: by whole digests, after the same hash, against something."""
    customer = await create_customer(store, clock, mobile="13800138000", test_grant_nanos=0)
    key, good = await create_key(store, clock, pepper, customer_id=customer.id, book=Book.TEST)
    gone, revoked = await create_key(store, clock, pepper, customer_id=customer.id, book=Book.TEST)
    await revoke_key(store, clock, gone.id)
    wrong = format_key(Book.TEST, public_id_of(good), "A" * 32)
    unknown = format_key(Book.TEST, "NoSuchId", "A" * 32)
    finder = KeyFinder(store)
    assert (await authenticate(finder, clock, pepper, good)).key == key
    for presented in (wrong, revoked, unknown):
        with pytest.raises(AuthenticationError):
            await authenticate(finder, clock, pepper, presented)
    assert len(compared) == 4
    assert {len(side) for pair in compared for side in pair} == {32}
    assert compared[0][1] == compared[1][1] == key.digest
    assert compared[3][1] == bytes(32)
