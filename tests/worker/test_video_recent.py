"""What a worker remembers is bounded."""

from tests.support.video import make_task, video_world

from yuanjing.adapters.memory import MemoryStore
from yuanjing.domain.tasks import TaskState, UpstreamTask
from yuanjing.kit.clock import ManualClock
from yuanjing.worker.video.recent import Recent


def test_the_oldest_makes_room():
    recent = Recent[str, int](2)
    for number, key in enumerate("abac"):
        recent.set(key, number)
    assert [recent.get(key) for key in "abc"] == [2, None, 3]
    assert ("a" in recent, "b" in recent) == (True, False)
    recent.forget("a")
    recent.forget("b")
    assert recent.get("a") is None


async def test_unknown_words_do_not_fill_the_memory():
    """Of a provider that puts a number into each, say."""
    clock = ManualClock()
    async with video_world(MemoryStore(clock=clock), clock) as world:
        worker = world.start()
        poller, task = worker.engine._poller, make_task(1, 0.0)
        for number in [*range(3000), 2999]:
            word = f"step-{number}"
            answer = UpstreamTask(upstream_task_id="u", state=TaskState.RUNNING, word=word, is_word_known=False)
            poller._note_word(task, answer)
        assert worker.log.events().count("video.unknown_word") == 3000, "each once"
        assert sum((task.channel_id, f"step-{number}") in poller._words for number in range(3000)) == 1000
