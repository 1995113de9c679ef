"""Signing in, on every store."""

from dataclasses import replace

import pytest
from tests.adapters.store_contract.builders import customer

from yuanjing.domain.errors import AlreadyExistsError
from yuanjing.domain.signin import DAY, HOUR, Challenge, Factors, Purpose, SendCounts, Session

NOW = 1_800_000_000.0
MOBILE = "+8613800000001"


def challenge(id_="chl_1", **changes):
    values = {
        "id": id_,
        "mobile": MOBILE,
        "purpose": Purpose.SIGN_IN,
        "browser_digest": b"b" * 32,
        "code_digest": b"c" * 32,
        "receipt": "",
        "address": "192.0.2.1",
        "cost_nanos": 5,
        "created_at": NOW,
        "expires_at": NOW + 300,
    }
    return Challenge(**(values | changes))


def session(id_="ses_1", **changes):
    values = {
        "id": id_,
        "customer_id": "cus_a",
        "digest": id_.encode() * 4,
        "address": "192.0.2.1",
        "agent": "Browser 1",
        "created_at": NOW,
        "seen_at": NOW,
        "idle_seconds": 60.0,
        "ends_at": NOW + 600,
        "confirmed_at": NOW,
    }
    return Session(**(values | changes))


async def test_a_challenge_is_kept_tried_and_ended(store):
    one = challenge(code_digest=None, receipt="r-1")
    await store.write(lambda tx: tx.challenges.add(one))
    assert await store.read(lambda tx: tx.challenges.lock("chl_1")) == one
    assert await store.read(lambda tx: tx.challenges.lock("chl_2")) is None
    with pytest.raises(AlreadyExistsError):
        await store.write(lambda tx: tx.challenges.add(one))
    tried = replace(one.missed(NOW + 1, 5), receipt="r-2", cost_nanos=0)
    await store.write(lambda tx: tx.challenges.save(replace(tried, mobile="+1")))
    assert await store.read(lambda tx: tx.challenges.lock("chl_1")) == tried


async def test_a_newer_code_voids_the_open_ones_of_its_purpose(store):
    others = [challenge("chl_2", purpose=Purpose.CONFIRM), challenge("chl_3", mobile="+8613800000002")]
    ended = challenge("chl_4", ended_at=NOW + 1)

    def fill(tx):
        for one in (challenge(), *others, ended):
            tx.challenges.add(one)

    await store.write(fill)
    assert await store.write(lambda tx: tx.challenges.end_open(MOBILE, Purpose.SIGN_IN, NOW + 9)) == 1
    found = await store.read(lambda tx: [tx.challenges.lock(f"chl_{n}").ended_at for n in range(1, 5)])
    assert found == [NOW + 9, None, None, NOW + 1]


async def test_what_was_sent_is_counted_by_number_address_and_day(store):
    assert await store.read(lambda tx: tx.challenges.counts(MOBILE, "192.0.2.1", NOW)) == SendCounts()

    def fill(tx):
        for number, (age, mobile, address) in enumerate(
            [
                (10, MOBILE, "192.0.2.1"),
                (HOUR - 1, MOBILE, "192.0.2.2"),
                (HOUR + 1, MOBILE, "192.0.2.1"),
                (DAY - 1, MOBILE, "192.0.2.9"),
                (DAY + 1, MOBILE, "192.0.2.1"),
                (20, "+8613800000002", "192.0.2.1"),
            ]
        ):
            tx.challenges.add(challenge(f"chl_{number}", mobile=mobile, address=address, created_at=NOW - age))

    await store.write(fill)
    assert await store.read(lambda tx: tx.challenges.counts(MOBILE, "192.0.2.1", NOW)) == SendCounts(
        last_to_mobile_at=NOW - 10,
        hour_to_mobile=2,
        hour_to_mobile_since=NOW - HOUR + 1,
        day_to_mobile=4,
        day_to_mobile_since=NOW - DAY + 1,
        hour_by_address=2,
        hour_by_address_since=NOW - 20,
        day_to_all=5,
        day_cost_nanos=25,
    )
    assert await store.write(lambda tx: tx.challenges.prune(NOW - HOUR)) == 3
    assert (await store.read(lambda tx: tx.challenges.counts(MOBILE, "", NOW))).day_to_mobile == 2


async def test_sessions_are_found_used_rotated_and_ended(store):
    first, second = session(), session("ses_2", created_at=NOW + 1)

    def fill(tx):
        tx.customers.add(customer())
        tx.customers.add(customer("cus_b", "+8613800000002"))
        for one in (first, second, session("ses_3", customer_id="cus_b")):
            tx.sessions.add(one)

    await store.write(fill)
    assert await store.read(lambda tx: tx.sessions.by_digest(first.digest)) == first
    assert await store.read(lambda tx: tx.sessions.by_digest(b"x")) is None
    with pytest.raises(AlreadyExistsError):
        await store.write(lambda tx: tx.sessions.add(session("ses_4", digest=first.digest)))
    await store.write(lambda tx: tx.sessions.touch("ses_1", NOW + 5, "192.0.2.7"))
    await store.write(lambda tx: tx.sessions.rotate("ses_1", b"new", NOW + 6))
    changed = replace(first, seen_at=NOW + 5, address="192.0.2.7", digest=b"new", confirmed_at=NOW + 6)
    assert await store.read(lambda tx: tx.sessions.list("cus_a")) == [second, changed]
    assert not await store.write(lambda tx: tx.sessions.end("cus_b", "ses_1", NOW + 7))
    assert await store.write(lambda tx: tx.sessions.end("cus_a", "ses_1", NOW + 7))
    assert not await store.write(lambda tx: tx.sessions.end("cus_a", "ses_1", NOW + 8))
    await store.write(lambda tx: tx.sessions.rotate("ses_1", b"newer", NOW + 9))
    assert (await store.read(lambda tx: tx.sessions.by_digest(b"new"))).ended_at == NOW + 7
    await store.write(lambda tx: tx.sessions.add(session("ses_5")))
    assert await store.write(lambda tx: tx.sessions.end_others("cus_a", "ses_5", NOW + 9)) == 1
    assert [one.id for one in await store.read(lambda tx: tx.sessions.list("cus_a"))] == ["ses_5"]
    assert await store.write(lambda tx: tx.sessions.prune(NOW + 601)) == 4


async def test_factors_are_empty_at_first_and_replaced(store):
    await store.write(lambda tx: tx.customers.add(customer()))
    assert await store.read(lambda tx: tx.factors.lock("cus_a")) == Factors(customer_id="cus_a")
    for factors in (
        Factors(customer_id="cus_a", password_hash="$argon2id$…", totp_pending=b"p"),
        Factors(customer_id="cus_a", totp_secret=b"s", totp_step=7, recovery_digests=(b"1", b"2"), failures=2),
        Factors(customer_id="cus_a", failures=1, failed_at=NOW, locked_until=NOW + 5),
        Factors(customer_id="cus_a", totp_failures=2, totp_failed_at=NOW + 1, totp_locked_until=NOW + 6),
    ):
        await store.write(lambda tx, it=factors: tx.factors.save(it))
        assert await store.read(lambda tx: tx.factors.lock("cus_a")) == factors


async def test_factors_with_secrets_come_in_pages(store):
    kept = [
        Factors(customer_id="cus_a", totp_secret=b"s"),
        Factors(customer_id="cus_c", totp_pending=b"p"),
        Factors(customer_id="cus_d", totp_secret=b"s", totp_pending=b"p", recovery_digests=(b"1",)),
    ]
    for factors in (*kept, Factors(customer_id="cus_b", password_hash="$argon2id$…")):
        one = replace(customer(), id=factors.customer_id, mobile=f"+861391234567{factors.customer_id[-1]}")
        await store.write(lambda tx, it=one: tx.customers.add(it))
        await store.write(lambda tx, it=factors: tx.factors.save(it))
    assert await store.read(lambda tx: tx.factors.with_secrets("", 2)) == kept[:2]
    assert await store.read(lambda tx: tx.factors.with_secrets("cus_c", 2)) == kept[2:]
    assert await store.read(lambda tx: tx.factors.with_secrets("cus_d", 2)) == []
