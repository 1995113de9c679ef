"""Rows of the table about bytes that are not what they should be: event streams, JSON, usage, HTTP."""

import gzip

from tests.faults.model import Fault
from tests.faults.outcomes import (
    BAD_ANSWER,
    COUNTED,
    GARBLED,
    HELLO,
    UNAVAILABLE,
)
from tests.faults.plays import (
    BOMB,
    FINISH,
    JSON_HEAD,
    TEXTS,
    USAGE,
    WHOLE_STREAM,
    answers,
    body,
    counts,
    events,
    streamed,
    with_usage,
    without_end,
)
from tests.faults.rows import WHOLE_PLAIN, each, in_stream, same
from tests.support.upstream import (
    DONE,
    END,
    STREAM_HEAD,
    chunk,
    close,
    request,
    send,
    sleep,
)

FORM = "Events and JSON"
USAGES = "Usage"
HTTP = "HTTP"
MIB = 1024 * 1024
SSE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
NOT_JSON = b"data: not JSON\n\n"
_RAW = events("?").replace(b"?", "你".encode())
CUT = _RAW[: _RAW.index("你".encode()) + 1], _RAW[_RAW.index("你".encode()) + 1 :]
NO_TEXT_USAGE = USAGE.replace(b'"total_tokens"', b'"total\xff"')
DEEP = b'{"choices": ' + b"[" * 100_000


def length(data: bytes) -> bytes:
    """The header that tells this length."""
    return b"content-length: %d\r\n" % len(data)


def of_length(wrong: bytes) -> dict:
    """A whole answer whose head tells this of its length."""
    return each(
        answers(SSE_HEAD + wrong + b"\r\n" + WHOLE_STREAM),
        answers(JSON_HEAD + wrong + b"\r\n" + WHOLE_PLAIN),
        UNAVAILABLE,
    )


def packed(data: bytes, plain_data: bytes, coding: bytes) -> dict:
    """A whole answer in a coding that was not asked for."""
    said = b"content-encoding: " + coding + b"\r\n"
    return each(
        answers(SSE_HEAD + said + length(data) + b"\r\n" + data),
        answers(JSON_HEAD + said + length(plain_data) + b"\r\n" + plain_data),
        BAD_ANSWER,
    )


FORM_ROWS = (
    Fault(name="line ends of CR LF", group=FORM, **in_stream(streamed(WHOLE_STREAM.replace(b"\n", b"\r\n")), HELLO)),
    Fault(name="line ends of CR", group=FORM, **in_stream(streamed(WHOLE_STREAM.replace(b"\n", b"\r")), HELLO)),
    Fault(
        name="all line ends in one stream",
        group=FORM,
        **in_stream(
            streamed(
                events("he").replace(b"\n\n", b"\r\n\n")
                + events("llo").replace(b"\n\n", b"\r\r")
                + FINISH
                + USAGE
                + DONE
            ),
            HELLO,
        ),
    ),
    Fault(
        name="a byte order mark",
        group=FORM,
        **each(streamed(b"\xef\xbb\xbf" + WHOLE_STREAM), body(b"\xef\xbb\xbf" + WHOLE_PLAIN), HELLO),
    ),
    Fault(
        name="no blank line between events",
        group=FORM,
        **in_stream(streamed(WHOLE_STREAM.replace(b"\n\n", b"\n")), BAD_ANSWER),
    ),
    Fault(
        name="a character of UTF-8 cut in two",
        group=FORM,
        **in_stream(
            [
                request,
                send(STREAM_HEAD + chunk(CUT[0])),
                sleep(0.03),
                send(chunk(CUT[1] + FINISH + USAGE + DONE) + END),
            ],
            HELLO.but(text="你"),
        ),
    ),
    Fault(
        name="bytes that are not UTF-8",
        group=FORM,
        **each(
            streamed(events("he", "llo") + events("X").replace(b"X", b"\xff\xfe") + FINISH + USAGE + DONE),
            body(WHOLE_PLAIN.replace(b"hello", b"he\xff\xfe")),
            GARBLED,
            BAD_ANSWER,
        ),
    ),
    Fault(
        name="usage in which a name is not UTF-8",
        group=FORM,
        **each(
            streamed(events(*TEXTS) + FINISH + NO_TEXT_USAGE + DONE),
            body(WHOLE_PLAIN.replace(b'"total_tokens"', b'"total\xff"')),
            GARBLED,
            BAD_ANSWER,
        ),
    ),
    Fault(
        name="an event that is not JSON first",
        group=FORM,
        **each(streamed(NOT_JSON + WHOLE_STREAM), body(b"not JSON"), BAD_ANSWER),
    ),
    Fault(
        name="an event that is not JSON in the middle",
        group=FORM,
        **in_stream(streamed(events(*TEXTS) + NOT_JSON + DONE), GARBLED),
    ),
    Fault(name="JSON that is no answer", group=FORM, **each(streamed(b"data: [1]\n\n"), body(b"[1]"), BAD_ANSWER)),
    Fault(
        name="an object without choices",
        group=FORM,
        **each(streamed(b'data: {"a": 1}\n\n'), body(b'{"a": 1}'), BAD_ANSWER),
    ),
    Fault(
        name="choices of a wrong type",
        group=FORM,
        **each(
            streamed(b'data: {"choices": 7}\n\n'), body(b'{"choices": [{"message": 7, "index": "x"}, 5]}'), BAD_ANSWER
        ),
    ),
    Fault(
        name="a hundred thousand brackets",
        group=FORM,
        **each(streamed(b"data: " + DEEP + b"\n\n"), body(DEEP), BAD_ANSWER),
    ),
    Fault(name="nothing but `[DONE]`", group=FORM, **each(streamed(DONE), body(b""), BAD_ANSWER)),
    Fault(
        name="whole, and then bytes without end",
        group=FORM,
        sent_max=9 * MIB,
        **in_stream(
            [request, send(STREAM_HEAD + chunk(WHOLE_STREAM)), without_end(chunk(b": more\n\n" * 8_000))], HELLO
        ),
    ),
    Fault(name="an empty stream", group=FORM, **in_stream(streamed(b""), UNAVAILABLE)),
    Fault(
        name="the other form than was asked for",
        group=FORM,
        **each(body(WHOLE_PLAIN), streamed(WHOLE_STREAM), BAD_ANSWER),
    ),
    Fault(name="no `[DONE]`", group=FORM, **in_stream(streamed(events(*TEXTS) + FINISH + USAGE), HELLO)),
    Fault(name="two `[DONE]`", group=FORM, **in_stream(streamed(WHOLE_STREAM + DONE), HELLO)),
    Fault(name="text after `[DONE]`", group=FORM, **in_stream(streamed(WHOLE_STREAM + events("more") + DONE), HELLO)),
    Fault(
        name="a line of 10 MB",
        group=FORM,
        sent_max=9 * MIB,
        **each(
            answers(STREAM_HEAD, *[chunk(b"data: " + b"x" * 10_000_000)]),
            body(b'{"choices": "' + b"x" * 10_000_000 + b'"}'),
            BAD_ANSWER,
        ),
    ),
    Fault(
        name="a line without end",
        group=FORM,
        sent_max=9 * MIB,
        **each(
            [request, send(STREAM_HEAD), without_end(chunk(b"x" * 60_000))],
            [
                request,
                send(STREAM_HEAD.replace(b"text/event-stream", b"application/json")),
                without_end(chunk(b"x" * 60_000)),
            ],
            BAD_ANSWER,
        ),
    ),
    Fault(
        name="an event of lines without end",
        group=FORM,
        sent_max=16 * MIB,
        **in_stream([request, send(STREAM_HEAD), without_end(chunk(b"data: 1\n" * 8_000))], BAD_ANSWER),
    ),
)
USAGE_ROWS = (
    *(
        Fault(name=name, group=USAGES, **each(*with_usage(usage), outcome))
        for name, usage, outcome in (
            ("no usage", ..., COUNTED),
            ("usage is null", None, COUNTED),
            ("usage is a number", 7, COUNTED),
            ("usage is empty", {}, COUNTED),
            ("negative usage", counts(10, -5), COUNTED),
            ("usage beyond 64 bits", counts(10**30, 10**30), COUNTED),
            ("usage of a billion tokens", counts(10**9, 10**9), COUNTED),
            ("usage in words", counts("ten", "five"), COUNTED),
            ("half a usage", {"prompt_tokens": 10}, COUNTED),
            ("usage of 10.0 and 5.0", counts(10.0, 5.0), HELLO),
            ("usage of 10.5", counts(10.5, 5), COUNTED),
            ("more cached than there was", counts(10, 5) | {"prompt_tokens_details": {"cached_tokens": 99}}, HELLO),
            ("usage of zero", counts(0, 0), HELLO.but(tokens=(0, 0))),
        )
    ),
    Fault(
        name="usage before the end", group=USAGES, **in_stream(streamed(USAGE + events(*TEXTS) + FINISH + DONE), HELLO)
    ),
    Fault(
        name="usage told twice, the last counts",
        group=USAGES,
        **in_stream(streamed(USAGE.replace(b"10", b"99") + events(*TEXTS) + FINISH + USAGE + DONE), HELLO),
    ),
)
HTTP_ROWS = (
    Fault(
        name="`Content-Length` too long, then closed",
        group=HTTP,
        **each(
            [request, send(SSE_HEAD + b"content-length: 9999\r\n\r\n" + events(*TEXTS)), close],
            [request, send(JSON_HEAD + b"content-length: 9999\r\n\r\n" + WHOLE_PLAIN), close],
            UNAVAILABLE.but(
                status=200, text="hello", tokens=(1, 2), is_estimated=True, is_retried=False, retry_after=None
            ),
            UNAVAILABLE,
        ),
    ),
    Fault(
        name="`Content-Length` too short",
        group=HTTP,
        **each(
            answers(SSE_HEAD + length(events(*TEXTS)) + b"\r\n" + WHOLE_STREAM),
            answers(JSON_HEAD + b"content-length: 50\r\n\r\n" + WHOLE_PLAIN),
            UNAVAILABLE.but(
                status=200, text="hello", tokens=(1, 2), is_estimated=True, is_retried=False, retry_after=None
            ),
            BAD_ANSWER,
        ),
    ),
    Fault(
        name="more after a whole answer",
        group=HTTP,
        **each(
            answers(
                SSE_HEAD
                + length(WHOLE_STREAM)
                + b"\r\n"
                + WHOLE_STREAM
                + b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx"
            ),
            answers(
                JSON_HEAD
                + length(WHOLE_PLAIN)
                + b"\r\n"
                + WHOLE_PLAIN
                + b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx"
            ),
            HELLO,
        ),
    ),
    Fault(name="a negative length", group=HTTP, **of_length(b"content-length: -5\r\n")),
    Fault(name="a length that is no number", group=HTTP, **of_length(b"content-length: many\r\n")),
    Fault(name="two lengths", group=HTTP, **of_length(b"content-length: 10\r\ncontent-length: 11\r\n")),
    Fault(name="a length beyond 64 bits", group=HTTP, **of_length(b"content-length: 99999999999999999999999\r\n")),
    Fault(
        name="a chunk whose size is no number",
        group=HTTP,
        **same(answers(STREAM_HEAD + b"xyz\r\nhello\r\n"), UNAVAILABLE),
    ),
    Fault(
        name="a chunk beyond 64 bits",
        group=HTTP,
        **same(answers(STREAM_HEAD + b"f" * 40 + b"\r\nhello\r\n"), UNAVAILABLE),
    ),
    Fault(name="a bomb of gzip, and says so", group=HTTP, **packed(BOMB, BOMB, b"gzip")),
    Fault(
        name="a bomb of gzip that does not say so",
        group=HTTP,
        **each(streamed(BOMB), body(BOMB), UNAVAILABLE, BAD_ANSWER),
    ),
    Fault(
        name="a right answer in gzip",
        group=HTTP,
        **packed(gzip.compress(WHOLE_STREAM), gzip.compress(WHOLE_PLAIN), b"gzip"),
    ),
    Fault(name="a right answer in Brotli, as it says", group=HTTP, **packed(WHOLE_STREAM, WHOLE_PLAIN, b"br")),
    Fault(
        name="headers without end",
        group=HTTP,
        sent_max=9 * MIB,
        **same([request, send(b"HTTP/1.1 200 OK\r\n"), without_end(b"x-a: " + b"x" * 1000 + b"\r\n")], UNAVAILABLE),
    ),
    Fault(
        name="one header without end",
        group=HTTP,
        sent_max=9 * MIB,
        **same([request, send(b"HTTP/1.1 200 OK\r\nx-a: "), without_end(b"x" * 60_000)], UNAVAILABLE),
    ),
    Fault(
        name="interim answers without end",
        group=HTTP,
        sent_max=9 * MIB,
        **same([request, without_end(b"HTTP/1.1 102 X\r\n\r\n" * 100)], UNAVAILABLE),
    ),
    Fault(
        name="trailers without end",
        group=HTTP,
        sent_max=9 * MIB,
        **each(
            [
                request,
                send(STREAM_HEAD + chunk(events(*TEXTS) + FINISH + USAGE) + b"0\r\nx-a: "),
                without_end(b"x" * 60_000),
            ],
            [request, send(STREAM_HEAD + chunk(WHOLE_PLAIN) + b"0\r\nx-a: "), without_end(b"x" * 60_000)],
            HELLO,
            UNAVAILABLE,
        ),
    ),
    Fault(
        name="an extension of a chunk without end",
        group=HTTP,
        sent_max=9 * MIB,
        **same([request, send(STREAM_HEAD + b"5;x="), without_end(b"x" * 60_000)], UNAVAILABLE),
    ),
    Fault(name="not HTTP", group=HTTP, **same(answers(b"\x16\x03\x01 what is this\r\n\r\n"), UNAVAILABLE)),
    Fault(name="HTTP/2", group=HTTP, **same(answers(b"HTTP/2 200\r\n\r\n"), UNAVAILABLE)),
)
LAST_ROWS = FORM_ROWS + USAGE_ROWS + HTTP_ROWS
