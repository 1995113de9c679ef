"""The application over a store in memory, and a browser with our page in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.edge.platform import Platform, open_platform
from tests.support.signin import Browser


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    async with open_platform(tmp_path) as made:
        yield made


@pytest.fixture
async def browser(platform: Platform) -> AsyncIterator[Browser]:
    made = platform.browser()
    async with made.client:
        yield made
