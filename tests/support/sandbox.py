"""The project's sandbox on a real port, in a thread, and a directory that reaches all of its flavours.

The provider rows are the shipped ones, so that a test through a flavour also tests the row's quirks.
"""

import http.client
import json
import socket
import threading
import time
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Self

import uvicorn
from tests.support.gateway import LIMITS, LONG_AGO, FakeDirectory, channel, offer

import yuanjing
from yuanjing.domain.catalog import ChatLimits, OnDisconnect, Provider
from yuanjing.domain.pricing import ChatPrice, ChatTier
from yuanjing.sandbox.app import create_app
from yuanjing.sandbox.options import SandboxOptions

FLAVOURS = ("dashscope", "ark", "deepseek", "moonshot", "openai", "vllm", "ollama")


class Sandbox:
    """A running sandbox without waits; a context manager."""

    def __init__(self, options: SandboxOptions | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        app = create_app(options or SandboxOptions(time_scale=0))
        config = uvicorn.Config(app, log_config=None, lifespan="on", ws="none", access_log=False)
        config.timeout_graceful_shutdown = 1  # a fault may still be waiting
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive()

    def journal(self, *, bodies: bool = False) -> list[dict[str, object]]:
        """All entries, newest first."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", f"/sandbox/journal?limit=200{'&bodies=1' if bodies else ''}")
        entries = json.loads(connection.getresponse().read())["entries"]
        connection.close()
        return entries

    def clear(self) -> None:
        """Forget all entries."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("DELETE", "/sandbox/journal")
        connection.getresponse().read()
        connection.close()


def shipped_providers() -> dict[str, Provider]:
    """The catalogue's provider rows by id."""
    text = (Path(yuanjing.__file__).parent / "catalog" / "providers.toml").read_text(encoding="utf-8")
    rows: dict[str, Provider] = {}
    for row in tomllib.loads(text)["provider"]:
        values = row | {
            "on_disconnect": OnDisconnect(row.get("on_disconnect", "cancel")),
            "quirks": tuple(row.get("quirks", ())),
        }
        rows[row["id"]] = Provider(**values)
    return rows


def offer_id(name: str) -> str:
    """A public id of 21 characters for a test's offer."""
    return f"{name}-offer".ljust(21, "x")


def price_of(offer_id: str, *tiers: ChatTier, **changes: object) -> ChatPrice:
    """A price of the offer; without tiers 3.2 CNY in, 12.8 CNY out per million, cached input a fifth."""
    one = ChatTier(
        input_up_to=None, input_nanos=3_200_000_000, output_nanos=12_800_000_000, cache_read_nanos=640_000_000
    )
    values: dict[str, object] = {
        "id": f"price_{offer_id}",
        "offer_id": offer_id,
        "version": 1,
        "effective_from": LONG_AGO,
        "tiers": tiers or (one,),
    }
    return ChatPrice(**(values | changes))  # type: ignore[arg-type]


def flavour_directory(
    box: Sandbox, *, limits: ChatLimits = LIMITS, on_disconnect: OnDisconnect = OnDisconnect.CANCEL
) -> FakeDirectory:
    """For each flavour the offer `m-<flavour>` over one channel into that flavour."""
    rows = shipped_providers()
    return FakeDirectory(
        channels=[
            channel(box.url + rows[name].sandbox_path, id=f"ch_{name}", name=name, provider_id=name)
            for name in FLAVOURS
        ],
        offers=[
            offer(id=offer_id(name), model=f"m-{name}", providers={name: f"m-{name}"}, chat=limits, aliases=())
            for name in FLAVOURS
        ],
        prices=[price_of(offer_id(name)) for name in FLAVOURS],
        providers=[replace(rows[name], on_disconnect=on_disconnect) for name in FLAVOURS],
    )
