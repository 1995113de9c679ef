"""Times at Alipay: of one zone, to the second."""

import datetime as dt
from typing import Final

BEIJING: Final = dt.timezone(dt.timedelta(hours=8))
"""The zone of all times at Alipay."""

_FORM = "%Y-%m-%d %H:%M:%S"


def to_beijing(unix: float) -> str:
    """A time as Alipay writes it."""
    return dt.datetime.fromtimestamp(unix, BEIJING).strftime(_FORM)


def from_beijing(text: object) -> float | None:
    """Unix time; None if it is no time as Alipay writes them."""
    try:
        return dt.datetime.strptime(str(text), _FORM).replace(tzinfo=BEIJING).timestamp()
    except ValueError:
        return None
