"""Whole command lines over a real SQLite database."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pysqlite3
import pytest

from yuanjing.domain.identity import is_well_formed


@pytest.fixture
def customer(yuanjing):
    return yuanjing("customer", "create", "--mobile", "13800138000", "--name", "Ada", "--json").document["customer"]


@pytest.fixture
def catalog(yuanjing):
    assert yuanjing("offer", "import").code == 0


def feed(monkeypatch, text):
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_a_customer_from_its_creation_to_its_entries(yuanjing, customer):
    assert re.fullmatch(r"cus_[0-9a-z]{26}", customer["id"])
    assert customer["mobile"] == "+8613800138000"
    assert customer["created_at"].endswith("Z")
    shown = yuanjing("customer", "show", "138 0013 8000", "--json").document
    assert shown["customer"] == customer
    assert shown["balances"]["test"]["available"] == "100.00"
    grant = yuanjing("customer", "grant", customer["id"], "12.345678901", "--cause", "c", "--note", "hi", "--json")
    assert grant.document["balance"] == {"available": "12.345678901", "held": "0.00", "promotion": "0.00"}
    again = yuanjing("customer", "grant", customer["id"], "12.345678901", "--cause", "c", "--note", "hi", "--json")
    assert again.document["is_new"] is False
    balance = yuanjing("customer", "balance", customer["id"], "--json").document
    assert balance["balances"]["live"]["available"] == "12.345678901"
    assert balance["currency"] == "CNY"
    (entry,) = yuanjing("customer", "entries", customer["id"], "--json").document["entries"]
    assert (entry["reason"], entry["amount"], entry["note"]) == ("grant", "12.345678901", "hi")
    (welcome,) = yuanjing("customer", "entries", customer["id"], "--test", "--json").document["entries"]
    assert welcome["transfer_id"] == f"grant:welcome:{customer['id']}"
    listed = yuanjing("customer", "list", "--limit", "1", "--json").document
    assert listed == {"customers": [customer], "next": customer["id"]}


@pytest.mark.usefixtures("catalog")
def test_a_key_is_shown_once_and_ends_when_revoked(yuanjing, customer):
    made = yuanjing("key", "create", customer["id"], "--test", "--name", "k", "--model", "deepseek-chat", "--json")
    key, secret = made.document["key"], made.document["secret"]
    assert is_well_formed(secret)
    assert secret.startswith(f"yj_test_{key['public_id']}_")
    assert key["limits"]["models"] == ["deepseek-v4-flash"]
    listed = yuanjing("key", "list", "13800138000", "--json")
    assert listed.document == {"keys": [key], "next": None}
    assert secret.split("_")[3] not in listed.out
    revoked = yuanjing("key", "revoke", key["public_id"], "--json").document["key"]
    assert revoked["revoked_at"]
    text = yuanjing("key", "list", customer["id"]).out
    assert "revoked" in text
    assert key["id"] in text


@pytest.mark.usefixtures("catalog")
def test_a_keys_limits(yuanjing, customer):
    made = yuanjing(
        *("key", "create", customer["id"], "--rpm", 60, "--tpm", 1000, "--concurrency", 2, "--expires-days", 1),
        *("--budget", "5.5", "--budget-period", "day", "--network", "10.0.0.0/8", "--json"),
    ).document["key"]
    assert made["expires_at"] > made["created_at"]
    assert made["limits"] == {
        "models": [],
        "networks": ["10.0.0.0/8"],
        "requests_per_minute": 60,
        "tokens_per_minute": 1000,
        "concurrency": 2,
        "budget": "5.50",
        "budget_period": "day",
    }


def test_offers_are_imported_listed_and_shown(yuanjing):
    assert "yuanjing offer import" in yuanjing("offer", "list").out
    first = yuanjing("offer", "import", "--json").document
    assert "qwen3-max" in first["offers"]
    again = yuanjing("offer", "import", "--json").document
    assert (again["offers"], again["prices"]) == ([], [])
    models = [offer["model"] for offer in yuanjing("offer", "list", "--json").document["offers"]]
    assert models == sorted(models)
    shown = yuanjing("offer", "show", "qwen3-max", "--json").document["offer"]
    assert shown["price"]["tiers"][0] == {
        "input_up_to": 32768,
        "input": "2.50",
        "output": "10.00",
        "cache_read": "0.50",
        "cache_write": "3.125",
    }
    assert "temperature" in shown["parameters"]["properties"]
    text = yuanjing("offer", "show", "qwen3-max").out
    assert "262144 tokens" in text
    assert "3.125" in text


def test_a_wrong_file_names_its_line_and_changes_nothing(yuanjing, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('[offer]\nid = "x"\n')
    failed = yuanjing("offer", "import", file)
    assert failed.code == 2
    assert f"{file}:2: `id` must be 21 characters" in failed.err
    for path in (tmp_path / "nothing.toml", tmp_path):
        assert yuanjing("offer", "import", path, "--json").error["code"] in ("invalid_input", "invalid_catalog")
    assert yuanjing("offer", "list", "--all", "--json").document["offers"] == []


@pytest.mark.usefixtures("catalog")
def test_prices_are_set_and_listed(yuanjing):
    made = yuanjing(
        *("price", "set", "qwen3-max", "--tier", "32768:2/8", "--tier", "3/12/1/4", "--source", "me", "--json"),
    ).document["price"]
    assert made["version"] == 2
    assert made["tiers"] == [
        {"input_up_to": 32768, "input": "2.00", "output": "8.00", "cache_read": "2.00", "cache_write": "2.00"},
        {"input_up_to": None, "input": "3.00", "output": "12.00", "cache_read": "1.00", "cache_write": "4.00"},
    ]
    listed = yuanjing("price", "list", "qwen3-max", "--json").document
    assert [price["version"] for price in listed["prices"]] == [1, 2]
    assert "version 2 from" in yuanjing("price", "list", "qwen3-max").out
    future = yuanjing(
        *("price", "set", "qwen3-max", "--tier", "1/1", "--source", "me"),
        *("--effective-from", "2099-01-01T00:00:00+08:00", "--json"),
    ).document["price"]
    assert future["effective_from"] == "2098-12-31T16:00:00.000Z"


@pytest.mark.parametrize("tier", ["1", "1/2/3/4/5", "x:1/2", "0:1/2", "1/x", "1/-2", "1/9999999", "/"])
@pytest.mark.usefixtures("catalog")
def test_a_tier_that_cannot_be_read_is_refused(yuanjing, tier):
    failed = yuanjing("price", "set", "qwen3-max", "--tier", tier, "--source", "me", "--json")
    assert failed.code == 2
    assert failed.error["code"] in ("invalid_input", "invalid_amount")


@pytest.mark.usefixtures("catalog")
def test_a_channel_from_its_making_to_its_end(yuanjing, monkeypatch, tmp_path):
    feed(monkeypatch, "sk-canary-0123456789\n")
    address = "http://127.0.0.1:9/v1"
    made = yuanjing(
        *("channel", "add", "--provider", "dashscope", "--base-url", address, "--credential-stdin"),
        *("--offer", "qwen3-max", "--upstream-model", "qwen3-max=ep-1", "--json"),
    )
    channel = made.document["channel"]
    assert (channel["base_url"], channel["book"], channel["is_enabled"]) == (address, "live", True)
    assert channel["upstream_models"] == {"VaKNrpZ37Ybrg5DWGio6b": "ep-1"}
    assert yuanjing("channel", "list", "--json").document == {"channels": [channel]}
    assert yuanjing("channel", "disable", channel["id"], "--json").document["channel"]["is_enabled"] is False
    assert yuanjing("channel", "enable", channel["id"], "--json").document["channel"]["is_enabled"] is True
    changed = yuanjing("channel", "update", channel["id"], "--priority", 2, "--all-offers", "--json").document
    assert changed["channel"] == {**channel, "priority": 2, "offers": []}
    refused = yuanjing("channel", "update", channel["id"], "--base-url", "http://127.0.0.1:8/v1")
    assert refused.code == 2
    assert "credential again" in refused.err
    tested = yuanjing("channel", "test", channel["id"], "--json")
    assert tested.code == 1
    assert tested.document["ok"] is False
    assert "cannot be reached" in tested.document["message"]
    refused = yuanjing("channel", "callback", channel["id"])
    assert (refused.code, "video" in refused.err) == (2, True)
    files = [file for file in (tmp_path / "var").rglob("*") if file.is_file()]
    assert files
    assert not [file for file in files if b"canary" in file.read_bytes()]


@pytest.mark.usefixtures("catalog")
def test_the_address_at_which_a_video_provider_may_call(yuanjing, environment, monkeypatch):
    feed(monkeypatch, "vda_key\n")
    made = yuanjing("channel", "add", "--provider", "vidu", "--credential-stdin", "--json")
    channel = made.document["channel"]
    told = yuanjing("channel", "callback", channel["id"], "--json").document["callback"]
    assert told["path"].startswith(f"/callbacks/video/{channel['id']}/")
    assert told["url"] is None
    assert "YUANJING_PUBLIC_BASE_URL" in yuanjing("channel", "callback", channel["id"]).out
    environment.setenv("YUANJING_PUBLIC_BASE_URL", "https://ai.example.com")
    told_again = yuanjing("channel", "callback", channel["id"], "--json").document["callback"]
    assert told_again == {"path": told["path"], "url": f"https://ai.example.com{told['path']}"}
    assert yuanjing("channel", "callback", channel["id"]).out.strip() == told_again["url"]


@pytest.mark.usefixtures("catalog")
def test_trying_a_channel_without_usable_authorities_says_so(yuanjing, environment, tmp_path):
    made = yuanjing("channel", "add", "--provider", "vllm", "--json").document["channel"]
    environment.setenv("YUANJING_CA_FILE", str(tmp_path / "none.pem"))
    failed = yuanjing("channel", "test", made["id"])
    assert failed.code == 2
    assert failed.err.startswith("yuanjing: YUANJING_CA_FILE: ")
    assert "Traceback" not in failed.err


@pytest.mark.usefixtures("catalog")
def test_a_channel_without_its_credential_is_refused(yuanjing):
    failed = yuanjing("channel", "add", "--provider", "openai")
    assert failed.code == 2
    assert "openai needs a credential" in failed.err
    assert yuanjing("channel", "add", "--provider", "vllm", "--test").code == 0
    bad = yuanjing("channel", "add", "--provider", "vllm", "--upstream-model", "x", "--json")
    assert bad.error["param"] == "upstream_model"


def test_money_is_verified_and_an_empty_usage_list_is_one(yuanjing, customer):
    report = yuanjing("verify", "--json")
    assert report.code == 0
    assert report.document["ok"] is True
    assert report.document["breaches"] == []
    assert "all is right" in yuanjing("verify").out
    assert yuanjing("usage", "list", "--customer", customer["id"], "--json").document["usages"] == []
    assert yuanjing("usage", "list").out == "no usage\n"


@pytest.mark.parametrize(
    "arguments",
    [
        "--data {} migrate",
        "migrate --data {}",
        "migrate --data={}",
        "--data /nowhere/a migrate --data {}",
        "--data=/nowhere/a migrate --json --data {}",
        "migrate --database-url sqlite:///{}/yuanjing.db --data {}",
    ],
)
def test_options_for_all_commands_may_stand_behind_the_command(yuanjing, tmp_path, arguments):
    place = tmp_path / "elsewhere"
    done = yuanjing(*arguments.format(place, place).split())
    assert done.code == 0, done.err
    assert (place / "yuanjing.db").exists()
    assert not (tmp_path / "var").exists()
    listed = yuanjing("customer", "list", "--data", str(place), "--json")
    assert listed.document["customers"] == []


def test_what_looks_like_such_an_option_but_is_a_value_stays_one(yuanjing):
    customer = yuanjing("customer", "create", "--mobile", "13800138000", "--name=--data", "--json").document["customer"]
    assert customer["name"] == "--data"
    for words in (("migrate", "--data"), ("migrate", "--dta", "x"), ("customer", "list", "--role", "x")):
        failed = yuanjing(*words)
        assert failed.code == 2
        assert "No such option" in failed.err


def test_migrating_is_explicit_in_production(yuanjing, environment, tmp_path):
    environment.setenv("YUANJING_MODE", "production")
    failed = yuanjing("customer", "list")
    assert failed.code == 6
    assert "yuanjing migrate" in failed.err
    assert not (tmp_path / "var").exists()
    first = yuanjing("migrate", "--json").document
    assert first["before"] is None
    assert first["after"]
    assert yuanjing("migrate", "--json").document == {"before": first["after"], "after": first["after"]}
    assert yuanjing("customer", "list").code == 0


@pytest.mark.parametrize("mode", ["development", "production"])
@pytest.mark.parametrize("command", ["customer list", "migrate", "verify", "serve"])
def test_a_newer_schema_is_refused_and_left_alone(yuanjing, environment, tmp_path, mode, command):
    assert yuanjing("migrate").code == 0
    connection = pysqlite3.connect(tmp_path / "var" / "yuanjing.db", isolation_level=None)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    environment.setenv("YUANJING_MODE", mode)
    environment.setenv("YUANJING_PORT", "0")
    failed = yuanjing(*command.split(), "--json")
    assert failed.code == 6
    assert failed.err.splitlines()[-1] == json.dumps({"error": failed_with(tmp_path)}, ensure_ascii=False)


def failed_with(tmp_path):
    where = f"sqlite:///{tmp_path}/var/yuanjing.db"
    message = f"the database {where} is at schema 9999, which is newer than this program; install the newer one again"
    return {"code": "schema_mismatch", "message": message, "param": None}


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("customer", "show", "cus_x"), 3, "not_found"),
        (("key", "revoke", "key_x"), 3, "not_found"),
        (("offer", "show", "x"), 3, "not_found"),
        (("channel", "test", "ch_x"), 3, "not_found"),
        (("channel", "callback", "ch_x"), 3, "not_found"),
        (("usage", "show", "x"), 3, "not_found"),
        (("customer", "create", "--mobile", "1"), 2, "invalid_input"),
        (("customer", "grant", "cus_x", "ten"), 2, "invalid_amount"),
        (("customer", "grant", "cus_x", "0"), 2, "invalid_input"),
        (("customer", "list", "--limit", "0"), 2, "invalid_input"),
        (("key", "list", "13800138000", "--limit", "0"), 2, "invalid_input"),
        (("key", "list", "13800138000", "--limit", "-1"), 2, "invalid_input"),
        (("key", "list", "13800138000", "--limit", "9" * 30), 2, "invalid_input"),
        (("customer", "entries", "13800138000", "--limit", "9" * 30), 2, "invalid_input"),
        (("customer", "entries", "13800138000", "--before", "9" * 30), 2, "invalid_input"),
        (("usage", "list", "--before", "\udcff"), 2, "invalid_usage"),
        (("nonsense",), 2, "invalid_usage"),
        (("customer", "create"), 2, "invalid_usage"),
        (("usage", "list", "--limit", "x"), 2, "invalid_usage"),
        (("serve", "--role", "nothing"), 2, "invalid_usage"),
        (("--database-url", "mysql://x", "customer", "list"), 2, "invalid_settings"),
        (("--database-url", "postgresql://u:hunter2@127.0.0.1:9/d", "customer", "list"), 5, "store_unavailable"),
    ],
)
def test_failures_have_a_code_an_exit_code_and_advice(yuanjing, arguments, code, error):
    if "13800138000" in arguments:
        yuanjing("customer", "create", "--mobile", "13800138000")
    failed = yuanjing(*arguments, "--json")
    assert failed.code == code
    assert failed.error["code"] == error
    assert failed.error["message"]
    assert "hunter2" not in failed.err
    plain = yuanjing(*arguments)
    assert (plain.code, plain.out) == (code, "")
    assert plain.err.startswith("yuanjing: ")


def test_the_same_mobile_twice_is_refused(yuanjing, customer):
    failed = yuanjing("customer", "create", "--mobile", "+8613800138000", "--json")
    assert failed.code == 4
    assert failed.error["code"] == "already_exists"
    assert customer["id"] in failed.error["message"]


def test_a_data_folder_that_cannot_be_made_is_named(yuanjing, tmp_path):
    (tmp_path / "file").write_text("")
    failed = yuanjing("--data", tmp_path / "file" / "var", "customer", "list")
    assert failed.code == 2
    assert failed.err.startswith("yuanjing: YUANJING_DATA: ")


def test_a_bug_is_not_taken_for_success(yuanjing, monkeypatch):
    def explode(*_args, **_kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr("yuanjing.cli.customer.customers.list_customers", explode)
    failed = yuanjing("customer", "list")
    assert failed.code == 70
    assert "ZeroDivisionError" in failed.err


def program(tmp_path, *arguments, stdout=subprocess.PIPE):
    environment = {"YUANJING_DATA": str(tmp_path / "var"), "PYTHONPATH": "src", "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "yuanjing", *arguments]
    return subprocess.run(command, env=environment, stdout=stdout, stderr=subprocess.PIPE, timeout=30, check=False)  # noqa: S603  # our own program


def test_names_in_chinese_where_the_output_is_ascii(tmp_path):
    name = "张三é😀"
    made = program(tmp_path, "customer", "create", "--mobile", "13800138000", "--name", name, "--json")
    assert json.loads(made.stdout)["customer"]["name"] == name, made.stderr
    listed = program(tmp_path, "customer", "list")
    assert (listed.returncode, b"\\u5f20" in listed.stdout) == (0, True), listed.stderr


@pytest.mark.parametrize("arguments", [["customer", "list"], ["customer", "list", "--json"], ["--help"]])
def test_a_full_disk_is_told(tmp_path, arguments):
    with Path("/dev/full").open("wb") as full:
        failed = program(tmp_path, *arguments, stdout=full)
    assert failed.returncode == 74
    assert b"the output cannot be written: No space left on device" in failed.stderr
    assert b"Traceback" not in failed.stderr
    assert b"Exception ignored" not in failed.stderr


def test_the_version(yuanjing):
    assert re.fullmatch(r"yuanjing \d+\.\d+\.\d+\n", yuanjing("--version").out)


@pytest.mark.usefixtures("catalog")
def test_text_output_never_cuts_an_id(yuanjing, customer, environment):
    environment.setenv("COLUMNS", "40")
    assert customer["id"] in yuanjing("customer", "list").out
    assert json.loads(yuanjing("offer", "list", "--json").out)["offers"][0]["id"] in yuanjing("offer", "list").out
