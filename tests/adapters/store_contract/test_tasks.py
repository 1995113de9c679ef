from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest
import sqlalchemy as sa
from tests.adapters.store_contract.builders import LIVE, TEST, task, worked_on

from yuanjing.domain.catalog import Operation
from yuanjing.domain.errors import AlreadyExistsError
from yuanjing.domain.money import Book
from yuanjing.domain.tasks import TaskState
from yuanjing.domain.videos import Claim, TaskStep, VideoTask
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.store import Store, Tx
from yuanjing.ports.tasks import ChannelLoad, Takeable, TaskEvent, TaskFilter

NOW = 5000.0
DONE = {"step": TaskStep.DONE, "state": TaskState.FAILED}


async def _add(store: Store, *added: VideoTask) -> None:
    def work(tx: Tx) -> None:
        for one in added:
            tx.tasks.add(one, "submitted")

    await store.write(work)


async def _claim(
    store: Store,
    *steps: TaskStep,
    owner: str = "w1",
    at: float = NOW,
    until: float = NOW + 60,
    limit: int = 10,
) -> list[VideoTask]:
    wanted = steps or (TaskStep.WAITING,)
    return await store.write(lambda tx: tx.tasks.claim(owner, wanted, at=at, until=until, limit=limit))


async def _get(store: Store, task_id: str = "1") -> VideoTask:
    found = await store.read(lambda tx: tx.tasks.get(task_id))
    assert found is not None
    return found


async def _save(store: Store, changed: VideoTask, text: str = "") -> bool:
    return await store.write(lambda tx: tx.tasks.save(changed, text))


async def _ids(store: Store, **where: object) -> list[str]:
    return [one.id for one in await store.read(lambda tx: tx.tasks.list(TaskFilter(**where)))]


async def test_a_task_is_kept_as_it_was(store: Store):
    full = worked_on(task("1", is_cancel_requested=True, deleted_at=7.5))
    await _add(store, full, task("2"))
    assert await _get(store) == full
    assert await store.write(lambda tx: tx.tasks.lock("2")) == task("2")
    assert await store.write(lambda tx: tx.tasks.lock("3")) is None
    assert await store.read(lambda tx: tx.tasks.get("3")) is None
    assert await store.read(lambda tx: list(tx.tasks.scan())) == [full, task("2")]
    assert await store.read(lambda tx: tx.tasks.of_hold("hold_2")) == task("2")
    assert await store.read(lambda tx: tx.tasks.of_hold("hold_3")) is None
    event = TaskEvent(at=1000.125, state=TaskState.QUEUED, step=TaskStep.WAITING, text="submitted")
    assert await store.read(lambda tx: tx.tasks.events("2")) == [event]


@pytest.mark.parametrize("key", ["\0", "1\0", "\ud800"])
async def test_what_no_database_can_store_is_not_there(store: Store, key: str):
    await _add(store, task("1"))
    assert await store.read(lambda tx: tx.tasks.get(key)) is None
    assert await store.read(lambda tx: tx.tasks.owner_of("c1", key)) is None
    assert not await store.write(lambda tx: tx.tasks.hasten("c1", key, NOW))
    assert await _ids(store, model=key) == []
    assert await _ids(store, offer_id=key) == []
    assert await _ids(store) == ["1"]


@pytest.mark.parametrize("taken", [{"id": "1"}, {"hold_id": "hold_1"}, {"usage_id": "u1"}], ids=str)
async def test_ids_are_taken_once_and_the_unit_of_work_can_go_on(store: Store, taken: dict[str, str]):
    await _add(store, task("1"))

    def work(tx: Tx) -> None:
        with pytest.raises(AlreadyExistsError):
            tx.tasks.add(replace(task("2"), **taken), "submitted")
        tx.tasks.add(task("3"), "submitted")

    await store.write(work)
    assert [one.id for one in await store.read(lambda tx: list(tx.tasks.scan()))] == ["1", "3"]


@pytest.mark.parametrize("taken", [{"id": "1"}, {"hold_id": "hold_1"}, {"usage_id": "u1"}], ids=str)
async def test_of_many_only_those_that_are_taken_are_left_out(store: Store, taken: dict[str, str]):
    await _add(store, task("1"))
    many = [(replace(worked_on(task(str(n))), upstream_task_id=f"u{n}"), f"number {n}") for n in range(2, 40)]
    refused = replace(task("2x"), **taken)
    twin = task("9x", hold_id="hold_9")

    def work(tx: Tx) -> set[str]:
        added = tx.tasks.add_new([*many[:5], (refused, "refused"), *many[5:], (twin, "the second of its hold")])
        assert tx.tasks.add_new([]) == set()
        return added

    assert await store.write(work) == {one.id for one, _ in many}
    found = {one.id: one for one in await store.read(lambda tx: list(tx.tasks.scan()))}
    assert found == {one.id: one for one, _ in many} | {"1": task("1")}
    told = await store.read(lambda tx: [[event.text for event in tx.tasks.events(id_)] for id_ in ("1", "2", "39")])
    assert told == [["submitted"], ["number 2"], ["number 39"]]


async def test_a_claim_is_one_workers_until_it_runs_out(store: Store):
    await _add(store, task())
    assert await _claim(store, at=1000.0) == [], "not due yet"
    (first,) = await _claim(store)
    assert first == task(claim=Claim(owner="w1", token=1, until=NOW + 60))
    assert await _get(store) == first
    assert await _claim(store, owner="w2", at=NOW + 59.5) == []
    (second,) = await _claim(store, owner="w2", at=NOW + 60, until=NOW + 120)
    assert second.claim == Claim(owner="w2", token=2, until=NOW + 120)


async def test_only_the_newest_claim_may_write(store: Store, clock: ManualClock):
    await _add(store, task())
    (old,) = await _claim(store)
    (new,) = await _claim(store, owner="w2", at=NOW + 60, until=NOW + 120)
    assert not await _save(store, worked_on(old), "late")
    assert await _get(store) == new
    assert await _save(store, worked_on(new), "in time")
    assert await _get(store) == worked_on(new)
    (_, event) = await store.read(lambda tx: tx.tasks.events("1"))
    assert event == TaskEvent(at=clock.unix(), state=TaskState.RUNNING, step=TaskStep.COPYING, text="in time")
    assert await _save(store, new)
    assert len(await store.read(lambda tx: tx.tasks.events("1"))) == 2
    assert not await _save(store, replace(new, id="9"))


async def test_what_was_asked_for_is_not_written_again(store: Store):
    await _add(store, task())
    (claimed,) = await _claim(store)
    assert await _save(store, replace(claimed, price_id="other", is_cancel_requested=True, deleted_at=1.5))
    assert replace(await _get(store), claim=None) == task()


async def test_an_ended_task_is_never_changed(store: Store):
    await _add(store, task())
    (claimed,) = await _claim(store)
    ended = replace(claimed, ended_at=NOW, **DONE)
    assert await _save(store, ended)
    assert not await _save(store, replace(ended, state=TaskState.SUCCEEDED))
    assert await _get(store) == ended
    assert await _claim(store, *TaskStep, at=NOW + 999) == []
    assert not await store.write(lambda tx: tx.tasks.request_cancel("1", NOW))


async def test_a_charge_above_the_ceiling_is_refused_by_the_store_itself(store: Store):
    await _add(store, task(ceiling_nanos=10))
    (claimed,) = await _claim(store)
    with pytest.raises((AssertionError, sa.exc.IntegrityError)):
        await _save(store, replace(claimed, charge_nanos=11))
    assert await _get(store) == claimed


async def test_a_providers_task_belongs_to_one_task(store: Store):
    await _add(store, task("1"), task("2"), task("3"), task("4"))
    first, second, third, _ = await _claim(store)
    known = {"step": TaskStep.POLLING, "channel_id": "chan_1", "upstream_task_id": "cgt-1"}
    assert await _save(store, replace(first, **known))
    assert await _save(store, replace(first, **known)), "its own again"
    with pytest.raises(AlreadyExistsError):
        await _save(store, replace(second, **known))
    assert await _save(store, replace(second, **(known | {"channel_id": "chan_2"})))
    assert await _save(store, replace(third, **(known | {"upstream_task_id": ""})))
    assert await store.read(lambda tx: tx.tasks.owner_of("chan_1", "cgt-1")) == "1"
    assert await store.read(lambda tx: tx.tasks.owner_of("chan_2", "cgt-1")) == "2"
    assert await store.read(lambda tx: tx.tasks.owner_of("chan_3", "cgt-1")) is None
    assert await store.read(lambda tx: tx.tasks.owner_of("chan_1", "")) is None


async def test_claims_are_renewed_and_given_back(store: Store):
    await _add(store, task("1"), task("2"), task("3"))
    await _claim(store, limit=2)
    await _claim(store, owner="w2")
    claims = {"1": 1, "2": 7, "3": 1, "9": 1}
    assert await store.write(lambda tx: tx.tasks.renew("w1", claims, NOW + 300)) == {"1"}
    assert [one.id for one in await _claim(store, owner="w3", at=NOW + 60, until=NOW + 70)] == ["2", "3"]
    await store.write(lambda tx: tx.tasks.unclaim("w1", claims))
    assert (await _get(store)).claim is None
    (again,) = await _claim(store, owner="w4", limit=1)
    assert again.claim == Claim(owner="w4", token=2, until=NOW + 60)
    await store.write(lambda tx: tx.tasks.unclaim("w1", {"1": 1}))
    assert await _get(store) == again, "somebody else's claim by now"
    assert await store.write(lambda tx: tx.tasks.renew("w1", {}, NOW)) == set()


async def test_claims_are_given_back_for_later(store: Store):
    await _add(store, task("1"), task("2"))
    await _claim(store)
    claims = {"1": (1, NOW + 5), "2": (8, NOW + 5), "9": (1, 1.0)}
    await store.write(lambda tx: tx.tasks.postpone("w1", claims))
    assert await _get(store) == task(next_at=NOW + 5)
    assert (await _get(store, "2")).claim is not None
    assert await _claim(store, owner="w2", at=NOW + 4.5) == []
    assert [one.id for one in await _claim(store, owner="w2", at=NOW + 5)] == ["1"]


async def test_a_saved_task_is_due_again_when_its_claim_is_given_back_or_runs_out(store: Store):
    await _add(store, task("1"), task("2"))
    for one in await _claim(store):
        assert await _save(store, replace(one, next_at=NOW + 1))
    await store.write(lambda tx: tx.tasks.unclaim("w1", {"1": 1}))
    assert await _claim(store, at=NOW + 0.5) == []
    assert [one.id for one in await _claim(store, at=NOW + 1, until=NOW + 61)] == ["1"]
    assert [one.id for one in await _claim(store, at=NOW + 60, until=NOW + 120)] == ["2"]


async def _polling(store: Store, next_at: float) -> VideoTask:
    await _add(store, task())
    (claimed,) = await _claim(store)
    known = {"step": TaskStep.POLLING, "channel_id": "chan_1", "upstream_task_id": "cgt-1"}
    polling = replace(claimed, next_at=next_at, **known)
    assert await _save(store, polling)
    return polling


async def test_what_a_clock_ahead_has_put_off_is_brought_forward(store: Store):
    await _add(store, task(), task("2", next_at=NOW + 3600), task("3", next_at=NOW + 900), task("4", next_at=NOW - 5))
    await _claim(store, at=NOW - 1, until=NOW + 7200)  # what is claimed is its worker's
    assert await store.write(lambda tx: tx.tasks.bring_forward(NOW, after=NOW + 900)) == 1
    assert await store.write(lambda tx: tx.tasks.bring_forward(NOW, after=NOW + 900)) == 0
    assert [(one.id, one.next_at) for one in await _claim(store)] == [("2", NOW)]


async def test_a_hint_brings_a_poll_forward(store: Store):
    await _polling(store, next_at=NOW + 500)
    await store.write(lambda tx: tx.tasks.unclaim("w1", {"1": 1}))
    assert await _claim(store, TaskStep.POLLING) == []
    assert await store.write(lambda tx: tx.tasks.hasten("chan_1", "cgt-1", NOW))
    assert await store.write(lambda tx: tx.tasks.hasten("chan_1", "cgt-1", NOW + 300)), "which puts nothing off"
    assert not await store.write(lambda tx: tx.tasks.hasten("chan_1", "cgt-2", NOW))
    assert not await store.write(lambda tx: tx.tasks.hasten("chan_2", "cgt-1", NOW))
    assert not await store.write(lambda tx: tx.tasks.hasten("chan_1", "", NOW))
    (hastened,) = await _claim(store, TaskStep.POLLING)
    assert hastened.next_at == NOW
    assert await _save(store, replace(hastened, step=TaskStep.COPYING))
    assert not await store.write(lambda tx: tx.tasks.hasten("chan_1", "cgt-1", NOW))


@pytest.mark.parametrize("how", ["saved", "postponed"])
@pytest.mark.parametrize("what", ["hint", "cancel"])
async def test_what_comes_in_during_a_claim_is_not_put_off(store: Store, how: str, what: str):
    polling = await _polling(store, next_at=NOW)
    if what == "hint":
        assert await store.write(lambda tx: tx.tasks.hasten("chan_1", "cgt-1", NOW + 2))
    else:
        assert await store.write(lambda tx: tx.tasks.request_cancel("1", NOW + 2))
    assert await _claim(store, TaskStep.POLLING, owner="w2", at=NOW + 2) == [], "it is still w1's"
    if how == "saved":
        assert await _save(store, replace(polling, next_at=NOW + 500))
        await store.write(lambda tx: tx.tasks.unclaim("w1", {"1": 1}))
    else:
        await store.write(lambda tx: tx.tasks.postpone("w1", {"1": (1, NOW + 500)}))
    (again,) = await _claim(store, TaskStep.POLLING, owner="w2", at=NOW + 2, until=NOW + 62)
    assert again.is_cancel_requested == (what == "cancel")
    await store.write(lambda tx: tx.tasks.postpone("w2", {"1": (2, NOW + 500)}))
    assert await _claim(store, TaskStep.POLLING, at=NOW + 499) == [], "what came in counts once"


async def test_a_cancellation_is_seen_at_once(store: Store):
    await _add(store, task(next_at=NOW + 500))
    assert await store.write(lambda tx: tx.tasks.request_cancel("1", NOW))
    assert not await store.write(lambda tx: tx.tasks.request_cancel("2", NOW))
    assert await _claim(store) == [
        task(next_at=NOW, is_cancel_requested=True, claim=Claim(owner="w1", token=1, until=NOW + 60))
    ]


async def test_a_task_is_hidden_once_it_has_ended(store: Store):
    await _add(store, task("1", **DONE), task("2"))
    assert not await store.write(lambda tx: tx.tasks.mark_deleted("2", NOW))
    assert not await store.write(lambda tx: tx.tasks.mark_deleted("3", NOW))
    assert await store.write(lambda tx: tx.tasks.mark_deleted("1", NOW))
    assert not await store.write(lambda tx: tx.tasks.mark_deleted("1", NOW + 1))
    assert (await _get(store)).deleted_at == NOW
    assert await _ids(store) == ["2"]
    assert await _ids(store, with_deleted=True) == ["2", "1"]


async def test_notes_and_flags_of_tasks_that_have_ended(store: Store, clock: ManualClock):
    await _add(store, task(**DONE))
    await store.write(lambda tx: tx.tasks.note("1", "seen"))
    assert (await _get(store)).flag == ""
    await store.write(lambda tx: tx.tasks.note("1", "came after all", flag="late_success"))
    assert (await _get(store)).flag == "late_success"
    events = await store.read(lambda tx: tx.tasks.events("1"))
    assert [event.text for event in events] == ["submitted", "seen", "came after all"]
    assert events[-1] == TaskEvent(at=clock.unix(), state=TaskState.FAILED, step=TaskStep.DONE, text="came after all")
    assert await _ids(store, is_flagged=True) == ["1"]


async def test_customers_take_turns(store: Store):
    many = [task(f"a{n:03}", customer_id="cus_a", next_at=100.0 + n) for n in range(150)]
    few = [task(f"b{n}", customer_id="cus_b", next_at=900.0 + n) for n in range(3)]
    await _add(store, *many, *few, task("c0", customer_id="cus_c", next_at=950.0), task("d0", next_at=NOW + 1))
    first = [one.id for one in await _claim(store, limit=5)]
    assert first == ["a000", "b0", "c0", "a001", "b1"]
    assert [one.id for one in await _claim(store, limit=4)] == ["a002", "b2", "a003", "a004"]
    assert [one.id for one in await _claim(store, limit=2)] == ["a005", "a006"]
    assert len(await _claim(store, limit=1000)) == 154 - 11


async def test_many_customers_with_much_to_do(store: Store):
    added = [
        task(f"{c:02}-{n:02}", customer_id=f"cus_{c:02}", next_at=10.0 * c + n) for c in range(9) for n in range(40)
    ]
    await _add(store, *added)
    left = {one.id for one in added}
    while left:
        batch = {one.id for one in await _claim(store, limit=12)}
        assert {id_[:2] for id_ in batch} == {id_[:2] for id_ in left}
        assert len(batch) == min(12, len(left))
        left -= batch


async def test_tasks_are_claimed_by_their_steps(store: Store):
    for n, step in enumerate(TaskStep):
        await _add(store, task(str(n), step=step, next_at=100.0 - n))
    both = await _claim(store, TaskStep.POLLING, TaskStep.WAITING)
    assert [one.step for one in both] == [TaskStep.POLLING, TaskStep.WAITING]
    assert [one.step for one in await _claim(store, *TaskStep)] == [
        TaskStep.COPYING,
        TaskStep.LOST,
        TaskStep.SUBMITTING,
    ]


async def test_submissions_of_unknown_outcome(store: Store):
    sent = {"channel_id": "chan_1", "upstream_model": "wan", "sent_at": 100.5}
    await _add(
        store,
        task("1", step=TaskStep.LOST, **sent),
        task("2", step=TaskStep.SUBMITTING, **sent),
        task("3", step=TaskStep.POLLING, upstream_task_id="cgt-1", **sent),
        task("4", step=TaskStep.LOST, **(sent | {"channel_id": "chan_2"})),
        task("5", step=TaskStep.LOST, **(sent | {"upstream_model": "wan2"})),
        task("6", step=TaskStep.LOST, **(sent | {"sent_at": 99.5})),
        task("7", step=TaskStep.LOST, **(sent | {"sent_at": 201.5})),
        task("8", **DONE, **sent),
        task("9", **DONE, upstream_task_id="cgt-2", **sent),
    )
    assert await store.read(lambda tx: tx.tasks.lost("chan_1", "wan", 100.5, 200.5)) == ["1", "2", "8"]


async def test_only_what_is_of_use_is_claimed(store: Store):
    many = [task(f"a{n:03}", customer_id="cus_a", offer_id="full", next_at=100.0 + n) for n in range(90)]
    some = [task(f"b{n:03}", customer_id="cus_b", offer_id="open", next_at=700.0 + n) for n in range(80)]
    await _add(
        store,
        *many,
        *some,
        task("c", customer_id="cus_a", offer_id="open", next_at=800.0),
        task("d", customer_id="cus_d", offer_id="open", book=LIVE, next_at=1.0),
        task("e", customer_id="cus_e", offer_id="full", next_at=900.0, created_at=999.5),
    )
    await store.write(lambda tx: tx.tasks.request_cancel("a050", 150.0))

    async def claimed(limit: int, *offers: str) -> list[str]:
        only = Takeable(offers=[(TEST, offer) for offer in offers], created_until=999.5)
        work = partial(_claim_only, only=only, limit=limit)
        return [one.id for one in await store.write(work)]

    assert await claimed(5) == ["a050", "e"]
    assert await claimed(4, "open") == ["b000", "c", "b001", "b002"]
    assert len(await claimed(200, "open")) == 77
    assert await claimed(3, "open") == []
    assert await claimed(2, "open", "full") == ["a000", "a001"]


def _claim_only(tx: Tx, *, only: Takeable, limit: int) -> list[VideoTask]:
    return tx.tasks.claim("w1", [TaskStep.WAITING], at=NOW, until=NOW + 60, limit=limit, only=only)


async def test_loads_and_counts(store: Store):
    assert await store.read(lambda tx: (tx.tasks.loads(), dict(tx.tasks.counts()))) == ([], {})
    steps = [TaskStep.SUBMITTING, TaskStep.LOST, TaskStep.POLLING, TaskStep.POLLING, TaskStep.COPYING, TaskStep.DONE]
    for n, step in enumerate(steps):
        await _add(
            store, task(str(n), step=step, channel_id="chan_2" if n == 3 else "chan_1", customer_id=f"cus_{n % 2}")
        )
    await _add(store, task("9"), task("8", channel_id="chan_1"))
    assert await store.read(lambda tx: tx.tasks.loads()) == [
        ChannelLoad(channel_id="chan_1", tasks=3),
        ChannelLoad(channel_id="chan_2", tasks=1),
    ]
    assert await store.read(lambda tx: dict(tx.tasks.counts())) == {
        TaskStep.WAITING: 2,
        TaskStep.SUBMITTING: 1,
        TaskStep.LOST: 1,
        TaskStep.POLLING: 2,
        TaskStep.COPYING: 1,
    }
    customers = ("cus_0", "cus_1", "cus_a", "cus_b")
    assert await store.read(lambda tx: tx.tasks.under_way(customers)) == dict(zip(customers, [3, 2, 2, 0], strict=True))


async def test_durations_of_the_last_successes(store: Store):
    done = {"step": TaskStep.DONE, "state": TaskState.SUCCEEDED}
    await _add(
        store,
        task("1", ended_at=1010.625, **done),
        task("2", ended_at=1030.125, book=Book.LIVE, **done),
        task("3", ended_at=1020.125, **done),
        task("4", ended_at=1040.125, **DONE),
        task("5", ended_at=1050.125, offer_id="other", **done),
    )
    assert await store.read(lambda tx: tx.tasks.durations("offer_v", 10)) == [30.0, 20.0, 10.5]
    assert await store.read(lambda tx: tx.tasks.durations("offer_v", 2)) == [30.0, 20.0]
    assert await store.read(lambda tx: tx.tasks.durations("offer_v", 10, Book.TEST)) == [20.0, 10.5]
    assert await store.read(lambda tx: tx.tasks.durations("offer_v", 2, Book.TEST)) == [20.0], "of the last two"
    assert await store.read(lambda tx: tx.tasks.durations("offer_v", 2, Book.LIVE)) == [30.0]
    assert await store.read(lambda tx: tx.tasks.durations("offer_x", 2)) == []


LISTED: Sequence[VideoTask] = (
    task("1", created_at=1.0),
    task("2", created_at=2.0, book=LIVE),
    task("3", created_at=2.0, key_id="key_2"),
    task("4", created_at=3.0, model="other", offer_id="offer_o"),
    task("5", created_at=4.0, customer_id="cus_b", operation=Operation.TEXT_TO_VIDEO),
    task("6", created_at=5.0, flag="odd", **DONE),
)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({}, "654321"),
        ({"limit": 2}, "65"),
        ({"is_ascending": True}, "123456"),
        ({"customer_id": "cus_a"}, "64321"),
        ({"customer_id": "cus_a", "book": TEST}, "6431"),
        ({"key_id": "key_2"}, "3"),
        ({"model": "other"}, "4"),
        ({"offer_id": "offer_o"}, "4"),
        ({"operation": Operation.TEXT_TO_VIDEO}, "5"),
        ({"states": (TaskState.FAILED, TaskState.CANCELED)}, "6"),
        ({"is_flagged": True}, "6"),
        ({"is_flagged": False, "limit": 1}, "5"),
        ({"created_from": 2.0, "created_until": 4.0}, "432"),
        ({"before": (2.0, "3")}, "21"),
        ({"before": (2.0, "2"), "is_ascending": True, "limit": 2}, "34"),
    ],
    ids=str,
)
async def test_lists_are_filtered_and_ordered(store: Store, where: dict[str, object], expected: str):
    await _add(store, *LISTED)
    assert "".join(await _ids(store, **where)) == expected


async def test_tasks_that_are_over_are_forgotten_once(store: Store):
    over = {
        "1": task("1", ended_at=10.0, **DONE),
        "2": task("2", ended_at=30.0, deleted_at=40.0, **DONE),
        "3": task("3", ended_at=30.0, **DONE),
        "4": task("4"),
    }
    await _add(store, *over.values())

    def find(tx: Tx) -> list[str]:
        found = tx.tasks.forgettable(ended_before=20.0, deleted_before=50.0, limit=9)
        return sorted(one.id for one in found)

    assert await store.read(find) == ["1", "2"]
    assert len(await store.read(lambda tx: tx.tasks.forgettable(ended_before=20.0, deleted_before=50.0, limit=1))) == 1
    bare = [replace(over[number], request=replace(over[number].request, prompt="")) for number in ("1", "2")]
    await store.write(lambda tx: tx.tasks.forget([replace(one, charge_nanos=1, flag="x") for one in bare], 99.0))
    assert await store.read(find) == []
    assert [await _get(store, one.id) for one in bare] == bare
    assert await store.read(lambda tx: (tx.tasks.events("1"), len(tx.tasks.events("3")))) == ([], 1)
    await store.write(lambda tx: tx.tasks.forget([], 99.0))
