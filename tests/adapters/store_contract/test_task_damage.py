"""Task rows that somebody has changed behind the program's back."""

import pytest
import sqlalchemy as sa
from tests.adapters.store_contract.builders import task

from yuanjing.domain.videos import TaskStep
from yuanjing.ports.damage import Damaged, DamagedError
from yuanjing.ports.store import Store, Tx


@pytest.fixture
async def damaged(sql_store: Store) -> Store:
    """Three tasks that wait, of which the second cannot be read."""

    def work(tx: Tx) -> None:
        for task_id in "123":
            tx.tasks.add(task(task_id), "submitted")
        tx.tasks._work.do(sa.text("UPDATE tasks SET request = '{}' WHERE id = '2'"))  # type: ignore[attr-defined]

    await sql_store.write(work)
    return sql_store


def _claim(tx: Tx) -> list[tuple[str, bool]]:
    rows = tx.tasks.claim("w1", [TaskStep.WAITING], at=5000.0, until=5060.0, limit=10)
    return [(row.id, isinstance(row, Damaged)) for row in rows]


async def test_a_claim_gives_the_others_and_tells_of_it_once(damaged: Store):
    assert sorted(await damaged.write(_claim)) == [("1", False), ("2", True), ("3", False)]
    assert await damaged.write(_claim) == [], "it is claimed too, so that nobody spins on it"


async def test_its_hold_has_an_owner(damaged: Store):
    found = await damaged.read(lambda tx: tx.tasks.of_hold("hold_2"))
    assert isinstance(found, Damaged)
    with pytest.raises(DamagedError):
        await damaged.read(lambda tx: tx.tasks.get("2"))


async def test_a_step_that_there_is_not_is_not_counted(damaged: Store):
    def work(tx: Tx) -> None:
        tx.tasks._work.do(sa.text("UPDATE tasks SET step = 'nowhere' WHERE id = '2'"))  # type: ignore[attr-defined]

    await damaged.write(work)
    assert await damaged.read(lambda tx: tx.tasks.counts()) == {TaskStep.WAITING: 2}
