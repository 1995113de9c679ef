"""One run: everything is started, loaded, killed, paused, brought to rest, and its books are checked."""

import asyncio
import contextlib
import itertools
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from tests.kills.accounts import CREDENTIAL, POOR_START, RICH_START, TOPUP, Accounts, open_house, set_up, top_up
from tests.kills.books import Books
from tests.kills.client import Load, Seen
from tests.kills.fates import Fates
from tests.kills.machines import Machine
from tests.kills.reader import Reader, postgres_reader, sqlite_reader
from tests.kills.videos import SeenVideos, VideoLoad
from tests.support.leaks import Secrets
from tests.support.postgres import PostgresServer

from yuanjing.bootstrap.services import Services

_GIVE_SECONDS = 0.4
_FENCED = "this node was taken over; it stops"
_VIDEOS_AT_ONCE = 64
"""Each is asked about every second, by its customer and by a worker; the simulated provider is one process."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to do.

    Attributes:
        operations: chats to be answered by those with money; those of others, and videos, come on top.
        videos: tasks to be driven to their ends.
        kills, pauses: SIGKILLs, and SIGSTOPs that are longer than leases and claims live.
        connections: chats under way at once.
        gateways: on each of the two machines.
        end_seconds: how long a video may take to end.
        seconds_max: how long the load may take.
        quiet_seconds: how long it may take afterwards until nothing is held any more.
        source: the folder of another version of the product, if not the installed one is to run.
    """

    operations: int
    videos: int
    kills: int
    pauses: int
    seed: int
    connections: int = 256
    gateways: int = 1
    end_seconds: float = 120.0
    seconds_max: float = 3600.0
    quiet_seconds: float = 60.0
    source: Path | None = None


@dataclass(kw_only=True, slots=True)
class Outcome:
    """What came of it: all that is wrong, and figures for people."""

    wrong: list[str] = field(default_factory=list)
    figures: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stage:
    machines: list[Machine]
    chat_port: int
    video_port: int


def run(plan: Plan, folder: Path, postgres: PostgresServer | None = None) -> Outcome:
    """Do it in an empty folder, on SQLite or on a new database of this server."""
    name = ""
    if postgres is None:
        url, reader = f"sqlite:///{folder}/books.db", sqlite_reader(folder / "books.db")
    else:
        name = postgres.create_database()
        url, reader = postgres.url(name), postgres_reader(postgres, name)
    outcome = Outcome()
    with contextlib.ExitStack() as stack:
        if postgres is not None:
            stack.callback(postgres.drop_database, name)
        films = folder / "films"
        films.mkdir()
        chat_port = stack.enter_context(_provider("tests.kills.upstream"))
        video_port = stack.enter_context(_provider("tests.kills.studio", str(films)))
        machines = [Machine(folder / name, url, plan.gateways, source=plan.source) for name in ("east", "west")]
        stage = _Stage(machines=machines, chat_port=chat_port, video_port=video_port)
        uvloop.run(_play(plan, stage, stack, reader, outcome))
    return outcome


async def _play(plan: Plan, stage: _Stage, stack: contextlib.ExitStack, reader: Reader, outcome: Outcome) -> None:
    machines = stage.machines
    async with open_house(machines[0].environment) as house:
        addresses = [f"http://127.0.0.1:{port}" for port in (stage.chat_port, stage.video_port)]
        accounts = await set_up(house, *addresses)
        began = time.monotonic()
        for machine in machines:
            machine.start()
        for machine in machines:
            stack.enter_context(machine)
        load = Load([m.port for m in machines], accounts.keys, accounts.scarce, seed=plan.seed)
        films = VideoLoad([m.port for m in machines], accounts.keys, seed=plan.seed, end_seconds=plan.end_seconds)
        fates = Fates(machines, kills=plan.kills, pauses=plan.pauses, seed=plan.seed)
        ready = time.monotonic()
        granted = await _under_fire(plan, house, accounts, (load, films, fates))
        loaded = time.monotonic()
    outcome.wrong += [*load.seen.wrong, *films.seen.wrong]
    outcome.figures |= _told(load.seen, films.seen) | dict(fates.done)
    books = Books(reader, seed=plan.seed)
    books.wait_until_quiet(plan.quiet_seconds)
    quiet = time.monotonic()
    books.check_chats(load.seen, _document(f"{addresses[0]}/calls"))
    books.check_money(granted)
    books.check_budgets({key.split(b"_")[2][:8].decode(): amount for key, amount in accounts.budgets.items()})
    books.check_videos(films.seen, _document(f"{addresses[1]}/submissions"))
    outcome.wrong += books.wrong
    outcome.figures |= books.figures
    checked = time.monotonic()
    for one in machines:  # each has a spool of its own
        outcome.wrong += [f"verify in {one.name}: {breach}" for breach in one.run("verify")["breaches"]]  # type: ignore[union-attr]
    outcome.wrong += [f"{one.name} ended with {code}" for one in machines if (code := one.stop())]
    outcome.wrong += [line for one in machines for line in one.log().splitlines() if "Traceback" in line]
    outcome.wrong += told_secrets(machines, accounts)
    outcome.figures["fenced"] = sum(one.log().count(_FENCED) for one in machines)
    times = {"start": ready - began, "load": loaded - ready, "quiet": quiet - loaded, "check": checked - quiet}
    times["verify and stop"] = time.monotonic() - checked
    outcome.figures["seconds"] = {name: round(seconds, 1) for name, seconds in times.items()}


def told_secrets(machines: Sequence[Machine], accounts: Accounts) -> list[str]:
    """The lines of the logs, those of the killed included, that tell a secret which a machine was given or has made."""
    secrets = Secrets()
    secrets.note(CREDENTIAL, *(key.decode() for key in [*accounts.keys, *accounts.scarce]))
    for one in machines:
        secrets.note_settings(one.environment)
        secrets.note_folder(one.data)
    return [f"the log of {one.name} tells {line}" for one in machines for line in secrets.found_in(one.log())]


async def _under_fire(
    plan: Plan, house: Services, accounts: Accounts, parts: tuple[Load, VideoLoad, Fates]
) -> dict[str, int]:
    """Until all is answered and all has happened; what each customer was given."""
    load, films, fates = parts
    granted = dict.fromkeys(accounts.rich, RICH_START) | dict.fromkeys(accounts.poor, POOR_START)

    async def give() -> None:
        for turn in itertools.count():
            for customer in accounts.poor:
                await asyncio.sleep(_GIVE_SECONDS)
                if load.over.is_set():
                    return
                await top_up(house, customer, is_promotion=turn % 3 == 2)
                granted[customer] += TOPUP

    async with asyncio.TaskGroup() as group:
        group.create_task(give())
        group.create_task(load.run(plan.operations, plan.connections, plan.seconds_max))
        group.create_task(films.run(plan.videos, max(4, min(_VIDEOS_AT_ONCE, plan.videos // 3))))
        group.create_task(fates.run(lambda: 1.0 if load.over.is_set() else len(load.seen.whole) / plan.operations))
    return granted


def _told(seen: Seen, films: SeenVideos) -> dict[str, object]:
    return {
        "operations": len(seen.whole) + len(films.ended),
        "chats": len(seen.whole),
        "videos": len(films.ended),
        "statuses": dict(seen.statuses),
        "sent again": dict(seen.refusals),
        "replayed": len(seen.replayed),
        "broken connections": seen.broken + films.broken,
        "refused for money": len(seen.refused),
    }


@contextlib.contextmanager
def _provider(module: str, *arguments: str) -> Generator[int]:
    """A simulated provider in a process of its own; its port."""
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE)  # noqa: S603  # our own program
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


def _document(url: str) -> dict[str, int]:
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310  # our own program
        return json.load(answer)
