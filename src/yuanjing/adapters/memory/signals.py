"""Signals in memory."""

from yuanjing.adapters.memory.journal import Journal
from yuanjing.ports.store import Signal, Topic


class MemorySignals:
    """See `yuanjing.ports.store.SignalTable`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._signals: list[Signal] = []

    def emit(self, topic: Topic, subject: str, at: float) -> None:
        """See the port."""
        signal = Signal(seq=self.last_seq() + 1, topic=topic, subject=subject, at=at)
        self._journal.append(self._signals, signal)

    def since(self, seq: int, limit: int) -> list[Signal]:
        """See the port."""
        return [signal for signal in self._signals if signal.seq > seq][:limit]

    def last_seq(self) -> int:
        """See the port."""
        return self._signals[-1].seq if self._signals else 0

    def prune(self, before: float) -> int:
        """See the port."""
        last = self.last_seq()
        kept = [signal for signal in self._signals if signal.at >= before or signal.seq == last]
        removed = len(self._signals) - len(kept)
        self._journal.replace_all(self._signals, kept)
        return removed
