"""The application over a store in memory, and a client of it."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from tests.edge.platform import Platform, make_platform


@pytest.fixture
async def platform() -> Platform:
    return await make_platform()


@pytest.fixture
async def client(platform: Platform) -> AsyncIterator[httpx2.AsyncClient]:
    async with platform.client() as made:
        yield made
