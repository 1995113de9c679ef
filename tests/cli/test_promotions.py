"""Promotion money on the command line."""

import datetime as dt

import pytest


@pytest.fixture
def customer(yuanjing):
    return yuanjing("customer", "create", "--mobile", "13800138000", "--json").document["customer"]["id"]


def moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def test_promotion_money_is_granted_once_and_shown_with_its_expiry(yuanjing, customer):
    words = ("customer", "grant", customer, "5", "--promotion", "--expires-in", 30, "--cause", "spring")
    given = yuanjing(*words, "--json").document
    assert (given["is_new"], given["amount"], given["book"]) == (True, "5.00", "live")
    assert given["balance"] == {"available": "0.00", "held": "0.00", "promotion": "5.00"}
    lot = given["promotion"]
    lasts = moment(lot["expires_at"]) - moment(lot["created_at"])
    assert abs(lasts - dt.timedelta(days=30)) < dt.timedelta(minutes=1)  # the clock is read once for each
    again = yuanjing(*words, "--json").document
    assert (again["is_new"], again["promotion"]) == (False, lot)
    yuanjing("customer", "grant", customer, "2", "--promotion", "--test")
    at = "2099-01-01T00:00:00+0800"
    early = yuanjing("customer", "grant", customer, "1", "--promotion", "--expires-at", at, "--json").document
    assert early["promotion"]["expires_at"] == "2098-12-31T16:00:00.000Z"
    found = yuanjing("customer", "balance", customer, "--json").document
    assert [(lot["book"], lot["left"], lot["amount"]) for lot in found["promotions"]] == [
        ("live", "5.00", "5.00"), ("live", "1.00", "1.00"), ("test", "2.00", "2.00")
    ]  # fmt: skip
    assert found["balances"]["live"]["promotion"] == "6.00"
    text = yuanjing("customer", "balance", customer).out
    assert "spring" in text
    assert "LEFT" in text
    entries = yuanjing("customer", "entries", customer, "--account", "promotion", "--json").document["entries"]
    assert [entry["amount"] for entry in entries] == ["1.00", "5.00"]
    assert yuanjing("verify", "--json").document["breaches"] == []


def test_a_customer_without_promotion_money_sees_no_table_of_it(yuanjing, customer):
    assert "LEFT" not in yuanjing("customer", "balance", customer).out
    said = yuanjing("customer", "grant", customer, "1", "--promotion", "--expires-in", 1).out
    assert said.startswith("granted 1.00 CNY (live), until 20")
    assert said.rstrip().endswith("promotion money now 1.00 CNY")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("1", "--expires-in", "3"), "invalid_input"),
        (("1", "--expires-at", "2099-01-01T00:00:00"), "invalid_input"),
        (("1", "--promotion", "--expires-in", "3", "--expires-at", "2099-01-01T00:00:00"), "invalid_input"),
        (("1", "--promotion", "--expires-at", "2020-01-01T00:00:00"), "invalid_input"),
        (("1", "--promotion", "--expires-in", "0"), "invalid_usage"),
        (("0", "--promotion"), "invalid_input"),
        (("1", "--promotion", "--cause", " "), "invalid_input"),
    ],
)
def test_what_cannot_be_granted(yuanjing, customer, words, code):
    refused = yuanjing("customer", "grant", customer, *words, "--json")
    assert (refused.code, refused.error["code"]) == (2, code)
    assert yuanjing("customer", "balance", customer, "--json").document["promotions"] == []


def test_codes_are_printed_once_listed_shown_and_revoked(yuanjing):
    words = ("--count", 3, "--money-valid-days", 30, "--max-per-customer", 1, "--note", "spring")
    made = yuanjing(
        "code", "create", "--amount", "5", *words, "--expires-at", "2099-01-01T00:00:00Z", "--json"
    ).document
    secrets = [code.pop("secret") for code in made["codes"]]
    assert len(set(secrets)) == 3
    first = made["codes"][0]
    assert {name: first[name] for name in ("batch_id", "state", "amount", "money_valid_days", "max_per_customer")} == {
        "batch_id": made["batch_id"], "state": "open", "amount": "5.00", "money_valid_days": 30, "max_per_customer": 1
    }  # fmt: skip
    assert (first["expires_at"], first["note"]) == ("2099-01-01T00:00:00.000Z", "spring")
    listed = yuanjing("code", "list", "--batch", made["batch_id"], "--limit", 2, "--json").document
    assert len(listed["codes"]) == 2
    rest = yuanjing("code", "list", "--before", listed["next"], "--json").document
    assert sorted(one["id"] for one in listed["codes"] + rest["codes"]) == sorted(one["id"] for one in made["codes"])
    assert yuanjing("code", "show", secrets[0].lower(), "--json").document["code"] == first
    assert yuanjing("code", "show", first["id"], "--json").document["code"] == first
    for text in (yuanjing("code", "list").out, yuanjing("code", "show", first["id"]).out):
        assert first["id"] in text
        assert not any(secret in text for secret in secrets)
    assert yuanjing("code", "revoke", first["id"], "--json").document == {"revoked": 1}
    assert yuanjing("code", "revoke", made["batch_id"], "--json").document == {"revoked": 2}
    assert yuanjing("code", "show", first["id"], "--json").document["code"]["state"] == "revoked"
    printed = yuanjing("code", "create", "--amount", "1").out.splitlines()
    assert len(printed[0]) == 19
    assert printed[1].startswith("(batch_")


@pytest.mark.parametrize(
    ("words", "code", "name"),
    [
        (("create", "--amount", "0"), 2, "invalid_input"),
        (("create", "--amount", "x"), 2, "invalid_amount"),
        (("create", "--amount", "1", "--count", "0"), 2, "invalid_input"),
        (("create", "--amount", "1", "--expires-at", "2020-01-01T00:00:00"), 2, "invalid_input"),
        (("create",), 2, "invalid_usage"),
        (("show", "code_x"), 3, "not_found"),
        (("show", "0000-0000-0000-0000"), 3, "not_found"),
        (("revoke", "batch_x"), 3, "not_found"),
        (("list", "--limit", "0"), 2, "invalid_input"),
    ],
)
def test_what_codes_refuse(yuanjing, words, code, name):
    refused = yuanjing("code", *words, "--json")
    assert (refused.code, refused.error["code"]) == (code, name)


def test_a_grant_cannot_pass_for_a_code(yuanjing, customer):
    refused = yuanjing("customer", "grant", customer, "1", "--promotion", "--cause", "code:x", "--json")
    assert (refused.code, refused.error["code"], refused.error["param"]) == (2, "invalid_input", "cause")
