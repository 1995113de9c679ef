"""The store in memory: the twin of the SQL store for tests and simulations, held to the same contract."""

from yuanjing.adapters.memory.store import MemoryStore

__all__ = ["MemoryStore"]
