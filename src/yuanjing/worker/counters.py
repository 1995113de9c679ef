"""Plain numbers that the worker raises and the metrics collector reads."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from yuanjing.domain.money import Book
from yuanjing.ports.store import HoldSum


@dataclass(kw_only=True, slots=True)
class WorkerCounters:
    """What this worker has done since its start, and what it last saw.

    Attributes:
        rows_posted: usage rows posted.
        rows_late: those of them whose lease was closed, or did not cover them.
        late_shortfall_nanos: what of those could not be collected.
        take_overs: lives of nodes ended by this worker.
        spool_failures: attempts to post, to take over or to finish one spool that failed; the others went on.
        spools_removed: spool files finished and deleted.
        holds_expired: holds released because their time was over.
        promotions_expired: collections of promotion money whose time was over.
        signals_pruned: old signals deleted.
        passes: completed passes by loop.
        failures: passes that failed by loop, those without a store included.
        pass_seconds: how long the last pass took by loop.
        spool_depth: rows in this machine's spools that were not posted at the last look.
        spool_age_seconds: how long ago the oldest of them ended; 0 if there is none.
        holds: the open holds of the whole platform at the last look.
    """

    rows_posted: int = 0
    rows_late: int = 0
    late_shortfall_nanos: int = 0
    take_overs: int = 0
    spool_failures: int = 0
    spools_removed: int = 0
    holds_expired: int = 0
    promotions_expired: int = 0
    signals_pruned: int = 0
    passes: Counter[str] = field(default_factory=Counter[str])
    failures: Counter[str] = field(default_factory=Counter[str])
    pass_seconds: dict[str, float] = field(default_factory=dict[str, float])
    spool_depth: int = 0
    spool_age_seconds: float = 0.0
    holds: Mapping[Book, HoldSum] = field(default_factory=dict[Book, HoldSum])
