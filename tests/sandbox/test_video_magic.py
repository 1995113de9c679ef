from pathlib import Path

import pytest

from yuanjing.sandbox.video.magic import WORDS, Asked, Word, merge, of_credential, parse

PAGE = Path(__file__).parents[2] / "docs" / "sandbox.md"


@pytest.mark.parametrize("word", Word, ids=str)
def test_each_word_is_found_in_any_surroundings(word):
    for text in (f"sandbox:{word}", f"请sandbox:{word}。", f"a (sandbox:{word}). b\nc"):
        assert parse(text) == Asked({word: WORDS[word].default or 0.0})


def test_several_words_stand_together():
    asked = parse("a cat sandbox:long-queue=2.5 sandbox:shorter sandbox:long-queue=9 sandbox:unknown sandbox:drop")
    assert asked == Asked({Word.LONG_QUEUE: 2.5, Word.SHORTER: 0.0})
    assert Word.SHORTER in asked
    assert Word.STUCK not in asked
    assert str(asked) == "long-queue,shorter"


def test_credentials():
    accepted = {"k"}
    assert of_credential("k", accepted) == Asked()
    assert of_credential("k-fail-stuck=3", accepted) == Asked({Word.STUCK: 3.0})
    assert of_credential("k-fail-500-after-accept", accepted) == Asked({Word.SERVER_ERROR_AFTER_ACCEPT: 0.0})
    for wrong in ("", "x", "k-fail-", "k-fail-drop", "k-fail-stuck "):
        assert of_credential(wrong, accepted) is None
    both = merge(parse("sandbox:stuck=1"), parse("sandbox:stuck=2 sandbox:shorter"))
    assert both == Asked({Word.STUCK: 1.0, Word.SHORTER: 0.0})


def test_the_page_lists_every_word_as_it_is_described_in_the_code():
    rows = {
        line.split("|")[1].strip(): line
        for line in PAGE.read_text().partition("## Video magic words")[2].splitlines()
        if line.startswith("| `sandbox:")
    }
    assert set(WORDS) == set(Word)
    for word, doc in WORDS.items():
        name = f"`sandbox:{word}={doc.number}`" if doc.number else f"`sandbox:{word}`"
        default = f" (default {doc.default:g})" if doc.default is not None else ""
        assert rows.pop(name + default) == f"| {name}{default} | {doc.effect} |"
    assert not rows
