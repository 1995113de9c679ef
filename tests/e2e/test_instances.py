"""Who may run on a data folder, and two data folders that share a database."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest
from tests.support.load import PATH, chat_body, wait_until
from tests.support.platform import Platform
from tests.support.warm import warm_commands

pytestmark = pytest.mark.timeout(300)


def chat(platform: Platform) -> int:
    headers = {"Authorization": f"Bearer {platform.key}"}
    with httpx2.Client(trust_env=False, timeout=30) as client:
        return client.post(platform.url + PATH, json=chat_body("Hello"), headers=headers).status_code


def serve(platform: Platform, *arguments: str) -> tuple[int, str]:
    """Exit code and stderr of a `serve` that ends by itself."""
    done = warm_commands().run(["serve", *arguments], platform.environment)
    return done.returncode, done.stderr


def test_a_second_platform_on_a_data_folder_is_refused_and_harms_nothing(tmp_path):
    with Platform(tmp_path / "var") as platform:
        addresses = (platform.data / "address.json").read_bytes()
        for arguments in (["--sandbox", "--demo"], ["--role", "gateway"]):
            code, errors = serve(platform, *arguments)
            assert code == 2
            assert f"the platform already runs on this data folder, {platform.data}, at {platform.url}" in errors
            assert f"(pid {platform.process.pid}); stop it, or give another --data / YUANJING_DATA" in errors
        for part in ("worker", "sandbox"):
            code, errors = serve(platform, "--role", part)
            assert (code, f"the {part} already runs" in errors) == (2, True)
        assert (platform.data / "address.json").read_bytes() == addresses
        assert chat(platform) == 200
        assert platform.verify() == []
        platform.signal(signal.SIGKILL)
        platform.process.wait(5)
        platform.start()  # the dead one's locks are gone with it
        assert chat(platform) == 200


def test_the_parts_of_a_platform_run_on_one_data_folder(tmp_path):
    platform = Platform(tmp_path / "var")
    with running(platform, "--role", "sandbox") as sandbox, running(platform, "--role", "worker") as worker:
        assert worker == {"address": None, "sandbox": None}
        assert sandbox.keys() == worker.keys()
        assert httpx2.get(f"{sandbox['sandbox']}/healthz", trust_env=False).status_code == 200
        arguments = ("--role", "gateway", "--demo", "--sandbox-url", str(sandbox["sandbox"]))
        with running(platform, *arguments) as gateway:
            platform.url = str(gateway["address"])
            assert gateway["sandbox"] == sandbox["sandbox"]
            assert chat(platform) == 200
            wait_until(lambda: len(platform.usages()) == 1, pause=0.2)


@contextmanager
def running(platform: Platform, *arguments: str) -> Iterator[dict[str, object]]:
    """A part of the platform; what it says when it is ready."""
    command = [*platform.command, "serve", *arguments, "--json"]
    process = subprocess.Popen(command, env=platform.environment, stdout=subprocess.PIPE, text=True)  # noqa: S603  # our own program
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        code = process.wait(30)
        process.stdout.close()
    assert code == 0


def test_two_data_folders_on_one_machine_share_a_database(tmp_path, postgres, postgres_empty_url):
    secrets = {"YUANJING_KEY_PEPPER": "ab" * 32, "YUANJING_ENCRYPTION_KEY": "cd" * 32}
    settings = secrets | {"YUANJING_DATABASE_URL": postgres_empty_url, "YUANJING_HEARTBEAT_SECONDS": "0.2"}
    database = postgres_empty_url.partition("/test_")[2].partition("?")[0]

    def nodes() -> dict[str, str]:
        rows = postgres.sql("SELECT id, incarnation, is_alive FROM nodes", f"test_{database}").splitlines()
        return {row.split("|")[0].partition("-g")[0]: row.partition("|")[2] for row in rows}

    with (
        Platform(tmp_path / "a" / "var", **settings) as first,
        Platform(tmp_path / "b" / "var", **settings) as second,
    ):
        until = time.monotonic() + 2  # ten heartbeats, in which neither may shut out the other
        while time.monotonic() < until:
            assert (chat(first), chat(second)) == (200, 200)
        assert len(nodes()) == 2
        assert set(nodes().values()) == {"1|t"}
        children = first.children("")
        first.signal(signal.SIGKILL)
        first.process.wait(5)
        assert children
        first.start()
        assert (chat(first), chat(second)) == (200, 200)
        lives = sorted(nodes().values())
        assert lives[0] == "1|t", "the other one went on"
        assert lives[1] in ("2|t", "3|t"), "it has taken over, or ended, its own earlier life"
        wait_until(lambda: first.verify() == [], pause=0.2)
