"""Checks of this machine's spools against what the store says of them."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from yuanjing.domain.errors import SpoolError
from yuanjing.ports.spool import SpoolFolder, SpoolReader
from yuanjing.ports.store import Node, SpoolPosition, Store, Tx
from yuanjing.usecases.breaches import Findings


@dataclass(frozen=True, kw_only=True, slots=True)
class _State:
    """What the store says now."""

    nodes: list[Node]
    positions: list[SpoolPosition | None]


async def check_spools(
    store: Store, spools: SpoolFolder, findings: Findings, *, node_prefix: str | None, patience_seconds: float
) -> None:
    """Every spool of this machine is known to the store, and empty or owned; every living node has its own.

    Spools are written, posted and removed meanwhile, and nodes come and go. So what looks wrong is read again, in a
    unit of work of its own, and reported only if it is still wrong then.
    """
    findings.checked["spools"] += len(spools.readers())
    suspects = await _look(store, spools, node_prefix)
    if suspects:
        await asyncio.sleep(patience_seconds)
        again = await _look(store, spools, node_prefix)
        for name in sorted(suspects.keys() & again.keys()):
            findings.add("spools", name, again[name])


async def _look(store: Store, spools: SpoolFolder, node_prefix: str | None) -> dict[str, str]:
    """What is wrong with which spool. Files are listed first: the store knows each of them by then."""
    readers = list(spools.readers())

    def read(tx: Tx) -> _State:
        positions = [tx.nodes.position(reader.node_id, reader.incarnation) for reader in readers]
        return _State(nodes=tx.nodes.all(), positions=positions)

    state = await store.read(read)
    latest = {node.id: node.incarnation for node in state.nodes}
    found = dict(_lost(state.nodes, readers, node_prefix))
    for reader, position in zip(readers, state.positions, strict=True):
        problem = _problem(reader, position, latest.get(reader.node_id, 0))
        if problem:
            found[f"{reader.node_id}.{reader.incarnation}"] = problem
    return found


def _lost(nodes: Sequence[Node], readers: Sequence[SpoolReader], prefix: str | None) -> Iterator[tuple[str, str]]:
    there = {(reader.node_id, reader.incarnation) for reader in readers}
    for node in nodes:
        is_ours = prefix is not None and node.id.startswith(prefix)
        if is_ours and node.is_alive and (node.id, node.incarnation) not in there:
            yield f"{node.id}.{node.incarnation}", "the node is said to live, but its spool is gone"


def _problem(reader: SpoolReader, position: SpoolPosition | None, latest: int) -> str:
    if reader.incarnation > latest:
        return "the spool belongs to a node that this store does not know"
    if position is None:
        return "the store does not know how far it is posted"
    try:
        return _left_over(reader, position)
    except SpoolError as error:
        return error.message


def _left_over(reader: SpoolReader, position: SpoolPosition) -> str:
    is_owned = reader.is_owned()
    if position.is_finished:
        waiting = reader.depth(position.posted_seq)
        is_wrong = is_owned or waiting
        return f"it is said to be finished, but {waiting} rows are not posted, in use: {is_owned}" if is_wrong else ""
    if is_owned:
        return ""
    waiting, running = reader.depth(position.posted_seq), len(reader.watermarks())
    if waiting or running:
        return f"{waiting} rows and {running} interrupted requests are not posted, and no process owns it"
    return ""
