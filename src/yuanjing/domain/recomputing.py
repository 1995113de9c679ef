"""A charge done again, from what its usage record keeps."""

from collections.abc import Mapping

from yuanjing.domain.pricing import Charge, ChatPrice, charge_nanos, explain
from yuanjing.domain.tasks import VideoMeter
from yuanjing.domain.usage import COUNT_MAX, UsageRecord, chat_usage
from yuanjing.domain.video_pricing import (
    NoRateError,
    OfferPrice,
    VideoCharge,
    conditions_from_text,
    explain_video,
)


def charge_again(record: UsageRecord, price: OfferPrice) -> Charge | VideoCharge:
    """What the price makes of the record's meters.

    Raises:
        ValueError, AssertionError: the record is not what it was when it was made.
    """
    if isinstance(price, ChatPrice):
        return explain(price, chat_usage(record.meters))
    try:
        return explain_video(price, conditions_from_text(record.extra), video_meters(record.meters))
    except NoRateError as error:
        raise ValueError(error.message) from error


def nanos_again(record: UsageRecord, price: OfferPrice) -> int:
    """The total of `charge_again`; of chat by the fast way, since there are many records.

    Raises:
        ValueError, AssertionError: see there.
    """
    if isinstance(price, ChatPrice):
        return charge_nanos(price, chat_usage(record.meters))
    return charge_again(record, price).total_nanos


def video_meters(counts: Mapping[str, int]) -> dict[VideoMeter, int]:
    """A record's counts by meter.

    Raises:
        ValueError: there is no such meter, or a count is impossible.
    """
    meters = {VideoMeter(name): count for name, count in counts.items()}
    if any(not 0 <= count <= COUNT_MAX for count in meters.values()):
        raise ValueError("a count is impossible")
    return meters
