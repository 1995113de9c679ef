"""A platform with channels to a provider of ours, as an operator sets one up, and what it tells about itself."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Protocol, Self

import pysqlite3
from bench.processes import core_busy_seconds, cpu_seconds
from tests.load.upstream import Behaviour, Call
from tests.support.platform import children_of
from tests.support.warm import WarmProcess, warm_commands

PROVIDERS = ("dashscope", "deepseek")
READY_SECONDS = 40.0
STOP_SECONDS = 60.0
MODEL = "qwen3-max"


class HasPort(Protocol):
    """Where a channel leads to."""

    port: int


class Provider:
    """The provider's process; a context manager."""

    def __init__(self, *, port: int = 0) -> None:
        self.port = port

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.load.upstream", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603  # our own program
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(5)
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def behave(self, channel: str, **behaviour: float) -> None:
        """Let a channel behave so from now on, see `Behaviour`."""
        Behaviour(**behaviour)  # type: ignore[arg-type]  # says what it does not know
        self._ask("POST", f"/control/{channel}", json.dumps(behaviour))

    def calls(self) -> list[Call]:
        """Every call that it had."""
        return [Call(**call) for call in json.loads(self._ask("GET", "/journal"))]

    def _ask(self, method: str, path: str, body: str = "") -> bytes:
        with contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request(method, path, body)
            return connection.getresponse().read()


@dataclass(frozen=True, kw_only=True)
class Bill:
    """A usage record."""

    id: str
    channel: str
    price_id: str
    input: int
    output: int
    charge_nanos: int
    started_at: float
    attempts: int
    status: str


class Platform:
    """`yuanjing serve` with a customer, money and a key; a context manager."""

    def __init__(self, folder: Path, *, workers: int = 1, **settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.data = folder, folder / "var"
        own = {
            "YUANJING_DATA": str(self.data),
            "YUANJING_PORT": "0",
            "YUANJING_WORKERS": str(workers),
            "YUANJING_LOG_LEVEL": "warning",
        }
        self.environment = {"PATH": os.environ["PATH"]} | own | settings  # noqa: TID251  # for child processes
        self.key = self.url = ""
        self.process: WarmProcess

    def set_up(self) -> None:
        """What an operator does first."""
        self.run("offer", "import")
        customer = self.run("customer", "create", "--mobile", "+8613800138000")["customer"]["id"]  # type: ignore[index]
        self.run("customer", "grant", str(customer), "1000000")
        self.key = str(self.run("key", "create", str(customer))["secret"])

    def add_channel(self, provider: HasPort, name: str, *options: str, kind: str = PROVIDERS[0]) -> str:
        """A channel to the provider's part of this name; its id."""
        url = f"http://127.0.0.1:{provider.port}/{name}/v1"
        words = ("channel", "add", "--provider", kind, "--base-url", url, "--name", name, "--credential-stdin")
        return str(self.run(*words, *options, stdin="sk-load")["channel"]["id"])  # type: ignore[index]

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Start, and wait until it is ready."""
        with (self.folder / "out").open("w") as out, (self.folder / "err").open("a") as err:
            self.process = warm_commands().start(["serve", "--json"], self.environment, out, err)
        began = time.monotonic()
        while not (said := (self.folder / "out").read_text()).endswith("\n"):
            assert time.monotonic() - began < READY_SECONDS, self.log()
            assert self.process.poll() is None, self.log()
            time.sleep(0.02)
        self.url = json.loads(said)["address"]

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
        for pid in [*self.pids(""), self.process.pid] if self.process.poll() is None else []:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(5)

    def stop(self) -> int:
        """SIGTERM, and wait; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def pids(self, role: str) -> list[int]:
        """The processes of a role, `gateway` or `worker`; all for an empty one."""
        below = [child for pid in children_of(self.process.pid) for child in children_of(pid).items()]
        return [pid for pid, line in below if not role or role in " ".join(line)]

    def log(self) -> str:
        """What it has logged."""
        return (self.folder / "err").read_text(encoding="utf-8")

    def run(self, *arguments: str, stdin: str = "") -> dict[str, object]:
        """A command of the CLI, as its JSON document."""
        done = warm_commands().run([*arguments, "--json"], self.environment, stdin)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def bills(self) -> list[Bill]:
        """All posted usage records."""
        columns = "id, channel_id, price_id, meters, charge_nanos, started_at, attempts, status"
        with contextlib.closing(pysqlite3.connect(self.data / "yuanjing.db", timeout=30)) as connection:
            rows = connection.execute(f"SELECT {columns} FROM usages").fetchall()  # noqa: S608  # nothing of others
        return [_bill(*row) for row in rows]

    def wait_bills(self, usage_ids: set[str], seconds: float = 60.0) -> dict[str, Bill]:
        """The records by their ids, as soon as all of these are posted."""
        until = time.monotonic() + seconds
        while True:
            found = {bill.id: bill for bill in self.bills()}
            if usage_ids <= found.keys():
                return found
            assert time.monotonic() < until, f"{len(usage_ids - found.keys())} of {len(usage_ids)} are not posted"
            time.sleep(0.2)

    def metrics(self) -> dict[str, float]:
        """Every sample by its name and labels, summed over processes."""
        with contextlib.closing(HTTPConnection(self.url.removeprefix("http://"), timeout=10)) as connection:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        found: dict[str, float] = {}
        for name, labels, value in re.findall(r"^(\w+)(?:\{([^}]*)\})? (\S+)$", text, re.MULTILINE):
            plain = ",".join(one for one in labels.split(",") if one and not one.startswith("process="))
            name_of_it = f"{name}{{{plain}}}" if plain else name
            found[name_of_it] = found.get(name_of_it, 0.0) + float(value)
        return found

    def verify(self) -> list[object]:
        """The breaches that `yuanjing verify` finds."""
        return self.run("verify")["breaches"]  # type: ignore[return-value]


def _bill(*row: object) -> Bill:
    usage_id, channel, price_id, meters, charge, started_at, attempts, status = row
    counts = json.loads(str(meters))
    return Bill(
        id=str(usage_id),
        channel=str(channel),
        price_id=str(price_id),
        input=counts.get("input_tokens", 0),
        output=counts.get("output_tokens", 0),
        charge_nanos=int(str(charge)),
        started_at=float(str(started_at)),
        attempts=int(str(attempts)),
        status=str(status),
    )


@contextlib.contextmanager
def apart(platform: Platform, provider: Provider) -> Iterator[None]:
    """The gateways on the first core, all others and we on the rest: else a load would take the time it measures."""
    cores = os.sched_getaffinity(0)
    first, rest = {min(cores)}, cores - {min(cores)} or cores
    others = [*(set(platform.pids("")) - set(platform.pids("gateway"))), provider.pid, os.getpid()]
    for pids, where in ((platform.pids("gateway"), first), (others, rest)):
        for pid in pids:
            for thread in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), where)
    try:
        yield
    finally:
        for thread in Path("/proc/self/task").iterdir():
            os.sched_setaffinity(int(thread.name), cores)


def say(what: str, **figures: float | str | dict[int, int]) -> None:
    """A line of what was measured, which pytest shows with `-s`."""
    words = (
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in figures.items()
    )
    sys.stdout.write(f"\n{what}: {', '.join(words)}\n")


class Core:
    """The gateways' core: how much of it others leave to them."""

    def __init__(self, platform: Platform) -> None:
        self._pids = platform.pids("gateway")
        self._core = min(os.sched_getaffinity(self._pids[0]))
        self._began = self._now()

    def _now(self) -> tuple[float, float, float]:
        return time.monotonic(), core_busy_seconds(self._core), cpu_seconds(self._pids)

    @property
    def seconds(self) -> float:
        """The time that was theirs since the beginning, used or not."""
        wall, busy, own = (now - before for now, before in zip(self._now(), self._began, strict=True))
        return wall - max(0.0, busy - own)


def rss_bytes(pids: Sequence[int]) -> int:
    """The memory of processes."""
    pages = (int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return sum(pages) * os.sysconf("SC_PAGE_SIZE")


def descriptors(pids: Sequence[int]) -> int:
    """How many files they have open."""
    return sum(1 for pid in pids for _ in Path(f"/proc/{pid}/fd").iterdir())
