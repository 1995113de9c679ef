"""The splitter of event streams: the same events at every cut, within limits, in linear time."""

import time

import pytest

from yuanjing.gateway.sse import SseError, SseSplitter

SAMPLES = {
    "lf": (b'data: {"a":1}\n\ndata: two\n\ndata: [DONE]\n\n', [b'{"a":1}', b"two", b"[DONE]"]),
    "crlf": (b"data: one\r\n\r\ndata: two\r\n\r\n", [b"one", b"two"]),
    "cr": (b"data: one\r\rdata: two\r\r", [b"one", b"two"]),
    "mixed": (b"data: one\r\n\ndata: two\n\r\ndata: three\r\r\ndata: four\n\n", [b"one", b"two", b"three", b"four"]),
    "bom": (b"\xef\xbb\xbfdata: one\n\ndata: \xef\xbb\xbftwo\n\n", [b"one", b"\xef\xbb\xbftwo"]),
    "multi": (b"data: a\ndata: b\ndata:\ndata: c\n\n", [b"a\nb\n\nc"]),
    "no space": (b"data:a\n\ndata:  b\n\n", [b"a", b" b"]),
    "bare": (b"data\n\n", [b""]),
    "comments": (b": hi\n\n:\n\ndata: a\n: in between\ndata: b\n\n: end\n\n", [b"a\nb"]),
    "fields": (b"event: x\nid: 1\nretry: 5\ndata: a\n\nevent: none\n\ndatax: b\n\n", [b"a"]),
    "blank lines": (b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n", [b"a", b"b"]),
    "utf-8": ("data: 你好🙂\n\n".encode(), ["你好🙂".encode()]),
    "cr in text": (b"data: a\\r\\n\n\n", [b"a\\r\\n"]),
    "crlf blank": (b"data: a\r\n\r\n\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
}


def splitter(line: int = 1024 * 1024, event: int = 4 * 1024 * 1024) -> SseSplitter:
    return SseSplitter(line_bytes_max=line, event_bytes_max=event)


def fed(pieces: list[bytes]) -> list[bytes]:
    one, events = splitter(), []
    for piece in pieces:
        events += one.feed(piece)
    assert one.finish() == []
    return events


@pytest.mark.parametrize("name", SAMPLES)
def test_every_cut_into_two_and_three(name):
    data, events = SAMPLES[name]
    assert fed([data]) == events
    for i in range(len(data) + 1):
        assert fed([data[:i], data[i:]]) == events, i
        for j in range(i, len(data) + 1):
            assert fed([data[:i], data[i:j], data[j:]]) == events, (i, j)


@pytest.mark.parametrize("name", SAMPLES)
def test_byte_by_byte(name):
    data, events = SAMPLES[name]
    assert fed([data[i : i + 1] for i in range(len(data))]) == events


@pytest.mark.parametrize("name", SAMPLES)
def test_an_event_is_told_as_soon_as_it_is_complete(name):
    data, events = SAMPLES[name]
    one, told = splitter(), 0
    for i in range(len(data)):
        told += len(one.feed(data[i : i + 1]))
    assert told == len(events)


def feed_all(one: SseSplitter, pieces: list[bytes]) -> None:
    for piece in pieces:
        one.feed(piece)


def test_an_end_without_a_blank_line():
    for rest, events in [(b"data: a\n", [b"a"]), (b"data: a", [b"a"]), (b"data: a\r", [b"a"]), (b": a", []), (b"", [])]:
        one = splitter()
        assert one.feed(rest) == []
        assert one.finish() == events
        assert one.finish() == []


@pytest.mark.parametrize("size", [1, 7, 1000, 100_000])
def test_a_line_that_is_too_long_is_refused_and_one_at_the_limit_is_not(size):
    for extra, is_refused in [(0, False), (1, True)]:
        data = b"data: " + b"x" * (2000 - 6 + extra) + b"\n\n"
        one = splitter(line=2000, event=5000)
        pieces = [data[i : i + size] for i in range(0, len(data), size)]
        if is_refused:
            with pytest.raises(SseError, match="line"):
                [one.feed(piece) for piece in pieces]
        else:
            assert sum(len(one.feed(piece)) for piece in pieces) == 1


@pytest.mark.parametrize("size", [1, 7, 1000, 100_000])
def test_an_event_that_is_too_long_is_refused(size):
    data = b"data: xxxxxxxxx\n" * 400
    one = splitter(line=2000, event=5000)
    with pytest.raises(SseError, match="event"):
        [one.feed(data[i : i + size]) for i in range(0, len(data), size)]


def test_a_line_that_never_ends_is_refused_early():
    one = splitter(line=2000, event=5000)
    with pytest.raises(SseError):
        feed_all(one, [b"x" * 100] * 10_000)
    assert len(one._buffer) < 10_000


@pytest.mark.parametrize("line", [b"data: 0123456789\n", b"d\n", b"data: " + b"x" * 500_000 + b"\n", b"\r:"])
def test_the_last_of_a_mebibyte_byte_by_byte_takes_bounded_time(line):
    data = line * (1024 * 1024 // len(line)) + b"\n\n"
    one, tail = splitter(), len(data) - 128 * 1024
    began = time.process_time()
    feed_all(one, [data[i : i + 1000] for i in range(0, tail, 1000)])
    feed_all(one, [data[i : i + 1] for i in range(tail - tail % 1000 + 1000, len(data))])
    assert time.process_time() - began < 8.0  # about 0.2 s; 50 times that and more where it is quadratic
