"""The platform with one channel of video to the simulated providers, set up through its command line."""

import contextlib
import datetime as dt
import json
import sys
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from bench.processes import family, free_port, start, start_module, stop, wait_ready
from bench.yuanjing import run_command

CREDIT_CNY = "100000000"
_CREDENTIAL = "sandbox-key"
_CHINA = dt.timezone(dt.timedelta(hours=8))
_LIFTED = """
[[provider]]
id = "dashscope-video"
label = "Alibaba Cloud Model Studio, video"
label_zh = "阿里云百炼视频"
protocol = "dashscope"
base_url = "https://dashscope.aliyuncs.com/api/v1"
sandbox_path = "/api/v1"

[provider.video]
queries_per_second = 10000
submits_per_minute = 1000000
tasks_max = 1000000
"""
"""The provider's row with its limits lifted, since not they are measured."""


@dataclass(frozen=True, kw_only=True)
class VideoPlatform:
    """Where it answers, and the processes that count.

    Attributes:
        sandbox_port: of the simulated providers.
        database: the SQLite file, None with PostgreSQL.
    """

    url: str
    sandbox_port: int
    key: str
    gateway_pids: tuple[int, ...]
    worker_pids: tuple[int, ...]
    data: Path
    database: Path | None

    def ended_at_provider(self, upstream_task_ids: Sequence[str]) -> Iterator[float]:
        """When these tasks ended by the provider's own word, Unix seconds."""
        connection = HTTPConnection("127.0.0.1", self.sandbox_port, timeout=30)
        with contextlib.closing(connection):
            for task_id in upstream_task_ids:
                connection.request(
                    "GET", f"/api/v1/tasks/{task_id}", headers={"authorization": f"Bearer {_CREDENTIAL}"}
                )
                text = json.loads(connection.getresponse().read())["output"]["end_time"]
                yield dt.datetime.fromisoformat(text).replace(tzinfo=_CHINA).timestamp()


@contextmanager
def video_platform(
    *,
    gateway_core: int,
    other_core: int,
    database_url: str = "",
    with_worker: bool = True,
    worker_core: int | None = None,
) -> Generator[VideoPlatform]:
    """A platform that has a customer with money, and a channel to a sandbox of its own; everything ends with it."""
    with contextlib.ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="yuanjing-bench-")))
        command = _Commands(data, database_url)
        log, sandbox_port, port = data / "serve.log", free_port(), free_port()
        sandbox = start_module("bench.video_sandbox", str(sandbox_port), "1", core=other_core, log=log)
        stack.callback(stop, sandbox)
        key = command.set_up(f"http://127.0.0.1:{sandbox_port}/api/v1")
        serve = [*command.words, "serve", "--port", str(port), "--role"]
        worker_pids: tuple[int, ...] = ()
        if with_worker:
            worker = start([*serve, "worker"], core=other_core if worker_core is None else worker_core, log=log)
            stack.callback(stop, worker)
            worker_pids = (worker.pid,)
        gateway = start([*serve, "gateway", "--workers", "1"], core=gateway_core, log=log)
        stack.callback(stop, gateway)
        url = f"http://127.0.0.1:{port}"
        wait_ready(url, "/readyz", gateway, log)
        worker_pids = tuple(pid for parent in worker_pids for pid in family(parent))
        yield VideoPlatform(
            url=url,
            sandbox_port=sandbox_port,
            key=key,
            gateway_pids=family(gateway.pid),
            worker_pids=worker_pids,
            data=data,
            database=None if database_url else data / "yuanjing.db",
        )


class _Commands:
    """The command line over one data folder."""

    def __init__(self, data: Path, database_url: str) -> None:
        variables = {
            "YUANJING_DATA": str(data),
            "YUANJING_VIDEO_TASKS_PER_CUSTOMER_MAX": "1000000",
            "YUANJING_FETCH_ALLOWED_NETWORKS": "127.0.0.0/8",
        }
        if database_url:
            variables["YUANJING_DATABASE_URL"] = database_url
        self._data = data
        self.words = [
            "env",
            *(f"{name}={value}" for name, value in variables.items()),
            sys.executable,
            "-m",
            "yuanjing",
        ]

    def set_up(self, sandbox_url: str) -> str:
        """Catalogue, customer, money, key, channel; the key."""
        self._run("migrate")
        self._run("offer", "import")
        lifted = self._data / "lifted.toml"
        lifted.write_text(_LIFTED, encoding="utf-8")
        self._run("offer", "import", str(lifted))
        customer = self._run("customer", "create", "--mobile", "13800000000", "--json")["customer"]["id"]
        self._run("customer", "grant", customer, CREDIT_CNY, "--json")
        channel = ("channel", "add", "--provider", "dashscope-video", "--base-url", sandbox_url)
        self._run(*channel, "--credential-stdin", "--json", stdin=_CREDENTIAL)
        return str(self._run("key", "create", customer, "--json")["secret"])

    def _run(self, *arguments: str, stdin: str = "") -> dict[str, Any]:
        return run_command(self.words, *arguments, stdin=stdin)
