"""Every command that changes something leaves its row, and every other one changes nothing."""

import asyncio
import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pysqlite3
import pytest
from tests.cli.test_access import prepare
from tests.cli.test_reference import COMMANDS
from tests.cli.test_topup import box, orders  # noqa: F401  # they are fixtures, found by name
from tests.usecases.video_market import Market

from yuanjing.bootstrap.operators import this_operator
from yuanjing.bootstrap.services import open_services
from yuanjing.kit.clock import ManualClock
from yuanjing.settings import Settings

CREDENTIAL = "CanaryCredential9c1d"
NOTE = "CanaryNote51aa"
MOBILE = "+8613900139000"
Names = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """A command that changes something; what is kept of its answer; and what it must leave in the log."""

    command: str
    words: Callable[[Names], tuple[object, ...]]
    actions: tuple[str, ...]
    keep: Callable[[Names, Any], object] = lambda _names, _document: None
    typed: str = ""


def _file(names: Names) -> str:
    return str(names["folder"] / "own.toml")


STEPS = [
    Step("customer create", lambda _: ("--mobile", MOBILE, "--name", NOTE), ("customer.created",),
         lambda n, d: n.update(customer=d["customer"]["id"])),
    Step("customer grant", lambda n: (n["customer"], "5", "--note", NOTE), ("money.granted",)),
    Step("customer grant", lambda n: (n["customer"], "5", "--promotion", "--note", NOTE), ("money.granted",)),
    Step("key create", lambda n: (n["customer"], "--name", NOTE), ("key.created",),
         lambda n, d: n.update(key=d["key"]["id"], secret=d["secret"])),
    Step("key revoke", lambda n: (n["key"],), ("key.revoked",)),
    Step("customer unlock", lambda n: (n["customer"], "--remove-authenticator"), ("customer.unlocked",)),
    Step("customer end-sessions", lambda n: (n["customer"],), ("sessions.ended",)),
    Step("customer disable", lambda n: (n["customer"],), ("customer.disabled",)),
    Step("customer enable", lambda n: (n["customer"],), ("customer.enabled",)),
    Step("code create", lambda _: ("--amount", "5", "--count", 2, "--note", NOTE), ("redeem_codes.created",),
         lambda n, d: n.update(batch=d["batch_id"], code=d["codes"][0]["secret"])),
    Step("code revoke", lambda n: (n["batch"],), ("redeem_codes.revoked",)),
    Step("offer import", lambda _: (), ("provider.changed", "offer.changed", "price.set")),
    Step("price set", lambda _: ("qwen3-max", "--tier", "9/9", "--source", NOTE), ("price.set",)),
    Step("channel add", lambda _: ("--provider", "dashscope", "--name", NOTE, "--credential-stdin"), ("channel.added",),
         lambda n, d: n.update(channel=d["channel"]["id"]), typed=CREDENTIAL),
    Step("channel update", lambda n: (n["channel"], "--weight", 7), ("channel.changed",)),
    Step("channel update", lambda n: (n["channel"], "--credential-stdin"), ("channel.changed",),
         typed="x" + CREDENTIAL),
    Step("channel disable", lambda n: (n["channel"],), ("channel.changed",)),
    Step("channel enable", lambda n: (n["channel"],), ("channel.changed",)),
    Step("secret rotate", lambda _: (), ("sealing_key.rotated",)),
    Step("secret retire", lambda _: (), ("sealing_keys.retired",)),
    Step("task cancel", lambda n: (n["task"],), ("task.cancel_asked",)),
    Step("topup confirm", lambda n: (n["orders"][2].id, "--evidence", NOTE), ("topup.confirmed",)),
    Step("topup refund", lambda n: (n["orders"][0].id, "2.50", "--note", NOTE), ("refund.asked",)),
    Step("topup bill", lambda _: ("--date", "2020-01-01", "--again"), ("bill.compared",)),
]  # fmt: skip
READS: dict[str, Callable[[Names], tuple[object, ...]]] = {
    "customer list": lambda _: (),
    "customer show": lambda n: (n["customer"],),
    "customer balance": lambda n: (n["customer"],),
    "customer entries": lambda n: (n["customer"],),
    "customer sessions": lambda n: (n["customer"],),
    "key list": lambda n: (n["customer"],),
    "code list": lambda _: (),
    "code show": lambda n: (n["code"],),
    "offer list": lambda _: (),
    "offer show": lambda _: ("qwen3-max",),
    "price list": lambda _: ("qwen3-max",),
    "channel list": lambda _: (),
    "channel callback": lambda n: (n["channel"],),
    "task list": lambda _: (),
    "task show": lambda n: (n["task"],),
    "usage list": lambda _: (),
    "usage show": lambda _: ("none",),
    "receipt verify": lambda _: ("none",),
    "topup list": lambda _: (),
    "topup show": lambda n: (n["orders"][0].id,),
    "topup bill": lambda _: ("--date", "2026-11-29"),
    "outbox last": lambda _: (),
    "secret list": lambda _: (),
    "audit list": lambda _: (),
    "audit verify": lambda _: (),
    "verify": lambda _: (),
    "backup": lambda n: (n["folder"] / "copy.db",),
}
MAY_FAIL = ("usage show", "receipt verify", "outbox last", "channel callback", "secret list")
"""There is nothing of the kind, or a credential that nobody has sealed; they are run all the same."""
APART = {
    "serve": "the parts that it starts record for themselves",
    "demo": "development only; a test of its own",
    "migrate": "a test of its own",
    "channel test": "asks a provider, and writes nothing but a signal",
    "receipt show": "publishes the key of receipts",
    "audit checkpoint": "the same",
}


def test_every_command_has_a_line_here():
    known = {step.command for step in STEPS} | set(READS) | set(APART)
    assert known == {name.removeprefix("yuanjing ") for name in COMMANDS}


def _content(path: Path) -> dict[str, list[Any]]:
    connection = pysqlite3.connect(str(path))
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {name: sorted(map(repr, connection.execute(f"SELECT * FROM {name}"))) for name in names}  # noqa: S608  # of the database
    connection.close()
    return found


def _make_task() -> str:
    async def work() -> str:
        async with open_services(Settings.load()) as services:
            market = Market(store=services.store, clock=ManualClock())
            await market.prepare()
            return (await market.submit()).task.id

    return asyncio.run(work())


@pytest.mark.timeout(300)
def test_what_changes_something_is_recorded_and_what_does_not_changes_nothing(
    yuanjing,
    orders,  # noqa: F811  # the fixture
    environment,
    tmp_path: Path,
):
    names: Names = {"folder": tmp_path, "orders": orders}
    seen = {one["id"] for one in yuanjing("audit", "list", "--json").document["events"]}
    me = this_operator(Settings.load().machine)
    rows = []
    for step in STEPS:
        if step.command == "customer unlock":
            prepare(names["customer"], is_locked=True)
        elif step.command == "customer end-sessions":
            prepare(names["customer"], sessions=("ses_1",))
        elif step.command == "task cancel":
            names["task"] = _make_task()
        environment.setattr(sys, "stdin", io.StringIO(step.typed))
        done = yuanjing(*step.command.split(), *step.words(names), "--json")
        assert done.code == 0, (step.command, done.err)
        step.keep(names, done.document)
        events = yuanjing("audit", "list", "--limit", 1000, "--json").document["events"]
        new = [one for one in events if one["id"] not in seen]
        seen |= {one["id"] for one in new}
        if step.command != "task cancel":
            assert {one["action"] for one in new} == set(step.actions), step.command
        ours = [one for one in new if one["action"] in step.actions]
        assert ours, step.command
        for one in ours:
            assert (one["actor"], one["address"]) == ({"kind": "operator", "id": me.id}, me.address), step.command
        rows += ours
    _nothing_is_told_that_should_not_be(json.dumps(rows), names)
    for command, words in READS.items():
        before = _content(tmp_path / "var" / "yuanjing.db")
        done = yuanjing(*command.split(), *words(names), "--json")
        assert done.code == 0 or command in MAY_FAIL, (command, done.err)
        assert _content(tmp_path / "var" / "yuanjing.db") == before, command
    verified = yuanjing("audit", "verify", "--json").document
    assert verified["ok"]
    assert verified["checked"]["audit"] >= len(rows)


def _nothing_is_told_that_should_not_be(text: str, names: Names) -> None:
    assert "+86139****9000" in text
    for secret in (CREDENTIAL, NOTE, MOBILE, MOBILE[3:], names["secret"], names["secret"].split("_")[3], names["code"]):
        assert secret not in text, secret


def test_a_migration_is_recorded(yuanjing):
    assert yuanjing("migrate").code == 0
    (event,) = yuanjing("audit", "list", "--json").document["events"]
    assert (event["action"], event["actor"]["kind"]) == ("schema.migrated", "operator")
    assert event["details"]["before"] == ""
    assert yuanjing("migrate").code == 0
    assert len(yuanjing("audit", "list", "--json").document["events"]) == 1


def test_events_are_listed_and_found(yuanjing):
    customer = yuanjing("customer", "create", "--mobile", "13800138000", "--json").document["customer"]["id"]
    made = yuanjing("key", "create", customer, "--json").document["key"]
    assert made["id"] in yuanjing("audit", "list").out
    found = yuanjing("audit", "list", "--action", "key.created", "--actor", "operator", "--json").document
    assert [(one["subject"], one["customer_id"]) for one in found["events"]] == [(made["id"], customer)]
    assert found["events"][0]["details"] == {"book": "live", "public_id": made["public_id"]}
    assert found["next"] is None
    page = yuanjing("audit", "list", "--customer", customer, "--limit", 1, "--json").document
    assert page["next"] == page["events"][0]["id"]
    rest = yuanjing("audit", "list", "--customer", customer, "--before", page["next"], "--json").document["events"]
    assert [one["action"] for one in rest] == ["customer.created"]
    assert yuanjing("audit", "list", "--subject", made["id"], "--since", "2999-01-01").out == "nothing was recorded\n"
    assert yuanjing("audit", "list", "--actor", "customer").out == "nothing was recorded\n"
    assert yuanjing("audit", "list", "--limit", 0, "--json").code == 2
    assert yuanjing("audit", "list", "--action", "nothing", "--json").code == 2


def _run_sql(tmp_path: Path, statement: str) -> list[tuple[object, ...]]:
    connection = pysqlite3.connect(str(tmp_path / "var" / "yuanjing.db"), isolation_level=None)
    rows = connection.execute(statement).fetchall()
    connection.close()
    return rows


def test_what_was_changed_is_told_by_both_commands(yuanjing, tmp_path: Path):
    yuanjing("customer", "create", "--mobile", "13800138000")
    assert yuanjing("audit", "verify").out.endswith("all is right\n")
    _run_sql(tmp_path, "UPDATE audit_rows SET actor_id = 'nobody'")
    for words in (("audit", "verify"), ("verify",)):
        found = yuanjing(*words, "--json")
        assert (found.code, found.document["ok"], found.document["breaches"][0]["check"]) == (1, False, "audit")
        assert "is not what was recorded" in yuanjing(*words).out


def test_a_checkpoint_shows_an_old_head_put_back(yuanjing, tmp_path: Path):
    """The one thing that seals cannot show."""
    customer = yuanjing("customer", "create", "--mobile", "13800138000", "--json").document["customer"]["id"]
    old = _run_sql(tmp_path, "SELECT stream, number, hex(hash), hex(seal) FROM audit_heads")
    yuanjing("customer", "grant", customer, "5")
    kept = tmp_path / "checkpoint.json"
    kept.write_text(yuanjing("audit", "checkpoint").out, encoding="utf-8")
    for stream, number, own, seal in old:
        change = f"number = {number}, hash = x'{own}', seal = x'{seal}'"
        _run_sql(tmp_path, f"UPDATE audit_heads SET {change} WHERE stream = {stream}")  # noqa: S608  # of the database
    _run_sql(tmp_path, "DELETE FROM audit_rows WHERE action = 'money.granted'")
    assert yuanjing("audit", "verify").code == 0
    found = yuanjing("audit", "verify", "--checkpoint", kept, "--json")
    assert found.code == 1
    (breach,) = found.document["breaches"]
    assert "is gone, or another than when the checkpoint was made" in breach["message"]
    whole = kept.read_text(encoding="utf-8")
    for other in (whole.replace('"number":"0"', '"number":"1"'), whole + " ", "{}", '{"checkpoint":{},"signature":{}}'):
        kept.write_text(other, encoding="utf-8")
        refused = yuanjing("audit", "verify", "--checkpoint", kept, "--json")
        assert (refused.code, refused.error["param"]) == (2, "checkpoint")
    assert yuanjing("audit", "verify", "--checkpoint", tmp_path / "none", "--json").code == 2


def test_a_checkpoint_holds_as_the_log_goes_on(yuanjing, tmp_path: Path):
    customer = yuanjing("customer", "create", "--mobile", "13800138000", "--json").document["customer"]["id"]
    kept = tmp_path / "checkpoint.json"
    kept.write_text(yuanjing("audit", "checkpoint").out, encoding="utf-8")
    yuanjing("customer", "grant", customer, "5")
    found = yuanjing("audit", "verify", "--checkpoint", kept, "--json").document
    assert (found["ok"], found["checked"]["audit checkpoint"]) == (True, 8)
