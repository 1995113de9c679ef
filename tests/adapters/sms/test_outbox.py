"""The outbox of development: who can read it, and what the log says."""

import json
import stat
from pathlib import Path

import pytest
import structlog

from yuanjing.adapters.sms import outbox
from yuanjing.adapters.sms.outbox import Outbox, read_messages
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.messages import Notice, OutboxMessage, SmsUnavailableError

MOBILE, OTHER = "+8613912345678", "+8613912345679"


def read_last(path: Path, mobile: str | None = None) -> OutboxMessage | None:
    return next(iter(read_messages(path, mobile, limit=1)), None)


def sizes_in(folder: Path) -> dict[str, int]:
    return {one.name: one.stat().st_size for one in folder.iterdir()}


async def test_a_code_is_one_line_that_only_its_owner_can_read(tmp_path: Path) -> None:
    path = tmp_path / "outbox.jsonl"
    sender = Outbox(path, ManualClock(), cost_nanos=7)
    assert (sender.name, sender.makes_codes, sender.cost_nanos) == ("outbox", False, 7)
    assert sender.notices == set(Notice)
    with structlog.testing.capture_logs() as logs:
        sent = await sender.send_code(MOBILE, "123456", minutes=5)
    assert json.loads(path.read_text()) == {
        "receipt": sent.receipt,
        "at": "2026-11-01T00:00:00Z",
        "mobile": MOBILE,
        "kind": "code",
        "code": "123456",
        "fields": {"minutes": "5"},
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one["event"] for one in logs] == ["sms.outbox"]
    assert "123456" not in repr(logs)
    assert MOBILE not in repr(logs)


async def test_the_last_message_is_found_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "outbox.jsonl"
    assert read_last(path) is None
    sender = Outbox(path, ManualClock())
    await sender.send_code(MOBILE, "111111", minutes=5)
    await sender.send_notice(OTHER, Notice.LOW_BALANCE, {"balance": "1.00"})
    last, mine = read_last(path), read_last(path, MOBILE)
    assert last is not None
    assert (last.kind, dict(last.fields), last.code) == ("low-balance", {"balance": "1.00"}, "")
    assert mine is not None
    assert mine.code == "111111"
    assert read_last(path, "+8613700000000") is None


async def test_the_file_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "outbox.jsonl"
    monkeypatch.setattr(outbox, "_BYTES_MAX", 300)
    sender = Outbox(path, ManualClock())
    for number in range(20):
        await sender.send_code(MOBILE, f"{number:06}", minutes=5)
    sizes = sizes_in(tmp_path)
    assert set(sizes) in ({"outbox.jsonl", "outbox.jsonl.1"}, {"outbox.jsonl.1"})
    assert sum(sizes.values()) < 1000
    found = read_last(path)
    assert found is not None
    assert found.code == "000019"


async def test_what_cannot_be_written_was_not_sent(tmp_path: Path) -> None:
    with pytest.raises(SmsUnavailableError):
        await Outbox(tmp_path / "none" / "outbox.jsonl", ManualClock()).send_code(MOBILE, "123456", minutes=5)
    with pytest.raises(SmsUnavailableError):
        await Outbox(tmp_path / "outbox.jsonl", ManualClock()).check_code(MOBILE, "123456", "r")
