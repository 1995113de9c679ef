"""Money: integers of nano-yuan (1 CNY = 10⁹), decimal strings at the edge, never a binary fraction."""

from enum import StrEnum

from yuanjing.domain.errors import InvalidAmountError

NANOS_PER_YUAN = 1_000_000_000
AMOUNT_NANOS_MAX = 10**18
"""The largest single amount, one thousand million CNY; it keeps every sum inside a signed 64-bit column."""

_SCALE_DIGITS = 9
_CENT_NANOS = NANOS_PER_YUAN // 100


class Book(StrEnum):
    """Which of the two ledgers: real money, or the play money of `test` keys."""

    LIVE = "live"
    TEST = "test"


def parse_amount(text: str) -> int:
    """Read a decimal amount of CNY such as `10`, `0.5` or `12.345678901` into nano-yuan.

    Raises:
        InvalidAmountError: not a plain decimal, more than nine decimals, negative, or too large.
    """
    whole, _, fraction = text.strip().partition(".")
    is_plain = whole.isascii() and whole.isdigit() and (not fraction or (fraction.isascii() and fraction.isdigit()))
    if not is_plain or len(fraction) > _SCALE_DIGITS or (text.strip().endswith(".")):
        raise InvalidAmountError(text)
    if len(whole) > len(str(AMOUNT_NANOS_MAX)):
        raise InvalidAmountError(text)
    nanos = int(whole) * NANOS_PER_YUAN + int(fraction.ljust(_SCALE_DIGITS, "0") or "0")
    if nanos > AMOUNT_NANOS_MAX:
        raise InvalidAmountError(text)
    return nanos


def format_amount(nanos: int) -> str:
    """Write nano-yuan as a decimal string: exact, at least two decimals, no needless zeros (`0.0008672`, `10.00`)."""
    if 0 <= nanos < _CENT_NANOS:  # most charges: below a fen, so there are more than two decimals, or none
        return f"0.{nanos:09d}".rstrip("0") if nanos else "0.00"
    sign = "-" if nanos < 0 else ""
    whole, fraction = divmod(abs(nanos), NANOS_PER_YUAN)
    digits = f"{fraction:0{_SCALE_DIGITS}d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole}.{digits}"
