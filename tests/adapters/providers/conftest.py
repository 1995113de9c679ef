"""A provider to talk to, and the three protocols that can."""

import pytest
from tests.adapters.providers import wire

from yuanjing.ports.upstream import VideoUpstream


@pytest.fixture
async def provider():
    async with wire.provider_running() as running:
        yield running


@pytest.fixture
async def web():
    async with wire.caller() as caller:
        yield caller


@pytest.fixture(params=sorted(wire.PROTOCOLS))
def protocol(request):
    return request.param


@pytest.fixture
def upstream(protocol, web) -> VideoUpstream:
    return wire.PROTOCOLS[protocol](web)


@pytest.fixture
async def impatient(protocol):
    async with wire.caller(wire.IMPATIENT) as caller:
        yield wire.PROTOCOLS[protocol](caller)
