"""The commands about signing in, over a real SQLite database."""

import asyncio
from dataclasses import replace

import pytest

from yuanjing.bootstrap.services import open_services
from yuanjing.domain.signin import Session
from yuanjing.settings import Settings

DAY = 86_400.0


@pytest.fixture
def customer(yuanjing):
    return yuanjing("customer", "create", "--mobile", "13800138000", "--json").document["customer"]


def session_of(customer_id, id_, now):
    return Session(
        id=id_,
        customer_id=customer_id,
        digest=id_.encode(),
        address="192.0.2.1",
        agent="A browser [red]1[/red]",
        created_at=now,
        seen_at=now,
        idle_seconds=DAY,
        ends_at=now + DAY,
        confirmed_at=now,
    )


def prepare(customer_id, *, is_locked=False, sessions=()):
    """What a customer leaves behind who has signed in, or failed to."""

    async def work():
        async with open_services(Settings.load()) as services:
            now = services.clock.unix()

            def fill(tx):
                for id_ in sessions:
                    tx.sessions.add(session_of(customer_id, id_, now))
                if is_locked:
                    factors = tx.factors.lock(customer_id)
                    tx.factors.save(replace(factors, locked_until=now + DAY, totp_secret=b"s"))

            await services.store.write(fill)

    asyncio.run(work())


def test_a_lock_is_taken_off(yuanjing, customer):
    prepare(customer["id"], is_locked=True)
    done = yuanjing("customer", "unlock", "13800138000", "--json").document
    assert done == {
        "customer": customer,
        "was_locked": True,
        "authenticator_removed": False,
        "ended_sessions": 0,
    }
    assert yuanjing("customer", "unlock", customer["id"]).out == "+8613800138000: was not locked\n"


def test_an_authenticator_is_taken_away_with_all_sessions(yuanjing, customer):
    prepare(customer["id"], is_locked=True, sessions=("ses_1", "ses_2"))
    text = yuanjing("customer", "unlock", customer["id"], "--remove-authenticator").out
    assert text == "+8613800138000: unlocked; authenticator removed; 2 sessions ended\n"
    text = yuanjing("customer", "unlock", customer["id"], "--remove-authenticator").out
    assert text == "+8613800138000: was not locked; had no authenticator; 0 sessions ended\n"


def test_a_customer_is_kept_out_and_let_in(yuanjing, customer):
    prepare(customer["id"], sessions=("ses_1",))
    done = yuanjing("customer", "disable", customer["id"], "--json").document
    assert done["ended_sessions"] == 1
    assert done["customer"]["disabled_at"].endswith("Z")
    assert yuanjing("customer", "show", customer["id"], "--json").document["customer"] == done["customer"]
    assert "disabled since" in yuanjing("customer", "disable", customer["id"]).out
    assert yuanjing("customer", "enable", customer["id"], "--json").document == {"customer": customer}
    assert yuanjing("customer", "enable", customer["id"]).out == "+8613800138000: enabled\n"


def test_sessions_are_listed_and_ended(yuanjing, customer):
    assert yuanjing("customer", "sessions", customer["id"]).out == "no sessions\n"
    prepare(customer["id"], sessions=("ses_1", "ses_2", "ses_3"))
    found = yuanjing("customer", "sessions", customer["id"], "--json").document["sessions"]
    assert {one["id"] for one in found} == {"ses_1", "ses_2", "ses_3"}
    assert set(found[0]) == {"id", "address", "agent", "created_at", "seen_at", "ends_at"}
    assert "A browser [red]1[/red]" in yuanjing("customer", "sessions", customer["id"]).out
    done = yuanjing("customer", "end-sessions", customer["id"], "--session", "ses_2", "--json")
    assert done.document == {"ended_sessions": 1}
    refused = yuanjing("customer", "end-sessions", customer["id"], "--session", "ses_2", "--json")
    assert (refused.code, refused.error["code"], refused.error["param"]) == (3, "not_found", "session")
    assert yuanjing("customer", "end-sessions", customer["id"]).out == "2 sessions ended\n"


@pytest.mark.parametrize("command", ["unlock", "disable", "enable", "sessions", "end-sessions"])
@pytest.mark.usefixtures("customer")
def test_nobody_of_that_name(yuanjing, command):
    for name in ("13900139000", "cus_x", "x"):
        refused = yuanjing("customer", command, name, "--json")
        assert (refused.code, refused.error["code"]) == (3, "not_found")
