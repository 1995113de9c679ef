import pytest
from tests.support.money import FlakyStore, World

from yuanjing.adapters.memory import MemoryStore
from yuanjing.adapters.memory.spool import MemorySpoolFolder
from yuanjing.kit.clock import ManualClock


@pytest.fixture
def world() -> World:
    clock = ManualClock()
    return World(store=FlakyStore(MemoryStore(clock=clock)), spools=MemorySpoolFolder(), clock=clock)
