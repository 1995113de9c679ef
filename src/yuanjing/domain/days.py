"""Days as customers in China count them: of UTC+8, which has no daylight saving time."""

import datetime as dt

ZONE = dt.timezone(dt.timedelta(hours=8))
_ZONE_SECONDS, _DAY_SECONDS = 8 * 3600, 86_400
_EPOCH = dt.date(1970, 1, 1)


def day_of(at: float) -> int:
    """The day of UTC+8 that this Unix time is in, counted from 1970-01-01."""
    return int((at + _ZONE_SECONDS) // _DAY_SECONDS)


def start_of(day: int) -> float:
    """When the day began, in Unix seconds."""
    return float(day * _DAY_SECONDS - _ZONE_SECONDS)


def number_of(date: dt.date) -> int:
    """The day of a date."""
    return (date - _EPOCH).days


def date_of(day: int) -> dt.date:
    """The date of a day."""
    return _EPOCH + dt.timedelta(days=day)
