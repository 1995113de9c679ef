"""An installation with a simulated Alipay of its own."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tests.support.alipay_fixtures import fresh
from tests.support.shop import Shop, open_shop

__all__ = ["fresh"]


@pytest.fixture
def box(fresh):
    """Its clock is put forward."""
    return fresh()


@pytest.fixture
async def shop(box, tmp_path: Path) -> AsyncGenerator[Shop]:
    async with open_shop(box, tmp_path) as made:
        yield made
