"""Amounts: nano-yuan here, yuan with two decimals there; exact in both directions."""

import re

from yuanjing.domain.topups import FEN_NANOS

FEN_MIN, FEN_MAX = 1, 10_000_000_000
"""0.01 to 100,000,000.00 yuan (https://opendocs.alipay.com/open/028r8t)."""

_FEN_PER_YUAN = 100
_YUAN = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,2}))?")


def to_yuan(amount_nanos: int) -> str:
    """The amount in yuan with two decimals.

    Raises:
        ValueError: it is not whole fen, or more or less than Alipay moves.
    """
    fen, rest = divmod(amount_nanos, FEN_NANOS)
    if rest or not FEN_MIN <= fen <= FEN_MAX:
        raise ValueError("Alipay moves whole fen, from 0.01 to 100,000,000 CNY")
    return f"{fen // _FEN_PER_YUAN}.{fen % _FEN_PER_YUAN:02}"


def from_yuan(text: str) -> int:
    """The amount in nano-yuan; it may be negative, as in bills.

    Raises:
        ValueError: it is not an amount in yuan with at most two decimals.
    """
    found = _YUAN.fullmatch(text)
    if found is None:
        raise ValueError("not an amount")
    sign, yuan, fen = found.groups(default="")
    amount_nanos = (int(yuan) * _FEN_PER_YUAN + int(fen.ljust(2, "0"))) * FEN_NANOS
    return -amount_nanos if sign else amount_nanos
