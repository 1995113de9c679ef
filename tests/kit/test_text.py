"""Texts: what can be stored, and what JSON may cost before it is decoded."""

import pytest

from yuanjing.kit.text import has_many_items, is_storable


def test_storable_is_unicode_without_nul():
    assert is_storable("猫 \n\U0001f600")
    assert not is_storable("a\0")
    assert not is_storable("\ud800")


@pytest.mark.parametrize("sign", ["[", "{", ","])
def test_items_are_counted_in_texts_and_bytes(sign):
    for many, count in ((False, 100_000), (True, 100_001)):
        text = f"猫{sign * count}\ud800"
        assert has_many_items(text) is many
        assert has_many_items(text.encode("utf-8", "surrogatepass")) is many
    assert has_many_items("[{," * 33_334)
    assert not has_many_items("x" * 1_000_000)
