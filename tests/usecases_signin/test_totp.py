"""One-time passwords against the vectors of RFC 4226 and RFC 6238."""

import pytest

from yuanjing.usecases.signin import totp

SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("counter", "expected"),
    list(
        enumerate(["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"])
    ),
)
def test_the_vectors_of_rfc_4226(counter: int, expected: str) -> None:
    assert totp.one_time_password(SECRET, counter) == expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"),
        (2000000000, "279037"), (20000000000, "353130"),
    ],
)  # fmt: skip
def test_the_vectors_of_rfc_6238(at: float, expected: str) -> None:
    """Those of SHA-1, whose last six digits are ours."""
    assert totp.matching_step(SECRET, expected, at, 0) == at // 30


def test_a_clock_may_be_wrong_by_one_step() -> None:
    given = totp.one_time_password(SECRET, 1000)
    found = [totp.matching_step(SECRET, given, step * 30 + 29, 0) for step in (998, 999, 1000, 1001, 1002)]
    assert found == [None, 1000, 1000, 1000, None]


def test_a_password_counts_once_and_no_older_one_after_it() -> None:
    older, given = (totp.one_time_password(SECRET, step) for step in (999, 1000))
    assert totp.matching_step(SECRET, given, 30_000, 999) == 1000
    assert totp.matching_step(SECRET, given, 30_000, 1000) is None
    assert totp.matching_step(SECRET, older, 30_000, 1000) is None


@pytest.mark.parametrize("given", ["", "12345", "1234567", "abcdef", "\uff11\uff12\uff13\uff14\uff15\uff16", "12345\n"])
def test_what_is_no_password(given: str) -> None:
    assert totp.matching_step(SECRET, given, 59, 0) is None


def test_what_an_authenticator_is_given() -> None:
    uri = totp.key_uri(SECRET, issuer="Yuan jing", account="+8613912345678")
    assert uri == (
        "otpauth://totp/Yuan%20jing:%2B8613912345678?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Yuan%20jing"
    )
    assert len(totp.new_secret()) == 20
    assert totp.new_secret() != totp.new_secret()
