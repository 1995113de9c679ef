"""Credentials and the key that seals them are changed under load, and nobody notices (goal S15)."""

import json
import threading
import time
from collections import Counter
from pathlib import Path

import pysqlite3
import pytest
from tests.support.load import MODEL, Load, wait_until
from tests.support.platform import Platform
from tests.support.upstream import RawUpstream, Request, forever

from yuanjing.kit.secretbox import KEK_BYTES, SecretBox, SecretBoxError

FIRST, SECOND = "sk-first-CanaryCredential41", "sk-second-CanaryCredential42"
CLIENTS, PAUSE_SECONDS = 10, 0.15
RATE_MIN = 25
"""Requests a second, of about 50 that are begun on a machine that has the time."""


class Provider:
    """Knows some credentials, and counts by credential what it was asked."""

    def __init__(self) -> None:
        self.valid = {FIRST, SECOND}
        self.seen: Counter[str] = Counter()
        self._lock = threading.Lock()

    def answer(self, asked: Request) -> bytes:
        """Two tokens, streamed if that is wanted."""
        head = asked.head.decode("latin-1").lower()
        found = next((one for one in (FIRST, SECOND) if f"bearer {one.lower()}" in head), "none")
        with self._lock:
            self.seen[found] += 1
        if found not in self.valid:
            return _answer(401, "application/json", json.dumps({"error": {"message": "wrong key"}}))
        usage = {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4}
        same = {"id": "c", "created": 1, "model": MODEL}
        if not asked.json.get("stream"):
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
            document = {**same, "object": "chat.completion", "choices": [choice], "usage": usage}
            return _answer(200, "application/json", json.dumps(document))
        delta = {"index": 0, "delta": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
        chunks = [
            {**same, "object": "chat.completion.chunk", "choices": [delta], "usage": None},
            {**same, "object": "chat.completion.chunk", "choices": [], "usage": usage},
        ]
        events = [*(json.dumps(chunk) for chunk in chunks), "[DONE]"]
        return _answer(200, "text/event-stream", "".join(f"data: {event}\n\n" for event in events))


def _answer(status: int, kind: str, text: str) -> bytes:
    head = f"HTTP/1.1 {status} Word\r\ncontent-type: {kind}\r\ncontent-length: {len(text.encode())}\r\n\r\n"
    return (head + text).encode()


def only_channel(platform: Platform, url: str) -> str:
    """A channel to our provider, which all chats take; its id."""
    for channel in platform.run("channel", "list")["channels"]:
        if channel["provider"] == "dashscope":
            platform.run("channel", "disable", channel["id"])
    words = ("--provider", "dashscope", "--base-url", url, "--test", "--credential-stdin")
    return platform.run("channel", "add", *words, stdin=f"{FIRST}\n")["channel"]["id"]


def read_again(platform: Platform, channel: str, weight: int) -> None:
    """Let every gateway read the catalogue, and open the credential, anew."""
    platform.run("channel", "update", channel, "--weight", str(weight))
    time.sleep(1)


def change_everything(platform: Platform, provider: Provider, channel: str, load: Load) -> None:
    """The provider's credential, then twice the key that seals it."""
    wait_until(lambda: load.total > CLIENTS)
    platform.run("channel", "update", channel, "--credential-stdin", stdin=f"{SECOND}\n")
    wait_until(lambda: provider.seen[SECOND] > CLIENTS)
    settled = provider.seen[FIRST]
    time.sleep(2)
    assert provider.seen[FIRST] == settled, "some process still uses the old credential"
    provider.valid = {SECOND}
    for weight in (7, 8):
        rotated = platform.run("secret", "rotate")
        assert (rotated["unopened"], rotated["moved"] > 1) == ([], True)
        read_again(platform, channel, weight)
        assert list(platform.run("secret", "retire")["keys"]) == [rotated["current"]]
        read_again(platform, channel, weight + 10)


def sealed_rows(database: Path) -> list[tuple[bytes, bytes]]:
    """What is sealed in a copy of the database, with its context."""
    with pysqlite3.connect(database) as connection:
        rows = connection.execute("SELECT id, provider_id, book, base_url, credential FROM channels").fetchall()
    return [(row[4], "\n".join(("channel", *row[:4])).encode()) for row in rows]


def opened_by(rows: list[tuple[bytes, bytes]], key: bytes) -> int:
    """How many a key opens."""
    found = 0
    for sealed, context in rows:
        try:
            SecretBox([key]).open(sealed, context)
        except SecretBoxError:
            continue
        found += 1
    return found


def keys_in(database: Path) -> set[bytes]:
    """Whatever in the database is as long as a key: as bytes, and as hexadecimal digits."""
    with pysqlite3.connect(database) as connection:
        values = {
            value
            for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for row in connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608  # a name of our own schema
            for value in row
        }
    found = {value[:KEK_BYTES] for value in values if isinstance(value, bytes) and len(value) >= KEK_BYTES}
    for value in values:
        if isinstance(value, str) and len(value) == 2 * KEK_BYTES:
            found.add(bytes.fromhex(value) if set(value) <= set("0123456789abcdef") else value.encode()[:KEK_BYTES])
    return found | {bytes(KEK_BYTES)}


@pytest.mark.timeout(300)
def test_rotation_under_load_fails_nobody_and_leaves_the_old_key_useless(tmp_path: Path):
    provider = Provider()
    with (
        RawUpstream([forever(provider.answer)]) as upstream,
        Platform(tmp_path / "var", workers=2) as platform,
    ):
        channel = only_channel(platform, upstream.url)
        key_file = platform.data / "secrets" / "encryption-key"
        old = bytes.fromhex(key_file.read_text())
        assert opened_by(sealed_rows(backup(platform, tmp_path / "before.db")), old) > 1
        began = time.monotonic()
        with Load(platform, clients=CLIENTS, pause_seconds=PAUSE_SECONDS) as load:
            change_everything(platform, provider, channel, load)
        rate = load.total / (time.monotonic() - began)
        assert (dict(load.refused), load.broken, set(load.statuses)) == ({}, [], {200})
        assert rate > RATE_MIN, f"{load.total} requests"
        after = backup(platform, tmp_path / "after.db")
        assert platform.verify() == []
        (new,) = (bytes.fromhex(line) for line in key_file.read_text().split())
        assert "cannot be opened" not in platform.errors()
    rows = sealed_rows(after)
    assert (opened_by(rows, new), opened_by(rows, old)) == (len(rows), 0)
    check_dump(after, [old, new])


def backup(platform: Platform, target: Path) -> Path:
    """A copy, as an operator makes it."""
    platform.run("backup", str(target))
    return target


def check_dump(database: Path, keys: list[bytes]) -> None:
    """The database alone decrypts nothing: no key and no credential is in it, in whatever writing."""
    data = database.read_bytes()
    for secret in (FIRST.encode(), SECOND.encode(), *keys, *(key.hex().encode() for key in keys)):
        assert secret not in data
    candidates = keys_in(database)
    assert len(candidates) > 1, "digests of keys should have been found"
    rows = sealed_rows(database)
    assert sum(opened_by(rows, key) for key in candidates) == 0
