"""Every magic word, in a stream and in a plain answer, on the wire."""

import gzip
import json
import logging
import time

import httpx2
import pytest

from yuanjing.sandbox.faults import Fault

USAGE = {"stream_options": {"include_usage": True}}
TEXT = "hi sandbox:tokens=40 sandbox:"
STATUS = {"401": 401, "402": 402, "429": 429, "500": 500, "503": 503}


def plain(box, flavour, word, make_chat, **fields):
    """The bytes of a plain answer as they came, its headers, and whether it came whole."""
    headers = {"authorization": "Bearer sandbox-key"}
    url = {"openai": "/v1", "deepseek": "/deepseek/v1", "dashscope": "/compatible-mode/v1"}[flavour]
    parts = []
    body = make_chat(TEXT + word, **fields)
    with box.client.stream("POST", f"{url}/chat/completions", json=body, headers=headers) as answer:
        try:
            parts.extend(answer.iter_raw())
        except httpx2.RemoteProtocolError:
            return answer, b"".join(parts), False
    return answer, b"".join(parts), True


@pytest.mark.parametrize("word", STATUS)
def test_statuses(box, flavour, make_chat, word):
    for stream in (False, True):
        answer = box.post(flavour, make_chat(f"please sandbox:{word}", stream=stream))
        assert answer.status_code == STATUS[word]
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["error"]
        assert ("retry-after" in answer.headers) == (word == "429")


@pytest.mark.parametrize("name", ["openai", "dashscope", "deepseek"])
def test_slow_first_byte(box, make_chat, name):
    began = time.monotonic()
    assert box.events(name, TEXT + "slow-first-byte=0.2")[-1] == "[DONE]"
    assert json.loads(plain(box, name, "slow-first-byte=0.2", make_chat)[1])["choices"]
    assert time.monotonic() - began >= 0.4


@pytest.mark.parametrize("name", ["openai", "deepseek"])
@pytest.mark.parametrize("word", ["drop", "stall=0.2"])
def test_drop_and_stall(box, make_chat, read_events, name, word):
    began = time.monotonic()
    answer, data, whole = box.raw(name, TEXT + word, **USAGE)
    assert (answer.status_code, whole) == (200, False)
    events = read_events(data)
    assert len(events) == 11
    entry = box.entry("m-1")
    assert (entry["sent_tokens"], entry["completion_tokens"], entry["client_left"]) == (20, None, False)
    answer, data, whole = plain(box, name, word, make_chat)
    assert (answer.status_code, whole) == (200, False)
    with pytest.raises(json.JSONDecodeError):
        json.loads(data)
    entry = box.entry("m-1")
    assert (entry["status"], entry["completion_tokens"], entry["client_left"]) == (200, None, False)
    assert ("stall" not in word) or time.monotonic() - began >= 0.4


def test_malformed(box, make_chat, read_events):
    _, data, whole = box.raw("openai", TEXT + "malformed", **USAGE)
    before, _, after = data.partition(b"data: {not json\n\n")
    assert whole
    assert len(read_events(before)) == 11
    assert read_events(after)[-2]["usage"]["completion_tokens"] == 40
    _, data, whole = plain(box, "openai", "malformed", make_chat)
    assert whole
    assert b"{not json" in data
    with pytest.raises(json.JSONDecodeError):
        json.loads(data)


@pytest.mark.parametrize(("word", "before"), [("error-first", 0), ("error-mid", 11)])
def test_errors_inside_200(box, make_chat, word, before):
    events = box.events("dashscope", TEXT + word, **USAGE)
    assert len(events) == before + 1
    assert list(events[-1]) == ["error", "id", "request_id"]
    assert events[-1]["error"]["code"] == "data_inspection_failed"
    answer, data, whole = plain(box, "dashscope", word, make_chat)
    assert (answer.status_code, whole) == (200, True)
    assert json.loads(data)["error"]["code"] == "data_inspection_failed"
    assert box.entry("m-1")["prompt_tokens"] is None


def test_no_usage(box, flavour, make_chat):
    events = box.events(flavour, TEXT + "no-usage", **USAGE)
    assert events[-1] == "[DONE]"
    assert not any(event.get("usage") for event in events[:-1])
    assert not any("usage" in choice for event in events[:-1] for choice in event["choices"])
    assert "usage" not in box.post(flavour, make_chat(TEXT + "no-usage")).json()
    assert box.entry("m-1")["completion_tokens"] is None


def test_no_done_and_done_twice(box, make_chat):
    usual = box.events("openai", TEXT, **USAGE)
    assert usual[-1] == "[DONE]"
    none = box.events("openai", TEXT + "no-done", **USAGE)
    assert (len(none), none[-1]["usage"]) == (
        len(usual) - 1,
        usual[-2]["usage"] | {"prompt_tokens": 14, "total_tokens": 54},
    )
    twice = box.events("openai", TEXT + "done-twice", **USAGE)
    assert twice[-3:] == [twice[-3], "[DONE]", "[DONE]"]
    assert json.loads(plain(box, "openai", "no-done", make_chat)[1])["usage"]["completion_tokens"] == 40
    data = plain(box, "openai", "done-twice", make_chat)[1]
    assert data.endswith(b"}\n\n")
    assert json.loads(data)["usage"]["completion_tokens"] == 40


@pytest.mark.parametrize(("word", "size"), [("huge-chunk=3000", 3000), ("huge-chunk", 2_000_000)])
def test_huge_chunk(box, make_chat, read_text, word, size):
    events = box.events("openai", TEXT + word, **USAGE)
    assert max(len(e["choices"][0]["delta"].get("content", "")) for e in events[:-2]) == size
    content = json.loads(plain(box, "openai", word, make_chat)[1])["choices"][0]["message"]["content"]
    assert content.endswith(" " * size)
    assert events[-2]["usage"]["completion_tokens"] == 40
    assert read_text(events).replace(" " * size, "") == content[:-size]


def test_not_json(box, make_chat):
    for answer, data, whole in (box.raw("openai", TEXT + "not-json"), plain(box, "openai", "not-json", make_chat)):
        assert (answer.status_code, whole) == (200, True)
        assert answer.headers["content-type"].startswith("text/html")
        assert data.startswith(b"<html>")


@pytest.mark.parametrize("name", ["openai", "deepseek"])
def test_truncated_length(box, make_chat, read_events, name):
    answer, data, whole = box.raw(name, TEXT + "truncated-length", **USAGE)
    assert not whole
    assert int(answer.headers["content-length"]) > len(data)
    assert read_events(data)[-1] == "[DONE]"
    answer, data, whole = plain(box, name, "truncated-length", make_chat)
    assert not whole
    assert int(answer.headers["content-length"]) > len(data)
    assert json.loads(data)["usage"]["completion_tokens"] == 40


@pytest.mark.parametrize("name", ["openai", "deepseek"])
def test_gzip(box, make_chat, read_events, name):
    answer, data, _ = box.raw(name, TEXT + "gzip", **USAGE)
    assert answer.headers["content-encoding"] == "gzip"
    assert read_events(gzip.decompress(data))[-1] == "[DONE]"
    answer, data, _ = plain(box, name, "gzip", make_chat)
    assert answer.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(data))["usage"]["completion_tokens"] == 40


def test_wrong_usages(box, make_chat):
    for word, wanted in (("usage-negative", -40), ("usage-huge", 10**12)):
        usage = box.events("openai", TEXT + word, **USAGE)[-2]["usage"]
        assert usage["completion_tokens"] == wanted == box.entry("m-1")["completion_tokens"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + wanted
        assert json.loads(plain(box, "openai", word, make_chat)[1])["usage"] == usage


def test_usage_twice(box, make_chat):
    events = box.events("openai", TEXT + "usage-twice", **USAGE)
    assert [e["usage"]["completion_tokens"] for e in events[-3:-1]] == [20, 40]
    data = plain(box, "openai", "usage-twice", make_chat)[1]
    told = json.loads(data, object_pairs_hook=list)
    assert [dict(value)["completion_tokens"] for key, value in told if key == "usage"] == [20, 40]
    assert json.loads(data)["usage"] == events[-2]["usage"]
    assert box.entry("m-1")["completion_tokens"] == 40


def test_line_ends_and_lines(box, make_chat, read_events):
    data = box.raw("openai", TEXT + "crlf")[1]
    assert data.count(b"\n") == data.count(b"\r\n") == 2 * data.count(b"data: ")
    assert read_events(data.replace(b"\r\n", b"\n"))[-1] == "[DONE]"
    data = plain(box, "openai", "crlf", make_chat)[1]
    assert data.count(b"\r\n") == data.count(b"\n") > 5
    assert json.loads(data)["usage"]
    data = box.raw("openai", TEXT + "multi-data")[1]
    blocks = data.decode().removesuffix("\n\n").split("\n\n")
    assert all(line.startswith("data: ") for block in blocks for line in block.split("\n"))
    joined = ["\n".join(line[6:] for line in block.split("\n")) for block in blocks]
    assert joined[-1] == "[DONE]"
    assert all("\n" in one and json.loads(one)["choices"] for one in joined[:-1])
    data = plain(box, "openai", "multi-data", make_chat)[1]
    assert b"\n" in data
    assert json.loads(data)["usage"]


def test_single_bytes(box, make_chat, read_events, read_text):
    text = "你好 sandbox:split-utf8"
    headers = {"authorization": "Bearer sandbox-key"}
    for stream in (True, False):
        body = make_chat(text, stream=stream)
        with box.client.stream("POST", "/v1/chat/completions", json=body, headers=headers) as answer:
            parts = list(answer.iter_raw())
        assert answer.headers["transfer-encoding"] == "chunked"
        assert [len(part) for part in parts[:300]] == [1] * 300
        data = b"".join(parts)
        assert any(part[-1:] >= b"\xc0" for part in parts[300:])
        assert "沙箱" in (read_text(read_events(data)) if stream else data.decode())
        assert (read_events(data)[-1] == "[DONE]") if stream else json.loads(data)


@pytest.mark.parametrize("name", ["openai", "deepseek"])
def test_byte_order_mark(box, make_chat, read_events, name):
    data = box.raw(name, TEXT + "bom")[1]
    assert data.startswith(b"\xef\xbb\xbfdata: ")
    assert read_events(data[3:])[-1] == "[DONE]"
    data = plain(box, name, "bom", make_chat)[1]
    assert data.startswith(b"\xef\xbb\xbf{")
    assert json.loads(data[3:])["usage"]


@pytest.mark.parametrize("fault", list(Fault), ids=str)
def test_every_word_is_journalled_and_leaves_the_log_quiet(box, make_chat, fault, caplog):
    model = f"every-{fault}"
    quick = "=0.01" if fault in {Fault.SLOW_FIRST_BYTE, Fault.STALL} else ""
    for stream in (True, False):
        body = make_chat(f"x sandbox:{fault}{quick}", model=model, stream=stream)
        headers = {"authorization": "Bearer sandbox-key"}
        try:
            with box.client.stream("POST", "/v1/chat/completions", json=body, headers=headers) as answer:
                list(answer.iter_raw())
        except httpx2.RemoteProtocolError:
            pass
        entry = box.entry(model)
        assert (entry["stream"], entry["client_left"]) == (stream, False)
        assert entry["fault"] == (None if fault is Fault.TOKENS else fault)
    assert box.ask("openai", "still here?")["usage"]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_credential_that_always_fails(box, make_chat):
    body = make_chat("nothing special")
    assert box.post("openai", body, key="sandbox-key-fail-503").status_code == 503
    assert box.post("ollama", body, key="sandbox-key-fail-429").status_code == 429
    assert box.post("openai", body, key="other-key-fail-401").status_code == 401
    assert box.post("openai", body).status_code == 200
    assert not box.raw("openai", "hi", key="sandbox-key-fail-drop")[2]
    headers = {"authorization": "Bearer sandbox-key-fail-500"}
    assert box.client.get("/v1/models", headers=headers).status_code == 500
