"""Who is the first request of an idempotency key, and what the others are told; see decision 0022."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from yuanjing.domain.idempotency import (
    Claim,
    FinishedRequest,
    Found,
    IdempotentRequest,
    KeptAnswer,
    Standing,
    standing_of,
)
from yuanjing.domain.usage import UsageRecord
from yuanjing.kit.clock import Clock
from yuanjing.ports.store import Store, Tx

_TRIES = 3
_PRUNED_AT_ONCE = 500


def claim_chats(tx: Tx, claims: Sequence[Claim], owner: tuple[str, int], at: float) -> list[Found]:
    """Claim keys for chats that this life of a gateway is about to run; how each ended, in the order given."""
    ordered = _ordered(claims)
    rows = {claim.usage_id: _row(claim, owner, at) for claim in ordered}
    added = tx.idempotency.add_new(list(rows.values()))
    new = Found(standing=Standing.NEW)
    found = {
        claim.usage_id: new if claim.usage_id in added else _claim(tx, claim, rows[claim.usage_id]) for claim in ordered
    }
    return [found[claim.usage_id] for claim in claims]


def release_claims(tx: Tx, claims: Sequence[Claim]) -> None:
    """These chats cost nothing and left nothing: their keys are free again."""
    for claim in _ordered(claims):
        tx.idempotency.release(*claim.place, claim.usage_id)


def look_up(tx: Tx, claim: Claim) -> Found | None:
    """What the key stands for now, without claiming it; None if it is free."""
    row = tx.idempotency.get(*claim.place)
    return None if row is None else Found(standing=standing_of(row, claim), first=row)


def keep_answers(tx: Tx, records: Iterable[UsageRecord], at: float) -> None:
    """Give the keys of chats that are being posted their answers; those of chats that broke are free again.

    The keys are locked in their order, as claims lock them: one statement for all that follow each other whole.
    """
    kept = [(record.key_id, record.kept, record.id) for record in records if record.kept is not None]
    kept.sort(key=lambda one: (one[0], one[1].digest))
    for is_whole, run in groupby(kept, key=lambda one: one[1].is_whole):
        if is_whole:
            tx.idempotency.finish([_finished(*one) for one in run], at)
        else:
            for key_id, answer, usage_id in run:
                tx.idempotency.release(key_id, answer.digest, usage_id)


async def prune_keys(store: Store, clock: Clock, *, hours: int) -> bool:
    """Forget some of the keys that have not changed for so long; True if there may be more."""
    before = clock.unix() - hours * 3600
    return await store.write(lambda tx: tx.idempotency.prune(before, _PRUNED_AT_ONCE)) == _PRUNED_AT_ONCE


def _finished(key_id: str, answer: KeptAnswer, usage_id: str) -> FinishedRequest:
    return FinishedRequest(
        key_id=key_id, digest=answer.digest, usage_id=usage_id, answer=answer.body, clamped_to=answer.clamped_to
    )


def _row(claim: Claim, owner: tuple[str, int], at: float) -> IdempotentRequest:
    return IdempotentRequest(
        key_id=claim.key_id,
        digest=claim.digest,
        content=claim.content,
        usage_id=claim.usage_id,
        changed_at=at,
        node_id=owner[0],
        incarnation=owner[1],
    )


def _claim(tx: Tx, claim: Claim, row: IdempotentRequest) -> Found:
    """Claim one key that was taken; the row of the request that was there first may be gone before it is read."""
    for _ in range(_TRIES):
        first = tx.idempotency.lock(*claim.place)
        if first is None:
            if tx.idempotency.add_new([row]):
                return Found(standing=Standing.NEW)
            continue
        standing = standing_of(first, claim)
        if standing is Standing.RUNNING and _is_lost(tx, first):
            tx.idempotency.hand_over(row)
            return Found(standing=Standing.NEW)
        return Found(standing=standing, first=first)
    return Found(standing=Standing.RUNNING)


def _is_lost(tx: Tx, first: IdempotentRequest) -> bool:
    """Whether no answer will come of it: its process has ended, and all that it had spooled is posted.

    Until then it may have been answered and charged, and a second request would be charged again.
    """
    life = (first.node_id, first.incarnation)
    return all((spool.node_id, spool.incarnation) != life for spool in tx.nodes.unfinished())


def _ordered(claims: Sequence[Claim]) -> list[Claim]:
    return sorted(claims, key=lambda claim: claim.place)
