"""The kinds of values that settings have."""

import ipaddress
import re
from typing import Annotated

from pydantic import BeforeValidator, Field

KIB, MIB = 1024, 1024 * 1024

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]
Size = Annotated[int, Field(ge=1024, le=2**40)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Days = Annotated[int, Field(ge=1, le=3650)]


def _split(value: object) -> object:
    return tuple(filter(None, re.split(r"[\s,]+", value))) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_split)]
"""Written with commas between."""


def check_networks(value: tuple[str, ...]) -> tuple[str, ...]:
    """Networks such as `10.0.0.0/8`.

    Raises:
        ValueError: one of them is none.
    """
    for network in value:
        ipaddress.ip_network(network)
    return value
