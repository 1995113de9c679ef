"""The application over a store in memory, and a client of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from tests.edge.platform import Platform, open_platform

from yuanjing.adapters.artifacts.scratch import Scratch


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    async with open_platform(tmp_path) as made:
        assert isinstance(made.parts.forms.scratch, Scratch)
        with made.parts.forms.scratch:
            yield made


@pytest.fixture
async def client(platform: Platform) -> AsyncIterator[httpx2.AsyncClient]:
    async with platform.client() as made:
        yield made
