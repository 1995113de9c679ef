"""The settings of what customers look up."""

from typing import Annotated

from pydantic import BaseModel, Field

from yuanjing.settings.kinds import Count, Seconds


class ConsoleSettings(BaseModel):
    """A part of `Settings`."""

    keys_per_customer_max: Annotated[int, Field(ge=1, le=10_000)] = 100
    """API keys of one customer that are not revoked; those made within the last day count also if they are."""
    test_grants_per_day_max: Annotated[int, Field(ge=0, le=1000)] = 10
    """How often a day of UTC+8 a customer may fill the test book up to `YUANJING_WELCOME_TEST_GRANT` again."""
    low_balance_check_seconds: Seconds = 60.0
    """How often the worker looks for customers whose balance is below the line that they have drawn."""
    usage_days_max: Annotated[int, Field(ge=1, le=3_660)] = 366
    """How many days of usage a customer may have added up at once."""
    entries_export_rows_max: Count = 1_000_000
    """The most ledger entries in one file that a customer takes away, a month's statement included."""
    usage_export_rows_max: Count = 1_000_000
    """The most usage records in one file that a customer takes away."""
