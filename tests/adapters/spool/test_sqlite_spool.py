"""What only files can do: outlive a killed process, fill a disk, be broken."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.money import make_record

from yuanjing.adapters.spool import SqliteSpoolFolder
from yuanjing.adapters.spool.checkpoints import Checkpointer
from yuanjing.domain.errors import SpoolError, SpoolFullError

_CHILD = """
import sys
from pathlib import Path
from yuanjing.adapters.spool import SqliteSpoolFolder
from yuanjing.domain.usage import UsageRecord
from yuanjing.domain.money import Book
folder = SqliteSpoolFolder(Path(sys.argv[1]), sync="normal", rows_max=10**6, size_max_bytes=2**30)
writer = folder.create("m-g0", 1)
n = 0
while True:
    n += 1
    record = UsageRecord(
        id=f"u{n:020d}", book=Book.LIVE, customer_id="c", key_id="k", offer_id="o", model="m", operation="chat",
        channel_id="c", hold_id="h", price_id="p", meters={}, ceiling_nanos=n, charge_nanos=n,
    )
    print(writer.append([record], []), flush=True)
"""


def record(number: int):
    return make_record(id=f"u{number:020d}", ceiling_nanos=10**6, charge_nanos=number)


def open_folder(path: Path, **changes) -> SqliteSpoolFolder:
    limits = {"sync": "normal", "rows_max": 10**6, "size_max_bytes": 2**30}
    return SqliteSpoolFolder(path, **{**limits, **changes})


def refusal_of(writer) -> str:
    """Write until it is refused; how it was refused."""
    for _ in range(2000):
        writer._measure()
        try:
            writer.append([record(n) for n in range(50)], [])
        except SpoolError as error:
            return error.message
    return ""


def test_every_acknowledged_row_survives_sigkill(tmp_path):
    child = subprocess.Popen(  # noqa: S603  # our own interpreter and program
        [sys.executable, "-c", _CHILD, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[3] / "src")},
    )
    assert child.stdout is not None
    acknowledged = 0
    for line in child.stdout:
        acknowledged = int(line)
        if acknowledged == 200:
            break
    (reader,) = open_folder(tmp_path).readers()
    assert reader.is_owned()
    os.kill(child.pid, signal.SIGKILL)
    rest = child.stdout.read().splitlines()
    child.wait(timeout=10)
    child.stdout.close()
    acknowledged = int(rest[-1]) if rest else acknowledged
    assert not reader.is_owned()
    rows = reader.after(0, 10**6)
    assert len(rows) >= acknowledged
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    assert all(row.record.charge_nanos == row.seq for row in rows)
    reader.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_breaks_the_writer_for_good(tmp_path):
    folder = open_folder(tmp_path)
    writer = folder.create("m-g0", 1)
    writer.append([record(1)], [])
    writer._connection.execute("PRAGMA max_page_count=4")
    with pytest.raises(SpoolError, match="full"):
        writer.append([record(n) for n in range(2, 200)], [])
    writer._connection.execute("PRAGMA max_page_count=100000")
    with pytest.raises(SpoolError, match="full"):
        writer.append([record(200)], [])
    (reader,) = folder.readers()
    assert [row.seq for row in reader.after(0, 1000)] == [1]
    reader.close()
    writer.close()


def test_a_failing_write_breaks_the_writer_for_good(tmp_path):
    folder = open_folder(tmp_path)
    writer = folder.create("m-g0", 1)
    assert writer.append([record(1)], []) == 1
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (writer.size_bytes, hard))
    try:
        assert "error" in refusal_of(writer)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with pytest.raises(SpoolError):
        writer.append([record(100)], [])
    writer.close()


def test_the_size_limit_counts_what_is_not_forgotten(tmp_path):
    folder = open_folder(tmp_path, size_max_bytes=1_000_000)
    writer = folder.create("m-g0", 1)
    assert "size" in refusal_of(writer)
    writer.forget(writer.depth)
    (checkpointer,) = (t for t in threading.enumerate() if t.name == "spool-checkpoints")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        writer._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        try:
            writer.append([record(1)], [])
            break
        except SpoolFullError:
            time.sleep(0.05)
    else:
        pytest.fail("the spool stayed at its limit")
    assert checkpointer.is_alive()
    writer.close()
    assert not checkpointer.is_alive()


def test_a_spool_that_has_become_large_has_room_again_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr("yuanjing.adapters.spool.checkpoints._INTERVAL_SECONDS", 0.02)
    monkeypatch.setattr("yuanjing.adapters.spool.writer._MAKE_ROOM_ROWS", 50)
    folder = open_folder(tmp_path, size_max_bytes=8_000_000)
    writer = folder.create("m-g0", 1)
    written = 0
    while writer.room:
        written = writer.append([record(written + n) for n in range(1, 33)], [])
        time.sleep(0.002)
    assert writer.append([record(written + 1)], []) == written + 1  # what is under way is still written
    deadline = time.monotonic() + 20
    while not writer.room and time.monotonic() < deadline:
        writer.forget(writer.depth // 2 + writer._forgotten_seq + 1)  # as each heartbeat does; nothing is appended
        time.sleep(0.01)
    assert writer.room > 0
    assert writer.append([record(written + 2)], []) == written + 2
    writer.close()


def test_a_record_that_cannot_be_encoded_changes_nothing(tmp_path):
    folder = open_folder(tmp_path)
    writer = folder.create("m-g0", 1)
    odd = replace(record(2), extra={"note": object()})
    for records, watermarks in (([record(1), odd], []), ([odd], []), ([record(1)], [odd]), ([], [odd])):
        with pytest.raises(TypeError):
            writer.append(records, watermarks)
    assert writer.append([record(1), record(3)], [record(4)]) == 2
    (reader,) = folder.readers()
    assert [row.record.id for row in reader.after(0, 9)] == [record(1).id, record(3).id]
    reader.close()
    writer.close()


def test_a_disk_that_takes_no_more_is_not_well(tmp_path):
    folder = open_folder(tmp_path)
    writer = folder.create("m-g0", 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * 1024, hard))
    try:
        assert not writer.is_disk_well()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert writer.is_disk_well()
    assert not list(tmp_path.glob("*.probe"))
    writer.close()


def test_checkpoints_let_the_log_start_afresh(tmp_path, monkeypatch):
    monkeypatch.setattr("yuanjing.adapters.spool.checkpoints._INTERVAL_SECONDS", 0.02)
    folder = open_folder(tmp_path)
    writer = folder.create("m-g0", 1)
    database, wal = tmp_path / "m-g0.1.spool.db", tmp_path / "m-g0.1.spool.db-wal"
    while not wal.exists() or wal.stat().st_size < 2 * 1024 * 1024:
        writer.append([record(n) for n in range(32)], [])
    rows = writer.depth
    deadline = time.monotonic() + 20
    while database.stat().st_size < rows * 200 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert database.stat().st_size >= rows * 200
    time.sleep(0.2)
    size = wal.stat().st_size
    writer.append([record(n) for n in range(32)], [])
    assert wal.stat().st_size == size
    writer.close()


def test_a_failing_checkpointer_breaks_the_writer(tmp_path):
    failures = []
    broken = Checkpointer(
        tmp_path / "missing" / "x.db", sync="normal", on_pass=lambda: None, on_failure=failures.append
    )
    broken._thread.join(timeout=5)
    assert failures
    folder = open_folder(tmp_path / "spool")
    writer = folder.create("m-g0", 1)
    writer._note_failure("the disk is gone")
    with pytest.raises(SpoolError, match="the disk is gone"):
        writer.append([record(1)], [])
    with pytest.raises(SpoolError, match="the disk is gone"):
        writer.forget(0)  # as each heartbeat does: else nobody would hear of it while nothing is asked for
    writer.close()


def test_a_file_that_is_no_spool_is_told(tmp_path):
    (tmp_path / "m-g0.1.spool.db").write_bytes(b"this is not a database, however long it may be" * 100)
    (reader,) = open_folder(tmp_path).readers()
    with pytest.raises(SpoolError):
        reader.after(0, 1)
    reader.close()


def test_other_files_and_bad_names_are_left_alone(tmp_path):
    folder = open_folder(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    assert folder.readers() == []
    for name in ("", "../m", "a b", "m/g"):
        with pytest.raises(SpoolError):
            folder.create(name, 1)
    writer = folder.create("host.example-g0", 12)
    assert [(r.node_id, r.incarnation) for r in folder.readers()] == [("host.example-g0", 12)]
    assert not (tmp_path / "host.example-g0.12.spool.lock").stat().st_mode & 0o077
    writer.close()


def test_a_record_that_cannot_be_read_is_told(tmp_path):
    folder = open_folder(tmp_path)
    writer = folder.create("m-g0", 1)
    writer._connection.execute("INSERT INTO usage (seq, body) VALUES (1, x'00')")
    (reader,) = folder.readers()
    with pytest.raises(SpoolError, match="cannot be read"):
        reader.after(0, 1)
    reader.close()
    writer.close()
