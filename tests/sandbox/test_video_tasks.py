"""The timeline of a task, from the clock alone."""

from concurrent.futures import Future
from pathlib import Path

import pytest

from yuanjing.kit.clock import ManualClock
from yuanjing.sandbox.options import SandboxOptions
from yuanjing.sandbox.video import magic
from yuanjing.sandbox.video.rendered import Rendered
from yuanjing.sandbox.video.results import Results
from yuanjing.sandbox.video.tasks import DAY_SECONDS, Lifetimes, Submission, Tasks
from yuanjing.sandbox.video.wish import Failure, FailureKind, Phase, Wish, even

FILES = Rendered(video=Path("x/a.mp4"), cover=Path("x/a.jpg"), last_frame=Path("x/a.png"))
START = ManualClock().unix()


class Rig:
    def __init__(self, **options):
        self.clock = ManualClock()
        self.orders = []
        settings = SandboxOptions(**options)
        self.tasks = Tasks(settings, self.clock, Results(settings, self.clock), self._render)
        self.made = 0

    def _render(self, wish, media):
        self.orders.append((wish, media, Future()))
        return self.orders[-1][2]

    def finish(self, at=-1):
        self.orders[at][2].set_result(FILES)

    def submit(self, text="", *, owner="me", wish=None, **fields):
        self.made += 1
        wish = wish or Wish(protocol="vidu", model="m", prompt=text, width=64, height=48, seconds=5)
        order = Submission(
            id=f"t{self.made}", owner=owner, wish=wish, base_url="http://box", asked=magic.parse(text), **fields
        )
        return self.tasks.submit(order)

    def phase(self, task):
        assert self.tasks.view(task).phase is self.tasks.phase(task)
        return self.tasks.phase(task)

    def after(self, task, seconds):
        self.clock.advance(seconds)
        return self.phase(task)


@pytest.fixture
def rig():
    return Rig()


def test_it_takes_four_seconds_and_tells_when_what_began(rig):
    task = rig.submit()
    rig.finish()
    assert rig.phase(task) is Phase.CREATED
    assert rig.after(task, 0.3) is Phase.QUEUED
    assert rig.tasks.view(task).started_at is None
    assert rig.after(task, 0.7) is Phase.RUNNING
    running = rig.tasks.view(task)
    assert (running.started_at, running.updated_at, running.ended_at) == (START + 1, START + 1, None)
    assert running.video_url is None
    assert rig.after(task, 3) is Phase.SUCCEEDED
    done = rig.tasks.view(task)
    assert (done.created_at, done.started_at, done.ended_at) == (START, START + 1, START + 4)
    assert done.video_url.startswith("http://box/results/vidu/20261101/")
    assert rig.after(task, 100) is Phase.SUCCEEDED
    assert rig.tasks.view(task) == done
    assert [view.phase for view in rig.tasks.views(task)] == [
        Phase.CREATED,
        Phase.QUEUED,
        Phase.RUNNING,
        Phase.SUCCEEDED,
    ]


def test_a_clock_that_is_set_back(rig):
    task = rig.submit()
    rig.clock.jump(-3600)
    assert rig.phase(task) is Phase.CREATED


def test_success_waits_for_the_file(rig):
    task = rig.submit()
    assert rig.after(task, 50) is Phase.RUNNING
    rig.finish()
    assert rig.after(task, 1) is Phase.SUCCEEDED
    assert rig.tasks.view(task).ended_at == START + 50


def test_a_file_that_cannot_be_rendered(rig):
    task = rig.submit()
    rig.orders[0][2].set_exception(RuntimeError("no codec"))
    assert rig.after(task, 5) is Phase.FAILED
    failure = rig.tasks.view(task).failure
    assert (failure.kind, failure.text) == (FailureKind.INTERNAL, "Rendering failed: no codec")


def test_time_scale_and_off_peak():
    at_once = Rig(time_scale=0)
    task = at_once.submit()
    assert at_once.phase(task) is Phase.RUNNING
    at_once.finish()
    assert at_once.phase(task) is Phase.SUCCEEDED
    tenfold = Rig(time_scale=10)
    usual, later = tenfold.submit(), tenfold.submit(is_off_peak=True)
    assert tenfold.after(usual, 10) is Phase.RUNNING
    assert tenfold.phase(later) is Phase.QUEUED
    assert tenfold.after(later, 63) is Phase.RUNNING


def test_failures_come_with_the_word_or_from_the_protocol(rig):
    moderated, invalid = rig.submit("sandbox:moderation"), rig.submit("sandbox:invalid-input")
    own = rig.submit(failure=Failure(kind=FailureKind.MEDIA_INVALID, text="no image", code="InvalidURL"))
    assert rig.orders == []
    rig.clock.advance(1.5)
    assert [rig.phase(task) for task in (moderated, invalid, own)] == [Phase.RUNNING, Phase.FAILED, Phase.FAILED]
    assert rig.tasks.view(invalid).failure.kind is FailureKind.INVALID
    assert rig.tasks.view(own).failure.code == "InvalidURL"
    assert rig.after(moderated, 3) is Phase.FAILED
    assert rig.tasks.view(moderated).failure.kind is FailureKind.MODERATED
    assert rig.tasks.view(moderated).started_at == START + 1


def test_long_queue_and_stuck(rig):
    late, stuck, brief = (
        rig.submit("sandbox:long-queue=30"),
        rig.submit("sandbox:stuck", lifetimes=Lifetimes(execution=100)),
        rig.submit("sandbox:stuck=20"),
    )
    rig.finish()
    assert len(rig.orders) == 1
    assert rig.after(late, 19) is Phase.QUEUED
    assert rig.phase(brief) is Phase.RUNNING
    assert rig.after(brief, 1) is Phase.EXPIRED
    assert rig.after(late, 20) is Phase.SUCCEEDED
    assert rig.phase(stuck) is Phase.RUNNING
    assert rig.after(stuck, 60) is Phase.EXPIRED
    assert rig.tasks.view(stuck).ended_at == START + 100
    bounded = Rig(video_fault_wait_max_seconds=5)
    assert bounded.after(bounded.submit("sandbox:long-queue=1000"), 6) is Phase.RUNNING


def test_what_is_delivered_may_differ(rig):
    shorter, smaller = rig.submit("sandbox:shorter"), rig.submit("sandbox:wrong-resolution")
    assert (rig.orders[0][0].seconds, rig.orders[0][0].width) == (2, 64)
    assert (rig.orders[1][0].seconds, rig.orders[1][0].width, rig.orders[1][0].height) == (5, 32, 24)
    assert (shorter.wish.seconds, rig.tasks.view(shorter).seconds) == (5, 2)
    assert (smaller.wish.width, rig.tasks.view(smaller).seconds) == (64, 5)


def test_cancelled(rig):
    task = rig.submit()
    rig.finish()
    rig.clock.advance(0.5)
    rig.tasks.cancel(task)
    assert rig.after(task, 10) is Phase.CANCELED
    assert [view.phase for view in rig.tasks.views(task)] == [Phase.CREATED, Phase.QUEUED, Phase.CANCELED]
    assert rig.tasks.view(task).ended_at == START + 0.5
    assert rig.tasks.view(task).started_at is None


def test_who_finds_it_and_for_how_long(rig):
    task = rig.submit(lifetimes=Lifetimes(record=7 * DAY_SECONDS, canceled=DAY_SECONDS))
    other = rig.submit(owner="you")
    gone = rig.submit(lifetimes=Lifetimes(record=7 * DAY_SECONDS, canceled=DAY_SECONDS))
    rig.tasks.cancel(gone)
    assert rig.tasks.find("vidu", "me", task.id) is task
    assert rig.tasks.find("vidu", "me", other.id) is None
    assert rig.tasks.find("ark", "me", task.id) is None
    assert rig.tasks.of_owner("vidu", "me") == [task, gone]
    rig.clock.advance(DAY_SECONDS)
    assert rig.tasks.of_owner("vidu", "me") == [task]
    rig.clock.advance(6 * DAY_SECONDS)
    assert rig.tasks.find("vidu", "me", task.id) is None
    rig.tasks.delete(other)
    assert rig.tasks.of_owner("vidu", "you") == []


def test_the_store_is_bounded():
    rig = Rig(video_tasks_max=2)
    tasks = [rig.submit() for _ in range(3)]
    assert rig.tasks.of_owner("vidu", "me") == tasks[1:]


def test_more_tasks_than_places_wait():
    rig = Rig(video_concurrency=2, video_created_seconds=0, video_queue_seconds=0)
    mine = [rig.submit() for _ in range(5)]
    yours = rig.submit(owner="you")
    for order in range(6):
        rig.finish(order)
    assert [rig.phase(task) is Phase.RUNNING for task in [*mine, yours]] == [True, True, False, False, False, True]
    rig.clock.advance(3)
    assert [rig.phase(task) for task in mine[2:]] == [Phase.RUNNING, Phase.RUNNING, Phase.QUEUED]
    assert rig.after(mine[4], 3) is Phase.RUNNING


@pytest.mark.parametrize(("given", "wanted"), [(1470, 1470), (1471, 1470), (1, 2), (0, 2)])
def test_even(given, wanted):
    assert even(given) == wanted


def test_it_may_not_be_found_at_first(rig):
    late, other = rig.submit("sandbox:unseen=2"), rig.submit()
    for is_seen in (False, True):
        assert (rig.tasks.find("vidu", "me", late.id) is late) is is_seen
        assert rig.tasks.of_owner("vidu", "me") == ([late, other] if is_seen else [other])
        rig.clock.advance(2)
