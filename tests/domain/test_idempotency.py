"""What is a key, what makes two requests the same, and what a taken key means."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuanjing.domain.idempotency import (
    Claim,
    IdempotentRequest,
    InvalidIdempotencyKeyError,
    Standing,
    content_digest,
    key_digest,
    standing_of,
)

CLAIM = Claim(key_id="key", digest=b"d", content=b"c", usage_id="second")
ROW = IdempotentRequest(key_id="key", digest=b"d", content=b"c", usage_id="first", changed_at=1.0)


@given(st.binary(max_size=300))
def test_a_key_is_one_to_255_printable_characters(key: bytes):
    if 1 <= len(key) <= 255 and all(0x20 <= byte <= 0x7E for byte in key):
        assert len(key_digest(key)) == 32
    else:
        with pytest.raises(InvalidIdempotencyKeyError) as caught:
            key_digest(key)
        assert (caught.value.code, caught.value.param) == ("invalid_parameter", "Idempotency-Key")


@pytest.mark.parametrize("length", [1, 255])
def test_each_key_has_a_digest_of_its_own(length: int):
    assert key_digest(b"a" * length) != key_digest(b"b" * length)
    assert key_digest(b"a" * length) == key_digest(b"a" * length)


@given(st.lists(st.binary(max_size=3), max_size=4), st.lists(st.binary(max_size=3), max_size=4))
def test_contents_are_the_same_only_part_by_part(one: list[bytes], other: list[bytes]):
    assert (content_digest(*one) == content_digest(*other)) is (one == other)


def test_parts_do_not_run_into_each_other():
    assert content_digest(b"POST", b"ab", b"c") != content_digest(b"POST", b"a", b"bc")


def test_what_a_taken_key_means():
    assert standing_of(ROW, CLAIM) is Standing.RUNNING
    assert standing_of(replace(ROW, is_done=True), CLAIM) is Standing.DONE
    for row in (ROW, replace(ROW, is_done=True)):
        assert standing_of(replace(row, content=b"x"), CLAIM) is Standing.OTHER
    assert standing_of(replace(ROW, usage_id="second"), CLAIM) is Standing.NEW, "nobody told that the commit happened"
