"""What customers see and change of themselves, from the settings."""

from yuanjing.domain.money import parse_amount
from yuanjing.settings import Settings
from yuanjing.usecases.account import AccountPolicy


def account_policy(settings: Settings) -> AccountPolicy:
    """Its limits."""
    return AccountPolicy(
        keys_max=settings.keys_per_customer_max,
        test_grant_nanos=parse_amount(settings.welcome_test_grant),
        test_grants_per_day_max=settings.test_grants_per_day_max,
        export_rows_max=settings.entries_export_rows_max,
    )
