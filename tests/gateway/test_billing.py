"""What is charged: the price's arithmetic, tiers, cached input, overrun; and that no ceiling is ever passed."""

import asyncio
import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.chat import ScriptedUpstream, plain, post, stream, user
from tests.support.gateway import LIMITS, MODEL, OFFER_ID, FakeDirectory, GatewayServer, channel, offer
from tests.support.sandbox import Sandbox, flavour_directory, price_of, shipped_providers

from yuanjing.domain.catalog import ChatLimits, OnDisconnect
from yuanjing.domain.dialects import Dialect
from yuanjing.domain.money import NANOS_PER_YUAN, parse_amount
from yuanjing.domain.pricing import ChatPrice, ChatTier, ceiling_nanos, charge_nanos, explain, tier_for
from yuanjing.domain.usage import OVERRUN_NANOS_MAX, ChatUsage, Meter, UsageStatus
from yuanjing.gateway.request import ChatRequest
from yuanjing.gateway.translate.wire import normal_usage

DIALECTS = ("openai", "llmage")
MODES = ("stream", "plain")


def yuan(text: str) -> int:
    return int(Fraction(text) * NANOS_PER_YUAN)


# qwen3-max as listed: the tier is chosen by the input size of the request
TIERS = (
    ChatTier(
        input_up_to=32_000,
        input_nanos=yuan("2.5"),
        output_nanos=yuan("10"),
        cache_read_nanos=yuan("0.5"),
        cache_write_nanos=yuan("3.125"),
    ),
    ChatTier(
        input_up_to=128_000,
        input_nanos=yuan("4"),
        output_nanos=yuan("16"),
        cache_read_nanos=yuan("0.8"),
        cache_write_nanos=yuan("5"),
    ),
    ChatTier(input_up_to=None, input_nanos=yuan("7"), output_nanos=yuan("28")),
)
PRICE = price_of(OFFER_ID, *TIERS)


@pytest.fixture(scope="module")
def upstream():
    with ScriptedUpstream(b"") as upstream:
        yield upstream


@pytest.fixture(scope="module")
def server(upstream):
    with GatewayServer(FakeDirectory([channel(upstream.url)], prices=[PRICE])) as server:
        yield server
        assert server.loop_errors == []


def answer(usage, mode, text="x"):
    head = {"id": "c", "created": 1, "model": MODEL}
    if mode == "plain":
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return plain(head | {"object": "chat.completion", "choices": [choice], "usage": usage})
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": "stop"}
    chunk = head | {"object": "chat.completion.chunk"}
    return stream(chunk | {"choices": [choice]}, chunk | {"choices": [], "usage": usage}, b"[DONE]")


def tokens(prompt, completion, cached=0, written=0, **fields):
    details = {"cached_tokens": cached, "cache_creation_input_tokens": written}
    return {"prompt_tokens": prompt, "completion_tokens": completion, "prompt_tokens_details": details} | fields


def by_hand(prompt, completion, cached, written) -> int:
    """The charge in nano-yuan by the printed list, rounded up once."""
    rates = (
        ("2.5", "10", "0.5", "3.125")
        if prompt <= 32_000
        else ("4", "16", "0.8", "5")
        if prompt <= 128_000
        else ("7", "28", "7", "7")
    )
    counts = (prompt - cached - written, completion, cached, written)
    total = sum(Fraction(rate) * count for rate, count in zip(rates, counts, strict=True)) * 1000
    return -(-total.numerator // total.denominator)


COUNTS = [
    (1, 1, 0, 0),
    (0, 0, 0, 0),
    (31_999, 100, 0, 0),
    (32_000, 100, 0, 0),
    (32_001, 100, 0, 0),
    (128_000, 7, 5, 0),
    (128_001, 7, 5, 0),
    (1_000, 50, 640, 0),
    (1_000, 50, 1_000, 0),
    (1_000, 50, 200, 300),
    (3, 1, 0, 3),
]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("counts", COUNTS, ids=str)
def test_the_cost_is_the_price(server, upstream, dialect, mode, counts):
    upstream.answer = answer(tokens(*counts), mode)
    before = len(server.spool.records)
    text = "x" * max(1, counts[0])  # so that the ceiling covers it
    asked = user(text, stream=mode == "stream", stream_options={"include_usage": True} if mode == "stream" else None)
    reply = post(server, dialect, asked)
    (record,) = server.spool.records[before:]
    expected = by_hand(*counts)
    assert record.charge_nanos == expected
    assert parse_amount(reply.usage["cost"]) == expected
    assert reply.usage["currency"] == "CNY"
    assert record.overrun_nanos == 0
    assert record.price_id == PRICE.id
    assert record.id == reply.headers["x-yuanjing-usage-id"]
    names = (Meter.INPUT_TOKENS, Meter.OUTPUT_TOKENS, Meter.CACHE_READ_TOKENS, Meter.CACHE_WRITE_TOKENS)
    assert tuple(record.meters[name] for name in names) == counts
    if dialect == "llmage":
        shown = (reply.chunks if mode == "stream" else [reply.json])[-1]
        assert shown["llmusageid"] == record.id


def test_the_vocabulary_s_example():
    """31 in and 60 out at 3.2 and 12.8 CNY a million are 0.0008672 CNY."""
    price = price_of(OFFER_ID, ChatTier(input_up_to=None, input_nanos=yuan("3.2"), output_nanos=yuan("12.8")))
    assert charge_nanos(price, ChatUsage(input_tokens=31, output_tokens=60)) == 867_200


@pytest.mark.parametrize("mode", MODES)
def test_the_overrun_is_what_is_above_the_ceiling(server, upstream, mode):
    upstream.answer = answer(tokens(30_000, 9_000), mode)
    before = len(server.spool.records)
    reply = post(server, "llmage", user("x", max_tokens=10, stream=mode == "stream"))
    (record,) = server.spool.records[before:]
    assert record.charge_nanos == record.ceiling_nanos
    assert record.charge_nanos + record.overrun_nanos == by_hand(30_000, 9_000, 0, 0)
    assert parse_amount(reply.usage["cost"]) == record.charge_nanos
    assert not record.is_estimated


def test_an_enormous_overrun_is_cut(upstream):
    dear = price_of(OFFER_ID, ChatTier(input_up_to=None, input_nanos=10**15, output_nanos=10**15))
    upstream.answer = answer(tokens(1_000_000, 48_000), "plain")
    limits = ChatLimits(context_tokens=262_144, output_tokens_max=1)
    directory = FakeDirectory([channel(upstream.url)], prices=[dear], offers=[offer(chat=limits)])
    with GatewayServer(directory) as server:
        server.bank.balance["cus_1"] = 10**18
        assert post(server, "openai", user("x")).status == 200
        (record,) = server.spool.records
    assert record.overrun_nanos == OVERRUN_NANOS_MAX
    assert record.charge_nanos == record.ceiling_nanos


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_estimate_is_never_above_the_ceiling(server, upstream, dialect, mode):
    upstream.answer = answer(None, mode, "长" * 5_000)
    before = len(server.spool.records)
    reply = post(server, dialect, user("x", max_tokens=10, stream=mode == "stream"))
    (record,) = server.spool.records[before:]
    assert record.is_estimated
    assert record.charge_nanos == by_hand(1, 10, 0, 0) <= record.ceiling_nanos
    assert record.overrun_nanos == 0
    assert record.meters[Meter.OUTPUT_TOKENS] == 10
    if mode == "plain" or dialect == "llmage":
        assert reply.usage["estimated"] is True
        assert parse_amount(reply.usage["cost"]) == record.charge_nanos


def test_both_dialects_count_alike(server, upstream):
    """Our own count of the same answer: text, reasoning and tool calls."""
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": MODEL}
    call = {"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    deltas = [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "想一想"},
        {"content": "答案 and more"},
        {"content": None, "reasoning_content": None},
        {"tool_calls": [call]},
        {"refusal": "no"},
    ]
    events = [head | {"choices": [{"index": 0, "delta": d, "finish_reason": None}]} for d in deltas]
    last = head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    upstream.answer = stream(*events, last, b"[DONE]")
    before = len(server.spool.records)
    for dialect in DIALECTS:
        post(server, dialect, user("x", stream=True))
    one, two = server.spool.records[before:]
    assert one.meters == two.meters
    size = len("想一想答案 and moreno".encode()) + len(json.dumps([call]))
    assert one.meters[Meter.OUTPUT_TOKENS] == -(-size // LIMITS.bytes_per_token)


# ceilings

texts = st.text(max_size=60)
parts = st.one_of(
    st.builds(lambda t: {"type": "text", "text": t}, texts),
    st.sampled_from(
        [
            {"type": "image_url", "image_url": {"url": "https://e.test/" + "p" * 40}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 400}},
        ]
    ),
)
messages = st.lists(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["user", "assistant", "system"]),
        st.one_of(texts, st.lists(parts, max_size=4), st.none()),
    ),
    min_size=1,
    max_size=6,
)


@st.composite
def prices(draw):
    bounds = sorted(draw(st.sets(st.integers(1, 400), max_size=3)))
    rate = st.integers(0, 10**13)
    tiers = [
        ChatTier(
            input_up_to=bound,
            input_nanos=draw(rate),
            output_nanos=draw(rate),
            cache_read_nanos=draw(st.none() | rate),
            cache_write_nanos=draw(st.none() | rate),
        )
        for bound in [*bounds, None]
    ]
    return price_of(OFFER_ID, *tiers)


@given(data=st.data(), price=prices(), given_messages=messages, n=st.integers(1, 8))
def test_no_honest_charge_is_above_the_ceiling(data, price: ChatPrice, given_messages, n):
    """Honest: not more input tokens than bytes (and the template's and the images'), not more output than the limit."""
    limits = ChatLimits(
        context_tokens=100_000, output_tokens_max=500, reasoning_tokens_max=data.draw(st.integers(0, 9))
    )
    fields = {"n": n} | data.draw(st.sampled_from([{}, {"max_tokens": 7}, {"max_completion_tokens": 900}]))
    ascii_only = data.draw(st.booleans())
    body = json.dumps({"model": MODEL, "messages": given_messages} | fields, ensure_ascii=ascii_only).encode()
    request = ChatRequest(Dialect.OPENAI, body)
    size = images = 0
    for message in given_messages:
        content = message["content"] or ""
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            size += len(part.get("text", "").encode())
            images += part["type"] == "image_url"
    honest = (
        size
        + limits.template_tokens_per_request
        + limits.template_tokens_per_message * len(given_messages)
        + limits.image_tokens_max * images
    )
    input_max = request.input_tokens_max(limits)
    assert input_max >= min(honest, limits.context_tokens)
    prompt = data.draw(st.integers(0, min(honest, limits.context_tokens)))
    asked = min(fields.get("max_tokens", fields.get("max_completion_tokens", 500)), 500) + limits.reasoning_tokens_max
    usage = normal_usage(
        json.dumps(
            tokens(
                prompt,
                data.draw(st.integers(0, n * asked)),
                data.draw(st.integers(0, prompt)),
                data.draw(st.integers(0, prompt)),
            )
        ).encode(),
        10**9,
    )
    assert usage is not None
    charge = charge_nanos(price, usage)
    assert charge == explain(price, usage).total_nanos
    assert charge <= ceiling_nanos(price, input_max, n * request.output_tokens_max(limits))
    tier = tier_for(price, usage.input_tokens)
    exact = Fraction(
        (usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens) * tier.input_nanos
        + usage.cache_read_tokens * tier.cache_read
        + usage.cache_write_tokens * tier.cache_write
        + usage.output_tokens * tier.output_nanos,
        10**6,
    )
    assert 0 <= charge - exact < 1


@given(
    st.dictionaries(
        st.sampled_from(["prompt_tokens", "completion_tokens", "cached_tokens", "prompt_cache_hit_tokens"]),
        st.integers(-5, 10**20) | st.none() | st.text(max_size=3) | st.floats(allow_nan=False, allow_infinity=False),
    ),
    st.none() | st.dictionaries(st.sampled_from(["cached_tokens", "cache_write_tokens"]), st.integers(-5, 10**20)),
)
def test_any_usage_is_normal_or_not_believed(usage, details):
    normal = normal_usage(json.dumps(usage | {"prompt_tokens_details": details}).encode(), 1_000_000)
    if normal is not None:
        assert normal.input_tokens <= 1_000_000
        assert normal.output_tokens <= 1_000_000


# images, growth and the sandbox's own count


@pytest.fixture(scope="module")
def box():
    with Sandbox() as box:
        yield box


@pytest.mark.parametrize("flavour", ["dashscope", "ark", "openai"])
def test_real_requests_stay_below_their_ceiling(box, flavour):
    contents = [
        "你好" * 300,
        "😀" * 50,
        [{"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 8_000}}],
        [{"type": "image_url", "image_url": {"url": "https://e.test/a.png"}}] * 5,
    ]
    with GatewayServer(flavour_directory(box)) as server:
        for content in contents:
            messages = [{"role": "user", "content": content}, {"role": "user", "content": "sandbox:tokens=30"}]
            reply = post(server, "openai", {"model": f"m-{flavour}", "messages": messages, "max_tokens": 30})
            assert reply.status == 200
        for record in server.spool.records:
            assert 0 < record.charge_nanos < record.ceiling_nanos
            assert record.overrun_nanos == 0
        inlined, linked = server.spool.records[2:4]
        assert linked.ceiling_nanos - inlined.ceiling_nanos > 3 * LIMITS.image_tokens_max * 3_200


def test_what_grows_is_bound_by_the_context(upstream):
    upstream.answer = answer(tokens(200_000, 1), "plain")
    with GatewayServer(FakeDirectory([channel(upstream.url)], prices=[PRICE])) as server:
        reply = post(server, "openai", user("x", enable_search=True))
        assert reply.status == 200
        (record,) = server.spool.records
    assert record.overrun_nanos == 0
    assert record.charge_nanos == by_hand(200_000, 1, 0, 0)


# who leaves


def test_a_client_that_leaves_pays_what_the_provider_s_row_says():
    """`drain` reads on for the exact usage; `cancel` charges our count of what came."""
    rows = shipped_providers()
    assert rows["dashscope"].on_disconnect is OnDisconnect.DRAIN
    with Sandbox(options=_paced()) as slow:
        for how in OnDisconnect:
            with GatewayServer(flavour_directory(slow, on_disconnect=how)) as server:
                asyncio.run(_leave(server.port))
                for _ in range(300):
                    if server.spool.records:
                        break
                    asyncio.run(asyncio.sleep(0.01))
                (record,) = server.spool.records
                assert record.status is UsageStatus.CLIENT_GONE
                assert record.is_estimated == (how is OnDisconnect.CANCEL)
                if how is OnDisconnect.DRAIN:
                    assert record.meters[Meter.OUTPUT_TOKENS] == 40
                else:
                    assert 0 < record.meters[Meter.OUTPUT_TOKENS] < 60
                assert 0 < record.charge_nanos <= record.ceiling_nanos


def _paced():
    from yuanjing.sandbox.options import SandboxOptions  # noqa: PLC0415  # only this test is paced

    return SandboxOptions(first_token_seconds=0.01, chunks_per_second=40.0)


async def _leave(port):
    from tests.support.gateway import KEY  # noqa: PLC0415  # only this test needs it

    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps(user("hi sandbox:tokens=40", model="m-dashscope", stream=True)).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer {KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    for _ in range(5):
        await reader.readuntil(b"\n\n")
    writer.transport.abort()
