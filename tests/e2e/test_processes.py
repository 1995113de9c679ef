"""The life of the processes: starting, rolling, draining, dying, and what is left of each."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pysqlite3
import pytest
from tests.support.load import PATH, Load, chat_body, log_lines, wait_until
from tests.support.platform import Platform
from tests.support.warm import warm_commands

from yuanjing.bootstrap.supervisor import count_requests

pytestmark = pytest.mark.timeout(300)


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def nodes(platform: Platform) -> dict[str, tuple[int, bool]]:
    """Incarnation and life of each node."""
    connection = pysqlite3.connect(platform.data / "yuanjing.db")
    try:
        rows = connection.execute("SELECT id, incarnation, is_alive FROM nodes").fetchall()
    finally:
        connection.close()
    return {name: (incarnation, bool(lives)) for name, incarnation, lives in rows}


def open_holds(platform: Platform) -> int:
    connection = pysqlite3.connect(platform.data / "yuanjing.db")
    try:
        return connection.execute("SELECT count(*) FROM holds WHERE closed_at IS NULL").fetchone()[0]
    finally:
        connection.close()


def listening(pid: int) -> set[str]:
    """The inodes of the TCP sockets that the process listens on."""
    lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    listeners = {line.split()[9] for line in lines if line.split()[3] == "0A"}
    return {inode for inode in socket_inodes(pid) if inode in listeners}


def open_pipes(pid: int) -> set[str]:
    targets = {str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    return {target for target in targets if target.startswith("pipe:")}


def socket_inodes(pid: int) -> set[str]:
    found: set[str] = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        target = str(entry.readlink())
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found


def test_each_process_has_only_the_descriptors_that_it_needs(tmp_path):
    with Platform(tmp_path / "var", workers=2) as platform:
        (worker,), (sandbox,) = platform.children("worker"), platform.children("sandbox")
        gateways = platform.children("gateway")
        assert [len(listening(pid)) for pid in (*gateways, sandbox, worker)] == [1, 1, 1, 0]
        assert listening(gateways[0]) == listening(gateways[1]) != listening(sandbox)
        pids = platform.children("")
        assert {str(Path(f"/proc/{pid}/fd/0").readlink()) for pid in pids} == {os.devnull}
        (forker,) = platform.forkers()
        family = (*pids, forker, platform.process.pid)
        pipes = [target for pid in family for target in open_pipes(pid)]
        assert len(pipes) == len(set(pipes)), "two processes have the same pipe"
        sockets = [inode for pid in family for inode in socket_inodes(pid) - listening(platform.process.pid)]
        assert len(sockets) == len(set(sockets)), "two processes have the same socket"
        assert platform.stop() == 0
        assert open_holds(platform) == 0
        assert list((platform.data / "spool").iterdir()) == []
        assert list((platform.data / "metrics").iterdir()) == []
        assert not any(lives for _, lives in nodes(platform).values())


def test_rolling_loses_no_request_and_leaves_nothing(tmp_path):
    settings = {"YUANJING_SANDBOX_TIME_SCALE": "0.3", "YUANJING_LOG_LEVEL": "debug"}
    with Platform(tmp_path / "var", workers=2, **settings) as platform:
        with Load(platform, clients=6) as load:
            for rolled in range(1, 4):
                wait_until(lambda: load.total > 20)
                before = set(platform.children("gateway"))
                platform.signal(signal.SIGHUP)
                wait_until(lambda n=rolled: platform.errors().count("gateways rolled") == n, 30)
                after = set(platform.children("gateway"))
                assert len(after) == 2
                assert not before & after
            seen = load.total
            wait_until(lambda: load.total > seen + 20)
        assert load.broken == []
        assert set(load.statuses) == {200}, load.refused
        assert len(nodes(platform)) == 4
        own = (platform.data / "instance").read_text().strip()
        assert sorted(nodes(platform)) == sorted(f"{socket.gethostname()}-{own}-g{slot}" for slot in range(4))
        wait_until(lambda: platform.usages().keys() >= load.whole.keys(), pause=0.2)
        assert platform.stop() == 0
        assert platform.verify() == []
        lines = {(line.get("process"), line["event"]) for line in log_lines(platform.errors())}
        assert {
            ("supervisor", "platform ready"),
            ("gateway-0", "gateway started"),
            ("gateway-0", "gateway ready"),
            ("gateway-0", "draining"),
            ("gateway-0", "gateway stopped"),
            ("worker", "worker started"),
            ("worker", "worker stopped"),
            ("supervisor", "supervisor stopped"),
        } <= lines


def test_a_stop_waits_for_streams_and_posts_everything(tmp_path):
    with Platform(tmp_path / "var") as platform, ThreadPoolExecutor(8) as pool:
        begun = threading.Barrier(9)

        def stream() -> str:
            body = chat_body("sandbox:tokens=200", is_stream=True, max_tokens=300)
            headers = {"Authorization": f"Bearer {platform.key}"}
            with (
                httpx2.Client(trust_env=False, timeout=30) as client,
                client.stream("POST", platform.url + PATH, json=body, headers=headers) as answer,
            ):
                pieces = answer.iter_text()
                text = next(pieces)
                begun.wait(20)
                return text + "".join(pieces)

        streams = [pool.submit(stream) for _ in range(8)]
        begun.wait(20)
        assert platform.stop() == 0
        assert all(one.result(30).rstrip().endswith("data: [DONE]") for one in streams)
        assert open_holds(platform) == 0
        assert list((platform.data / "spool").iterdir()) == []
        assert len(platform.usages()) == 8
        assert platform.verify() == []


def test_when_the_supervisor_is_killed_the_others_end(tmp_path):
    with Platform(tmp_path / "var", workers=2) as platform:
        pids = [*platform.forkers(), *platform.children("")]
        assert len(pids) == 5
        platform.signal(signal.SIGKILL)
        platform.process.wait(5)
        wait_until(lambda: not any(is_alive(pid) for pid in pids), 15)
        platform.start()
        assert platform.verify() == []


def test_a_signal_to_roll_does_not_end_a_start(tmp_path):
    platform = Platform(tmp_path / "var")
    command = [*platform.command, "serve", "--json"]
    with (tmp_path / "errors").open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603  # our own program
            command, env=platform.environment, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    try:
        wait_until(lambda: signal.SIGHUP in ignored_or_caught(process.pid))
        for _ in range(5):
            process.send_signal(signal.SIGHUP)
            time.sleep(0.05)
        assert process.stdout is not None
        assert "address" in json.loads(process.stdout.readline())
    finally:
        process.terminate()
        assert process.wait(30) == 0
        process.stdout.close()  # type: ignore[union-attr]


def ignored_or_caught(pid: int) -> set[int]:
    """The signals that no longer end the process by themselves."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigIgn:", "SigCgt:"))]
    return {number for number in range(1, 65) if any(mask >> (number - 1) & 1 for mask in masks)}


def test_a_second_signal_does_not_wait(tmp_path):
    with Platform(tmp_path / "var") as platform:
        pids = platform.children("")
        with Load(platform, clients=2, text="sandbox:stall=30") as load:
            wait_until(lambda: count_requests(platform.data / "metrics") == 2)
            platform.signal(signal.SIGTERM)
            words = "Finishing 2 running requests; press Ctrl-C again to stop at once."
            wait_until(lambda: words in platform.errors())
            assert is_refused(platform.url)
            began = time.monotonic()
            platform.signal(signal.SIGINT)
            assert platform.process.wait(10) is not None
            assert time.monotonic() - began < 5
            assert not any(is_alive(pid) for pid in pids)
            load._stop.set()
        platform.start()
        wait_until(lambda: platform.verify() == [], pause=0.2)


def is_refused(url: str) -> bool:
    try:
        httpx2.get(f"{url}/healthz", trust_env=False, timeout=1)
    except httpx2.HTTPError:
        return True
    return False


def test_a_paused_gateway_is_taken_over_and_ends_when_it_wakes(tmp_path):
    settings = {
        "YUANJING_HEARTBEAT_SECONDS": "0.2",
        "YUANJING_HEARTBEAT_FRESH_SECONDS": "1",
        "YUANJING_NODE_SILENT_SECONDS": "2",
        "YUANJING_SANDBOX_TIME_SCALE": "0.2",
    }
    with Platform(tmp_path / "var", workers=2, **settings) as platform:
        with Load(platform, clients=8) as load:
            wait_until(lambda: load.total > 20)
            paused = pause_outside_a_transaction(platform)
            try:
                wait_until(lambda: "worker.took_over" in platform.errors(), 20)
            finally:
                os.kill(paused, signal.SIGCONT)
            wait_until(lambda: not is_alive(paused), 15)
            wait_until(lambda: len(platform.children("gateway")) == 2 and "75" in platform.errors())
            seen = load.total
            wait_until(lambda: load.total > seen + 40, 30)
        (line,) = [line for line in log_lines(platform.errors()) if "starting another" in str(line["event"])]
        assert line["exit"] == "75"
        posted = wait_for_posted(platform, load)
        assert {i: posted[i]["charge"] for i in load.whole} == {i: str(p) for i, p in load.whole.items()}
        assert platform.stop() == 0
        assert platform.verify() == []


def wait_for_posted(platform: Platform, load: Load) -> dict[str, dict[str, object]]:
    wait_until(lambda: platform.usages().keys() >= load.whole.keys(), 20, pause=0.2)
    return platform.usages()


def pause_outside_a_transaction(platform: Platform) -> int:
    """Stop a gateway, but not while it holds the database's only lock, which would stop everybody."""
    pid = platform.children("gateway")[0]
    connection = pysqlite3.connect(platform.data / "yuanjing.db", timeout=0.5, isolation_level=None)
    try:
        while True:
            os.kill(pid, signal.SIGSTOP)
            try:
                connection.execute("BEGIN IMMEDIATE")
            except pysqlite3.OperationalError:
                os.kill(pid, signal.SIGCONT)
            else:
                connection.execute("ROLLBACK")
                return pid
    finally:
        connection.close()


def test_ports_that_are_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Platform(tmp_path / "a" / "var", YUANJING_PORT=str(port)) as platform:
            assert platform.url != f"http://127.0.0.1:{port}"
            assert f"Port {port} is taken; using" in platform.errors()
        production = Platform(tmp_path / "b" / "var", YUANJING_PORT=str(port), YUANJING_MODE="production")
        migrate = [*production.command, "migrate", "--json"]
        subprocess.run(migrate, env=production.environment, stdout=subprocess.DEVNULL, timeout=30, check=True)  # noqa: S603  # our own program
        before = {path.name for path in production.data.iterdir()}
        code, errors = run_serve(production, "--sandbox")
        assert code == 2
        assert {path.name for path in production.data.iterdir()} == before | {"locks"}
        assert f"YUANJING_PORT: port {port} is taken" in errors


@pytest.mark.parametrize(
    ("settings", "arguments", "code", "message"),
    [
        ({"YUANJING_MODE": "production"}, ["--demo"], 2, "demonstration"),
        ({"YUANJING_WORKERS": "many"}, [], 2, "YUANJING_WORKERS"),
        ({"YUANJING_CA_FILE": "/nowhere/ca.pem"}, [], 2, "YUANJING_CA_FILE"),
        ({}, ["--host", ""], 2, "--host"),
        ({"YUANJING_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}, [], 5, "database"),
        ({"YUANJING_MODE": "production"}, [], 6, "yuanjing migrate"),
        (
            {"YUANJING_MODE": "production", "YUANJING_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"},
            [],
            2,
            "YUANJING_KEY_PEPPER",
        ),
    ],
    ids=["demo in production", "bad setting", "no authorities", "no host", "no database", "no schema", "no secret"],
)
def test_what_cannot_start_says_so_and_leaves_no_process(tmp_path, settings, arguments, code, message):
    platform = Platform(tmp_path / "var", **settings)
    found, errors = run_serve(platform, "--sandbox", *arguments)
    assert (found, message in errors) == (code, True), errors
    has_started = code == 5
    assert platform.data.exists() == has_started
    assert ("supervisor started" in errors) == has_started


def run_serve(platform: Platform, *arguments: str) -> tuple[int, str]:
    """Exit code and stderr of a `serve` that ends by itself; its children share stderr, so they have ended too."""
    done = warm_commands().run(["serve", *arguments], platform.environment)
    return done.returncode, done.stderr


def test_json_says_what_is_ready(tmp_path):
    platform = Platform(tmp_path / "var")
    command = [*platform.command, "serve", "--sandbox", "--demo", "--json"]
    process = subprocess.Popen(command, env=platform.environment, stdout=subprocess.PIPE, text=True)  # noqa: S603  # our own program
    try:
        assert process.stdout is not None
        document = json.loads(process.stdout.readline())
        assert document.keys() == {"address", "sandbox", "key", "balance"}
        assert document["key"] == platform.key
        assert httpx2.get(f"{document['sandbox']}/healthz", trust_env=False).status_code == 200
    finally:
        process.terminate()
        assert process.wait(30) == 0
        process.stdout.close()  # type: ignore[union-attr]
