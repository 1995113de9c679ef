"""The settings of promotion money and redeem codes."""

from pydantic import BaseModel

from yuanjing.settings.kinds import Count


class PromotionSettings(BaseModel):
    """A part of `Settings`."""

    redeem_failures_per_hour: Count = 10
    """Redeem codes that do not count, of one customer within an hour, in each gateway process."""
    redeem_failures_per_address_hour: Count = 100
    """The same of one IP address, behind which there may be many customers; a code has 65 bits."""
