"""Blanking what customers wrote in tasks that are long over, or that they have deleted."""

from yuanjing.domain.videos import VideoTask, forgotten
from yuanjing.kit.clock import Clock
from yuanjing.ports.damage import Damaged
from yuanjing.ports.store import Store, Tx

_DAY_SECONDS = 86_400


async def forget_tasks(store: Store, clock: Clock, *, days: int, deleted_days: int, limit: int = 200) -> int:
    """Forget prompts, addresses and histories; how many tasks. Rows that cannot be read stay as they are.

    What was charged stays, and so does everything that explains it.
    """
    now = clock.unix()

    def work(tx: Tx) -> int:
        found = tx.tasks.forgettable(
            ended_before=now - days * _DAY_SECONDS, deleted_before=now - deleted_days * _DAY_SECONDS, limit=limit
        )
        tasks: list[VideoTask] = [forgotten(task) for task in found if not isinstance(task, Damaged)]
        tx.tasks.forget(tasks, now)
        return len(tasks)

    return await store.write(work)
