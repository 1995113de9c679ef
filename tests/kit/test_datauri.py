"""Files written as text: whatever the pieces in which they are read."""

import base64
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuanjing.kit.datauri import read_data_uri

MIB = 2**20


@given(
    data=st.binary(max_size=64),
    piece=st.integers(1, 20),
    is_urlsafe=st.booleans(),
    is_padded=st.booleans(),
    width=st.integers(1, 80),
    head=st.sampled_from(["", "data:;base64,", "DATA:image/png;charset=x;BASE64,"]),
)
def test_every_way_to_write_base64_is_read(
    *, data: bytes, piece: int, is_urlsafe: bool, is_padded: bool, width: int, head: str
):
    text = (base64.urlsafe_b64encode if is_urlsafe else base64.b64encode)(data).decode()
    text = text if is_padded else text.rstrip("=")
    text = "\r\n".join(text[i : i + width] for i in range(0, len(text), width))
    assert read_data_uri(f"{head}{text}\n", piece_characters=piece) == data


@pytest.mark.parametrize(
    "text", ["not base64!", "data:image/jpeg;base64", "data:;base64,@@@@", "图", "a", "ab=c", "ab==cdef"]
)
@pytest.mark.parametrize("piece", [1, 2, 3, 4, 1000])
def test_other_texts_are_refused(text: str, piece: int):
    with pytest.raises(ValueError):  # noqa: PT011  # each text has its own words
        read_data_uri(text, piece_characters=piece)


def test_what_is_not_base64_is_unescaped():
    assert read_data_uri("data:text/plain,a%20b,c") == b"a b,c"


def test_a_large_picture_is_in_memory_once():
    text = "data:image/png;base64," + "A" * (16 * MIB)
    tracemalloc.start()
    try:
        assert len(read_data_uri(text)) == 12 * MIB
        assert tracemalloc.get_traced_memory()[1] < 22 * MIB, "the file and what is grown for it, no copy of the text"
    finally:
        tracemalloc.stop()
