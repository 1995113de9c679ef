import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuanjing.kit.canonicaljson import INTEGER_MAX, canonical_json, read_canonical

TEXTS = st.text(max_size=20)
VALUES = st.recursive(
    TEXTS | st.integers(-INTEGER_MAX, INTEGER_MAX),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


def test_the_order_of_the_rfcs_example():
    """RFC 8785, 3.2.3: by UTF-16 code units, in which an emoji comes before a Hebrew letter of the last block."""
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    found = list(json.loads(canonical_json(dict.fromkeys(names, "x"))))
    assert found == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


def test_the_texts_of_the_rfcs_example():
    """RFC 8785, 3.2.2.2."""
    text = "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/"
    assert canonical_json({"string": text}) == '{"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'.encode()
    assert canonical_json("\b\t\n\f\r\x00\x1f\x7f") == b'"\\b\\t\\n\\f\\r\\u0000\\u001f\x7f"'


@given(VALUES)
def test_what_is_written_is_read_again(value):
    data = canonical_json(value)
    assert read_canonical(data) == value
    assert json.loads(data) == value


@given(VALUES, st.sampled_from([" ", "\n", "\t"]), st.randoms())
def test_a_blank_outside_texts_is_not_canonical(value, blank, random):
    data = canonical_json([value]).decode()
    place = random.choice([0, len(data)])
    with pytest.raises(ValueError, match="canonical"):
        read_canonical((data[:place] + blank + data[place:]).encode())


@pytest.mark.parametrize(
    "value", [1.0, True, None, INTEGER_MAX + 1, -INTEGER_MAX - 1, {1: "x"}, "\ud800", {"\udc00": 1}, [b"x"], (1,)]
)
def test_what_cannot_be_signed_is_refused(value):
    with pytest.raises(ValueError, match=r"only texts|no Unicode"):
        canonical_json({"a": value})


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"\xff", b'{"a":1.0}', b'{"a":1e2}', b'{"a":-0}', b'{"a":01}', b'{"a":true}', b'{"a":null}',
        b'{"a":1,"a":1}', b'{"b":1,"a":1}', b'{"a" :1}', b'{"a":"\\u0041"}', b'{"a":"\\/"}', b'{"a":"\\u000A"}',
        b'"\\ud800"', b"\xef\xbb\xbf{}", b"NaN", b'{"a":9007199254740992}', b"[" * 100_000, b"[" * 30 + b"]" * 30,
        b"1" * 5000, '{"a":1}'.encode("utf-16"),
    ],
    ids=lambda data: data[-20:],
)  # fmt: skip
def test_what_is_not_in_the_form_is_refused(data):
    with pytest.raises(ValueError, match=r"JSON|canonical|only texts|Unicode|deeply"):
        read_canonical(data)


def test_plain_names_sort_as_they_look():
    names = string.ascii_letters + string.digits
    assert list(json.loads(canonical_json(dict.fromkeys(names, 1)))) == sorted(names)
