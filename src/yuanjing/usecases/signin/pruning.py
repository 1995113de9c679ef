"""Removing what signing in does not need any more."""

from yuanjing.domain.signin import DAY
from yuanjing.kit.clock import Clock
from yuanjing.ports.store import Store, Tx

_CHALLENGE_SECONDS = 2 * DAY
"""The limits look back over one day."""
_SESSION_SECONDS = 7 * DAY


async def prune_sign_in(store: Store, clock: Clock) -> int:
    """Remove codes that no limit counts any more, and sessions that ended long ago; how many."""

    def work(tx: Tx) -> int:
        now = clock.unix()
        return tx.challenges.prune(now - _CHALLENGE_SECONDS) + tx.sessions.prune(now - _SESSION_SECONDS)

    return await store.write(work)
