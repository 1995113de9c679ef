import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuanjing.kit.secretbox import SecretBox, SecretBoxError, key_id_of

OLD, NEW = b"o" * 32, b"n" * 32


@given(st.binary(max_size=300), st.binary(max_size=60))
def test_what_is_sealed_opens_again(plain, context):
    box = SecretBox([NEW])
    assert box.open(box.seal(plain, context), context) == plain


def test_the_same_secret_looks_different_each_time_and_shows_nothing():
    box = SecretBox([NEW])
    first, second = (box.seal(b"sk-very-secret", b"row") for _ in range(2))
    assert first != second
    assert b"secret" not in first


def test_any_changed_byte_is_refused():
    box = SecretBox([NEW])
    sealed = box.seal(b"sk-1", b"row 1")
    for place in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[place] ^= 1
        with pytest.raises(SecretBoxError):
            box.open(bytes(damaged), b"row 1")
    for length in range(len(sealed)):
        with pytest.raises(SecretBoxError):
            box.open(sealed[:length], b"row 1")


def test_a_secret_copied_to_another_row_does_not_open():
    box = SecretBox([NEW])
    with pytest.raises(SecretBoxError, match="another place"):
        box.open(box.seal(b"sk-1", b"row 1"), b"row 2")


def test_keys_rotate():
    sealed = SecretBox([OLD]).seal(b"sk-1", b"row")
    both = SecretBox([NEW, OLD])
    assert both.open(sealed, b"row") == b"sk-1"
    assert not both.is_current(sealed)
    moved = both.seal(both.open(sealed, b"row"), b"row")
    assert both.is_current(moved)
    assert SecretBox([NEW]).open(moved, b"row") == b"sk-1"
    with pytest.raises(SecretBoxError, match="not configured"):
        SecretBox([NEW]).open(sealed, b"row")


def test_keys_that_change_are_asked_for_before_sealing_and_when_one_is_not_known():
    keys, asked = [OLD], []

    def reread():
        asked.append(1)
        return keys

    box = SecretBox([OLD], reread=reread)
    old = box.seal(b"sk-1", b"row")
    keys = [NEW, OLD]
    new = SecretBox([NEW]).seal(b"sk-2", b"row")
    assert (box.open(old, b"row"), len(asked)) == (b"sk-1", 1), "a known key is not asked for"
    assert box.open(new, b"row") == b"sk-2"
    assert box.is_current(box.seal(b"sk-3", b"row"))
    assert box.key_ids == (key_id_of(new), key_id_of(old))
    keys = [NEW]
    assert box.key_ids == (key_id_of(new),)
    with pytest.raises(SecretBoxError, match="not configured"):
        box.open(old, b"row")


def test_nothing_is_sealed_when_the_keys_of_now_cannot_be_read():
    def reread():
        raise OSError("gone")

    box = SecretBox([OLD], reread=reread)
    sealed = SecretBox([OLD]).seal(b"sk-1", b"row")
    assert box.open(sealed, b"row") == b"sk-1"
    with pytest.raises(SecretBoxError, match="cannot be read again: gone"):
        box.seal(b"sk-1", b"row")
    with pytest.raises(SecretBoxError, match="cannot be read again"):
        box.open(SecretBox([NEW]).seal(b"sk-1", b"row"), b"row")


def test_what_is_no_sealed_secret_has_no_key():
    assert key_id_of(b"") == key_id_of(b"\x02" + bytes(100)) == ""


@pytest.mark.parametrize("keys", [[], [b"short"], [NEW, secrets.token_bytes(33)]])
def test_wrong_keys_are_refused(keys):
    with pytest.raises(ValueError, match="32 bytes"):
        SecretBox(keys)
