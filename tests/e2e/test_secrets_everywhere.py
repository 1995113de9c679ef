"""After everything that a platform does has been done once, no secret lies where it does not belong (goal S7).

Every described route is called by the right caller and without a credential, with the log at debug; then logs, metrics,
answers and every file of the data folder are searched. Where secrets are at home is named below.
"""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from tests.support.load import wait_until
from tests.support.matrix import SETTINGS, Page, World
from tests.support.matrix_rules import RULES, Access
from tests.support.platform import Platform

pytestmark = pytest.mark.timeout(300)
PROMPT, VIDEO_PROMPT, CREDENTIAL = "CanaryPrompt41d0", "CanaryVideoPrompt77aa", "CanaryCredential0b3e"
HOMES = ("secrets", "outbox.jsonl", "demo-key", "artifacts", "uploads")
"""Keys; the messages of development, whose codes are to be read there; customers' own files."""
LAST = ("/api/auth/session", "/api/auth/sessions", "/api/auth/password", "/api/auth/totp", "/api/auth/mobile")
_MOMENT = re.compile(r'"(?:timestamp|at|time)": ?"[^"]*"')


def call_everything(world: World, page: Page) -> str:
    """All answers but those that show a secret to whom it belongs, once: they are noted by what they show."""
    seen: list[str] = []
    routes = sorted(RULES.items(), key=lambda item: item[0][1] in LAST)
    for (method, path), rule in routes:
        target, query = world.target(path, rule, world.me.objects)
        body = world.body(rule)
        if path.endswith("chat/completions"):
            body["json"] = {**body["json"], "messages": [{"role": "user", "content": PROMPT}]}
        elif "prompt" in body.get("json", {}):
            body["json"] = {**body["json"], "prompt": VIDEO_PROMPT}
        stranger = world.client().request(method, target, params=query, **body)
        seen.append(stranger.text)
        if rule.access is Access.KEY:
            answer = world.bearer[world.me.test_key].request(method, target, params=query, **body)
            wrong = {"authorization": f"Bearer {world.me.test_key[:-1]}"}
            seen += [answer.text, world.client(**wrong).request(method, target, params=query, **body).text]
        elif rule.access is Access.SESSION:
            answer = page.call(method, target, params=query, **body)
            if (method, path) not in (("POST", "/api/keys"), ("POST", "/api/auth/totp")):
                seen.append(re.sub(r'"csrf_token": ?"[^"]*"', "", answer.text))
    return "\n".join(seen)


def break_what_can_be_broken(world: World) -> str:
    """Providers that fail in all their ways, with a credential and a prompt of their own."""
    (sandbox,) = [c for c in world.platform.run("channel", "list")["channels"] if c["id"] == "ch_sandbox_dashscope"]
    words = ("--provider", "dashscope", "--base-url", sandbox["base_url"], "--test", "--weight", "10000")
    world.platform.run("channel", "add", *words, "--credential-stdin", stdin=f"{CREDENTIAL}\n")
    seen: list[str] = []
    for word in ("401", "402", "429", "500", "malformed", "error-mid", "not-json"):
        for path in ("/v1/chat/completions", "/llmage/v1/chat/completions"):
            message = {"role": "user", "content": f"{PROMPT} sandbox:{word}"}
            body = {"model": "qwen3-max", "stream": word == "error-mid", "messages": [message]}
            try:
                answer = world.bearer[world.me.test_key].post(path, json=body)
            except httpx2.HTTPError:
                continue
            if answer.status_code != httpx2.codes.OK:
                seen.append(answer.text)
    seen.append(json.dumps(world.platform.run("secret", "rotate")))
    return "\n".join(seen)


def canaries(world: World, pages: list[Page]) -> Iterator[tuple[str, bytes]]:
    """What is secret, by its name."""
    yield from (("prompt", PROMPT.encode()), ("credential", CREDENTIAL.encode()))
    for person in (world.me, world.other):
        for key in (person.test_key, person.live_key):
            yield from (("key", key.encode()), ("secret of a key", key.split("_")[3].encode()))
    for page in pages:
        yield from (
            (f"cookie {one.name}", one.value.encode()) for one in page.client.cookies.jar if len(one.value) > 20
        )
        yield "csrf token", page.token.encode()
    for file in (world.platform.data / "secrets").iterdir():
        for line in file.read_text(encoding="ascii").splitlines():
            if len(line) >= 32 and not line.startswith("-----") and "public" not in file.name:
                yield f"{file.name}", line.encode()
                yield from (
                    () if not re.fullmatch(r"[0-9a-f]{64}", line) else [(f"{file.name} raw", bytes.fromhex(line))]
                )


def files_of(data: Path) -> dict[str, bytes]:
    """Everything on the disk but what is at home there."""
    found = (path for path in data.rglob("*") if path.is_file() and path.relative_to(data).parts[0] not in HOMES)
    return {str(path.relative_to(data)): path.read_bytes() for path in found}


def test_no_secret_is_anywhere_after_everything_was_done(tmp_path: Path):
    settings = SETTINGS | {"YUANJING_LOG_LEVEL": "debug"}
    with Platform(tmp_path / "var", workers=1, **settings) as platform, World(platform) as world:
        pages = [world.sign_in(world.me), world.sign_in(world.other)]
        texts = {"broken": break_what_can_be_broken(world), "answers": call_everything(world, pages[0])}
        texts["metrics"] = world.client().get("/metrics").text
        for words in (
            ("channel", "list"),
            ("usage", "list"),
            ("customer", "list"),
            ("task", "list"),
            ("topup", "list"),
        ):
            texts[" ".join(words)] = json.dumps(platform.run(*words))
        os.kill(platform.children("gateway")[0], signal.SIGKILL)  # so that its spool lies there as it was
        wait_until(lambda: "starting another" in platform.errors())
        files = files_of(platform.data)
        lines = (platform.data / "outbox.jsonl").read_text(encoding="utf-8").splitlines()
        codes = {json.loads(line)["code"] for line in lines} - {""}
        platform.stop()
        texts["log"] = platform.errors()
        files |= files_of(platform.data)
        secrets = list(canaries(world, pages))
    haystacks = {name: text.encode() for name, text in texts.items()} | files
    assert len(secrets) > 15
    assert "yuanjing.db" in files
    assert len(texts["answers"]) > 20_000
    assert len(texts["log"]) > 1000
    found = [(what, name) for what, secret in secrets for name, data in haystacks.items() if secret in data]
    assert found == []
    log = _MOMENT.sub("", texts["log"])
    assert VIDEO_PROMPT not in log + texts["metrics"] + texts["broken"]
    assert codes
    assert [code for code in codes if re.search(rf"\b{code}\b", log + texts["metrics"])] == []
