"""Starting on a disk that has lost its power, as the product does, and what is then in the books."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pysqlite3

from yuanjing.bootstrap.checks import ENCRYPTION_KEY_FILE, PEPPER_FILE
from yuanjing.bootstrap.data_folder import node_name, node_prefix
from yuanjing.bootstrap.services import Services, open_services
from yuanjing.settings import Settings
from yuanjing.usecases.nodes import register_node, take_over
from yuanjing.usecases.posting import UsagePoster
from yuanjing.usecases.verify import verify
from yuanjing.worker.counters import WorkerCounters
from yuanjing.worker.observing import ObservingLoop
from yuanjing.worker.options import WorkerOptions
from yuanjing.worker.posting import PostingLoop

Row = tuple[Any, ...]


class _Log:
    """A worker's log: nothing that it writes is expected here but take-overs."""

    def __init__(self) -> None:
        self.trouble: list[str] = []

    def info(self, event: str, **kw: object) -> None: ...

    def warning(self, event: str, **kw: object) -> None:
        if event != "worker.took_over":
            self.trouble.append(f"{event}: {kw}")


@dataclass(frozen=True, kw_only=True)
class Books:
    """What is there after a start, and what is wrong by itself.

    Attributes:
        usages: by id, book and charge.
        tasks: by id, state and usage id.
        topups: by id, state, book and amount.
        grants: by transfer id, book and amount.
        answers: what is kept for idempotency keys, by their digests.
        accounts: book, name and balance.
        secrets: the files without which keys and credentials are worth nothing.
    """

    usages: dict[str, Row]
    tasks: dict[str, Row]
    topups: dict[str, Row]
    grants: dict[str, Row]
    answers: dict[bytes, bytes | None]
    accounts: list[Row]
    secrets: dict[str, str]
    wrong: list[str]


async def recover(data: Path, *, gateway_first: bool) -> Books:
    """Start on this data folder as `serve` does: schema, secrets, take-over of what had run, its spools; then verify.

    A gateway takes over its own last life, and a worker those of others; either may be first.
    """
    settings = Settings(data=data, spool_sync="full")
    log = _Log()
    async with open_services(settings) as services:
        worker = _worker(services, log)
        spool = await _begin_gateway(services) if gateway_first else None
        for step in worker:
            await step.run()
        spool = spool or await _begin_gateway(services)
        for step in worker:
            await step.run()
        await _let_silence_pass(services)
        report = await verify(
            services.store, services.spools, services.clock, node_prefix=node_prefix(settings), patience_seconds=0
        )
        spool.close()
        for reader in services.spools.readers():
            reader.close()
    wrong = [*log.trouble, *(f"verify: {one.check} {one.subject}: {one.message}" for one in report.breaches)]
    return read_books(data, wrong)


def _worker(services: Services, log: _Log) -> Sequence[PostingLoop | ObservingLoop]:
    options, counters = WorkerOptions(machine=services.settings.machine), WorkerCounters()
    poster = UsagePoster(services.store, services.clock, batch_rows=options.post_batch_rows)
    parts = (services.store, services.spools, services.clock)
    return [
        PostingLoop(poster, services.spools, services.clock, log, counters),
        ObservingLoop(*parts, options, log, counters),
    ]


async def _let_silence_pass(services: Services) -> None:
    """What `YUANJING_NODE_SILENT_SECONDS` do to a node that had just been registered, and had no spool yet."""
    there = {(reader.node_id, reader.incarnation) for reader in services.spools.readers()}
    for node in await services.store.read(lambda tx: tx.nodes.all()):
        if node.is_alive and (node.id, node.incarnation) not in there:
            await take_over(services.store, services.clock, node_id=node.id, incarnation=node.incarnation, reader=None)


async def _begin_gateway(services: Services) -> Any:
    node = await register_node(
        services.store,
        services.clock,
        node_id=node_name(services.settings, 0),
        machine=services.settings.machine,
        role="gateway",
        spools=services.spools,
    )
    return services.spools.create(node.id, node.incarnation)


def read_books(data: Path, wrong: Sequence[str] = ()) -> Books:
    """Look into the database and the secrets' files."""
    connection = pysqlite3.connect(data / "yuanjing.db")
    try:

        def rows(statement: str) -> list[Row]:
            return connection.execute(statement).fetchall()

        def by_id(statement: str) -> dict[Any, Row]:
            return {row[0]: row[1:] for row in rows(statement)}

        found = rows("PRAGMA integrity_check")
        return Books(
            usages=by_id("SELECT id, book, charge_nanos FROM usages"),
            tasks=by_id("SELECT id, state, usage_id FROM tasks"),
            topups=by_id("SELECT id, state, book, amount_nanos FROM topups"),
            grants=by_id("SELECT id, book, amount_nanos FROM transfers WHERE reason = 'grant'"),
            answers=dict(rows("SELECT digest, answer FROM idempotency_keys WHERE is_done")),
            accounts=rows("SELECT book, name, balance_nanos FROM accounts"),
            secrets={name: (data / "secrets" / name).read_text() for name in (PEPPER_FILE, ENCRYPTION_KEY_FILE)},
            wrong=[*wrong, *(f"integrity_check: {row}" for row in found if row != ("ok",))],
        )
    finally:
        connection.close()
