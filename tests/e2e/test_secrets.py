"""No secret and no content is ever where it does not belong: canaries in keys, credentials and prompts."""

import json
import os
import signal

import httpx2
import pytest
from tests.support.load import MODEL, PATH, wait_until
from tests.support.platform import Platform

PROMPT, CREDENTIAL = "CanaryPrompt7f3a", "CanaryCredential9c1d"
WORDS = ("401", "402", "429", "500", "503", "drop", "malformed", "error-first", "error-mid", "no-usage", "not-json", "")
PATHS = (PATH, "/v1/chat/completions")


def call_in_every_way(platform: Platform, key: str) -> tuple[list[str], int]:
    """Good and bad requests; the bodies of the errors, and how many answers were good."""
    errors: list[str] = []
    good = 0
    bodies = [
        {"model": MODEL, "stream": is_stream, "messages": [{"role": "user", "content": f"{PROMPT} {word}"}]}
        for word in (f"sandbox:{word}" if word else "" for word in WORDS)
        for is_stream in (False, True)
    ]
    bodies.append({"model": "no-such-model", "messages": [{"role": "user", "content": PROMPT}]})
    bodies.append({"model": MODEL, "messages": PROMPT})
    with httpx2.Client(trust_env=False, timeout=20) as client:
        for path in PATHS:
            for content in (*(json.dumps(body) for body in bodies), '{"model": "' + PROMPT, PROMPT):
                for authorization in (key, key[:-1] + "x") if content == PROMPT else (key,):
                    headers = {"Authorization": f"Bearer {authorization}"}
                    try:
                        answer = client.post(platform.url + path, content=content, headers=headers)
                    except httpx2.HTTPError:
                        continue
                    is_good = answer.status_code == 200 and '"error"' not in answer.text
                    good += is_good
                    if not is_good and not answer.headers["content-type"].startswith("text/event-stream"):
                        errors.append(answer.text)
    return errors, good


@pytest.mark.timeout(300)
def test_no_canary_is_found_anywhere(tmp_path):
    settings = {"YUANJING_LOG_LEVEL": "debug", "YUANJING_SANDBOX_TIME_SCALE": "0"}
    with Platform(tmp_path / "var", **settings) as platform:
        key = platform.new_key()
        (sandbox,) = [c for c in platform.run("channel", "list")["channels"] if c["id"] == "ch_sandbox_dashscope"]
        added = platform.run(
            *("channel", "add", "--provider", "dashscope", "--base-url", sandbox["base_url"], "--test"),
            *("--name", "canary", "--weight", "10000", "--credential-stdin"),
            stdin=CREDENTIAL + "\n",
        )
        tested = platform.run("channel", "test", added["channel"]["id"])
        assert tested["ok"] is False
        errors, good = call_in_every_way(platform, key)
        assert good >= 4
        assert len(errors) > 40
        metrics = httpx2.get(f"{platform.url}/metrics", trust_env=False).text
        listed = [json.dumps(platform.run(*words)) for words in (("channel", "list"), ("usage", "list"))]
        os.kill(platform.children("gateway")[0], signal.SIGKILL)  # so that its spool lies there as it was
        wait_until(lambda: "starting another" in platform.errors())
        files = {p: p.read_bytes() for p in platform.data.rglob("*") if p.is_file() and p.name != "demo-key"}
        assert platform.data / "yuanjing.db" in files
        platform.stop()
        texts = {"errors": "".join(errors), "metrics": metrics, "log": platform.errors(), "commands": "".join(listed)}
        texts["answers of the CLI"] = json.dumps(tested)
        files |= {p: p.read_bytes() for p in platform.data.rglob("*") if p.is_file() and p.name != "demo-key"}
    assert "upstream" in texts["log"] or "channel" in texts["log"], "the log is silent, so nothing is shown"
    haystacks = {name: text.encode() for name, text in texts.items()} | {
        str(path): data for path, data in files.items()
    }
    for canary in (PROMPT, CREDENTIAL, key.split("_")[3], key):
        found = [name for name, data in haystacks.items() if canary.encode() in data]
        assert found == [], f"{canary} was found"
