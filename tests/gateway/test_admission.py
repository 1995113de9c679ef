"""Who may ask: keys, addresses, models, limits; and what the refused are told."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from tests.support.chat import ScriptedUpstream, either, post, user
from tests.support.gateway import (
    KEY,
    LIMITS,
    LONG_AGO,
    OFFER_ID,
    OTHER_KEY,
    FakeDirectory,
    FakeNode,
    GatewayServer,
    api_key,
    channel,
    offer,
)
from tests.support.sandbox import offer_id, price_of

from yuanjing.domain.catalog import Operation
from yuanjing.domain.identity import KeyLimits, format_key
from yuanjing.domain.money import Book
from yuanjing.gateway.admission import presented_key

DIALECTS = ("openai", "llmage")
LIVE_KEY = format_key(Book.LIVE, "LiveKey1", "0123456789abcdefghijABCDEFGHIJ03")


@pytest.fixture(scope="module")
def upstream():
    with ScriptedUpstream(either) as upstream:
        yield upstream


@pytest.fixture
def serve(upstream):
    """A gateway with these keys; the first is `KEY`'s."""
    running = []

    def start(*keys, **options):
        directory = FakeDirectory([channel(upstream.url)], keys=list(keys))
        directory.offers.append(offer(id=offer_id("other"), model="other-model", aliases=()))
        directory.prices.append(price_of(offer_id("other")))
        running.append(GatewayServer(directory, **options).__enter__())
        return running[-1]

    yield start
    for server in running:
        server.stop()
        assert server.loop_errors == []


def refused(reply, status, code, text):
    assert reply.status == status, reply.body
    if isinstance(reply.error, dict):
        assert reply.error["code"] == code
        assert reply.error["message"]
    else:
        assert reply.error == text


# keys


@pytest.mark.parametrize(
    ("header", "is_found"),
    [
        (f"Bearer {KEY}", True),
        (f"bearer {KEY}", True),
        (f"BEARER  {KEY} ", True),
        (f"Bearer <{KEY}", True),
        (f"Bearer <{KEY}>", True),
        (f"Bearer {KEY}>", True),
        (KEY, False),
        (f"Basic {KEY}", False),
        (f"Bearer{KEY}", False),
        ("Bearer ", False),
        ("Bearer <your-apikey>", False),
        ("", False),
        (f"Bearer {KEY[:-1]}", False),
        (f"Bearer {KEY[:-1]}x", False),
        (f"Bearer {KEY}{KEY}", False),
        (f"Bearer {KEY.lower()}", False),
        (f"Bearer {'k' * len(KEY)}", False),
        (f"Bearer \xff{KEY[1:]}", False),
        (f"Bearer {KEY[:20]} {KEY[20:]}", False),
    ],
    ids=str,
)
def test_the_presented_key(header, is_found):
    assert presented_key(header.encode("latin-1")) == (KEY if is_found else None)


def test_no_header_is_no_key():
    assert presented_key(None) is None


@pytest.mark.parametrize("dialect", DIALECTS)
def test_keys_that_do_not_open(serve, upstream, dialect):
    server = serve(
        api_key(expires_at=time.time() - 1),  # noqa: TID251  # a key that has just expired
        api_key(OTHER_KEY, revoked_at=5.0),
    )
    upstream.seen.clear()
    wrong_secret = format_key(Book.TEST, "AbCd1234", "x" * 32)
    unknown = format_key(Book.TEST, "Unknown1", "x" * 32)
    for key in (KEY, OTHER_KEY, wrong_secret, unknown, KEY[:-1] + "!", "sk-openai", None):
        for _ in range(2):
            refused(post(server, dialect, user("x"), key=key), 401, "invalid_api_key", "Invalid API Key")
    assert not upstream.seen
    assert server.bank.calls == 0


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("is_cached", [False, True])
def test_the_secret_of_a_key_that_is_good_counts(serve, upstream, dialect, is_cached):
    server = serve(api_key())
    if is_cached:
        assert post(server, dialect, user("x")).status == 200
    upstream.seen.clear()
    wrong_secret = format_key(Book.TEST, KEY.split("_")[2][:8], "x" * 32)
    assert wrong_secret[:16] == KEY[:16]
    for _ in range(2):
        refused(post(server, dialect, user("x"), key=wrong_secret), 401, "invalid_api_key", "Invalid API Key")
    assert not upstream.seen
    assert post(server, dialect, user("x")).status == 200


def test_all_choices_that_may_be_made_are_set_aside(serve):
    server = serve(api_key())
    for n in (1, 2):
        assert post(server, "openai", user("x" * 8, n=n, max_tokens=10, temperature=0.5)).status == 200
    one, two = server.spool.records[-2:]
    assert two.ceiling_nanos - one.ceiling_nanos == 10 * 12_800


def test_a_wrong_key_is_looked_up_once(serve):
    server = serve(api_key())
    unknown = format_key(Book.TEST, "Unknown1", "x" * 32)
    for _ in range(5):
        assert post(server, "openai", user("x"), key=unknown).status == 401
    assert server.directory.lookups == 1


def test_a_refused_key_costs_as_much_whatever_is_wrong_with_it(serve):
    """Else whoever asks again after a moment finds out which keys were good once."""
    third, fourth = (format_key(Book.TEST, name, "y" * 32) for name in ("Expired1", "GoodOne1"))
    expired = api_key(third, expires_at=time.time() - 1)  # noqa: TID251  # a key that has just expired
    server = serve(api_key(OTHER_KEY, revoked_at=5.0), expired, api_key(fourth))
    wrong, unknown = (format_key(Book.TEST, name, "x" * 32) for name in ("GoodOne1", "Unknown1"))
    found = []
    for key in (OTHER_KEY, third, wrong, unknown):
        before = server.directory.lookups
        for pause in (0, 0, server.options.refuse_seconds + 0.05, 0):
            time.sleep(pause)
            assert post(server, "openai", user("x"), key=key).status == 401
        found.append(server.directory.lookups - before)
    assert found == [2, 2, 2, 2]


def test_a_key_is_looked_up_once(serve):
    server = serve(api_key())
    for _ in range(5):
        assert post(server, "openai", user("x"), key=f"<{KEY}").status == 200
    assert server.directory.lookups == 1


def test_a_key_that_expires_while_it_is_in_memory(serve):
    server = serve(api_key(expires_at=time.time() + 0.5))  # noqa: TID251  # keys expire by the wall clock
    assert post(server, "openai", user("x")).status == 200
    time.sleep(0.6)
    assert post(server, "openai", user("x")).status == 401
    assert server.directory.lookups == 1


def test_a_live_key_is_never_served_by_the_sandbox(serve, upstream):
    server = serve(api_key(LIVE_KEY, book=Book.LIVE))
    upstream.seen.clear()
    reply = post(server, "openai", user("x"), key=LIVE_KEY)
    refused(reply, 503, "provider_unavailable", "")
    assert not upstream.seen
    assert server.bank.calls == 0


def test_the_store_cannot_be_reached(serve):
    server = serve(api_key())
    server.directory.is_down = True
    for dialect in DIALECTS:
        reply = post(server, dialect, user("x"))
        refused(reply, 503, "store_unavailable", "Temporarily unavailable")
        assert reply.headers["retry-after"] == "1"
    server.directory.is_down = False
    assert post(server, "openai", user("x")).status == 200


# models


@pytest.mark.parametrize("models", [("qwen3-max",), (OFFER_ID,), ("qwen3-max", "third")])
def test_the_models_of_a_key(serve, models):
    server = serve(api_key(limits=KeyLimits(models=models)))
    for name in ("qwen3-max", OFFER_ID, "qwen-max"):
        assert post(server, "openai", user("x", model=name)).status == 200
    for dialect in DIALECTS:
        reply = post(server, dialect, user("x", model="other-model"))
        refused(reply, 403, "model_not_allowed", "This API key may not use the model 'other-model'")


# addresses

ALLOWED = KeyLimits(networks=("203.0.113.0/24", "2001:db8::/32"))
PROXIES = ("127.0.0.0/8", "10.0.0.0/8")
ADDRESSES = [
    (("203.0.113.9",), True),
    (("::ffff:203.0.113.9",), True),
    (("2001:db8::5",), True),
    (("203.0.114.9",), False),
    (("::ffff:203.0.114.9",), False),
    (("198.51.100.1, 203.0.113.9",), True),
    (("203.0.113.9, 198.51.100.1",), False),
    (("203.0.113.9, 10.1.2.3",), True),
    (("203.0.113.9, ::ffff:10.1.2.3",), True),
    (("203.0.113.9, 10.1.2.3, 10.0.0.9",), True),
    (("198.51.100.1, 203.0.113.9, 10.1.2.3",), True),
    (("203.0.113.9, 198.51.100.1, 10.1.2.3",), False),
    (("203.0.113.9", "198.51.100.1"), False),
    (("198.51.100.1", "203.0.113.9"), True),
    (("203.0.113.9", "10.1.2.3"), True),
    (("203.0.113.9, garbage",), False),
    (("garbage",), False),
    (("",), False),
    (("203.0.113.9:1234",), False),
    (("203.0.113.9,",), False),
    (("203.0.113.9" + ", 10.0.0.1" * 2000,), True),
    ((), False),
]


@pytest.mark.parametrize(("forwarded", "is_allowed"), ADDRESSES, ids=range(len(ADDRESSES)))
def test_the_address_behind_trusted_proxies(by_proxy, forwarded, is_allowed):
    reply = send_with(by_proxy, forwarded)
    assert reply == (200 if is_allowed else 403)


@pytest.fixture(scope="module")
def by_proxy(upstream):
    directory = FakeDirectory([channel(upstream.url)], keys=[api_key(limits=ALLOWED)])
    with GatewayServer(directory, trusted_proxies=PROXIES) as server:
        yield server
        assert server.loop_errors == []


def send_with(server, forwarded):
    """One request with as many X-Forwarded-For headers; the status."""
    import http.client  # noqa: PLC0415  # equal header names need the lower interface
    import json  # noqa: PLC0415  # only this test needs it

    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.putrequest("POST", "/v1/chat/completions")
    body = json.dumps(user("x")).encode()
    headers = [("content-length", str(len(body))), ("authorization", f"Bearer {KEY}")]
    for name, value in [*headers, *(("X-Forwarded-For", text) for text in forwarded)]:
        connection.putheader(name, value)
    connection.endheaders(body)
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize("proxies", [(), ("10.0.0.0/8",), ("127.0.0.2",)])
def test_an_untrusted_peer_cannot_spoof(serve, proxies):
    server = serve(api_key(limits=ALLOWED), trusted_proxies=proxies)
    for dialect in DIALECTS:
        reply = post(server, dialect, user("x"), headers={"x-forwarded-for": "203.0.113.9"})
        text = "This API key may not be used from this address; see its IP allow-list"
        refused(reply, 403, "ip_not_allowed", text)


def test_the_peer_itself(serve):
    server = serve(api_key(limits=KeyLimits(networks=("127.0.0.1",))))
    assert post(server, "openai", user("x")).status == 200
    assert post(server, "openai", user("x"), headers={"x-forwarded-for": "203.0.113.9"}).status == 200


# limits


@pytest.mark.parametrize("dialect", DIALECTS)
def test_requests_a_minute(serve, dialect):
    server = serve(api_key(limits=KeyLimits(requests_per_minute=4)))
    statuses = [post(server, dialect, user("x")).status for _ in range(6)]
    assert statuses == [200] * 4 + [429] * 2
    reply = post(server, dialect, user("x"))
    refused(reply, 429, "rate_limit_exceeded", "Too many requests")
    # The first of the four opened a minute; how much of it has gone depends on how fast this test runs.
    assert 30 <= int(reply.headers["retry-after"]) <= 60
    assert "x-should-retry" not in reply.headers


def test_the_limits_are_divided_by_the_processes(serve):
    server = serve(api_key(limits=KeyLimits(requests_per_minute=9)), node=FakeNode(gateways=4))
    assert [post(server, "openai", user("x")).status for _ in range(4)] == [200, 200, 429, 429]


def test_requests_that_are_served_elsewhere_count_too(serve):
    key = api_key(limits=KeyLimits(requests_per_minute=9, tokens_per_minute=1))
    server = serve(key, node=FakeNode(gateways=3))
    assert post(server, "openai", user("x")).status == 200  # and its tokens are used up, which is the chat's business
    waits = [server.gateway.throttle(key) for _ in range(3)]
    assert waits[:2] == [0, 0]
    assert 30 <= waits[2] <= 60
    assert post(server, "openai", user("x")).status == 429
    assert server.gateway.throttle(api_key(OTHER_KEY)) == 0


def test_tokens_a_minute(serve):
    """A request counts by its bytes until its answer has told; each has six tokens in the end."""
    server = serve(api_key(limits=KeyLimits(tokens_per_minute=40)))
    assert [post(server, "openai", user("x")).status for _ in range(4)] == [200, 200, 200, 429]
    assert post(server, "openai", user("x" * 1000)).status == 429


def test_tokens_a_minute_are_counted_before_the_answer(serve, upstream):
    """Many requests at once may not all pass because none has ended; one of any size may, if it is the first."""
    server = serve(api_key(limits=KeyLimits(tokens_per_minute=100)))
    upstream.delay_seconds = 0.3
    try:
        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda _: post(server, "openai", user("x" * 120)).status, range(8)))
    finally:
        upstream.delay_seconds = 0.0
    assert sorted(statuses)[:2] == [200, 429]
    big = serve(api_key(limits=KeyLimits(tokens_per_minute=10)))
    assert post(big, "openai", user("x" * 1000)).status == 200


def test_concurrency_and_its_end(serve, upstream):
    server = serve(api_key(limits=KeyLimits(concurrency=2)))
    upstream.delay_seconds = 0.4
    statuses = []
    threads = [threading.Thread(target=lambda: statuses.append(post(server, "openai", user("x")).status)) for _ in "12"]
    try:
        for thread in threads:
            thread.start()
        time.sleep(0.15)
        reply = post(server, "openai", user("x"))
        assert (reply.status, reply.headers["retry-after"]) == (429, "1")
        for thread in threads:
            thread.join()
    finally:
        upstream.delay_seconds = 0.0
    assert statuses == [200, 200]
    assert post(server, "openai", user("x")).status == 200


def test_what_fails_is_no_longer_in_flight(serve, upstream):
    server = serve(api_key(limits=KeyLimits(concurrency=1)))
    upstream.answer, answer = b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n", upstream.answer
    try:
        assert [post(server, "openai", user("x")).status for _ in range(3)] == [503] * 3
    finally:
        upstream.answer = answer
    assert [post(server, "openai", {"model": 5}).status for _ in range(3)] == [400] * 3
    server.bank.balance["cus_1"] = 0
    server.call(lambda: server.gateway.purses.recall(set(server.bank.holds)))
    time.sleep(0.05)
    server.bank.balance["cus_1"] = 0
    assert [post(server, "openai", user("x")).status for _ in range(3)] == [429] * 3
    assert post(server, "openai", user("x")).error["code"] == "insufficient_quota"
    (meter,) = [e.meter for e in server.gateway.directory.keys._entries.values()]
    assert meter.in_flight == 0


# choices and offers


def test_more_choices_than_the_offer_has(serve):
    server = serve(api_key())
    reply = post(server, "openai", user("x", n=LIMITS.choices_max + 1))
    assert (reply.status, reply.error["param"]) == (400, "n")
    assert str(LIMITS.choices_max) in reply.error["message"]
    assert post(server, "openai", user("x", n=LIMITS.choices_max)).status == 200


@pytest.mark.parametrize(
    ("dialect", "models", "videos"),
    [
        ("openai", "GET /v1/models", "POST /v1/videos"),
        ("llmage", "GET /llmage/v1/models", "POST /llmage/v1/video/generations"),
    ],
)
def test_a_model_that_does_not_chat(upstream, dialect, models, videos):
    film = offer(id=offer_id("film"), model="film", aliases=("movie",), operation=Operation.TEXT_TO_VIDEO, chat=None)
    gone = replace(film, id=offer_id("gone"), model="gone", aliases=(), enabled_until=LONG_AGO)
    directory = FakeDirectory([channel(upstream.url)], offers=[offer(), film, gone])
    with GatewayServer(directory) as server:
        for name in ("film", "movie", offer_id("film")):
            reply = post(server, dialect, user("x", model=name))
            text = f"The model '{name}' makes videos and does not chat; make them with {videos}, see {models}"
            refused(reply, 404, "model_not_found", text)
            assert dialect == "llmage" or reply.error["message"] == text
        for name in ("gone", "nothing"):
            reply = post(server, dialect, user("x", model=name))
            text = f"The model '{name}' does not exist; see {models}"
            refused(reply, 404, "model_not_found", text)
            assert dialect == "llmage" or reply.error["message"] == text


# what is not offered

REFUSED = ("service_tier", "enable_search", "web_search_options")


@pytest.fixture(scope="module")
def narrow(upstream):
    """A gateway with an offer that does not have everything."""
    limits = replace(LIMITS, refused_fields=REFUSED, refused_tools=("builtin_function",))
    with GatewayServer(FakeDirectory([channel(upstream.url)], offers=[offer(chat=limits)])) as server:
        yield server
        assert server.loop_errors == []


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"service_tier": "priority"}, "service_tier"),
        ({"service_tier": "flex", "stream": True}, "service_tier"),
        ({"enable_search": True}, "enable_search"),
        ({"enable_search": 1}, "enable_search"),
        ({"enable_search": "false"}, "enable_search"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"enable_search": False, "service_tier": "scale"}, "service_tier"),
        ({"tools": [{"type": "builtin_function", "function": {"name": "$web_search"}}]}, "tools"),
    ],
    ids=str,
)
def test_what_would_cost_more_is_refused_before_money_is_held(narrow, upstream, dialect, fields, param):
    upstream.seen.clear()
    calls = narrow.bank.calls
    reply = post(narrow, dialect, user("x", **fields))
    assert reply.status == 400
    text = reply.error if dialect == "llmage" else reply.error["message"]
    assert param in text
    assert "the provider charges more for it" in text
    if dialect == "openai":
        assert (reply.error["code"], reply.error["param"]) == ("invalid_parameter", param)
    else:
        assert text.startswith(f"Invalid parameter: {param}; ")
    assert not upstream.seen
    assert narrow.bank.calls == calls


def test_a_name_written_otherwise_is_the_same_name(narrow):
    head = b'{"model": "qwen3-max", "messages": [{"role": "user", "content": "x"}], '
    for field in (b'"service_tie\\u0072": "priority"', b'"service_tier": "auto", "service_tier": "priority"'):
        assert post(narrow, "openai", head + field + b"}").error["param"] == "service_tier"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "fields",
    [
        {"service_tier": "auto"},
        {"service_tier": "default"},
        {"service_tier": None, "enable_search": False},
        {"search_options": {"forced_search": True}, "verbosity": "low", "anything": {"service_tier": "priority"}},
        {"tools": [{"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "g"}}]},
    ],
    ids=str,
)
def test_what_asks_for_nothing_and_what_nobody_named_pass_untouched(narrow, upstream, dialect, fields):
    upstream.seen.clear()
    assert post(narrow, dialect, user("x", **fields)).status == 200
    sent = upstream.seen[-1].json
    assert {name: sent[name] for name in fields} == fields


def test_a_model_name_with_quotes_and_length_is_only_quoted_back(serve):
    server = serve(api_key())
    for name in ('"}\n{"', "x" * 10_000, "模型", "\x00"):
        for dialect in DIALECTS:
            reply = post(server, dialect, user("x", model=name))
            assert reply.status == 404
            assert len(reply.body) < 1000
