"""What customers wrote in tasks goes away; what explains a charge stays."""

from dataclasses import replace

import pytest
from tests.support.video import make_task

from yuanjing.adapters.memory import MemoryStore
from yuanjing.domain.tasks import MediaRole, TaskState
from yuanjing.domain.videos import Outcome, TaskMedia, TaskStep
from yuanjing.kit.clock import ManualClock
from yuanjing.usecases.videos.forgetting import forget_tasks

DAY = 86_400


def ended(number, at, **changes):
    media = (TaskMedia(role=MediaRole.FIRST_FRAME, artifact_id="art_1", source_url="https://a.example/secret"),)
    request = {"negative_prompt": "a dog", "media": media, "extras": {"note": "mine"}}
    task = make_task(number, at, "a cat", request=request)
    outcome = Outcome(video_url="https://p.example/1", cover_url="https://p.example/2", ended_at=at)
    return replace(task, step=TaskStep.DONE, state=TaskState.SUCCEEDED, ended_at=at, outcome=outcome, **changes)


@pytest.fixture
def clock():
    return ManualClock()


async def test_old_and_deleted_tasks_lose_what_their_customers_wrote(clock):
    store, now = MemoryStore(clock=clock), clock.unix()
    tasks = {
        "old": ended(1, now - 181 * DAY),
        "deleted": ended(2, now - 8 * DAY, deleted_at=now - 7.5 * DAY),
        "young": ended(3, now - 179 * DAY),
        "deleted lately": ended(4, now - 8 * DAY, deleted_at=now - DAY),
        "under way": make_task(5, now - 200 * DAY),
    }

    def fill(tx):
        for task in tasks.values():
            tx.tasks.add(task, "submitted")

    await store.write(fill)
    assert await forget_tasks(store, clock, days=180, deleted_days=7) == 2
    assert await forget_tasks(store, clock, days=180, deleted_days=7) == 0
    for name, task in tasks.items():
        found, events = await store.read(lambda tx, it=task: (tx.tasks.get(it.id), tx.tasks.events(it.id)))
        if name not in ("old", "deleted"):
            assert (found, len(events)) == (task, 1), name
            continue
        assert (found.request.prompt, found.request.negative_prompt, found.request.extras) == ("", "", {})
        assert [item.source_url for item in found.request.media] == [None]
        assert (found.outcome.video_url, found.outcome.cover_url) == (None, None)
        assert events == []
        kept = replace(found, request=task.request, outcome=task.outcome)
        assert kept == task, "nothing else has changed"


async def test_so_many_at_once(clock):
    store, now = MemoryStore(clock=clock), clock.unix()
    await store.write(lambda tx: [tx.tasks.add(ended(n, now - 200 * DAY), "") for n in range(1, 6)])
    assert [await forget_tasks(store, clock, days=180, deleted_days=7, limit=2) for _ in range(4)] == [2, 2, 1, 0]
