"""docs/operations/backup.md: its commands run as they stand, beside a platform at work."""

import re
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pysqlite3
import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "operations" / "backup.md").read_text(encoding="utf-8")


def test_the_commands_of_the_page_restore_what_was_there(tmp_path):
    (found,) = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    program = tmp_path / "bin" / "yuanjing"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m yuanjing "$@"\n')
    program.chmod(0o755)
    environment = {
        "PATH": f"{program.parent}:/usr/bin:/bin",
        "PYTHONPATH": str(Path(__file__).parents[2] / "src"),
        "HOME": str(tmp_path),
    }

    def run(script: str) -> str:
        done = subprocess.run(
            ["/bin/sh", "-e"], input=script, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("yuanjing customer create --mobile 13800138000")
    restored = tmp_path / "restored"
    assert "all is right" in run(found.replace("/tmp/restored", str(restored)))  # noqa: S108  # the page's own words
    assert "+8613800138000" in run(f"yuanjing --data {restored} customer list")
    shutil.rmtree(restored)


def test_a_copy_is_of_one_moment_although_others_write(yuanjing, tmp_path):
    yuanjing("migrate")
    database = tmp_path / "var" / "yuanjing.db"
    begun, stop = threading.Event(), threading.Event()

    def write() -> None:
        connection = pysqlite3.connect(database, timeout=30, isolation_level=None)
        connection.execute("CREATE TABLE pairs (a INTEGER, b INTEGER)")
        number = 0
        begun.set()
        while not stop.is_set():
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO pairs VALUES (?, 1)", (number,))
            connection.execute("INSERT INTO pairs VALUES (?, 2)", (number,))
            connection.execute("COMMIT")
            number += 1
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert begun.wait(30)
        for number in range(3):
            target = tmp_path / f"copy{number}.db"
            document = yuanjing("backup", target, "--json").document
            assert document == {"file": str(target), "bytes": target.stat().st_size}
    finally:
        stop.set()
        writer.join()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy0.db", "copy1.db", "copy2.db", "var"]
    copy = pysqlite3.connect(target)
    odd = "SELECT count(*) FROM (SELECT a FROM pairs GROUP BY a HAVING count(*) <> 2)"
    assert copy.execute(odd).fetchone() == (0,)
    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    copy.close()


@pytest.mark.parametrize(
    ("target", "options", "code", "words"),
    [
        ("there.db", (), 4, "exists already"),
        ("none/copy.db", (), 5, "cannot be written: No such file"),
        ("copy.db", ("--database-url", "postgresql://u@h/d"), 2, "pg_dump"),
        ("copy.db", ("--database-url", "sqlite:////nowhere/x.db"), 3, "there is no database"),
    ],
)
def test_what_cannot_be_copied(yuanjing, tmp_path, target, options, code, words):
    yuanjing("migrate")
    (tmp_path / "there.db").write_text("mine")
    failed = yuanjing(*options, "backup", tmp_path / target)
    assert (failed.code, words in failed.err) == (code, True), failed.err
    assert (tmp_path / "there.db").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there.db", "var"]
