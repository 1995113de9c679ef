"""`yuanjing outbox`."""

import asyncio

from yuanjing.adapters.sms.outbox import Outbox
from yuanjing.kit.clock import ManualClock

MOBILE, OTHER = "+8613912345678", "+8613912345679"


def fill(tmp_path):
    (tmp_path / "var").mkdir()
    sender = Outbox(tmp_path / "var" / "outbox.jsonl", ManualClock())

    async def send():
        await sender.send_code(MOBILE, "111111", minutes=5)
        await sender.send_code(OTHER, "222222", minutes=5)

    asyncio.run(send())


def test_the_last_message_is_shown(yuanjing, tmp_path):
    fill(tmp_path)
    assert "222222" in yuanjing("outbox", "last").out
    found = yuanjing("outbox", "last", "--mobile", "13912345678", "--json").document["message"]
    assert (found["code"], found["mobile"], found["kind"]) == ("111111", MOBILE, "code")


def test_where_there_is_none_it_says_so(yuanjing):
    outcome = yuanjing("outbox", "last", "--json")
    assert (outcome.code, outcome.error["code"]) == (3, "not_found")
    assert yuanjing("outbox", "last", "--mobile", "nobody").code == 2


def test_there_is_no_outbox_in_production(yuanjing, environment, tmp_path):
    fill(tmp_path)
    environment.setenv("YUANJING_MODE", "production")
    outcome = yuanjing("outbox", "last")
    assert outcome.code == 2
    assert "111111" not in outcome.out + outcome.err
    assert "222222" not in outcome.out + outcome.err
