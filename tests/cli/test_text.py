"""What people see, over a database with a little of everything."""

import asyncio
import io

import pytest
from tests.support.usages import posted_usage

from yuanjing.bootstrap.services import open_services
from yuanjing.domain.identity import is_well_formed
from yuanjing.domain.ledger import Reason, Transfer
from yuanjing.domain.money import Book
from yuanjing.settings import Settings
from yuanjing.usecases import catalog
from yuanjing.usecases.breaches import Breach
from yuanjing.usecases.verify import VerifyReport

USAGE = "u" * 21


@pytest.fixture
def customer(yuanjing):
    made = yuanjing("customer", "create", "--mobile", "13800138000", "--name", "Ada", "--json").document["customer"]
    yuanjing("offer", "import")

    async def seed():
        async with open_services(Settings.load()) as services:
            _, (price,) = await catalog.list_prices(services.store, "qwen3-max")
            posted = posted_usage(price=price)

            def work(tx):
                cause = Transfer(
                    id="settle:1", book=Book.LIVE, reason=Reason.GRANT, amount_nanos=1, debit="grants", credit="revenue"
                )
                tx.ledger.post([cause])
                tx.usages.add_new([posted])

            await services.store.write(work)

    asyncio.run(seed())
    return made


def test_a_customer(yuanjing, customer):
    shown = yuanjing("customer", "show", customer["id"]).out
    assert "name     Ada\n" in shown
    assert "live    0.00 CNY  0.00 CNY   0.00 CNY" in shown
    assert "disabled" not in shown
    assert "100.00 CNY" in yuanjing("customer", "balance", customer["id"]).out
    assert "granted 1.50 CNY (live)" in yuanjing("customer", "grant", customer["id"], "1.5").out
    entries = yuanjing("customer", "entries", customer["id"], "--test").out.splitlines()
    assert entries[0].split() == ["VERSION", "AT", "REASON", "AMOUNT", "BALANCE", "TRANSFER"]
    assert entries[1].split()[2:5] == ["grant", "100.00", "CNY"]


def test_keys(yuanjing, customer):
    made = yuanjing("key", "create", customer["id"], "--expires-days", "2").out.splitlines()
    assert made[0].startswith("yj_live_")
    assert "not shown again" in made[1]
    yuanjing("key", "create", customer["id"], "--test", "--budget", "3")
    listed = yuanjing("key", "list", customer["id"]).out
    assert "until 20" in listed
    assert "valid" in listed
    assert "3.00 CNY" in listed
    assert "was revoked at" in yuanjing("key", "revoke", made[0].split("_")[2]).out


@pytest.mark.usefixtures("customer")
def test_offers(yuanjing, tmp_path):
    assert "files, nothing new" in yuanjing("offer", "import").out
    shown = yuanjing("offer", "show", "qwen-flash").out
    assert "81920 tokens beside it" in shown
    assert "more" in shown
    file = tmp_path / "mine.toml"
    text = (
        '[offer]\nid = "abcdefghijklmnopqrstu"\nmodel = "mine"\noperation = "chat"\nlabel = "M"\nprovider_label = "M"\n'
    )
    file.write_text(text + 'providers = { vllm = "m" }\n[offer.chat]\ncontext_tokens = 9\noutput_tokens_max = 9\n')
    assert yuanjing("offer", "import", tmp_path).out == "offers  mine\n"
    assert "no price yet" in yuanjing("offer", "list").out
    assert "yuanjing price set mine" in yuanjing("price", "list", "mine").out
    assert "version 1 is in force" in yuanjing("price", "set", "mine", "--tier", "1/1", "--source", "s").out
    assert "any" in yuanjing("price", "list", "mine").out
    file.write_text(
        text.replace("label", "enabled = false\nlabel", 1)
        + 'providers = { vllm = "m" }\n[offer.chat]\ncontext_tokens = 9\noutput_tokens_max = 9\n'
    )
    yuanjing("offer", "import", file)
    assert "mine" not in yuanjing("offer", "list").out
    assert "disabled" in yuanjing("offer", "list", "--all").out
    file.write_bytes(b"\xff\xfe")
    assert "not UTF-8" in yuanjing("offer", "import", file).err


@pytest.mark.usefixtures("customer")
def test_channels(yuanjing, environment):
    environment.setattr("sys.stdin", io.StringIO("sk-1"))
    made = yuanjing("channel", "add", "--provider", "openai", "--credential-stdin").out
    channel = made.split()[0]
    assert "leads to https://api.openai.com/v1 (live)" in made
    assert "is changed" in yuanjing("channel", "update", channel, "--name", "x").out
    assert "is disabled" in yuanjing("channel", "disable", channel).out
    assert yuanjing("channel", "list").out.splitlines()[1].endswith("disabled")


@pytest.mark.usefixtures("customer")
def test_usage(yuanjing):
    listed = yuanjing("usage", "list").out
    assert USAGE in listed
    assert "0.0006775 CNY" in listed
    assert yuanjing("usage", "list", "--before", USAGE, "--json").document["usages"] == []
    shown = yuanjing("usage", "show", USAGE)
    assert "31 input_tokens x 2.50 CNY / 1,000,000 = 0.0000775 CNY" in shown.out
    assert "settled by  settle:1" in shown.out
    document = yuanjing("usage", "show", USAGE, "--json").document
    assert document["usage"]["charge"] == document["explanation"]["total"] == "0.0006775"
    assert document["explanation"]["is_consistent"] is True
    assert [line["meter"] for line in document["explanation"]["lines"]] == ["input_tokens", "output_tokens"]


def test_a_breach_fails_the_verification(yuanjing, environment):
    breach = Breach(check="accounts", subject="live revenue", message="is 1, its entries give 2")

    async def broken(*_args, **_options):
        return VerifyReport(checked={"accounts": 1}, breaches=[breach], breaches_total=1, checked_at=0.0)

    environment.setattr("yuanjing.usecases.verify.verify", broken)
    found = yuanjing("verify")
    assert found.code == 1
    assert "live revenue  is 1, its entries give 2" in found.out
    document = yuanjing("verify", "--json")
    assert document.code == 1
    assert document.document["breaches"] == [
        {"check": "accounts", "subject": "live revenue", "message": "is 1, its entries give 2"}
    ]


def test_the_demonstration_shows_the_same_working_key_each_time(yuanjing, environment):
    first = yuanjing("demo", "--json").document
    assert first.keys() == {"address", "sandbox", "key", "balance", "is_running"}
    assert is_well_formed(first["key"])
    assert (first["balance"], first["is_running"]) == ("100.00", False)
    text = yuanjing("demo").out
    assert text.startswith("Yuanjing is not running; start it with: ")
    assert f"\n  sandbox key   {first['key']}\n" in text
    assert yuanjing("demo", "--json").document == first
    environment.setenv("YUANJING_MODE", "production")
    refused = yuanjing("demo", "--json")
    assert (refused.code, refused.error["code"]) == (2, "invalid_settings")
