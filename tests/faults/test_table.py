"""Every fault of the table, with streams and plain answers, in both dialects; see docs/concepts/faults.md."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from decimal import Decimal

import pytest
from tests.faults.model import FAILED, OPTIONS, PATIENT, SHUT, WELL, Fault, Outcome, Play, bill
from tests.faults.page import OTHERS, PAGE, ROOT, TABLE, faults_page
from tests.support.rawclient import LLMAGE, OPENAI, Answer, chat_body, post
from tests.support.rig import Rig, rig, wait_for
from tests.support.upstream import RawUpstream, Request, error, forever, plain, stream

PATHS = {"openai": OPENAI, "llmage": LLMAGE}
OTHER = Outcome(text="other", tokens=(20, 7))
"""The answer of the other channel."""
TYPES = {"invalid_request": "invalid_request_error"}
"""OpenAI's `type` of each code; of what is not here it is `api_error`."""
LLMAGE_TEXTS = {
    "overloaded": "Temporarily overloaded",
    "provider_bad_answer": "Provider sent an invalid answer",
    "provider_timeout": "Provider did not answer in time",
    "provider_unavailable": "Provider temporarily unavailable",
}
GRACE_SECONDS = 1.0
"""So much later than its deadline an answer may end."""
CASES = [
    pytest.param(fault, play, dialect, id=f"{fault.name}-{form}-{dialect}")
    for fault in TABLE
    for form, play in (("stream", fault.stream), ("plain", fault.plain))
    if play is not None
    for dialect in PATHS
]


class Elsewhere(RawUpstream):
    """A provider whose address is not that of its socket."""

    address = ""

    @property
    def url(self) -> str:
        return self.address or super().url


def other(got: Request) -> bytes:
    """What the other channel answers."""
    return stream([OTHER.text], tokens=(20, 7)) if got.json.get("stream") else plain(OTHER.text, tokens=(20, 7))


@pytest.mark.parametrize(("fault", "play", "dialect"), CASES)
def test_a_fault(fault: Fault, play: Play, dialect: str):
    """Where the provider has no other channel beside it, and where it has one; both at once, since they mostly wait."""
    with ThreadPoolExecutor(2) as pool:
        for ended in [pool.submit(run, fault, play, dialect, has_other=has_other) for has_other in (False, True)]:
            ended.result()


def run(fault: Fault, play: Play, dialect: str, *, has_other: bool) -> None:
    """Play it, and compare; what is left over in the gateway at the end is for the rig to find."""
    is_stream = play is fault.stream
    outcome = play.outcome
    provider = Elsewhere(play.steps)
    with ExitStack() as stack:
        if fault.address is not None:
            provider.address = fault.address(stack)
        upstreams = [provider, RawUpstream([forever(other)])] if has_other else [provider]
        limits = {"connections_max": 1} if fault.is_busy else {}
        options = (OPTIONS if outcome.seconds else PATIENT) | fault.options
        r = stack.enter_context(rig(upstreams=upstreams, **limits, **options))  # type: ignore[arg-type]
        if fault.host:
            r.channel().pool.host = fault.host
        if fault.is_busy:
            first = r.client()
            first.send(post(stream=True))
            provider.wait_requests(1)
        began = time.monotonic()
        client = r.client()
        fields = {"stream_options": {"include_usage": True}} if is_stream else {}
        client.send(post(chat_body(stream=is_stream, **fields), path=PATHS[dialect]))
        answer = client.receive()
        took = time.monotonic() - began
        assert outcome.seconds - 0.1 <= took <= outcome.seconds + GRACE_SECONDS
        is_elsewhere = outcome.is_retried and has_other
        assert answer.body.count(b": keep-alive\n\n") >= fault.comments
        check_answer(OTHER if is_elsewhere else outcome, answer, dialect, is_stream=is_stream)
        if is_elsewhere:
            assert r.channel(2).attempts == 1
        check_books(r, OTHER if is_elsewhere else outcome, 2 if is_elsewhere else 1)
        check_provider(r, fault, outcome)


def check_answer(outcome: Outcome, answer: Answer, dialect: str, *, is_stream: bool) -> None:
    """Status, text, and the error's or the bill's form in the dialect."""
    assert answer.is_whole, "HTTP is always right, whatever the provider's was"
    assert answer.status == outcome.status, answer.body
    assert answer.headers[b"x-request-id"].startswith(b"req_")
    if outcome.status != 200:
        check_error(outcome, json.loads(answer.body), answer, dialect)
        return
    assert answer.text == outcome.text
    if is_stream:
        assert answer.is_done == (not outcome.code)
    if outcome.code:
        assert answer.body.endswith(b"\n\n")
        check_object(outcome, json.loads(answer.body[:-2].rpartition(b"\n\n")[2].removeprefix(b"data: ")))
    else:
        check_cost(outcome, answer, is_stream=is_stream)


def check_error(outcome: Outcome, body: dict, answer: Answer, dialect: str) -> None:
    """An error that is an answer of its own."""
    if dialect == "openai":
        check_object(outcome, body)
    else:
        assert body == {"error": outcome.message or LLMAGE_TEXTS[outcome.code]}
    told = answer.headers.get(b"retry-after")
    assert (None if told is None else int(told)) == outcome.retry_after


def check_object(outcome: Outcome, body: dict) -> None:
    """OpenAI's object, which is the form of errors in a stream in both dialects."""
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"message", "type", "param", "code"}
    assert (body["error"]["code"], body["error"]["param"]) == (outcome.code, None)
    assert body["error"]["type"] == TYPES.get(outcome.code, "api_error")
    message = body["error"]["message"]
    assert message == outcome.message if outcome.message else message and "127.0.0.1" not in message


def check_cost(outcome: Outcome, answer: Answer, *, is_stream: bool) -> None:
    """The client is told what it is charged, to the nano."""
    if is_stream:
        usage = json.loads(answer.body.split(b"\n\n")[-3].removeprefix(b"data: "))["usage"]
    else:
        usage = answer.json["usage"]
    assert outcome.tokens is not None
    assert Decimal(usage["cost"]) * 10**9 == bill(outcome.tokens)
    assert usage.get("estimated", False) == outcome.is_estimated


def check_books(r: Rig, outcome: Outcome, channel: int) -> None:
    """One record with the exact charge, or none."""
    seen = [(x.charge_nanos, x.overrun_nanos, x.is_estimated, str(x.status), x.channel_id) for x in r.records]
    if outcome.tokens is None:
        assert seen == []
    else:
        status = "upstream_broke" if outcome.code else "completed"
        assert seen == [(bill(outcome.tokens), 0, outcome.is_estimated, status, f"ch_{channel}")]


def check_provider(r: Rig, fault: Fault, outcome: Outcome) -> None:
    """How often the provider was asked, what it could get rid of, and what is thought of it."""
    provider = r.upstream
    assert len(provider.requests) == outcome.calls + fault.is_busy
    health = r.channel(1).health
    seen = SHUT if health.shut_until else FAILED if health.failures == 1 else WELL
    assert (seen, health.failures) == (outcome.channel, int(outcome.channel != WELL))
    if fault.sent_max is not None:
        wait_for(lambda: all(c.over.is_set() for c in provider.connections), 3.0, lambda: "the gateway reads on")
        assert sum(c.sent for c in provider.connections) <= fault.sent_max


def test_each_fault_has_its_name():
    assert len({fault.name for fault in TABLE}) == len(TABLE)


def test_the_page_is_the_table():
    assert PAGE.read_text(encoding="utf-8") == faults_page(), "run `.venv/bin/python -m tests.faults.page`"


def test_every_test_that_the_page_names_is_there():
    for row in OTHERS:
        file, _, name = row.test.partition("::")
        assert f"\ndef {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), row.test


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
def test_a_request_is_tried_on_three_channels_and_not_on_a_fourth(is_stream, path):
    bad = [RawUpstream([forever(error(b"500 X"))]) for _ in range(3)]
    with rig(upstreams=[*bad, RawUpstream([forever(other)])], **OPTIONS) as r:
        client = r.client()
        client.send(post(chat_body(stream=is_stream), path=path))
        assert client.receive().status == 503
        assert [len(upstream.requests) for upstream in r.upstreams] == [1, 1, 1, 0]
        assert not r.records
