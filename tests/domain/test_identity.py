"""API keys as text: what is well formed, by the rule of the documentation and not by our own code."""

import string
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuanjing.domain.identity import book_of, checksum, format_key, is_well_formed, public_id_of
from yuanjing.domain.money import Book

DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
KEY = format_key(Book.TEST, "AbCd1234", "0123456789abcdefghijABCDEFGHIJ01")


@given(st.text())
def test_a_checksum_is_a_crc_in_base_62(body):
    text = checksum(body)
    assert len(text) == 6
    assert sum(DIGITS.index(one) * 62**place for place, one in enumerate(reversed(text))) == zlib.crc32(body.encode())


def test_a_key_tells_its_book_and_its_public_id():
    for book in Book:
        key = format_key(book, "AbCd1234", "0" * 32)
        assert key.startswith(f"yj_{book}_AbCd1234_")
        assert (is_well_formed(key), book_of(key), public_id_of(key)) == (True, book, "AbCd1234")


@pytest.mark.parametrize(
    "key",
    [
        KEY[:-1] + ("0" if KEY[-1] != "0" else "1"),
        *(f"{body}_{checksum(body)}" for body in (KEY[:-7] + "x", KEY[:-8], KEY[:-7].replace("test", "home"), "")),
    ],
    ids=["checksum", "too long", "too short", "no book", "empty"],
)
def test_what_is_no_key_is_not_well_formed_though_its_checksum_is_right(key):
    assert not is_well_formed(key)
