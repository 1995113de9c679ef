import pytest
from tests.support.video import make_task

from yuanjing.adapters.memory import MemoryStore
from yuanjing.domain.errors import NotFoundError
from yuanjing.domain.tasks import TaskState
from yuanjing.domain.videos import TaskStep
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.upstream import Callback, CallbackHint, CallbackRefusedError
from yuanjing.usecases.video_callbacks import CallbackAddresses, VideoCallbacks

PEPPER = b"p" * 32
CALLBACK = Callback(path="/", headers={}, body=b"", received_at=0.0)


class Reader:
    """Says what a test wants it to."""

    def __init__(self) -> None:
        self.answer: CallbackHint | CallbackRefusedError | None = None
        self.asked = 0

    async def read(self, channel_id: str, callback: Callback) -> CallbackHint | None:
        del channel_id, callback
        self.asked += 1
        if isinstance(self.answer, CallbackRefusedError):
            raise self.answer
        return self.answer


class Place:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(clock=self.clock)
        self.reader = Reader()
        self.addresses = CallbackAddresses(PEPPER)
        self.callbacks = VideoCallbacks(self.store, self.clock, self.addresses, self.reader)

    async def add(self, **changes):
        now = self.clock.unix()
        values = {"step": TaskStep.POLLING, "channel_id": "ch_1", "upstream_task_id": "T", "next_at": now + 100}
        task = make_task(1, now, **(values | changes))
        await self.store.write(lambda tx: tx.tasks.add(task, "added"))
        return task.id

    async def take(self, hint, channel_id="ch_1"):
        self.reader.answer = hint
        token = self.addresses.path(channel_id).rpartition("/")[2]
        return await self.callbacks.take(channel_id, token, CALLBACK)

    async def task(self, task_id):
        return await self.store.read(lambda tx: tx.tasks.get(task_id))


@pytest.fixture
def place():
    return Place()


def hint(state=TaskState.SUCCEEDED, **changes):
    return CallbackHint(**({"upstream_task_id": "T", "state": state} | changes))


async def test_a_hint_makes_the_task_due_and_changes_nothing_else(place):
    task_id = await place.add()
    before = await place.task(task_id)
    place.clock.advance(5)
    assert await place.take(hint()) is True
    after = await place.task(task_id)
    assert after.next_at == place.clock.unix()
    assert (after.state, after.step, after.outcome) == (before.state, before.step, None)


async def test_only_the_channels_own_address_is_read(place):
    await place.add()
    place.reader.answer = hint()
    for token in ("", "x", place.addresses.path("ch_2").rpartition("/")[2], "\ud800"):
        with pytest.raises(NotFoundError):
            await place.callbacks.take("ch_1", token, CALLBACK)
    assert place.reader.asked == 0
    with pytest.raises(NotFoundError):
        await place.take(None)


async def test_addresses_are_as_secret_as_the_pepper(place):
    other = CallbackAddresses(b"q" * 32)
    assert place.addresses.path("ch_1") != other.path("ch_1")
    assert len(place.addresses.path("ch_1").rpartition("/")[2]) == 64
    assert place.addresses.is_right("ch_1", place.addresses.path("ch_1").rpartition("/")[2])


async def test_a_refused_callback_does_nothing(place):
    task_id = await place.add()
    with pytest.raises(CallbackRefusedError):
        await place.take(CallbackRefusedError("forged"))
    assert (await place.task(task_id)).next_at > place.clock.unix()


async def test_a_hint_for_nobody_is_of_no_use(place):
    await place.add()
    for given in (hint(upstream_task_id="other"), hint(upstream_task_id=""), hint(None, upstream_task_id="other")):
        assert await place.take(given) is False
    assert await place.take(hint(), channel_id="ch_2") is False


async def test_a_repeated_nonce_counts_once(place):
    task_id = await place.add()
    assert await place.take(hint(nonce="n1")) is True
    assert await place.take(hint(nonce="n1")) is False
    assert await place.take(hint(nonce="n2")) is True
    assert (await place.task(task_id)).step is TaskStep.POLLING


async def test_a_late_success_is_noted_once_and_never_charged(place):
    task_id = await place.add(step=TaskStep.DONE, state=TaskState.EXPIRED, flag="late")
    for _ in range(2):
        assert await place.take(hint()) is False
    assert await place.take(hint(TaskState.FAILED)) is False
    task = await place.task(task_id)
    assert (task.state, task.charge_nanos) == (TaskState.EXPIRED, 0)
    assert task.flag == "late; a callback says that it has succeeded after all"
    events = await place.store.read(lambda tx: tx.tasks.events(task_id))
    assert [event.text for event in events] == ["added", "a callback says that it has succeeded after all"]


async def test_a_success_that_is_known_is_no_news(place):
    task_id = await place.add(step=TaskStep.DONE, state=TaskState.SUCCEEDED)
    assert await place.take(hint()) is False
    assert (await place.task(task_id)).flag == ""
