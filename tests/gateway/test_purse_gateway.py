"""Purses through a gateway: top-ups, idle leases, clamping, and a balance spent to its end by many at once."""

import asyncio
import json
import random

import pytest
from tests.support.chat import ScriptedUpstream, either, plain, post, user
from tests.support.gateway import (
    KEY,
    LIMITS,
    OFFER_ID,
    PRICE,
    FakeBank,
    FakeDirectory,
    FakeNode,
    GatewayServer,
    api_key,
    channel,
)
from tests.support.load import wait_until
from tests.support.sandbox import price_of

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.identity import KeyLimits
from yuanjing.domain.pricing import ChatTier, ceiling_nanos
from yuanjing.gateway.lease_source import Refill
from yuanjing.gateway.options import GatewayOptions
from yuanjing.gateway.request import ChatRequest
from yuanjing.ports.store import Topic


@pytest.fixture
def upstream():
    with ScriptedUpstream(either) as upstream:
        yield upstream


def test_a_topup_is_heard_at_once(upstream):
    bank, node = FakeBank(balance={"cus_1": 0}), FakeNode()
    options = GatewayOptions(tick_seconds=0.02, signal_poll_seconds=0.01, refuse_seconds=30.0)
    with GatewayServer(FakeDirectory([channel(upstream.url)]), bank=bank, node=node, options=options) as server:
        for _ in range(5):
            assert post(server, "openai", user("x")).status == 429
        assert bank.calls <= 3
        calls = bank.calls
        bank.balance["cus_1"] = 10**9
        assert post(server, "openai", user("x")).status == 429
        assert bank.calls == calls
        node.pending.append((Topic.FUNDS, "test:cus_1"))
        for _ in range(100):
            if post(server, "openai", user("x")).status == 200:
                break
        assert post(server, "openai", user("x")).status == 200


def test_a_busy_customer_is_given_more_ahead_of_need_without_a_recall(upstream):
    bank = FakeBank()
    with GatewayServer(FakeDirectory([channel(upstream.url)]), bank=bank) as server:
        for _ in range(200):
            assert post(server, "openai", user("x", max_tokens=8)).status == 200
            if bank.renewals:
                break
        assert bank.renewals


def test_idle_leases_return(upstream):
    bank = FakeBank()
    options = GatewayOptions(tick_seconds=0.02, lease_idle_seconds=0.2)
    with GatewayServer(FakeDirectory([channel(upstream.url)]), bank=bank, options=options) as server:
        post(server, "openai", user("x"))
        (record,) = server.spool.records
        for _ in range(200):
            if not server.gateway.purses.count:
                break
            asyncio.run(asyncio.sleep(0.01))
        assert server.gateway.purses.count == 0
        assert bank.granted - bank.returned == record.charge_nanos
        assert post(server, "openai", user("x")).status == 200


def test_the_store_is_lost_and_comes_back(upstream):
    bank = FakeBank(is_down=True)
    with GatewayServer(FakeDirectory([channel(upstream.url)]), bank=bank) as server:
        for dialect in ("openai", "llmage"):
            reply = post(server, dialect, user("x"))
            assert reply.status == 503
            assert reply.headers["retry-after"] == "1"
            assert dialect == "llmage" or reply.error["code"] == "store_unavailable"
        assert not upstream.seen
        bank.is_down = False
        assert post(server, "openai", user("x")).status == 200
        charged = sum(r.charge_nanos for r in server.spool.records)
    assert bank.balance["cus_1"] == 100 * 10**9 - charged


@pytest.mark.parametrize("is_in_memory", [True, False])
def test_a_lowered_budget_counts_although_the_key_is_busy(upstream, is_in_memory):
    """What was leased under the old one goes back: at the signal, or when a key that was pushed out is read again."""

    class Budget(FakeBank):
        is_spent = False

        async def acquire(self, key, **asked):
            if not self.is_spent:
                return await super().acquire(key, **asked)
            return Refill(hold_id=None, granted_nanos=0, available_nanos=0, is_recalling=False, is_budget=True)

    bank, node = Budget(), FakeNode()
    directory = FakeDirectory([channel(upstream.url)], keys=[api_key(limits=KeyLimits(budget_nanos=10**9))])
    options = GatewayOptions(tick_seconds=0.02, signal_poll_seconds=0.01, lease_idle_seconds=60.0)
    with GatewayServer(directory, bank=bank, node=node, options=options) as server:
        assert post(server, "openai", user("x", max_tokens=500)).status == 200
        keys = server.gateway.directory.keys
        (purse,) = server.gateway.purses._purses.values()
        assert purse.free > 0
        directory.keys = [api_key(limits=KeyLimits(budget_nanos=1))]
        bank.is_spent = True
        if not is_in_memory:
            keys.forget_all()
        changes = keys.changes
        node.pending.append((Topic.KEY, "AbCd1234"))
        wait_until(lambda: keys.changes > changes, 5)
        assert post(server, "openai", user("x", max_tokens=8)).status == 429
        wait_until(lambda: bank.granted - bank.returned == server.spool.records[0].charge_nanos, 5)
        assert len(server.spool.records) == 1
        assert purse.is_recalled


@pytest.mark.parametrize("dialect", ["openai", "llmage"])
def test_a_spent_budget(upstream, dialect):
    class Budget(FakeBank):
        async def acquire(self, key, **_):
            assert key[2] == "key_AbCd1234"
            return Refill(hold_id=None, granted_nanos=0, available_nanos=0, is_recalling=False, is_budget=True)

    directory = FakeDirectory([channel(upstream.url)], keys=[api_key(limits=KeyLimits(budget_nanos=5))])
    with GatewayServer(directory, bank=Budget()) as server:
        reply = post(server, dialect, user("x"))
    assert reply.status == 429
    assert reply.headers["x-should-retry"] == "false"
    if dialect == "openai":
        assert (reply.error["code"], reply.error["type"]) == ("budget_exceeded", "insufficient_quota")
    else:
        assert reply.error == "API key budget exceeded"


@pytest.mark.parametrize("dialect", ["openai", "llmage"])
def test_a_budget_that_is_only_held(upstream, dialect):
    """What is not spent would do; who asks for more than that is told that the budget is the limit."""

    class Budget(FakeBank):
        async def acquire(self, key, **_):
            assert key[2] == "key_AbCd1234"
            return Refill(
                hold_id=None,
                granted_nanos=0,
                available_nanos=5,
                is_recalling=False,
                is_budget=True,
                budget_held_nanos=10**7,
            )

    directory = FakeDirectory([channel(upstream.url)], keys=[api_key(limits=KeyLimits(budget_nanos=10**9))])
    with GatewayServer(directory, bank=Budget()) as server:
        reply = post(server, dialect, user("x", max_tokens=100))
        more = post(server, dialect, user("x" * 10_000, max_tokens=100))
    assert (reply.status, reply.headers["retry-after"]) == (429, "1")
    assert "x-should-retry" not in reply.headers
    assert more.headers["x-should-retry"] == "false"
    if dialect == "openai":
        assert (reply.error["code"], reply.error["type"]) == ("budget_held", "rate_limit_error")
        assert "beside those that are running" in reply.error["message"]
    else:
        assert reply.error == "API key budget is held by what is running"


def test_a_free_offer(upstream):
    free = price_of(OFFER_ID, ChatTier(input_up_to=None, input_nanos=0, output_nanos=0))
    with GatewayServer(FakeDirectory([channel(upstream.url)], prices=[free])) as server:
        for _ in range(3):
            reply = post(server, "llmage", user("x"))
            assert reply.status == 200
            assert reply.json["usage"]["cost"] == "0.00"
        assert {r.charge_nanos for r in server.spool.records} == {0}
        assert {r.hold_id for r in server.spool.records} == {"hold_0"}


def test_the_answer_is_clamped_to_what_is_left(upstream):
    """120 tokens in at most (3200 nano-yuan each) leave so many of 12800 each."""
    body = json.dumps(user("x", max_tokens=500)).encode()
    input_max = ChatRequest(Dialect.OPENAI, body).input_tokens_max(LIMITS)
    for left, clamp in ((100, 100), (16, 16), (15, None)):
        balance = ceiling_nanos(PRICE, input_max, left) + 12_799
        bank = FakeBank(balance={"cus_1": balance})
        upstream.seen.clear()
        with GatewayServer(FakeDirectory([channel(upstream.url)]), bank=bank) as server:
            reply = post(server, "openai", body)
            if clamp is None:
                assert reply.status == 429
                assert not upstream.seen
                continue
            assert reply.status == 200
            assert reply.headers["x-yuanjing-max-tokens-clamped"] == str(clamp)
            assert upstream.seen[0].json["max_tokens"] == clamp
            (record,) = server.spool.records
            assert record.ceiling_nanos == ceiling_nanos(PRICE, input_max, clamp) <= balance


def test_what_fits_is_not_clamped(upstream):
    with GatewayServer(FakeDirectory([channel(upstream.url)])) as server:
        reply = post(server, "openai", user("x"))
    assert "x-yuanjing-max-tokens-clamped" not in reply.headers
    assert "max_tokens" not in upstream.seen[0].json


CLIENTS = 200
BALANCE = 150_000_000


async def test_two_hundred_clients_spend_a_small_balance_to_the_end():
    choose = random.Random(7)  # noqa: S311  # a repeatable choice, no secret

    def answer(seen):
        tokens = min(choose.randint(1, 80), seen.json.get("max_tokens", 10**6))
        usage = {"prompt_tokens": 20, "completion_tokens": tokens}
        return plain({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": usage,
                      "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}}]})  # fmt: skip

    bank = FakeBank(balance={"cus_1": BALANCE}, delay_seconds=0.002)
    with (
        ScriptedUpstream(answer, delay_seconds=0.005) as upstream,
        GatewayServer(FakeDirectory([channel(upstream.url)]), bank=bank) as server,
    ):
        clamps = []
        async with asyncio.TaskGroup() as group:
            for i in range(CLIENTS):
                group.create_task(_spend(server.port, i, clamps))
        purses = server.gateway.purses
        records = server.spool.records
        charged = sum(r.charge_nanos for r in records)
        left = bank.balance["cus_1"] + purses.leased_nanos
        assert not any(p.reserved or p.waiters for p in purses._purses.values())
        assert left + charged == BALANCE
        assert bank.balance["cus_1"] >= 0
        floor = ceiling_nanos(PRICE, _input_max(), GatewayOptions().clamp_output_tokens_min)
        assert 0 <= left < floor
        assert len(records) > CLIENTS / 2
        assert clamps
        sent = sorted(s.json["max_tokens"] for s in upstream.seen if s.json.get("max_tokens") not in {None, 100})
        assert sent == sorted(clamps)
        assert server.loop_errors == []
    assert bank.balance["cus_1"] == BALANCE - charged


def _body(i):
    return json.dumps(user("x") | ({"max_tokens": 100} if i % 2 else {"max_tokenz": 100})).encode()


def _input_max():
    return ChatRequest(Dialect.OPENAI, _body(0)).input_tokens_max(LIMITS)


async def _spend(port, i, clamps):
    """Ask until refused; each refusal is the printed one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = _body(i)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {len(body)}"
    )
    while True:
        writer.write(head.encode() + b"\r\n\r\n" + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(answer.partition("content-length: ")[2].partition("\r\n")[0])
        text = await reader.readexactly(length)
        if " 200 " not in answer[:20]:
            break
        if "clamped: " in answer:
            clamps.append(int(answer.partition("clamped: ")[2].partition("\r\n")[0]))
    assert answer.startswith("http/1.1 429"), text
    assert json.loads(text)["error"]["code"] == "insufficient_quota"
    writer.close()
    await writer.wait_closed()
