"""Reading JSON that others wrote."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yuanjing.kit import jsonvalues

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(deadline=None, max_examples=60)
@given(data=st.binary())
def test_no_bytes_raise(data):
    fields = jsonvalues.decode_fields(data)
    assert fields is None or isinstance(fields, dict)


@settings(deadline=None, max_examples=60)
@given(value=VALUES)
def test_a_field_is_of_the_wanted_kind_or_nothing(value):
    fields = jsonvalues.decode_fields(json.dumps({"a": value}).encode())
    assert fields is not None
    for name in ("a", "b"):
        assert isinstance(jsonvalues.text(fields, name), str)
        assert isinstance(jsonvalues.number(fields, name), Decimal | None)
        assert isinstance(jsonvalues.as_fields(fields.get(name)), dict)
        assert isinstance(jsonvalues.as_items(fields.get(name)), list)
    assert len(str(jsonvalues.scalars(fields, "a", "b").get("a", ""))) <= 400


@pytest.mark.parametrize(("text", "number"), [("5", "5"), ("15.04", "15.04"), ("0.1", "0.1"), ("1e3", "1000")])
def test_numbers_are_as_they_were_written(text, number):
    fields = jsonvalues.decode_fields(f'{{"n":{text}}}'.encode())
    assert jsonvalues.number(fields, "n") == Decimal(number)


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"NaN", b'{"a":NaN}', b"{", b"\xff", b'"x"', b"[" * 10**5])
def test_what_is_no_object_is_none(data):
    assert jsonvalues.decode_fields(data) is None


def test_a_boolean_is_no_number_and_a_number_is_no_text():
    fields = {"flag": True, "id": 936759404378734592}
    assert jsonvalues.number(fields, "flag") is None
    assert jsonvalues.text(fields, "id") == ""
    assert jsonvalues.scalars(fields, "flag", "id", "gone") == fields


def test_a_word_is_short():
    assert jsonvalues.word({"a": "x" * 200}, "a") == "x" * 200
    for value in ("x" * 201, 7, None):
        assert jsonvalues.word({"a": value}, "a") == ""


def test_long_texts_are_cut():
    assert jsonvalues.scalars({"a": "x" * 500}, "a") == {"a": "x" * 200}
