"""The difference that costs money: surely not accepted, or outcome unknown."""

import socket
import traceback

import pytest
from tests.adapters.providers import wire
from tests.adapters.providers.wire import ACCEPTED, RUNNING, Answer, access, error_answer, ref, submission

from yuanjing.domain.tasks import FailureKind, UpstreamError
from yuanjing.kit.webcalls import CallLimits
from yuanjing.ports.upstream import ChannelAccess

UNUSABLE = {
    "closed-at-once": Answer(raw=b"", cut_at=0),
    "head-cut": Answer(body={"id": "T"}, cut_at=20),
    "body-cut": Answer(body={"id": "T"}, cut_at=-1),
    "no-json": Answer(body=b"<html>busy</html>"),
    "empty": Answer(body=b""),
    "an-array": Answer(body=["T"]),
    "no-fields": Answer(body={}),
    "id-is-null": Answer(body={"id": None, "task_id": None, "output": {"task_id": None}, "state": "created"}),
    "id-is-a-number": Answer(
        body={"id": 936759404378734592, "task_id": 936759404378734592, "output": {"task_id": 936759404378734592}}
    ),
    "id-is-endless": Answer(body={"id": "T" * 300, "task_id": "T" * 300, "output": {"task_id": "T" * 300}}),
    "not-utf-8": Answer(body=b'{"id":"\xff"}'),
    "deep": Answer(body=b'{"id":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "oversized": Answer(body={"id": "T", "task_id": "T", "output": {"task_id": "T"}, "x": "y" * 2**20}),
    "packed": Answer(body=b"\x1f\x8b", headers={"content-encoding": "gzip"}),
    "not-http": Answer(raw=b"SSH-2.0-OpenSSH\r\n\r\n"),
}


async def failure_of(awaitable):
    with pytest.raises(UpstreamError) as caught:
        await awaitable
    return caught.value.failure


@pytest.mark.parametrize("name", sorted(UNUSABLE))
async def test_a_submission_without_a_usable_answer_has_an_unknown_outcome(provider, protocol, upstream, name):
    provider.plays(UNUSABLE[name])
    failure = await failure_of(upstream.submit(access(provider, protocol), submission()))
    assert failure.kind is FailureKind.UNKNOWN_OUTCOME
    assert not failure.is_worth_retrying
    assert len(provider.asked) == 1


@pytest.mark.parametrize("name", sorted(UNUSABLE))
async def test_a_query_without_a_usable_answer_may_be_repeated(provider, protocol, upstream, name):
    provider.plays(UNUSABLE[name])
    failure = await failure_of(upstream.query(access(provider, protocol), ref("T")))
    assert failure.kind is FailureKind.UNAVAILABLE
    assert failure.is_worth_retrying


async def test_no_answer_in_time(provider, protocol, impatient):
    provider.plays(Answer(is_silent=True))
    failure = await failure_of(impatient.submit(access(provider, protocol), submission()))
    assert failure.kind is FailureKind.UNKNOWN_OUTCOME
    failure = await failure_of(impatient.query(access(provider, protocol), ref("T")))
    assert failure.kind is FailureKind.UNAVAILABLE


async def test_a_dripping_answer_ends_with_the_total_time(provider):
    provider.plays(Answer(body=b" " * 1000, drips=0.02))
    async with wire.caller(wire.HURRIED) as web:
        failure = await failure_of(wire.PROTOCOLS["ark"](web).submit(access(provider, "ark"), submission()))
    assert failure.kind is FailureKind.UNKNOWN_OUTCOME


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599, 408, 499, 302, 303])
async def test_a_status_that_does_not_refuse_leaves_the_outcome_unknown(provider, protocol, upstream, status):
    provider.plays(error_answer(protocol, status, "InternalError"), error_answer(protocol, status, ""))
    for _ in range(2):
        failure = await failure_of(upstream.submit(access(provider, protocol), submission()))
        assert failure.kind is FailureKind.UNKNOWN_OUTCOME
        assert failure.status == status


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, FailureKind.UNAVAILABLE),
        (307, FailureKind.UNAVAILABLE),
        (400, FailureKind.INVALID_INPUT),
        (401, FailureKind.PROVIDER_AUTH),
        (402, FailureKind.PROVIDER_BALANCE),
        (403, FailureKind.PROVIDER_AUTH),
        (404, FailureKind.NOT_FOUND),
        (405, FailureKind.UNAVAILABLE),
        (413, FailureKind.INVALID_INPUT),
        (422, FailureKind.INVALID_INPUT),
        (429, FailureKind.RATE_LIMITED),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error":"busy"}', b'{"error":{"code":7}}', b"[]"])
async def test_a_refusal_in_any_body_is_surely_not_accepted(provider, web, status, kind, body):
    provider.plays(Answer(status=status, body=body, headers={"location": "/elsewhere"}))
    for protocol in wire.PROTOCOLS:
        upstream = wire.PROTOCOLS[protocol](web)
        failure = await failure_of(upstream.submit(access(provider, protocol), submission()))
        assert (failure.kind, failure.status) == (kind, status)
    assert len(provider.asked) == len(wire.PROTOCOLS)


async def test_a_refusal_counts_even_if_its_body_is_cut(provider, protocol, upstream):
    provider.plays(Answer(status=400, body=b"x" * 100, cut_at=-50))
    failure = await failure_of(upstream.submit(access(provider, protocol), submission()))
    assert failure.kind is FailureKind.INVALID_INPUT


async def test_nothing_is_accepted_where_nothing_listens(upstream):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{taken.getsockname()[1]}"
        failure = await failure_of(
            upstream.submit(ChannelAccess(base_url=base, credential=wire.CREDENTIAL), submission())
        )
    assert failure.kind is FailureKind.UNAVAILABLE
    assert failure.is_worth_retrying


@pytest.mark.parametrize("base", ["", "ftp://127.0.0.1", "http://[bad", "http://127.0.0.1:99999", "127.0.0.1:1/x"])
async def test_an_address_that_cannot_be_used_is_no_unknown_outcome(upstream, base):
    channel = ChannelAccess(base_url=base, credential=wire.CREDENTIAL)
    assert (await failure_of(upstream.submit(channel, submission()))).kind is FailureKind.UNAVAILABLE


@pytest.mark.parametrize("credential", ["gehört", "a\r\nx-injected: 1", "\x00"])
async def test_a_credential_that_is_no_header_is_not_sent(provider, protocol, upstream, credential):
    provider.plays({})
    channel = access(provider, protocol, credential=credential)
    failure = await failure_of(upstream.submit(channel, submission()))
    assert failure.kind is FailureKind.UNAVAILABLE
    assert not provider.asked


async def test_no_error_holds_the_credential_the_address_or_the_header(provider, protocol, impatient):
    told = f"Incorrect key {wire.CREDENTIAL}\nprovided, balance 0"
    channel = access(provider, protocol)
    answers = [error_answer(protocol, 401, "Nonsense", told), Answer(raw=b"", cut_at=0), Answer(is_silent=True)]
    for answer in answers:
        provider.plays(answer)
        for call in (impatient.submit(channel, submission()), impatient.query(channel, ref("T"))):
            with pytest.raises(UpstreamError) as caught:
                await call
            error = caught.value
            shown = "".join(traceback.format_exception(error)) + repr(error) + repr(error.failure) + repr(vars(error))
            assert wire.CREDENTIAL not in shown
            assert provider.url not in shown
            assert error.__context__ is None
            assert "balance" not in str(error)
            assert "key" not in str(error).lower()
    assert wire.CREDENTIAL not in repr(channel)
    assert provider.url not in repr(channel)


async def test_connections_are_reused_and_cookies_are_not(provider, protocol, upstream):
    provider.plays(Answer(body=RUNNING[protocol], headers={"set-cookie": "session=1; path=/"}))
    for _ in range(3):
        await upstream.query(access(provider, protocol), ref("T"))
    assert provider.connections == 1
    assert all("cookie" not in asked.headers for asked in provider.asked)
    assert all(asked.headers["accept-encoding"] == "identity" for asked in provider.asked)


async def test_the_environments_proxy_is_not_asked(provider, protocol, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    provider.plays(ACCEPTED[protocol])
    async with wire.caller() as web:
        accepted = await wire.PROTOCOLS[protocol](web).submit(access(provider, protocol), submission())
    assert accepted.upstream_task_id == "T"


async def test_a_credential_goes_where_it_belongs_and_nowhere_else(provider, protocol, upstream):
    provider.plays(RUNNING[protocol])
    await upstream.query(access(provider, protocol), ref("T"))
    scheme = "Token" if protocol == "vidu" else "Bearer"
    assert provider.last.headers["authorization"] == f"{scheme} {wire.CREDENTIAL}"
    assert wire.CREDENTIAL not in provider.last.target


@pytest.mark.parametrize("task_id", ["../../x", "a/b?c=d#e", "é", "%2e%2e", "a b"])
async def test_an_id_cannot_leave_its_place_in_the_path(provider, protocol, upstream, task_id):
    provider.plays({})
    await failure_of(upstream.query(access(provider, protocol), ref(task_id)))
    rest = provider.last.path.partition("/tasks/")[2].removesuffix("/creations")
    assert "/" not in rest
    assert "?" not in provider.last.target


async def test_an_answer_about_another_task_is_no_answer(provider, protocol, upstream):
    provider.plays(RUNNING[protocol])
    failure = await failure_of(upstream.query(access(provider, protocol), ref("another")))
    assert failure.kind is FailureKind.UNAVAILABLE


@pytest.mark.parametrize("body", [b"", b"<h1>404</h1>", b"{}", b'{"code":404,"error":"no route"}'])
async def test_a_wrong_address_does_not_make_tasks_disappear(provider, protocol, upstream, body):
    provider.plays(Answer(status=404, body=body))
    failure = await failure_of(upstream.query(access(provider, protocol), ref("T")))
    assert failure.kind is FailureKind.UNAVAILABLE


async def test_what_the_provider_asks_to_wait_is_told(provider, protocol, upstream):
    for value, seconds in (("7", 7.0), ("999999", 3600.0), ("soon", None), ("-1", None), ("²", None)):
        answer = error_answer(protocol, 429, "")
        answer.headers["retry-after"] = value
        provider.plays(Answer(status=429, headers={"retry-after": value}, raw=_latin(answer)))
        with pytest.raises(UpstreamError) as caught:
            await upstream.query(access(provider, protocol), ref("T"))
        assert caught.value.retry_after_seconds == seconds
        assert caught.value.request_id in {"r-1", ""}


async def test_an_unknown_word_is_running_and_is_told_to_be_unknown(provider, protocol, upstream):
    text = str(RUNNING[protocol]).replace("'", '"').replace("RUNNING", "PONDERING")
    body = text.replace("running", "PONDERING").replace("processing", "PONDERING").encode()
    provider.plays(Answer(body=body))
    task = await upstream.query(access(provider, protocol), ref("T"))
    assert (task.state.value, task.word, task.is_word_known) == ("running", "PONDERING", False)


def test_the_total_time_is_longer_than_connecting():
    with pytest.raises(AssertionError):
        CallLimits(total_seconds=10, connect_seconds=5, pool_seconds=5)


def _latin(answer):
    head, body = answer.head_and_body()
    return head.decode().encode("latin-1") + body
