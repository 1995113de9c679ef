import io
import json
import logging

import pytest
import structlog

from yuanjing.domain.identity import format_key
from yuanjing.domain.money import Book
from yuanjing.kit.logging import configure_logging, mask_text

KEY = format_key(Book.LIVE, "ab12CD34", "s" * 32)
SECRETS = (KEY, "sk-1234567890abcdef", "Bearer abcdefghijkl", "postgresql://u:hunter2@host/db")
PARTS = ("ssssssss", "1234567890", "abcdefghijkl", "hunter2")


@pytest.fixture
def lines():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging("info", stream=stream, process="gateway-0")
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_line_is_one_json_object_with_time_level_and_process(lines):
    structlog.get_logger().info("started", port=8080)
    (line,) = lines()
    assert line["event"] == "started"
    assert line["port"] == 8080
    assert line["level"] == "info"
    assert line["process"] == "gateway-0"
    assert line["at"].endswith("Z")


def test_lines_below_the_level_are_dropped(lines):
    structlog.get_logger().debug("detail")
    logging.getLogger("other").debug("detail")
    assert lines() == []


@pytest.mark.parametrize("place", ["event", "value", "list", "mapping", "exception", "stdlib", "argument", "object"])
def test_secrets_are_masked_wherever_they_are(lines, place):
    log = structlog.get_logger()
    for secret in SECRETS:
        text = f"said {secret} here"
        if place == "event":
            log.error(text)
        elif place == "value":
            log.error("x", detail=text)
        elif place == "list":
            log.error("x", detail=[text, {"deep": (text,)}])
        elif place == "mapping":
            log.error("x", detail={"a": text})
        elif place == "exception":
            try:
                int(text)
            except ValueError:
                log.exception("x")
        elif place == "stdlib":
            logging.getLogger("uvicorn.error").error(text)
        elif place == "argument":
            logging.getLogger("uvicorn.error").error("got %s", text)
        else:
            log.error("x", detail=ValueError(text))
    written = json.dumps(lines())
    assert len(lines()) == len(SECRETS)
    assert not [part for part in PARTS if part in written]
    assert "***" in written


def test_content_is_masked_by_its_name_and_bytes_are_counted_only(lines):
    structlog.get_logger().info("x", messages=[{"role": "user"}], body=b"abc", raw=b"abcd", prompt=None, n=1)
    (line,) = lines()
    assert (line["messages"], line["body"], line["raw"], line["prompt"], line["n"]) == (
        "***",
        "***",
        "<4 bytes>",
        None,
        1,
    )


def test_a_cycle_ends(lines):
    loop: list[object] = []
    loop.append(loop)
    structlog.get_logger().info("x", loop=loop)
    assert len(lines()) == 1


def test_of_our_keys_the_public_id_stays():
    assert mask_text(f"key {KEY}") == "key yj_live_ab12CD34_***"
    assert mask_text("yj_test_zzzz") == "yj_test_***"
    assert mask_text("a task-1 and sk-ip") == "a task-1 and sk-ip"


def test_calls_of_the_http_client_are_no_news(lines):
    """A line for each would cost as much as the call, and tell addresses."""
    logging.getLogger("httpx2").info("HTTP Request: GET https://host.test/secret")
    logging.getLogger("httpcore2.connection").info("connect_tcp.started")
    logging.getLogger("httpx2").warning("trouble")
    assert [line["event"] for line in lines()] == ["trouble"]
