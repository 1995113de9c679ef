"""What customers redeem codes with, from the settings."""

from yuanjing.bootstrap.services import Services
from yuanjing.domain.signin import HOUR
from yuanjing.usecases.redemptions import Redemptions
from yuanjing.usecases.signin.failures import AddressFailures


def make_redemptions(services: Services) -> Redemptions:
    """What redeeming needs."""
    settings = services.settings

    def failures(most: int) -> AddressFailures:
        return AddressFailures(services.clock, failures_max=most, window_seconds=HOUR)

    return Redemptions(
        store=services.store,
        clock=services.clock,
        pepper=services.pepper,
        of_customers=failures(settings.redeem_failures_per_hour),
        of_addresses=failures(settings.redeem_failures_per_address_hour),
    )
