"""`yuanjing topup` over a real SQLite database and a simulated Alipay."""

import asyncio
import datetime as dt
import json
from dataclasses import asdict
from pathlib import Path

import pytest
from tests.support.alipay import Simulated

from yuanjing.bootstrap.payments import open_payments
from yuanjing.bootstrap.services import open_services
from yuanjing.bootstrap.simulated_payments import merchant_options
from yuanjing.domain.bills import BillFinding, BillReport, FindingKind
from yuanjing.domain.topups import PayWay
from yuanjing.settings import Settings
from yuanjing.usecases.customers import create_customer
from yuanjing.usecases.topups import TopUps

YUAN = 10**9
DAY = dt.date(2026, 11, 29)


@pytest.fixture
def box(environment, tmp_path):
    """A sandbox that was started on this data folder, whose customers may also transfer money."""
    environment.setenv("YUANJING_TRANSFER_INSTRUCTIONS", "account 1, reference {number}")
    secrets = tmp_path / "var" / "secrets"
    secrets.mkdir(parents=True)
    options = asdict(merchant_options(str(secrets)))
    simulated = Simulated(**{name: options[name] for name in ("app_id", "merchant_public_key", "private_key")})
    address = {"platform": "http://127.0.0.1:1", "sandbox": simulated.url}
    (tmp_path / "var" / "address.json").write_text(json.dumps(address))
    yield simulated
    simulated.stop()


@pytest.fixture
def orders(box):
    """A paid one, one that waits, one by transfer; and a compared bill."""

    async def fill():
        settings = Settings.load()
        async with (
            open_services(settings) as services,
            open_payments(services, address="", sandbox_address=box.url) as parts,
        ):
            customer = await create_customer(services.store, services.clock, mobile="13800138000", test_grant_nanos=0)
            topups = TopUps(parts)
            made = [
                (await topups.start(customer.id, "alipay", PayWay.QR, 10 * YUAN))[0],
                (await topups.start(customer.id, "alipay", PayWay.QR, 2 * YUAN))[0],
                (await topups.start(customer.id, "manual", PayWay.TRANSFER, 100 * YUAN))[0],
            ]
            await asyncio.to_thread(box.press, made[0].number, "pay", "lost")
            await topups.show(customer.id, made[0].id, ask=True)
            report = BillReport(
                method="alipay",
                day=DAY,
                checked_at=1.0,
                lines=2,
                paid_nanos=12 * YUAN,
                findings=(BillFinding(kind=FindingKind.UNKNOWN_ORDER, number="elsewhere_1", theirs_nanos=2 * YUAN),),
                findings_total=1,
            )
            await services.store.write(lambda tx: tx.topups.save_bill(report))
        return made

    return asyncio.run(fill())


def test_top_ups_are_listed_and_shown(yuanjing, orders):
    listed = yuanjing("topup", "list", "--json").document
    assert [one["id"] for one in listed["topups"]] == [one.id for one in orders[::-1]]
    assert (listed["currency"], listed["next"]) == ("CNY", None)
    assert [(one["method"], one["state"], one["amount"]) for one in listed["topups"]] == [
        ("manual", "created", "100.00"),
        ("alipay", "created", "2.00"),
        ("alipay", "credited", "10.00"),
    ]
    page = yuanjing("topup", "list", "--limit", 2, "--json").document
    assert page["next"] == orders[1].id
    rest = yuanjing("topup", "list", "--before", orders[1].id, "--customer", "13800138000", "--json").document
    assert [one["id"] for one in rest["topups"]] == [orders[0].id]
    waiting = yuanjing("topup", "list", "--method", "alipay", "--state", "created", "--json").document
    assert [one["id"] for one in waiting["topups"]] == [orders[1].id]
    assert yuanjing("topup", "list", "--flagged").out == "no top-ups\n"
    assert orders[0].number in yuanjing("topup", "list").out
    shown = yuanjing("topup", "show", orders[0].number, "--json").document
    assert (shown["topup"]["id"], shown["refunds"], shown["notifications"]) == (orders[0].id, [], [])
    assert "no refunds" in yuanjing("topup", "show", orders[0].id).out
    assert yuanjing("topup", "show", "top_none", "--json").code == 3


def test_a_transfer_is_confirmed_once(yuanjing, orders):
    number = orders[2].number
    wrong = yuanjing("topup", "confirm", number, "--evidence", "x", "--amount", "99", "--json")
    assert (wrong.code, wrong.error["param"]) == (2, "amount")
    assert yuanjing("topup", "confirm", orders[1].id, "--evidence", "x", "--json").code == 2
    assert yuanjing("topup", "confirm", number).code == 2
    done = yuanjing("topup", "confirm", number, "--evidence", "line 3", "--amount", "100.00", "--json").document
    assert (done["topup"]["state"], done["topup"]["note"]) == ("credited", "line 3")
    assert "is credited: 100.00 CNY" in yuanjing("topup", "confirm", number, "--evidence", "line 3").out
    assert "line 3" in yuanjing("topup", "show", number).out
    balance = yuanjing("customer", "balance", "13800138000", "--json").document
    assert balance["balances"]["live"]["available"] == "110.00"
    assert yuanjing("verify", "--json").document["breaches"] == []


def test_money_goes_back(yuanjing, orders, box):
    done = yuanjing("topup", "refund", orders[0].id, "2.50", "--note", "asked", "--json").document
    assert (done["refund"]["state"], done["refund"]["amount"], done["refund"]["note"]) == ("done", "2.50", "asked")
    assert box.trade(orders[0].number)["refunded"] == "2.50"
    box.fault("http500")
    assert "is on its way" in yuanjing("topup", "refund", orders[0].id, "1").out
    box.post("finish", out_trade_no=orders[0].number)
    assert "was refused and is the customer's again" in yuanjing("topup", "refund", orders[0].number).out
    assert yuanjing("topup", "refund", orders[0].id, "100", "--json").code == 2
    assert yuanjing("topup", "refund", orders[1].id, "--json").code == 2
    states = [one["state"] for one in yuanjing("topup", "show", orders[0].id, "--json").document["refunds"]]
    assert states == ["done", "requested", "failed"]
    assert yuanjing("verify", "--json").document["breaches"] == []


def test_a_bill_is_shown(yuanjing, orders):
    assert orders
    shown = yuanjing("topup", "bill", "--date", "2026-11-29", "--json").document
    assert (shown["method"], shown["date"], shown["lines"], shown["paid"]) == ("alipay", "2026-11-29", 2, "12.00")
    assert shown["findings"] == [
        {"kind": "unknown_order", "number": "elsewhere_1", "refund_number": None, "ours": None, "theirs": "2.00"}
    ]
    assert "elsewhere_1" in yuanjing("topup", "bill", "--date", "2026-11-29").out
    missing = yuanjing("topup", "bill", "--date", "2026-11-01", "--json")
    assert (missing.code, "--again" in missing.error["message"]) == (3, True)
    again = yuanjing("topup", "bill", "--date", "2020-01-01", "--again", "--json").document
    assert (again["lines"], again["findings"]) == (0, [])
    assert yuanjing("topup", "bill", "--date", "29.11.2026", "--json").error["param"] == "date"
    assert yuanjing("topup", "bill", "--date", "2026-11-29", "--method", "manual", "--json").error["param"] == "method"
    assert yuanjing("topup", "bill", "--date", "2999-01-01", "--again", "--json").error["param"] == "date"


def test_without_a_payment_method(yuanjing, environment, tmp_path: Path):
    environment.setenv("YUANJING_ALIPAY_SIMULATOR", "off")
    assert tmp_path
    assert yuanjing("migrate").code == 0
    assert yuanjing("topup", "list").out == "no top-ups\n"
    refused = yuanjing("topup", "refund", "top_1", "--json")
    assert (refused.code, refused.error["message"]) == (3, "no payment method is set up")
