# ruff: noqa: RUF001  # Chinese has its own punctuation

from hypothesis import given, settings
from hypothesis import strategies as st

from yuanjing.sandbox import tokens


def size(text):
    return len(text.encode("utf-8", "surrogatepass"))


@settings(deadline=None)
@given(st.text(alphabet=st.characters()))
def test_never_more_tokens_than_bytes_and_every_character_in_its_token(text):
    pieces = tokens.split(text)
    assert tokens.count(text) == len(pieces) <= size(text)
    assert "".join(pieces) == text.rstrip()
    assert all(0 < size(piece.lstrip()) <= 4 for piece in pieces)


@settings(deadline=None)
@given(st.text(alphabet="ab é中文ก😀\n.,") | st.text(), st.integers(0, 30))
def test_a_cut_between_tokens_changes_no_other_token(text, place):
    pieces = tokens.split(text)
    assert tokens.split("".join(pieces[:place])) == pieces[:place]


def test_the_rule_as_the_document_states_it():
    assert tokens.split("hello world") == ["hell", "o", " worl", "d"]
    assert tokens.split("你好，world") == ["你", "好", "，", "worl", "d"]
    assert tokens.split("aéé") == ["aé", "é"]
    assert tokens.split("กกก") == ["ก", "ก", "ก"]
    assert tokens.split("a😀b") == ["a", "😀", "b"]
    assert tokens.count(" \n\t\u3000") == 0
    assert tokens.count("") == 0
