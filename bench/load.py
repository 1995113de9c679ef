"""Load by wrk: as many requests as a number of connections carries, and what they met.

wrk looks at status codes only, so one answer is read in full before and after each run.
"""

import contextlib
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from bench.processes import BenchError, Running, start, tail
from bench.upstream import CHUNKS

MODEL = "qwen3-max"
BODY_BYTES = 200
_MARK = "BENCH "
_HTTP_OK = 200

# Exact microseconds from wrk's own histogram; its printed table rounds them.
RESULT_SCRIPT = """
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'BENCH {"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"max_us":%d,' ..
    '"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
    e.connect, e.read, e.write, e.status, e.timeout))
end
"""
"""What has wrk print its result; without more, it gets the URL."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What one run of wrk saw.

    Attributes:
        errors: Failed connections, reads and writes, time-outs, and answers with a status above 399.
    """

    requests: int
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    errors: int


def chat_body(dialect: str, *, is_stream: bool, word: str = "") -> bytes:
    """Return a chat request of 200 bytes in `dialect`, its message beginning with `word`."""

    def make(text: str) -> bytes:
        request: dict[str, object] = {"model": MODEL}
        if dialect == "llmage":
            request["prompt"] = text
        else:
            request["messages"] = [{"role": "user", "content": text}]
        if is_stream:
            request["stream"] = True
            if dialect == "openai":
                request["stream_options"] = {"include_usage": True}
        return json.dumps(request | {"max_tokens": 128}, separators=(",", ":")).encode()

    return make(word + " " + "x" * (BODY_BYTES - len(make(word)) - 1))


def request_headers(api_key: str) -> dict[str, str]:
    """Return the headers that a client's SDK would send, as far as they matter."""
    headers = {"content-type": "application/json", "accept": "*/*"}
    return headers | {"authorization": f"Bearer {api_key}"} if api_key else headers


def probe(target: Running, dialect: str, path: str, *, is_stream: bool) -> None:
    """Read one whole answer and see that it is one.

    Raises:
        BenchError: It is not, so that a number about it would mean nothing.
    """
    connection = HTTPConnection(target.url.removeprefix("http://"), timeout=10)
    with contextlib.closing(connection):
        try:
            connection.request("POST", path, chat_body(dialect, is_stream=is_stream), request_headers(target.api_key))
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, HTTPException) as error:
            raise BenchError(f"{target.name} {path}: {error!r}") from error
    if is_stream:
        # the llmage dialect repeats each text at the top of its chunk
        is_whole = body.count(b"word") in (CHUNKS, 2 * CHUNKS) and b"[DONE]" in body
    else:
        is_whole = b"xxxx" in body and b"usage" in body
    if answer.status != _HTTP_OK or not is_whole:
        raise BenchError(f"{target.name} {path} answered {answer.status}: {body[-300:]!r}")


CROWD_SCRIPT = """
local requests = {}
function init(args)
  for n, key in ipairs(keys) do
    wrk.headers["authorization"] = "Bearer " .. key
    requests[n] = wrk.format()
  end
end
function request()
  local tenth = math.floor(#requests / 10)
  if math.random() < 0.9 then return requests[math.random(tenth)] end
  return requests[math.random(tenth + 1, #requests)]
end
"""
"""Many keys: of ten requests nine are of the first tenth of them."""


def write_script(folder: Path, body: bytes, headers: dict[str, str], crowd: Sequence[str] = ()) -> Path:
    """Write wrk's Lua script; JSON's string escapes are Lua's for the plain ASCII that is used here."""
    lines = [f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in headers.items()]
    script = folder / "wrk.lua"
    lines += ['wrk.method = "POST"', f"wrk.body = {json.dumps(body.decode('ascii'))}"]
    if crowd:
        lines += [f"local keys = {{{', '.join(json.dumps(key) for key in crowd)}}}", CROWD_SCRIPT]
    script.write_text("\n".join(lines) + RESULT_SCRIPT)
    return script


def parse(output: str) -> Load:
    """Read what the script printed at the end of wrk's output.

    Raises:
        BenchError: wrk printed no result.
    """
    line = next((line for line in output.splitlines() if line.startswith(_MARK)), None)
    if line is None:
        raise BenchError(f"wrk printed no result: {output[-300:]!r}")
    seen: dict[str, int] = json.loads(line.removeprefix(_MARK))
    return Load(
        requests=seen["requests"],
        requests_per_second=seen["requests"] / (seen["duration_us"] / 1e6),
        p50_ms=seen["p50_us"] / 1000,
        p99_ms=seen["p99_us"] / 1000,
        max_ms=seen["max_us"] / 1000,
        errors=sum(seen[kind] for kind in ("connect", "read", "write", "status", "timeout")),
    )


def run_wrk(url: str, script: Path, *, core: int, connections: int, seconds: int) -> Load:
    """Run wrk for `seconds` with one thread on `core`."""
    log = script.with_suffix(".log")
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script), url]
    process = start(command, core=core, log=log, pipe=True)
    try:
        output, _ = process.communicate(timeout=seconds + 30)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"wrk did not end: {tail(log)}") from error
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(5)
    return parse(output)
