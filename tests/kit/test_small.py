import hashlib
import hmac

import pytest

from yuanjing.kit.digest import is_same_digest, keyed_digest
from yuanjing.kit.mobiles import parse_mobile


def test_the_digest_is_hmac_sha256_of_the_text():
    assert keyed_digest(b"p", "é") == hmac.new(b"p", "é".encode(), hashlib.sha256).digest()
    assert keyed_digest(b"p", "x") != keyed_digest(b"q", "x")
    assert is_same_digest(keyed_digest(b"p", "x"), keyed_digest(b"p", b"x"))
    with pytest.raises(ValueError, match="pepper"):
        keyed_digest(b"", "x")


@pytest.mark.parametrize("text", ["13800138000", "+86 138 0013 8000", "0086-13800138000", "138-0013-8000"])
def test_one_number_has_one_form(text):
    assert parse_mobile(text) == "+8613800138000"


def test_numbers_of_other_countries_need_their_code():
    assert parse_mobile("+1 650 253 0000") == "+16502530000"


@pytest.mark.parametrize("text", ["", "abc", "123", "010-62551111", "+8699999999999", "1" * 100])
def test_what_no_mobile_phone_has_is_refused_without_repeating_it(text):
    with pytest.raises(ValueError, match=r"number") as error:
        parse_mobile(text)
    assert not text or text not in str(error.value)
