import pytest

from yuanjing.adapters.memory import MemoryStore
from yuanjing.kit.clock import ManualClock
from yuanjing.kit.secretbox import SecretBox
from yuanjing.usecases.catalog import import_catalog
from yuanjing.usecases.catalog_documents import shipped_documents

PEPPER = b"p" * 32


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def store(clock):
    return MemoryStore(clock=clock)


@pytest.fixture
def box():
    return SecretBox([b"k" * 32])


@pytest.fixture
def pepper():
    return PEPPER


@pytest.fixture
async def catalog_store(store, clock):
    """A store with the shipped catalogue."""
    await import_catalog(store, clock, shipped_documents())
    return store


@pytest.fixture
def signals(store):
    """The signals so far, as (topic, subject)."""

    async def read():
        found = await store.read(lambda tx: tx.signals.since(0, 1000))
        return [(signal.topic, signal.subject) for signal in found]

    return read
