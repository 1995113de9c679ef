"""The README's examples run as they stand, on a platform of this test's own, and cost what it says."""

import json
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from tests.house import tidy

README = (tidy.ROOT / "README.md").read_text(encoding="utf-8")
MONEY = (tidy.ROOT / "docs" / "concepts" / "money.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8080"
TIMES = "\N{MULTIPLICATION SIGN}"
READY_SECONDS = 30.0
STOP_SECONDS = 30.0
POSTED_SECONDS = 10.0


def block(language: str, holding: str) -> str:
    """The README's block of code in this language that holds a text."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    (found,) = [text for text in blocks if holding in text]
    return found


@dataclass(frozen=True, kw_only=True)
class Platform:
    """A running platform with its sandbox; `folder` is where `make run` would have run."""

    folder: Path
    environment: Mapping[str, str]
    printed: str
    address: str

    def local(self, text: str) -> str:
        """An example with this platform's address."""
        assert ADDRESS in text
        return text.replace(ADDRESS, self.address)

    def yuanjing(self, *words: str) -> dict[str, object]:
        """What a command of ours says."""
        run = subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-m", "yuanjing", *words, "--json"],
            cwd=self.folder,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout)

    def usages(self, count: int) -> list[dict[str, object]]:
        """The usage records, newest first, when as many as expected are posted."""
        deadline = time.monotonic() + POSTED_SECONDS
        while True:
            found = self.yuanjing("usage", "list")["usages"]
            if len(found) >= count or time.monotonic() > deadline:
                assert len(found) == count
                return found

    def balances(self, held: str | None = None) -> dict[str, str]:
        """The demonstration customer's posted balance of play money, when `held` is as expected."""
        deadline = time.monotonic() + POSTED_SECONDS
        while True:
            found = self.yuanjing("customer", "balance", "13800138000")["balances"]["test"]
            if held in (None, found["held"]) or time.monotonic() > deadline:
                assert held in (None, found["held"])
                return found


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("readme")
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "YUANJING_PORT": "0",
        "YUANJING_SANDBOX_PORT": "0",
        "YUANJING_WORKERS": "1",
        "YUANJING_MACHINE": "readme",
        "YUANJING_LEASE_IDLE_SECONDS": "3",
    }
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "yuanjing", "serve", "--sandbox", "--demo"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            printed = _ready(process, log)
            address = re.search(r"^ +address +(\S+)$", printed, re.MULTILINE)
            assert address is not None, printed
            yield Platform(folder=folder, environment=environment, printed=printed, address=address[1])
            process.send_signal(signal.SIGTERM)
            assert process.wait(STOP_SECONDS) == 0
        finally:
            process.kill()
            process.wait()


def _ready(process: subprocess.Popen[bytes], log: Path) -> str:
    """What it prints, when it is complete."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        text = log.read_text(encoding="utf-8")
        if "See what it cost" in text:
            return text
        assert process.poll() is None, text
        assert time.monotonic() < deadline, text
        time.sleep(0.05)


def curl(command: str, folder: Path) -> bytes:
    """What the curl command would get: its address, headers and data, sent by us."""
    command = re.sub(r"\$\(cat ([\w./-]+)\)", lambda match: (folder / match[1]).read_text().strip(), command)
    words = iter(shlex.split(command.replace("\\\n", " ")))
    assert next(words) == "curl"
    url, headers, data = "", {}, None
    for word in words:
        if word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            data = next(words).encode()
        elif word != "-N":
            assert not word.startswith("-"), f"{word}: not known here"
            url = word
    request = urllib.request.Request(url, data=data, headers=headers)  # noqa: S310  # the platform of this test
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310  # the same
        return answer.read()


def test_the_examples_run_and_the_balance_falls_by_their_price(platform):
    # What `make run` prints is what the README shows, but for ports and the key.
    shown = block("text", "Yuanjing is ready.")
    for line in shown.splitlines():
        words = line.split("yj_test_")[0].split("http")[0].strip()
        assert words in platform.printed, line
    assert (platform.folder / "var" / "demo-key").read_text().strip() in platform.printed

    # The curl: the stream ends whole, and tells its price.
    command = platform.local(block("sh", "curl"))
    body = curl(command, platform.folder).decode()
    assert body.rstrip().endswith("data: [DONE]")
    events = [json.loads(line[6:]) for line in body.splitlines() if line.startswith("data: {")]
    usage = next(event["usage"] for event in events if event.get("usage"))
    assert "".join(c["delta"].get("content") or "" for e in events for c in e["choices"])
    (record,) = platform.usages(1)
    cost = Decimal(usage["cost"])
    assert Decimal(record["charge"]) == cost

    # The arithmetic of the README and of the page about money is that of the charge.
    sums = block("text", "charge = ")
    assert f"charge = {cost} CNY" in sums
    assert f"{usage['prompt_tokens']} {TIMES} 2.50 CNY" in sums
    assert f"{usage['completion_tokens']} {TIMES} 10.00 CNY" in sums
    assert f"The curl above counts {usage['prompt_tokens']} tokens in and {usage['completion_tokens']} out" in README
    assert f"= {record['ceiling']} CNY" in MONEY
    assert f"= {cost} CNY" in MONEY

    # The balance falls by exactly the price.
    balances = platform.balances()
    left = Decimal(balances["available"]) + Decimal(balances["held"])
    assert left == 100 - cost
    assert f"100.00 → {left} CNY" in sums

    # The SDK's call, as a program of its own.
    script = platform.local(block("python", "from openai import OpenAI"))
    run = subprocess.run(  # noqa: S603  # the README's own program
        [sys.executable, "-W", "ignore::ResourceWarning", "-c", script],
        cwd=platform.folder,
        env=dict(platform.environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert run.returncode == 0, run.stderr
    record = platform.usages(2)[0]
    told = re.search(r"(\d+) in, (\d+) out, (\S+) CNY\s*\Z", run.stdout)
    assert told is not None, run.stdout
    assert (int(told[1]), int(told[2])) == (record["meters"]["input_tokens"], record["meters"]["output_tokens"])
    assert told[3] == record["charge"]

    # Idle leases go back; then all of it is available again but the charges. The books are right.
    balances = platform.balances(held="0.00")
    assert Decimal(balances["available"]) == 100 - cost - Decimal(record["charge"])
    assert platform.yuanjing("verify")["ok"] is True


def test_the_commands_of_the_readme_exist(platform):
    commands = re.findall(r"^\.venv/bin/yuanjing (.+)$", README, re.MULTILINE)
    assert len(commands) >= 6
    for command in commands:
        words = [word for word in command.split() if word.isalpha() and word.islower()][:2]
        run = subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-m", "yuanjing", *words, "--help"],
            cwd=platform.folder,
            env=dict(platform.environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert run.returncode == 0, (command, run.stderr)
        for option in re.findall(r"--[a-z-]+", command):
            assert option in run.stdout, command
