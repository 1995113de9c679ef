"""Changing the encryption key by commands."""

import fcntl
import os
import sqlite3

import pytest

OLD, NEW = "a" * 64, "b" * 64


@pytest.fixture
def channel(yuanjing, monkeypatch):
    """A channel with a credential; its id."""
    assert yuanjing("offer", "import", "--json").code == 0
    monkeypatch.setattr("yuanjing.cli.channel._read_credential", lambda: "sk-canary")
    made = yuanjing("channel", "add", "--provider", "dashscope", "--credential-stdin", "--json")
    return made.document["channel"]["id"]


def key_file(tmp_path):
    return tmp_path / "var" / "secrets" / "encryption-key"


def test_a_key_is_rotated_and_the_old_one_let_go(yuanjing, channel, tmp_path):
    (old,) = key_file(tmp_path).read_text().split()
    before = yuanjing("secret", "list", "--json").document
    assert before == {"current": before["current"], "keys": {before["current"]: 1}, "moved": 0, "unopened": []}
    rotated = yuanjing("secret", "rotate", "--json").document
    assert rotated["keys"] == {rotated["current"]: 1, before["current"]: 0}
    assert (rotated["moved"], rotated["current"] != before["current"]) == (1, True)
    new, kept = key_file(tmp_path).read_text().split()
    assert (kept == old, new != old, key_file(tmp_path).stat().st_mode & 0o777) == (True, True, 0o600)
    assert yuanjing("secret", "retire", "--json").document["keys"] == {rotated["current"]: 1}
    assert key_file(tmp_path).read_text().split() == [new]
    assert [path.name for path in key_file(tmp_path).parent.iterdir() if path.name.startswith(".")] == []
    assert "seals" in yuanjing("secret", "list").out
    assert yuanjing("channel", "list", "--json").document["channels"][0]["id"] == channel


def test_keys_that_are_settings_are_not_changed_but_used(yuanjing, channel, environment, tmp_path):
    (file_key,) = key_file(tmp_path).read_text().split()
    environment.setenv("YUANJING_ENCRYPTION_KEY", f"{NEW},{file_key}")
    assert yuanjing("secret", "rotate", "--json").document["moved"] == 1
    refused = yuanjing("secret", "retire", "--json")
    assert (refused.code, refused.error["code"]) == (4, "rotation_refused")
    environment.setenv("YUANJING_ENCRYPTION_KEY", NEW)
    assert yuanjing("secret", "list", "--json").code == 0
    environment.setenv("YUANJING_ENCRYPTION_KEY", OLD)
    lost = yuanjing("secret", "list", "--json")
    assert (lost.code, lost.document["unopened"]) == (1, [channel])
    assert channel in yuanjing("secret", "list").out


@pytest.mark.usefixtures("channel")
def test_old_keys_stay_while_something_opens_by_none(yuanjing, tmp_path):
    assert yuanjing("secret", "rotate", "--json").code == 0
    with sqlite3.connect(tmp_path / "var" / "yuanjing.db") as database:
        ((sealed,),) = database.execute("SELECT credential FROM channels").fetchall()
        database.execute("UPDATE channels SET credential = ?", (sealed[:-1] + bytes([sealed[-1] ^ 1]),))
    refused = yuanjing("secret", "retire", "--json")
    assert (refused.code, refused.error["code"]) == (4, "rotation_refused")
    assert len(key_file(tmp_path).read_text().split()) == 2


@pytest.mark.usefixtures("channel")
def test_two_rotations_at_once_and_too_many_keys_are_refused(yuanjing, tmp_path):
    folder = os.open(key_file(tmp_path).parent, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    for command in ("rotate", "retire"):
        refused = yuanjing("secret", command, "--json")
        assert (refused.code, "somebody else" in refused.error["message"]) == (4, True)
    os.close(folder)
    for _ in range(7):
        assert yuanjing("secret", "rotate", "--json").code == 0
    assert len(key_file(tmp_path).read_text().split()) == 8
    assert "retire" in yuanjing("secret", "rotate", "--json").error["message"]


@pytest.mark.usefixtures("channel")
def test_gateways_of_another_folder_would_not_know_a_key_in_a_file(yuanjing, tmp_path):
    with sqlite3.connect(tmp_path / "var" / "yuanjing.db") as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(nodes)")]
        values = {"id": "elsewhere-g0", "machine": "elsewhere", "role": "gateway", "is_alive": 1}
        row = [values.get(name, 1) for name in columns]
        database.execute(f"INSERT INTO nodes VALUES ({','.join('?' * len(row))})", row)  # noqa: S608  # the columns' number
    for command in ("rotate", "retire"):
        refused = yuanjing("secret", command, "--json")
        assert (refused.code, "YUANJING_ENCRYPTION_KEY" in refused.error["message"]) == (4, True)
    assert len(key_file(tmp_path).read_text().split()) == 1
