"""Our platform, set up through its command line as an operator would, with everything on.

The gateway is alone on its core; the worker is on the core of load and upstream.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.processes import ROOT, BenchError, Running, family, free_port, get, start, stop, wait_ready

PROVIDER = "dashscope"
MOBILE = "13800000000"
CREDIT_CNY = "1000000"
_PATHS = (("openai", "/v1/chat/completions"), ("llmage", "/llmage/v1/chat/completions"))
_COMMAND_SECONDS = 60
_CROWD_SECONDS = 300
_SETTLE_SECONDS = 60.0
_POLL_SECONDS = 0.2
_UNPOSTED = re.compile(r"^yuanjing_spool_rows\{[^}]*\} (\S+)$", re.MULTILINE)


def start_yuanjing(core: int, upstream_url: str, data_dir: Path) -> Running:
    """Start gateway (pinned to `core`) and worker, a customer, money, a key and a channel."""
    return _start(core, upstream_url, data_dir, "yuanjing", has_crowd=False)


def start_crowd(core: int, upstream_url: str, data_dir: Path) -> Running:
    """The same with a million keys in its database, a thousand of which call."""
    return _start(core, upstream_url, data_dir, "crowd", has_crowd=True)


def _start(core: int, upstream_url: str, data_dir: Path, name: str, *, has_crowd: bool) -> Running:
    worker_core = min(os.sched_getaffinity(0) - {core})
    _run(data_dir, "migrate")
    crowd = _gather(data_dir) if has_crowd else ()
    _run(data_dir, "offer", "import")
    customer = _run(data_dir, "customer", "create", "--mobile", MOBILE, "--json")["customer"]["id"]
    _run(data_dir, "customer", "grant", customer, CREDIT_CNY, "--json")
    key = _run(data_dir, "key", "create", customer, "--json")["secret"]
    channel = ("channel", "add", "--provider", PROVIDER, "--base-url", f"{upstream_url}/v1")
    _run(data_dir, *channel, "--credential-stdin", "--json", stdin="sk-bench")

    port, log = free_port(), data_dir / "serve.log"
    serve = [*_command(data_dir), "serve", "--port", str(port), "--role"]
    worker = start([*serve, "worker"], core=worker_core, log=log)
    gateway = start([*serve, "gateway", "--workers", "1"], core=core, log=log)

    def close() -> None:
        try:
            stop(gateway)
        finally:
            stop(worker)

    url = f"http://127.0.0.1:{port}"
    try:
        wait_ready(url, "/readyz", gateway, log)
    except BaseException:
        close()
        raise
    return Running(
        name=name,
        url=url,
        gateway_pids=family(gateway.pid),
        api_key=key,
        crowd=crowd,
        paths=_PATHS,
        close=close,
        settle=lambda: _post_all(url),
    )


def _post_all(url: str) -> int:
    """Wait until the worker has posted every usage record; return how many waited when the load ended.

    Raises:
        BenchError: It did not come to an end.
    """
    first = unposted(url)
    deadline = time.monotonic() + _SETTLE_SECONDS
    while unposted(url):
        if time.monotonic() > deadline:
            raise BenchError(f"{unposted(url)} usage records of {first} are unposted after {_SETTLE_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)
    return first


def unposted(url: str) -> int:
    """How many usage records of the platform at `url` are in its spool and not known to be posted.

    Raises:
        BenchError: It does not tell.
    """
    told = _UNPOSTED.findall(get(url, "/metrics")[1])
    if not told:
        raise BenchError(f"{url}/metrics does not tell how many usage records are unposted")
    return int(sum(float(one) for one in told))


def _gather(data_dir: Path) -> tuple[str, ...]:
    command = [sys.executable, "-m", "bench.crowd", str(data_dir)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_CROWD_SECONDS, check=False)
    if done.returncode:
        raise BenchError(f"the crowd could not be made: {done.stderr.strip()[-500:]}")
    return tuple(json.loads(done.stdout))


def _command(data_dir: Path) -> list[str]:
    return ["env", f"YUANJING_DATA={data_dir}", sys.executable, "-m", "yuanjing"]


def _run(data_dir: Path, *arguments: str, stdin: str = "") -> dict[str, Any]:
    return run_command(_command(data_dir), *arguments, stdin=stdin)


def run_command(words: Sequence[str], *arguments: str, stdin: str = "") -> dict[str, Any]:
    """Run one command of ours, begun by `words`, and return its JSON answer ({} when it has none).

    Raises:
        BenchError: The command failed; with what it said.
    """
    done = subprocess.run(
        [*words, *arguments],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=_COMMAND_SECONDS,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"`yuanjing {' '.join(arguments)}` failed: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout) if "--json" in arguments else {}
