"""Clients of a running platform that ask again and again and remember what they got."""

import asyncio
import itertools
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Self

import httpx2
from tests.support.platform import Platform

MODEL = "qwen3-max"
PATH = "/llmage/v1/chat/completions"
COST = re.compile(r'"cost": ?"([0-9.]+)"')


def wait_until(condition: Callable[[], object], seconds: float = 15.0, *, pause: float = 0.02) -> float:
    """Ask until the answer is true; the seconds that took. Fails when the time is up."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not come true in time"
        time.sleep(pause)
    return time.monotonic() - began


def chat_body(text: str = "hi", *, is_stream: bool = False, max_tokens: int = 40) -> dict[str, object]:
    """A request in the seed's dialect."""
    messages = [{"role": "user", "content": text}]
    return {"model": MODEL, "stream": is_stream, "max_tokens": max_tokens, "messages": messages}


def ask(platform: Platform, key: str, text: str = "hi", **options: object) -> httpx2.Response:
    """One request on a connection of its own."""
    with httpx2.Client(trust_env=False, timeout=20) as client:
        body = chat_body(text, **options)  # type: ignore[arg-type]
        return client.post(platform.url + PATH, json=body, headers={"Authorization": f"Bearer {key}"})


def balance(platform: Platform, key: str) -> dict[str, Decimal]:
    """What the key's customer has, as the platform tells it."""
    with httpx2.Client(trust_env=False, timeout=20) as client:
        answer = client.get(f"{platform.url}/llmage/v1/balance", headers={"Authorization": f"Bearer {key}"})
    answer.raise_for_status()
    return {name: Decimal(answer.json()[name]) for name in ("available", "held", "promotion")}


class Load:
    """Asynchronous clients in a thread; half of their requests are streams.

    Attributes:
        whole: usage id → price of each answer that arrived whole.
        statuses: how many answers with each status there were.
        broken: connections and streams that ended early, with what was seen.
    """

    def __init__(
        self,
        platform: Platform,
        *,
        clients: int,
        key: str = "",
        text: str = "hi",
        max_tokens: int = 40,
        pause_seconds: float = 0.0,
    ) -> None:
        self.whole: dict[str, Decimal] = {}
        self.statuses: Counter[int] = Counter()
        self.broken: list[str] = []
        self.refused: Counter[str] = Counter()
        self._platform = platform
        self._key = key or platform.key
        self._text, self._max_tokens = text, max_tokens
        self._clients, self._pause_seconds = clients, pause_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run_all()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def total(self) -> int:
        """Answers so far."""
        return sum(self.statuses.values())

    def end(self) -> None:
        """Let each client finish its request, and stop."""
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    async def _run_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(self._clients):
                group.create_task(self._run(number))

    async def _run(self, number: int) -> None:
        async with httpx2.AsyncClient(trust_env=False, timeout=25) as client:
            for turn in itertools.count():
                if self._stop.is_set():
                    return
                try:
                    is_good = await self._ask(client, is_stream=(number + turn) % 2 == 0)
                except (httpx2.HTTPError, ValueError) as error:
                    self.broken.append(repr(error))
                    is_good = False
                await asyncio.sleep(self._pause_seconds if is_good else 0.05)

    async def _ask(self, client: httpx2.AsyncClient, *, is_stream: bool) -> bool:
        body = chat_body(self._text, is_stream=is_stream, max_tokens=self._max_tokens)
        headers = {"Authorization": f"Bearer {self._key}"}
        answer = await client.post(self._platform.url + PATH, json=body, headers=headers)
        self.statuses[answer.status_code] += 1
        if answer.status_code != httpx2.codes.OK:
            self.refused[answer.text[:200]] += 1
            return False
        if is_stream and "data: [DONE]" not in answer.text:
            self.broken.append(answer.text[-200:])
            return False
        cost = COST.search(answer.text)
        assert cost is not None, answer.text
        self.whole[answer.headers["x-yuanjing-usage-id"]] = Decimal(cost[1])
        return True


async def spend_until_refused(platform: Platform, key: str, *, clients: int, body: dict[str, object]) -> list[Decimal]:
    """Many clients at once, each of which repeats until it is refused for money; the prices of all answers."""
    prices: list[Decimal] = []
    limits = httpx2.Limits(max_connections=clients, max_keepalive_connections=clients)
    headers = {"Authorization": f"Bearer {key}"}

    async def spend(client: httpx2.AsyncClient) -> None:
        while True:
            answer = await client.post(platform.url + PATH, json=body, headers=headers)
            if answer.status_code == httpx2.codes.TOO_MANY_REQUESTS:
                assert "nsufficient" in answer.text or "budget" in answer.text.lower(), answer.text
                return
            assert answer.status_code == httpx2.codes.OK, answer.text
            prices.append(Decimal(answer.json()["usage"]["cost"]))

    async with httpx2.AsyncClient(trust_env=False, timeout=60, limits=limits) as client, asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(spend(client))
    return prices


def log_lines(text: str) -> list[dict[str, object]]:
    """The JSON lines of a log; what is no JSON is left out."""
    lines: list[dict[str, object]] = []
    for line in text.splitlines():
        with suppress(ValueError):
            lines.append(json.loads(line))
    return lines
