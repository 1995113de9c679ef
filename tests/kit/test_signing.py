import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from yuanjing.kit.signing import SigningKey, from_base64url, is_signed_by, key_id, to_base64url

SEED = bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")
PUBLIC = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
SIGNATURE = bytes.fromhex(
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
)


def test_the_rfcs_vector():
    """RFC 8032, 7.1, test 3."""
    key = SigningKey(SEED)
    assert key.public_key == PUBLIC
    assert key.sign(b"\xaf\x82") == SIGNATURE
    assert is_signed_by(PUBLIC, SIGNATURE, b"\xaf\x82")
    assert not is_signed_by(PUBLIC, SIGNATURE, b"\xaf\x83")
    assert not is_signed_by(SigningKey(bytes(32)).public_key, SIGNATURE, b"\xaf\x82")
    Ed25519PublicKey.from_public_bytes(key.public_key).verify(SIGNATURE, b"\xaf\x82")
    assert key.id == key_id(PUBLIC)
    assert key.id.startswith("rk_")
    assert SEED.hex() not in repr(key)


@given(st.binary(min_size=0, max_size=70))
def test_bytes_are_written_and_read(data):
    assert from_base64url(to_base64url(data), len(data)) == data


@pytest.mark.parametrize("text", ["AB", "AA=", "A+", "A/", "A A", "AAé", "A", "AAAA"])
def test_each_has_one_way_to_be_written(text):
    with pytest.raises(ValueError, match=r"base64|bytes"):
        from_base64url(text, 1)
