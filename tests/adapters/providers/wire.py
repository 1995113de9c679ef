"""A provider made of a raw socket: it keeps every byte that it is sent, and plays the answers that it is told."""

import asyncio
import json
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from yuanjing.adapters.providers.ark import ArkUpstream
from yuanjing.adapters.providers.dashscope import DashscopeUpstream
from yuanjing.adapters.providers.vidu import ViduUpstream
from yuanjing.domain.tasks import Submission
from yuanjing.kit.webcalls import CallLimits, WebCaller, open_client
from yuanjing.ports.upstream import ChannelAccess, TaskRef

CREDENTIAL = "sk-very-secret-credential"
NOW = 1_779_348_818.0
LIMITS = CallLimits(answer_bytes_max=2**20)
IMPATIENT = CallLimits(read_seconds=0.1)
HURRIED = CallLimits(connect_seconds=0.9, pool_seconds=0.1, total_seconds=1.1)
TLS = ssl.create_default_context()
PROTOCOLS = {"dashscope": DashscopeUpstream, "ark": ArkUpstream, "vidu": ViduUpstream}
BASES = {"dashscope": "/api/v1", "ark": "/api/v3", "vidu": ""}

ACCEPTED = {
    "dashscope": {"output": {"task_status": "PENDING", "task_id": "T"}, "request_id": "r"},
    "ark": {"id": "T"},
    "vidu": {"task_id": "T", "state": "created", "credits": 100},
}
RUNNING = {
    "dashscope": {"output": {"task_status": "RUNNING", "task_id": "T"}, "request_id": "r"},
    "ark": {"id": "T", "status": "running"},
    "vidu": {"id": "T", "state": "processing", "credits": 100, "creations": []},
}


@dataclass(kw_only=True)
class Asked:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def path(self):
        return urlsplit(self.target).path

    @property
    def query(self):
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def json(self):
        return json.loads(self.body)


@dataclass(kw_only=True)
class Answer:
    """What is played.

    `raw` replaces the whole answer; `cut_at` closes the connection after so many bytes of it; `drips` sends the body
    byte by byte with this pause; `is_silent` never answers.
    """

    status: int = 200
    body: object = b""
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    cut_at: int | None = None
    drips: float | None = None
    is_silent: bool = False

    def head_and_body(self):
        if self.raw is not None:
            return self.raw, b""
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body, ensure_ascii=False).encode()
        headers = {"content-type": "application/json", "content-length": str(len(body)), **self.headers}
        lines = [f"HTTP/1.1 {self.status} Whatever", *(f"{name}: {value}" for name, value in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode(), body


class Provider:
    """The server: `plays` queues answers, the last one is repeated."""

    def __init__(self):
        self.asked = []
        self.connections = 0
        self._answers = []
        self.was_asked = asyncio.Event()
        self._release = asyncio.Event()
        self._writers = []

    def plays(self, *answers):
        self._answers = [one if isinstance(one, Answer) else Answer(body=one) for one in answers]
        return self

    @property
    def last(self):
        return self.asked[-1]

    async def open(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self):
        self._release.set()
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader, writer):
        self.connections += 1
        number = self.connections
        self._writers.append(writer)
        try:
            while await self._one(reader, writer, number):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _one(self, reader, writer, number):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.asked.append(Asked(method=method, target=target, headers=headers, body=body, connection=number))
        self.was_asked.set()
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer.is_silent:
            await self._release.wait()
            return False
        head, body = answer.head_and_body()
        if answer.drips is not None:
            writer.write(head)
            for i in range(len(body)):
                writer.write(body[i : i + 1])
                await writer.drain()
                await asyncio.sleep(answer.drips)
            return False
        data = head + body
        writer.write(data if answer.cut_at is None else data[: answer.cut_at])
        await writer.drain()
        return answer.cut_at is None


@asynccontextmanager
async def provider_running():
    provider = Provider()
    await provider.open()
    try:
        yield provider
    finally:
        await provider.close()


def access(provider, protocol, **changes):
    values = {"base_url": provider.url + BASES[protocol], "credential": CREDENTIAL, **changes}
    return ChannelAccess(**values)


def submission(**changes):
    return Submission(**{"id": "t-936759404378734592-1", "model": "m-1", "prompt": "a cat", **changes})


def ref(task_id, *, model="m-1", at=NOW):
    return TaskRef(upstream_task_id=task_id, model=model, submitted_at=at)


@asynccontextmanager
async def caller(limits=LIMITS):
    async with open_client(limits, verify=TLS) as client:
        yield WebCaller(client, limits)


def error_answer(protocol, status, code, message="the words of the provider"):
    """An error in the protocol's documented envelope."""
    bodies = {
        "dashscope": {"code": code, "message": message, "request_id": "r-1"},
        "ark": {"error": {"code": code, "message": message, "param": "", "type": "BadRequest"}},
        "vidu": {"code": status, "reason": code, "message": message, "metadata": {"trace_id": "r-1"}},
    }
    return Answer(status=status, body=bodies[protocol], headers={"x-request-id": "r-1"})
