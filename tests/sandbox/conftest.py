"""A sandbox on a real port, in a thread, and a small client for it."""

import json
import socket
import threading
import time

import httpx2
import pytest
import uvicorn

from yuanjing.sandbox.app import create_app
from yuanjing.sandbox.options import SandboxOptions

BASES = {
    "openai": "/v1",
    "dashscope": "/compatible-mode/v1",
    "ark": "/api/v3",
    "deepseek": "/deepseek/v1",
    "moonshot": "/moonshot/v1",
    "vllm": "/vllm/v1",
    "ollama": "/ollama/v1",
}


class Served:
    """A running sandbox."""

    def __init__(self, options):
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(create_app(options), log_config=None, lifespan="on", ws="none", access_log=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]})
        self._thread.start()
        self.client = httpx2.Client(base_url=self.url, timeout=10, trust_env=False)
        while not self._server.started:
            time.sleep(0.01)

    def stop(self):
        self.client.close()
        self._server.should_exit = True
        self._thread.join(10)

    def post(self, flavour, body, *, key="sandbox-key"):
        """One request with a whole answer."""
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        return self.client.post(f"{BASES[flavour]}/chat/completions", json=body, headers=headers)

    def ask(self, flavour, text, **fields):
        """A user's text and the answer's JSON."""
        answer = self.post(flavour, chat(text, **fields))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def raw(self, flavour, text, *, key="sandbox-key", **fields):
        """The bytes of a stream as they came, and whether it came whole."""
        body = chat(text, stream=True, **fields)
        headers = {"authorization": f"Bearer {key}"}
        parts = []
        with self.client.stream("POST", f"{BASES[flavour]}/chat/completions", json=body, headers=headers) as answer:
            try:
                parts.extend(answer.iter_raw())
            except httpx2.RemoteProtocolError:
                return answer, b"".join(parts), False
        return answer, b"".join(parts), True

    def events(self, flavour, text, **fields):
        """The events of a stream: JSON objects, then the string "[DONE]"."""
        answer, data, whole = self.raw(flavour, text, **fields)
        assert answer.status_code == 200, data
        assert whole
        return events_of(data)

    def journal(self, **query):
        return self.client.get("/sandbox/journal", params={"limit": 200, **query}).json()["entries"]

    def entry(self, model, **query):
        """The newest entry of a model, once it has ended."""
        for _ in range(200):
            found = next(entry for entry in self.journal(**query) if entry["model"] == model)
            if found["ended"]:
                return found
            time.sleep(0.01)
        raise AssertionError(found)


def chat(text, **fields):
    return {"model": "m-1", "messages": [{"role": "user", "content": text}], **fields}


def events_of(data):
    blocks = [block for block in data.decode().split("\n\n") if block and not block.startswith(":")]
    assert all(block.startswith("data: ") for block in blocks), blocks
    return [block[6:] if block == "data: [DONE]" else json.loads(block[6:]) for block in blocks]


def text_of(events, index=0, field="content"):
    deltas = [
        choice["delta"]
        for event in events
        if event != "[DONE]"
        for choice in event["choices"]
        if choice["index"] == index
    ]
    return "".join(delta.get(field) or "" for delta in deltas)


@pytest.fixture(scope="session")
def box():
    served = Served(SandboxOptions(time_scale=0, credentials=frozenset({"sandbox-key", "other-key"})))
    yield served
    served.stop()


@pytest.fixture(scope="session")
def serve():
    """Start further sandboxes with other options."""
    running = []

    def start(options):
        running.append(Served(options))
        return running[-1]

    yield start
    for served in running:
        served.stop()


@pytest.fixture
def read_events():
    return events_of


@pytest.fixture
def read_text():
    return text_of


@pytest.fixture
def make_chat():
    return chat


@pytest.fixture(params=sorted(BASES))
def flavour(request):
    return request.param
