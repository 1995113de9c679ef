"""Bytes and steps that the rows of the table are made of."""

import gzip
import json
import time
from collections.abc import Sequence

from tests.support.upstream import (
    DONE,
    END,
    STREAM_HEAD,
    Conn,
    Over,
    Step,
    body_of_stream,
    chunk,
    error,
    event,
    plain_body,
    request,
    send,
    send_bytewise,
    usage_event,
)

JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
FINISH = event("", finish="stop")
TEXTS = ("he", "llo")


def answers(*pieces: bytes) -> Sequence[Step]:
    """A request comes, and these bytes go."""
    return [request, send(*pieces)]


def streamed(events: bytes) -> Sequence[Step]:
    """A whole HTTP answer with these bytes as its event stream."""
    return answers(STREAM_HEAD + chunk(events) + END)


def body(data: bytes, head: bytes = JSON_HEAD) -> Sequence[Step]:
    """A whole plain HTTP answer with this body."""
    return answers(head + b"content-length: %d\r\n\r\n" % len(data) + data)


def events(*texts: str) -> bytes:
    """Events with these texts."""
    return b"".join(event(text) for text in texts)


def with_usage(usage: object) -> tuple[Sequence[Step], Sequence[Step]]:
    """A stream and a plain answer that say `hello` and tell this usage; `...` tells none."""
    whole = json.loads(plain_body(tokens=None))
    last = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "qwen3-max", "choices": []}
    told = b""
    if usage is not ...:
        whole["usage"] = usage
        told = b"data: " + json.dumps(last | {"usage": usage}).encode() + b"\n\n"
    return streamed(events(*TEXTS) + FINISH + told + DONE), body(json.dumps(whole).encode())


def counts(prompt: object, completion: object) -> dict[str, object]:
    """A usage object."""
    return {"prompt_tokens": prompt, "completion_tokens": completion}


def without_end(piece: bytes, *, every: float = 0.0) -> Step:
    """Send this again and again, until the gateway closes."""

    def step(conn: Conn) -> None:
        until = time.monotonic() + 8
        while time.monotonic() < until:
            conn.write(piece)
            time.sleep(every)
        raise Over

    return step


def bytewise(data: bytes) -> Sequence[Step]:
    """Each byte is a packet."""
    return [request, send_bytewise(data)]


BOMB = gzip.compress(b" " * 16 * 1024 * 1024)
"""A thousand times as much when it is unpacked."""


def error_event(message: str = "broken", **fields: object) -> bytes:
    """An error as an event of a stream."""
    return b"data: " + json.dumps({"error": {"message": message} | fields}).encode() + b"\n\n"


def refusal(status: bytes, message: str = "broken", extra: bytes = b"") -> Sequence[Step]:
    """An error answer."""
    return answers(error(status, message, extra))


WHOLE_STREAM = body_of_stream(TEXTS)
USAGE = usage_event()
