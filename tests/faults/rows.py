"""Rows of the table about connections, errors, broken answers and silence."""

import socket
from collections.abc import Sequence

from tests.faults.model import WELL, Fault, Outcome, Play, black_hole, no_tls, nobody
from tests.faults.outcomes import (
    BROKEN,
    FELL_SILENT,
    HELLO,
    INVALID,
    NO_CONNECTION,
    NO_CONNECTION_IN_TIME,
    REFUSED_US,
    SILENT_PLAIN,
    SILENT_STREAM,
    TOO_LONG,
    UNAVAILABLE,
)
from tests.faults.plays import (
    FINISH,
    JSON_HEAD,
    TEXTS,
    USAGE,
    WHOLE_STREAM,
    answers,
    body,
    bytewise,
    error_event,
    events,
    refusal,
    streamed,
    without_end,
)
from tests.support.upstream import (
    STREAM_HEAD,
    STREAM_HEAD_UNTIL_CLOSE,
    Step,
    chunk,
    close,
    plain,
    plain_body,
    request,
    reset,
    send,
    sleep,
    stream,
)

CONNECTING = "No connection"
LIMITED = "Limited, or refused with us"
ERRORS = "Errors before the first byte"
EVENTS = "An error inside a 200"
BREAKS = "Broken in the middle"
SILENCE = "Silence"
BEGUN = chunk(events(*TEXTS))
WHOLE_PLAIN = plain_body()
HALF_PLAIN = JSON_HEAD + b"content-length: 900\r\n\r\n" + WHOLE_PLAIN


def same(steps: Sequence[Step], outcome: Outcome, plain_outcome: Outcome | None = None) -> dict[str, Play]:
    """The provider does the same with both forms of a request."""
    return {
        "stream": Play(steps=steps, outcome=outcome),
        "plain": Play(steps=steps, outcome=plain_outcome or outcome),
    }


def each(
    stream_steps: Sequence[Step], plain_steps: Sequence[Step], outcome: Outcome, plain_outcome: Outcome | None = None
) -> dict[str, Play]:
    """The fault in each of the two forms."""
    return {
        "stream": Play(steps=stream_steps, outcome=outcome),
        "plain": Play(steps=plain_steps, outcome=plain_outcome or outcome),
    }


def in_stream(steps: Sequence[Step], outcome: Outcome) -> dict[str, Play | None]:
    """The fault is one of streams only."""
    return {"stream": Play(steps=steps, outcome=outcome), "plain": None}


def read_nothing(conn: object) -> None:
    """Take the connection, and not what comes over it."""
    assert isinstance(conn.sock, socket.socket)  # type: ignore[attr-defined]
    conn.sock.recv(1, socket.MSG_PEEK)  # type: ignore[attr-defined]


FIRST_ROWS = (
    Fault(name="nobody listens", group=CONNECTING, address=nobody, **same([], NO_CONNECTION)),
    Fault(name="connections never open", group=CONNECTING, address=black_hole, **same([], NO_CONNECTION_IN_TIME)),
    Fault(name="the host's name is not known", group=CONNECTING, host="x" * 70 + ".invalid", **same([], NO_CONNECTION)),
    Fault(name="TLS is not answered", group=CONNECTING, address=no_tls, **same([], NO_CONNECTION_IN_TIME)),
    Fault(
        name="all connections of the channel are in use",
        group=CONNECTING,
        is_busy=True,
        **same([request], NO_CONNECTION_IN_TIME.but(code="overloaded", channel=WELL)),
    ),
    Fault(name="closed before an answer", group=CONNECTING, **same([request, close], UNAVAILABLE)),
    Fault(name="reset before an answer", group=CONNECTING, **same([request, reset], UNAVAILABLE)),
    Fault(name="reset before the request is read", group=CONNECTING, **same([read_nothing, reset], NO_CONNECTION)),
    Fault(name="429", group=LIMITED, **same(refusal(b"429 X", "slow down"), UNAVAILABLE)),
    Fault(
        name="429 with `Retry-After: 7`",
        group=LIMITED,
        **same(refusal(b"429 X", "slow down", b"retry-after: 7\r\n"), REFUSED_US.but(retry_after=7)),
    ),
    Fault(
        name="429 with `Retry-After: 86400`",
        group=LIMITED,
        **same(refusal(b"429 X", "slow down", b"retry-after: 86400\r\n"), REFUSED_US.but(retry_after=60)),
    ),
    Fault(name="401", group=LIMITED, **same(refusal(b"401 X", "Incorrect API key sk-123"), REFUSED_US)),
    Fault(name="402", group=LIMITED, **same(refusal(b"402 X", "Insufficient Balance"), REFUSED_US)),
    Fault(name="403", group=LIMITED, **same(refusal(b"403 X", "forbidden"), UNAVAILABLE)),
    Fault(name="404", group=LIMITED, **same(refusal(b"404 X", "no such model"), UNAVAILABLE)),
    Fault(name="500", group=ERRORS, **same(refusal(b"500 X"), UNAVAILABLE)),
    Fault(
        name="502 with a page of HTML",
        group=ERRORS,
        **same(
            answers(b"HTTP/1.1 502 X\r\ncontent-type: text/html\r\ncontent-length: 15\r\n\r\n<html>bad</html"),
            UNAVAILABLE,
        ),
    ),
    Fault(
        name="503 with `Retry-After: 3`",
        group=ERRORS,
        **same(refusal(b"503 X", extra=b"retry-after: 3\r\n"), REFUSED_US.but(retry_after=3)),
    ),
    Fault(
        name="504 without a body",
        group=ERRORS,
        **same(answers(b"HTTP/1.1 504 X\r\ncontent-length: 0\r\n\r\n"), UNAVAILABLE),
    ),
    Fault(
        name="500 with a body without end",
        group=ERRORS,
        sent_max=9 * 1024 * 1024,
        **same(
            [request, send(STREAM_HEAD.replace(b"200 OK", b"500 X")), without_end(chunk(b"x" * 60_000), every=0.01)],
            UNAVAILABLE,
        ),
    ),
    Fault(name="400", group=ERRORS, **same(refusal(b"400 X", "n is wrong"), INVALID)),
    Fault(
        name="302",
        group=ERRORS,
        **same(answers(b"HTTP/1.1 302 X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"), UNAVAILABLE),
    ),
    Fault(name="204", group=ERRORS, **same(answers(b"HTTP/1.1 204 X\r\n\r\n"), UNAVAILABLE)),
    Fault(
        name="101",
        group=ERRORS,
        **same(answers(b"HTTP/1.1 101 X\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"), UNAVAILABLE),
    ),
    Fault(
        name="an error as the first event",
        group=EVENTS,
        **each(streamed(error_event()), body(b'{"error": {"message": "broken"}}'), UNAVAILABLE),
    ),
    Fault(
        name="an error with the code 429 as the first event",
        group=EVENTS,
        **each(
            streamed(error_event("slow", code=429)), body(b'{"error": {"message": "slow", "code": 429}}'), UNAVAILABLE
        ),
    ),
    Fault(
        name="the refusal of a request as the first event",
        group=EVENTS,
        **each(
            streamed(error_event("n is wrong", type="invalid_request_error")),
            body(b'{"error": {"message": "n is wrong", "type": "invalid_request_error"}}'),
            INVALID,
        ),
    ),
    Fault(
        name="an error in plain JSON to a request for a stream",
        group=EVENTS,
        **in_stream(body(b'{"error": {"message": "broken"}}'), UNAVAILABLE),
    ),
    Fault(name="an error after text", group=BREAKS, **in_stream(streamed(events(*TEXTS) + error_event()), BROKEN)),
    Fault(
        name="reset in the middle",
        group=BREAKS,
        **each(
            [request, send(STREAM_HEAD + BEGUN), sleep(0.05), reset],
            [request, send(HALF_PLAIN), reset],
            BROKEN,
            UNAVAILABLE,
        ),
    ),
    Fault(
        name="closed in the middle",
        group=BREAKS,
        **each([request, send(STREAM_HEAD + BEGUN), close], [request, send(HALF_PLAIN), close], BROKEN, UNAVAILABLE),
    ),
    Fault(
        name="closed in the middle of an event",
        group=BREAKS,
        **in_stream([request, send(STREAM_HEAD + BEGUN + chunk(b'data: {"choices"')), close], BROKEN),
    ),
    Fault(
        name="ends well without `[DONE]` and without a reason of its end",
        group=BREAKS,
        **in_stream(streamed(events(*TEXTS)), BROKEN),
    ),
    Fault(
        name="closed where only the close tells the end, without a reason of its end",
        group=BREAKS,
        **in_stream([request, send(STREAM_HEAD_UNTIL_CLOSE + events(*TEXTS)), close], BROKEN),
    ),
    Fault(
        name="broken after everything but `[DONE]`",
        group=BREAKS,
        **in_stream([request, send(STREAM_HEAD + chunk(events(*TEXTS) + FINISH + USAGE)), reset], HELLO),
    ),
    Fault(name="no byte at all", group=SILENCE, **same([request], SILENT_STREAM, SILENT_PLAIN)),
    Fault(
        name="a head, and nothing after it",
        group=SILENCE,
        **each(answers(STREAM_HEAD), answers(HALF_PLAIN[:120]), SILENT_STREAM, SILENT_PLAIN),
    ),
    Fault(
        name="a head, and bytes of a body now and then",
        group=SILENCE,
        **each(
            [request, send(STREAM_HEAD), without_end(chunk(b"data: "), every=0.05)],
            [request, send(STREAM_HEAD), without_end(chunk(b" "), every=0.05)],
            TOO_LONG,
        ),
    ),
    Fault(
        name="silent in the middle",
        group=SILENCE,
        **each(answers(STREAM_HEAD + BEGUN), answers(HALF_PLAIN), FELL_SILENT, SILENT_PLAIN),
    ),
    Fault(
        name="silent in the middle, and the client is told that we are there",
        group=SILENCE,
        comments=2,
        options={"keepalive_comment_seconds": 0.1},
        **in_stream(answers(STREAM_HEAD + BEGUN), FELL_SILENT),
    ),
    Fault(
        name="comments without end before the first event",
        group=SILENCE,
        **in_stream([request, send(STREAM_HEAD), without_end(chunk(b": here\n\n"), every=0.05)], TOO_LONG),
    ),
    Fault(
        name="text without end",
        group=SILENCE,
        **in_stream(
            [request, send(STREAM_HEAD), without_end(chunk(events("")), every=0.05)],
            TOO_LONG.but(status=200, tokens=(1, 0), is_estimated=True),
        ),
    ),
    Fault(
        name="whole, but `[DONE]` is followed by silence",
        group=SILENCE,
        **in_stream(answers(STREAM_HEAD + chunk(WHOLE_STREAM)), HELLO),
    ),
    Fault(name="whole, byte by byte", group=SILENCE, **each(bytewise(stream()), bytewise(plain("hello")), HELLO)),
)
