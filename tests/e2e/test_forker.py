"""The forker: what it forks, what it tells, and what becomes of all when it dies."""

import asyncio
import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import structlog
from tests.support.load import wait_until
from tests.support.platform import Platform

from yuanjing.bootstrap import forks as forks_module
from yuanjing.bootstrap.forker import Forker
from yuanjing.bootstrap.forks import EXIT_LOST, Forks
from yuanjing.bootstrap.launch import ForkerProcess

LATER = {"PIL", "av", "httpx2", "phonenumbers", "rich", "typer"}
"""What takes a while to import and nobody needs who just starts."""


def imported(statement: str) -> set[str]:
    """The packages that are there after a statement, in a new interpreter, and `threads` if it has more than one."""
    program = (
        f"import os, sys\n{statement}\n"
        "print(*{name.partition('.')[0] for name in sys.modules})\n"
        "print('threads' * (len(os.listdir('/proc/self/task')) > 1))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603  # our own program
    return set(done.stdout.split())


@pytest.mark.parametrize("kind", ["gateway", "worker", "sandbox", "prepare"])
def test_a_start_imports_nothing_that_can_wait(kind):
    """Each kind as the forker makes it: after what all share, and out of one thread."""
    run = "from yuanjing.bootstrap.forker import import_for_all\nimport_for_all()\n"
    found = imported(f"{run}import yuanjing.bootstrap.{kind}")
    assert "yuanjing" in found
    assert not found & LATER
    assert ("fastapi" in found) == (kind == "gateway")
    assert "threads" not in found


def test_the_sandbox_by_itself_needs_no_database_either():
    assert not imported("import yuanjing.bootstrap.sandbox") & {"PIL", "av", "httpx2", "sqlalchemy", "pydantic"}


def test_the_supervisor_imports_no_database_and_no_server():
    found = imported("import yuanjing.cli.app, yuanjing.bootstrap.serve, yuanjing.bootstrap.supervisor")
    assert not found & {"sqlalchemy", "pysqlite3", "uvicorn", "fastapi"}


def words(pid: int) -> list[str]:
    """A process's command line."""
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_processes_end_as_they_are_told_and_their_ends_are_told():
    forks = Forks(structlog.get_logger("test"))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(forks.fork("worker", theirs.fileno())) for _ in range(3)]
        first, stopped, killed = (task.result() for task in tasks)
        assert len({first.pid, stopped.pid, killed.pid}) == 3
        await asyncio.to_thread(wait_until, lambda: words(first.pid)[:2] == ["yuanjing", "worker"])
        assert os.getsid(first.pid) == first.pid
        stopped.terminate()
        killed.kill()
        assert (await stopped.wait(), await killed.wait()) == (-signal.SIGTERM, -signal.SIGKILL)
        stopped.kill()  # it has ended, so nothing happens
        assert first.returncode is None
    assert await first.wait() == 0, "nobody can tell it anything any more"
    forks.close()


async def test_without_its_forker_a_process_counts_as_ended_and_the_next_one_has_another():
    forks = Forks(structlog.get_logger("test"))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = await forks.fork("worker", theirs.fileno())
        os.kill(parent(process.pid), signal.SIGKILL)
        assert await process.wait() == EXIT_LOST
        await asyncio.to_thread(wait_until, lambda: not is_there(process.pid))  # it was asked to end
        other = await forks.fork("worker", theirs.fileno())
        other.terminate()
        assert await other.wait() == -signal.SIGTERM
    forks.close()


@pytest.fixture
def idler() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing, in a forker's place."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process


async def test_a_fork_that_fails_is_told(monkeypatch, idler):
    ours, theirs = socket.socketpair()

    def no_room() -> int:
        raise BlockingIOError(errno.EAGAIN, "no room")

    forks, forker = Forks(structlog.get_logger("test")), Forker(theirs)
    monkeypatch.setattr(forks_module, "take", lambda: ForkerProcess(process=idler, control=ours))
    with theirs, forker._bell, forker._hammer:
        monkeypatch.setattr(os, "fork", no_room)
        with socket.socket() as any_socket:
            asked = asyncio.ensure_future(forks.fork("worker", any_socket.fileno()))
            await asyncio.sleep(0)
        assert forker._hear()
        assert forker._obey() is None
        with pytest.raises(OSError, match="no room"):
            await asked
        assert forker._descriptors == []
        refused = asyncio.ensure_future(forks.fork("worker"))
        await asyncio.sleep(0)
    with pytest.raises(OSError, match="the forker has ended"):
        await refused
    assert idler.returncode == -signal.SIGKILL


@pytest.mark.timeout(120)
def test_a_platform_whose_forker_dies_goes_on_with_another(tmp_path):
    with Platform(tmp_path / "var", is_cold=True) as platform:
        (forker,), before = platform.forkers(), set(platform.children(""))
        os.kill(forker, signal.SIGKILL)
        wait_until(lambda: len(set(platform.children("")) - before) == 3, 30)
        assert platform.forkers() != [forker]
        answers = (httpx2.get(f"{platform.url}/healthz", trust_env=False, timeout=30) for _ in range(3))
        assert [answer.status_code for answer in answers] == [200] * 3
        wait_until(lambda: not any(is_there(pid) for pid in before), 30)
        assert platform.verify() == []
        assert platform.stop() == 0
        assert '"forker ended"' in platform.errors()
