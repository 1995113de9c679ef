"""What every `VideoUpstream` keeps: the protocols against the sandbox's simulators, over a real port, and the twin.

The clock stands still until a test turns it.
"""

from dataclasses import replace

import pytest
from tests.adapters.providers.boxes import MODELS, box_running, failure_of, finished, memory_running, submission
from tests.adapters.providers.wire import PROTOCOLS

from yuanjing.adapters.memory.video_upstream import TRAITS, MemoryVideoUpstream
from yuanjing.domain.tasks import FailureKind, TaskState, UpstreamError
from yuanjing.ports.upstream import CallbackKind, CallbackRefusedError, Trail, UploadFile

TARGETS = ("ark", "dashscope", "memory", "vidu")


@pytest.fixture(scope="module")
def simulators():
    with box_running() as running:
        yield running


@pytest.fixture(params=TARGETS)
def protocol(request):
    return request.param


@pytest.fixture
def target(protocol, simulators, web):
    return memory_running() if protocol == "memory" else (simulators, PROTOCOLS[protocol](web))


@pytest.fixture
def box(target):
    return target[0]


@pytest.fixture
def upstream(target):
    return target[1]


async def test_from_submission_to_success(box, protocol, upstream):
    given = submission(protocol)
    accepted = await upstream.submit(box.access(protocol), given)
    ref = box.ref(accepted.upstream_task_id, protocol)
    states = []
    for _ in range(60):
        task = await upstream.query(box.access(protocol), ref)
        if not states or states[-1] != task.state:
            states.append(task.state)
        assert task.is_word_known
        box.clock.advance(0.5)
    assert states == [TaskState.QUEUED, TaskState.RUNNING, TaskState.SUCCEEDED]
    assert task.video_url.startswith("http")
    assert (task.cover_url is not None) == (protocol == "vidu")
    assert task.failure is None
    many = await upstream.query_many(box.access(protocol), [ref, replace(ref, upstream_task_id="gone")])
    assert {task_id: one.state for task_id, one in many.items()} == {ref.upstream_task_id: TaskState.SUCCEEDED}
    assert (many[ref.upstream_task_id].video_url == task.video_url) == many[ref.upstream_task_id].has_results


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("401", FailureKind.PROVIDER_AUTH),
        ("no-money", FailureKind.PROVIDER_BALANCE),
        ("429", FailureKind.RATE_LIMITED),
        ("500-after-accept", FailureKind.UNKNOWN_OUTCOME),
        ("lost-reply", FailureKind.UNKNOWN_OUTCOME),
    ],
)
async def test_magic_words_of_the_submission(box, protocol, upstream, word, kind):
    failure = await failure_of(upstream.submit(box.access(protocol), submission(protocol, f"a cat sandbox:{word}")))
    assert failure.kind is kind
    assert failure.text == "Provider temporarily unavailable"


@pytest.mark.parametrize(("word", "kind"), [("moderation", "moderated"), ("invalid-input", "invalid_input")])
async def test_magic_words_that_make_tasks_fail(box, protocol, upstream, word, kind):
    task = await finished(box, upstream, protocol, submission(protocol, f"a cat sandbox:{word}"))
    assert (task.state, task.failure.kind) == (TaskState.FAILED, kind)
    assert task.failure.code
    assert task.video_url is None


async def test_a_stuck_task_ends_by_expiry(box, protocol, upstream):
    task = await finished(box, upstream, protocol, submission(protocol, "a cat sandbox:stuck=100"), seconds=50)
    assert task.state is TaskState.RUNNING
    box.clock.advance(100)
    task = await upstream.query(box.access(protocol), box.ref(task.upstream_task_id, protocol))
    assert task.state in {TaskState.EXPIRED, TaskState.FAILED}
    if task.failure:
        assert (task.failure.kind, task.failure.code) == (FailureKind.UNAVAILABLE, "InternalError.Timeout")


async def test_the_credential_is_wrong(box, protocol, upstream):
    access = box.access(protocol, "nobody")
    assert (await failure_of(upstream.submit(access, submission(protocol)))).kind is FailureKind.PROVIDER_AUTH
    assert (await failure_of(upstream.query(access, box.ref("x", protocol)))).kind is FailureKind.PROVIDER_AUTH


async def test_an_unknown_task_and_a_foreign_one_are_not_found(box, protocol, upstream):
    accepted = await upstream.submit(box.access(protocol), submission(protocol))
    for access, task_id in (
        (box.access(protocol), "936759404378734592"),
        (box.access(protocol, "other-key"), accepted.upstream_task_id),
    ):
        failure = await failure_of(upstream.query(access, box.ref(task_id, protocol)))
        assert failure.kind is FailureKind.NOT_FOUND


async def test_an_unknown_model_is_surely_not_accepted(box, protocol, upstream):
    failure = await failure_of(upstream.submit(box.access(protocol), submission(protocol, model="no-such-model")))
    assert failure.kind in {FailureKind.NOT_FOUND, FailureKind.INVALID_INPUT}


@pytest.mark.parametrize("word", ["lost-reply", "500-after-accept"])
async def test_a_lost_submission_is_found_again(box, protocol, upstream, word):
    access = box.access(protocol)
    box.clock.advance(1000)
    before = await upstream.submit(access, submission(protocol))
    given = submission(protocol, f"a cat sandbox:{word}")
    sent_from = box.clock.unix()
    await failure_of(upstream.submit(access, given))
    box.clock.advance(30)
    after = await upstream.submit(access, submission(protocol))
    trail = Trail(submission_id=given.id, model=given.model, sent_from=sent_from, sent_until=sent_from + 30)
    found = await upstream.find(access, trail)
    claimed = {before.upstream_task_id, after.upstream_task_id}
    task = found.adoptable(is_claimed=claimed.__contains__, rivals=0)
    assert task is not None
    assert task.upstream_task_id not in claimed
    assert found.is_exact == upstream.traits.has_exact_search
    box.clock.advance(60)
    told = await upstream.query(access, box.ref(task.upstream_task_id, protocol))
    assert told.state is TaskState.SUCCEEDED
    if found.is_exact:
        assert told.submission_id == given.id


async def test_a_submission_that_never_arrived_is_not_found(box, protocol, upstream):
    box.clock.advance(1000)
    now = box.clock.unix()
    trail = Trail(submission_id="t-never-1", model=MODELS[protocol], sent_from=now, sent_until=now)
    found = await upstream.find(box.access(protocol), trail)
    assert (found.tasks, found.is_complete) == ((), True)


async def test_cancelling(box, protocol, upstream):
    access = box.access(protocol)
    queued = await upstream.submit(access, submission(protocol))
    queued = box.ref(queued.upstream_task_id, protocol)
    assert await upstream.cancel(access, queued) is True
    assert (await upstream.query(access, queued)).state is TaskState.CANCELED
    running = await upstream.submit(access, submission(protocol))
    running = box.ref(running.upstream_task_id, protocol)
    box.clock.advance(2)
    assert (await upstream.query(access, running)).state is TaskState.RUNNING
    assert await upstream.cancel(access, running) is False
    box.clock.advance(60)
    assert await upstream.cancel(access, running) is False
    assert (await upstream.query(access, running)).state is TaskState.SUCCEEDED
    for _ in range(2):
        assert await upstream.cancel(access, queued) is (protocol == "ark")
    with pytest.raises(UpstreamError):
        await upstream.query(access, box.ref("x", protocol))


async def test_many_tasks_in_one_batch(box, protocol, upstream):
    access = box.access(protocol)
    refs = []
    for _ in range(30):
        accepted = await upstream.submit(access, submission(protocol))
        refs.append(box.ref(accepted.upstream_task_id, protocol))
        box.clock.advance(0.01)
    tasks = await upstream.query_many(access, refs)
    assert set(tasks) == {ref.upstream_task_id for ref in refs}


async def test_traits_are_true(box, protocol, upstream):
    file = UploadFile(name="a", media_type="image/png", size_bytes=0, chunks=nothing())
    if not upstream.traits.can_upload:
        assert (
            await failure_of(upstream.upload(box.access(protocol), MODELS[protocol], file))
        ).kind is FailureKind.INVALID_INPUT
    assert upstream.traits.batch_max >= 1
    assert upstream.traits.record_seconds >= upstream.traits.result_seconds


async def nothing():
    for part in ():
        yield part


async def test_the_twins_callbacks_are_checked_too():
    box, upstream = memory_running()
    accepted = await upstream.submit(box.access("memory"), submission("memory"))
    callback = upstream.callback(accepted.upstream_task_id)
    hint = upstream.read_callback("sandbox-key", callback)
    assert (hint.upstream_task_id, hint.state, hint.is_signed) == (accepted.upstream_task_id, TaskState.QUEUED, True)
    for wrong in (replace(callback, headers={}), replace(callback, path="/other"), replace(callback, body=b"[]")):
        with pytest.raises(CallbackRefusedError):
            upstream.read_callback("sandbox-key", wrong)
    with pytest.raises(CallbackRefusedError):
        upstream.read_callback("other-key", callback)
    silent = MemoryVideoUpstream(box.clock, traits=replace(TRAITS, callbacks=CallbackKind.NONE))
    with pytest.raises(CallbackRefusedError):
        silent.read_callback("sandbox-key", callback)


async def test_without_exact_search_the_twin_finds_by_model_and_time():
    box, _ = memory_running()
    upstream = MemoryVideoUpstream(
        box.clock, traits=replace(TRAITS, has_exact_search=False), credentials=("sandbox-key",), lists_results=False
    )
    access = box.access("memory")
    await upstream.submit(access, submission("memory", model="m-2"))
    given = submission("memory", "sandbox:lost-reply")
    now = box.clock.unix()
    await failure_of(upstream.submit(access, given))
    found = await upstream.find(access, Trail(submission_id=given.id, model=given.model, sent_from=now, sent_until=now))
    assert found.adoptable(is_claimed=set().__contains__, rivals=1) is None
    task = found.adoptable(is_claimed=set().__contains__, rivals=0)
    assert task.submission_id is None
    box.clock.advance(60)
    ref = box.ref(task.upstream_task_id, "memory")
    [listed] = (await upstream.query_many(access, [ref])).values()
    assert (listed.state, listed.has_results, listed.video_url) == (TaskState.SUCCEEDED, False, None)
