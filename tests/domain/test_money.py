from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuanjing.domain.errors import InvalidAmountError
from yuanjing.domain.money import AMOUNT_NANOS_MAX, NANOS_PER_YUAN, format_amount, parse_amount


@given(st.integers(min_value=0, max_value=AMOUNT_NANOS_MAX))
def test_what_is_written_is_read_back(nanos):
    assert parse_amount(format_amount(nanos)) == nanos


@given(st.integers(min_value=-AMOUNT_NANOS_MAX, max_value=AMOUNT_NANOS_MAX))
def test_an_amount_is_written_exactly(nanos):
    text = format_amount(nanos)
    assert Fraction(text) == Fraction(nanos, NANOS_PER_YUAN)
    assert len(text.partition(".")[2]) >= 2
    assert text == "0.00" or not (text.endswith("0") and len(text.partition(".")[2]) > 2)


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("0", 0),
        ("10", 10 * NANOS_PER_YUAN),
        ("0.5", 500_000_000),
        ("12.345678901", 12_345_678_901),
        (" 1.00 ", NANOS_PER_YUAN),
        ("0000000001", NANOS_PER_YUAN),
        ("1000000000", AMOUNT_NANOS_MAX),
        ("1".zfill(19), NANOS_PER_YUAN),
    ],
)
def test_amounts_are_read(text, nanos):
    assert parse_amount(text) == nanos


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "1.", ".5", "-1", "+1", "1e3", "1,000", "0x1", "1.0000000001", "1 0", "NaN", "inf", "1_0"),
        *("\uff11", "1.\uff15", "1000000000.000000001", "9" * 5000, "1".zfill(20), "1.-5", "1.2.3"),
    ],
)
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(InvalidAmountError) as caught:
        parse_amount(text)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("nanos", "text"),
    [
        (0, "0.00"),
        (1, "0.000000001"),
        (-1, "-0.000000001"),
        (10**7 - 1, "0.009999999"),
        (10**7, "0.01"),
        (-(10**9), "-1.00"),
    ],
)
def test_amounts_at_the_edges_are_written(nanos, text):
    assert format_amount(nanos) == text


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    try:
        nanos = parse_amount(text)
    except InvalidAmountError:
        return
    assert 0 <= nanos <= AMOUNT_NANOS_MAX
    assert Fraction(text.strip()) == Fraction(nanos, NANOS_PER_YUAN)
