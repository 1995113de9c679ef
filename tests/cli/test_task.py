"""`yuanjing task` over a real SQLite database."""

import asyncio
import datetime as dt

import pytest
from tests.usecases.video_market import Market

from yuanjing.adapters.sql import open_store
from yuanjing.domain.videos import TaskStep
from yuanjing.kit.clock import ManualClock


@pytest.fixture
def ids(yuanjing, tmp_path):
    """Of a task that has succeeded, one that has failed with a flag, and one that is under way."""
    assert yuanjing("migrate").code == 0

    async def fill():
        clock = ManualClock()
        store = await open_store(f"sqlite:///{tmp_path}/var/yuanjing.db", clock=clock)
        market = Market(store=store, clock=clock)
        await market.prepare()
        made = []
        for _ in range(3):
            made.append(await market.submit())
            clock.advance(1)
        await market.succeed(await market.claim(made[0]))
        await market.fail(await market.claim(made[1], TaskStep.POLLING), flag="the provider may charge it")
        await store.close()
        return [one.task.id for one in made]

    return asyncio.run(fill())


def test_tasks_are_listed_with_what_is_to_be_looked_at(yuanjing, ids):
    listed = yuanjing("task", "list", "--json").document
    assert [task["id"] for task in listed["tasks"]] == ids[::-1]
    assert (listed["currency"], listed["next"]) == ("CNY", None)
    assert [(task["state"], task["charge"], task["flag"]) for task in listed["tasks"]] == [
        ("queued", "0.00", None),
        ("failed", "0.00", "the provider may charge it"),
        ("succeeded", "0.50", None),
    ]
    page = yuanjing("task", "list", "--limit", 2, "--json").document
    assert page["next"] == ids[1]
    rest = yuanjing("task", "list", "--before", ids[1], "--customer", "cus_a", "--json").document
    assert [task["id"] for task in rest["tasks"]] == ids[:1]
    flagged = yuanjing("task", "list", "--flagged", "--json").document
    assert [task["id"] for task in flagged["tasks"]] == ids[1:2]
    done = yuanjing("task", "list", "--state", "failed", "--state", "succeeded", "--book", "live", "--json").document
    assert len(done["tasks"]) == 2
    assert yuanjing("task", "list", "--book", "test").out == "no tasks\n"
    text = yuanjing("task", "list").out
    assert "the provider may charge it" in text
    assert "0.50 CNY" in text


def test_a_task_shows_its_history_hold_and_charge(yuanjing, ids):
    shown = yuanjing("task", "show", ids[0], "--json").document
    assert (shown["task"]["state"], shown["task"]["charge"]) == ("succeeded", "0.50")
    assert shown["hold"] | {"id": "", "closed_at": ""} == {
        "id": "",
        "amount": "0.50",
        "settled": "0.50",
        "released": "0.00",
        "closed_at": "",
    }
    assert [line["text"] for line in shown["history"]] == ["submitted", "moved on", "it has succeeded"]
    assert yuanjing("usage", "show", shown["task"]["usage_id"], "--json").document["explanation"]["is_consistent"]
    failed = yuanjing("task", "show", ids[1], "--json").document["task"]["failure"]
    assert failed == {"kind": "moderated", "code": "E1", "detail": ""}
    text = yuanjing("task", "show", ids[1]).out
    for part in ("failed, done", "the provider may charge it", "moderated E1", "0.50 CNY released", "submitted"):
        assert part in text
    assert yuanjing("task", "show", "1" * 18, "--json").error["code"] == "not_found"
    assert yuanjing("verify", "--json").code == 0


def test_a_task_is_canceled_by_an_operator_while_it_is_under_way(yuanjing, ids):
    asked = yuanjing("task", "cancel", ids[2], "--json").document
    assert asked["task"]["is_cancel_requested"] is True
    assert "will be canceled" in yuanjing("task", "cancel", ids[2]).out
    history = yuanjing("task", "show", ids[2], "--json").document["history"]
    assert [line["text"] for line in history] == ["submitted", "an operator wants it canceled"]
    refused = yuanjing("task", "cancel", ids[0], "--json")
    assert (refused.code, refused.error["code"]) == (2, "invalid_input")
    assert "has ended: it is succeeded" in refused.error["message"]


def test_usage_is_listed_by_operation_and_time(yuanjing, ids):
    def listed(*options):
        return yuanjing("usage", "list", *options, "--json").document["usages"]

    (usage,) = listed()
    assert usage["operation"] == "text_to_video"
    posted = dt.datetime.fromisoformat(usage["posted_at"]).astimezone()  # on this machine's clock, as people write it
    after = (posted + dt.timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S")
    before = (posted - dt.timedelta(days=1)).date().isoformat()
    assert listed("--operation", "text_to_video", "--customer", "cus_a") == [usage]
    assert listed("--operation", "chat") == []
    assert listed("--from", before, "--to", after) == [usage]
    assert listed("--from", after) == listed("--to", before) == []
    assert yuanjing("usage", "list", "--from", "yesterday").code == 2
    assert yuanjing("usage", "list", "--operation", "dance").code == 2
    assert len(ids) == 3
