from pathlib import Path

import pytest

from yuanjing.sandbox.faults import FAULTS, Asked, Fault, merge, of_credential, parse

PAGE = Path(__file__).parents[2] / "docs" / "sandbox.md"


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.TOKENS], ids=str)
def test_each_word_is_found_in_any_surroundings(fault):
    for text in (
        f"sandbox:{fault}",
        f"请sandbox:{fault}。",
        f"well, (sandbox:{fault}). Please",
        f"a\nsandbox:{fault}\nb",
    ):
        assert parse(text) == Asked(fault=fault, number=FAULTS[fault].default or 0.0)


def test_numbers_and_the_tokens_beside_a_fault():
    assert parse("sandbox:stall=0.25 sandbox:tokens=7") == Asked(fault=Fault.STALL, number=0.25, tokens=7)
    assert parse("sandbox:tokens=0") == Asked(tokens=0)
    assert parse("sandbox:drop sandbox:503").fault is Fault.DROP


@pytest.mark.parametrize("text", ["", "sandbox", "sandbox:", "my-sandbox:drop", "Sandbox:drop", "xsandbox:503"])
def test_no_word(text):
    assert parse(text) == Asked()


def test_unknown_words_are_told():
    assert parse("sandbox:5030 sandbox:drops") == Asked(unknown=("5030", "drops"))


def test_credentials():
    accepted = {"k", "k-fail-x"}
    assert of_credential("k", accepted) == Asked()
    assert of_credential("k-fail-503", accepted) == Asked(fault=Fault.UNAVAILABLE)
    assert of_credential("k-fail-stall=1.5", accepted) == Asked(fault=Fault.STALL, number=1.5)
    assert of_credential("k-fail-no-usage", accepted) == Asked(fault=Fault.NO_USAGE)
    for wrong in ("", "K", "k-fail-", "k-fail-nothing", "k-fail-503 ", "x-fail-503", "kk"):
        assert of_credential(wrong, accepted) is None


def test_a_credentials_fault_goes_first():
    both = merge(parse("sandbox:503"), parse("sandbox:drop sandbox:tokens=3"))
    assert (both.fault, both.tokens) == (Fault.UNAVAILABLE, 3)
    assert merge(Asked(), parse("sandbox:drop")).fault is Fault.DROP


def test_the_page_lists_every_fault_as_it_is_described_in_the_code():
    text = PAGE.read_text().partition("## Video magic words")[0]
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| `sandbox:")}
    assert set(FAULTS) == set(Fault)
    for fault, doc in FAULTS.items():
        word = f"`sandbox:{fault}={doc.number}`" if doc.number else f"`sandbox:{fault}`"
        default = f" (default {doc.default:g})" if doc.default is not None else ""
        assert rows.pop(word + default) == f"| {word}{default} | {doc.stream} | {doc.plain} |"
    assert not rows
