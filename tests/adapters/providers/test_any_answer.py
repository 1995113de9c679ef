"""Whatever a provider answers, a method gives its value or one `UpstreamError`; likewise for callbacks."""

import asyncio
import json
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.adapters.providers.wire import ACCEPTED, NOW, PROTOCOLS, RUNNING, ref, submission

from yuanjing.domain.tasks import (
    FailureKind,
    SearchResult,
    UpstreamError,
    UpstreamTask,
)
from yuanjing.kit.clock import ManualClock
from yuanjing.kit.webcalls import WebAnswer
from yuanjing.ports.upstream import Callback, CallbackRefusedError, ChannelAccess, Trail

ACCESS = ChannelAccess(base_url="http://provider.example", credential="sk-1", quirks=("wrapped_in_data",))
TRAIL = Trail(submission_id="t", model="m", sent_from=NOW, sent_until=NOW)
ODD = st.sampled_from(
    [None, True, 0, -1, 10**400, "", "T", [], {}, [None], [{}], "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59Z"]
)
NAMES = st.sampled_from(
    [
        "id",
        "task_id",
        "status",
        "state",
        "task_status",
        "output",
        "usage",
        "content",
        "error",
        "code",
        "data",
        "items",
        "tasks",
        "creations",
        "credits",
        "duration",
        "frames",
        "framespersecond",
        "created_at",
        "gmt_create",
        "payload",
        "next_page_token",
        "total_page",
        "video_url",
        "model",
        "submit_time",
        "err_code",
    ]
)
JSON = st.recursive(
    ODD | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=20,
)


class Canned:
    """Every call gets the same answer."""

    def __init__(self, answer):
        self.answer = answer
        self.calls = 0

    async def call(self, call):
        del call
        self.calls += 1
        return self.answer


def mixed(base, change):
    """A good answer with strange fields, at each level."""
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    return {**base, **{name: mixed(base[name], value) if name in base else value for name, value in change.items()}}


async def outcome(awaitable, kinds):
    try:
        return await awaitable
    except UpstreamError as error:
        kind = error.kind
    assert kind in kinds
    return None


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
@settings(max_examples=80, deadline=None)
@given(change=JSON, status=st.sampled_from([200, 200, 200, 201, 400, 404, 429, 500]))
def test_any_answer(name, change, status):
    async def run(base):
        body = json.dumps(mixed(base, change)).encode()
        web = Canned(WebAnswer(status=status, headers={}, body=body, is_whole=True))
        upstream = PROTOCOLS[name](web)
        every, known = set(FailureKind), set(FailureKind) - {FailureKind.UNKNOWN_OUTCOME}
        accepted = await outcome(upstream.submit(ACCESS, submission()), every)
        assert web.calls == 1
        if accepted:
            assert accepted.upstream_task_id
            assert status < 300
        task = await outcome(upstream.query(ACCESS, ref("T")), known)
        assert task is None or (isinstance(task, UpstreamTask) and task.upstream_task_id == "T")
        many = await outcome(upstream.query_many(ACCESS, [ref("T")]), known)
        assert not many or set(many) == {"T"}
        found = await outcome(upstream.find(ACCESS, TRAIL), known)
        assert found is None or isinstance(found, SearchResult)
        assert await outcome(upstream.cancel(ACCESS, ref("T")), known) in {True, False, None}

    for base in (ACCEPTED[name], RUNNING[name], {}):
        asyncio.run(run(base))


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
@settings(max_examples=100, deadline=None)
@given(
    texts=st.lists(st.text(), min_size=8, max_size=8),
    body=st.binary(),
    is_dated=st.booleans(),
    is_named=st.booleans(),
)
def test_any_callback(name, texts, body, is_dated, is_named):
    clock = ManualClock()
    path, query, date, nonce, algorithm, key, names, signature = texts
    headers = {
        "date": format_datetime(clock.now(), usegmt=True) if is_dated else date,
        "x-request-nonce": nonce,
        "x-hmac-algorithm": "hmac-sha256" if is_named else algorithm,
        "x-hmac-access-key": "vidu" if is_named else key,
        "x-hmac-signed-headers": "Date;x-request-nonce" if is_named else names,
        "x-hmac-signature": signature,
    }
    callback = Callback(path=path, query=query, headers=headers, body=body, received_at=clock.unix())
    try:
        hint = PROTOCOLS[name](Canned(None)).read_callback("sk-1", callback)
    except CallbackRefusedError:
        return
    assert not hint.is_signed


def test_half_a_character_is_sent_as_it_came():
    async def run():
        sent = []

        class Kept(Canned):
            async def call(self, call):
                sent.append(call.content)
                return await super().call(call)

        web = Kept(WebAnswer(status=200, headers={}, body=b'{"id":"T"}', is_whole=True))
        await PROTOCOLS["ark"](web).submit(ACCESS, submission(prompt="a\ud800b"))
        return sent

    assert json.loads(asyncio.run(run())[0])["content"][0]["text"] == "a\ud800b"
