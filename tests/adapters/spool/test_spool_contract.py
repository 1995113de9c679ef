"""The contract of `yuanjing.ports.spool`, for every adapter."""

import pytest
from tests.support.money import make_record

from yuanjing.adapters.memory.spool import MemorySpoolFolder
from yuanjing.adapters.spool import SqliteSpoolFolder
from yuanjing.domain.errors import SpoolError, SpoolFullError
from yuanjing.domain.idempotency import KeptAnswer
from yuanjing.domain.usage import UsageStatus


@pytest.fixture(params=["memory", "sqlite-normal", "sqlite-full"])
def folder(request, tmp_path):
    if request.param == "memory":
        yield MemorySpoolFolder(rows_max=100)
        return
    sync = request.param.removeprefix("sqlite-")
    found = SqliteSpoolFolder(tmp_path / "spool", sync=sync, rows_max=100, size_max_bytes=2**30)
    yield found
    for reader in found.readers():
        reader.close()


def record(number: int, **changes):
    return make_record(id=f"u{number:020d}", ceiling_nanos=10**6, charge_nanos=number, **changes)


def only_reader(folder):
    (reader,) = folder.readers()
    return reader


def test_rows_come_back_whole_and_in_order(folder):
    writer = folder.create("m-g0", 3)
    rich = record(
        7, status=UsageStatus.CLIENT_GONE, is_estimated=True, started_at=1.5, extra={"note": "文字"}, overrun_nanos=9
    )
    assert writer.append([record(1), record(2)], []) == 2
    assert writer.append([rich], []) == 3
    reader = only_reader(folder)
    assert reader.last_seq() == 3
    assert (reader.node_id, reader.incarnation) == ("m-g0", 3)
    assert [row.record for row in reader.after(0, 10)] == [record(1), record(2), rich]
    assert [row.seq for row in reader.after(0, 2)] == [1, 2]
    assert [row.seq for row in reader.after(2, 10)] == [3]
    assert (reader.depth(0), reader.depth(2), writer.depth) == (3, 1, 3)
    assert writer.size_bytes > 0
    writer.close()


def test_a_spool_without_rows_has_no_last_one(folder):
    writer = folder.create("m-g0", 1)
    assert only_reader(folder).last_seq() == 0
    writer.close()


def test_turns_of_every_size_are_kept_whole(folder):
    writer = folder.create("m-g0", 1)
    written = 0
    for size in (1, 2, 3, 15, 16, 17, 30):
        assert writer.append([record(written + i) for i in range(1, size + 1)], []) == written + size
        written += size
    rows = only_reader(folder).after(0, 1000)
    assert [row.seq for row in rows] == list(range(1, written + 1))
    assert [row.record for row in rows] == [record(i) for i in range(1, written + 1)]
    writer.close()


def test_nothing_to_append_writes_nothing(folder):
    writer = folder.create("m-g0", 1)
    assert writer.append([], []) == 0
    assert only_reader(folder).after(0, 10) == []
    writer.close()


def test_a_finished_record_removes_its_watermark(folder):
    writer = folder.create("m-g0", 1)
    writer.append([], [record(1), record(2)])
    writer.append([], [record(1, model="newer")])
    assert [w.model for w in only_reader(folder).watermarks()] == ["newer", "qwen3-max"]
    writer.append([record(1)], [record(3), record(1)])
    assert [w.id for w in only_reader(folder).watermarks()] == [record(2).id, record(3).id]
    writer.close()


def test_the_lock_says_that_the_writer_lives(folder):
    writer = folder.create("m-g0", 1)
    reader = only_reader(folder)
    assert reader.is_owned()
    writer.close()
    assert not reader.is_owned()
    assert not reader.is_owned()


def test_a_spool_is_never_opened_twice(folder):
    writer = folder.create("m-g0", 1)
    with pytest.raises(SpoolError):
        folder.create("m-g0", 1)
    writer.close()
    with pytest.raises(SpoolError):
        folder.create("m-g0", 1)
    other = folder.create("m-g0", 2)
    other.close()


def test_readers_are_the_same_objects_until_removed(folder):
    writers = [folder.create("m-g1", 1), folder.create("m-g0", 2), folder.create("m-g0", 1)]
    first = folder.readers()
    assert [(r.node_id, r.incarnation) for r in first] == [("m-g0", 1), ("m-g0", 2), ("m-g1", 1)]
    assert all(a is b for a, b in zip(first, folder.readers(), strict=True))
    for writer in writers:
        writer.close()
    first[1].remove()
    assert folder.readers() == [first[0], first[2]]


def test_a_spool_in_use_is_not_removed(folder):
    writer = folder.create("m-g0", 1)
    with pytest.raises(AssertionError):
        only_reader(folder).remove()
    writer.close()


def test_a_full_spool_refuses_until_rows_are_forgotten(folder):
    writer = folder.create("m-g0", 1)
    assert writer.append([record(n) for n in range(100)], []) == 100
    assert writer.room == 0
    with pytest.raises(SpoolFullError):
        writer.append([record(100)], [])
    assert writer.depth == 100
    assert only_reader(folder).depth(0) == 100
    writer.forget(60)
    assert (writer.depth, writer.room) == (40, 60)
    assert writer.append([record(101)], []) == 101
    assert [row.seq for row in only_reader(folder).after(99, 10)] == [100, 101]
    writer.close()


def test_numbers_are_never_used_twice(folder):
    writer = folder.create("m-g0", 1)
    seen = []
    for turn in range(8):
        seen.append(writer.append([record(turn * 50 + n) for n in range(50)], []))
        writer.forget(seen[-1])
    assert seen == [50 * n for n in range(1, 9)]
    assert [row.seq for row in only_reader(folder).after(350, 100)] in ([], list(range(351, 401)))
    writer.close()


def test_forgetting_more_than_was_written_is_harmless(folder):
    writer = folder.create("m-g0", 1)
    writer.append([record(1)], [])
    writer.forget(99)
    writer.forget(1)
    assert writer.depth == 0
    assert writer.append([record(2)], []) == 2
    assert writer.depth == 1
    writer.close()


def test_a_closed_writer_refuses(folder):
    writer = folder.create("m-g0", 1)
    writer.append([record(1)], [record(2)])
    assert writer.is_disk_well()
    writer.close()
    assert writer.room == 0
    with pytest.raises(SpoolError) as error:
        writer.append([record(3)], [])
    assert not isinstance(error.value, SpoolFullError)
    reader = only_reader(folder)
    assert [row.record.id for row in reader.after(0, 10)] == [record(1).id]
    assert [w.id for w in reader.watermarks()] == [record(2).id]


@pytest.mark.parametrize(
    "kept",
    [
        KeptAnswer(digest=bytes(range(32))),
        KeptAnswer(digest=b"\xff" * 32, is_whole=True, body=b"\x00\xffdata: [DONE]\n\n", clamped_to=16),
        KeptAnswer(digest=b"d", is_whole=True),
    ],
    ids=["cut", "whole", "too large"],
)
def test_what_is_left_to_a_key_comes_back(folder, kept):
    writer = folder.create("m-g0", 1)
    writer.append([record(1, kept=kept)], [record(2, kept=kept)])
    reader = only_reader(folder)
    assert [row.record.kept for row in reader.after(0, 10)] == [kept]
    assert [row.kept for row in reader.watermarks()] == [kept]
    writer.close()
