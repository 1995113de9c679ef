"""What the worker is told by its settings."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerOptions:
    """How often the worker looks, and how long it waits.

    Attributes:
        machine: the machine whose spools this worker posts.
        post_seconds: the longest pause between two looks into the spools; a full batch is followed by the next at once.
        post_batch_rows: how many rows one transaction posts at most.
        observe_seconds: the pause between two looks at the nodes; at most a second, or silence is noticed late.
        silent_seconds: a node is dead after this time of observed silence.
        expire_seconds: the pause between two looks for expired holds, and for expired promotion money.
        expire_patience_seconds: for how long a hold must have been seen expired before it is released; longer than
            posting takes, and than `expire_seconds`.
        lease_ttl_seconds: for how long a living owner's lease is renewed.
        prune_seconds: the pause between two prunings of signals.
        signal_keep_seconds: how old signals get.
        backoff_max_seconds: the longest pause after failures.
        stop_seconds: how long the last posting at the end may take.
    """

    machine: str
    post_seconds: float = 0.1
    post_batch_rows: int = 2000
    observe_seconds: float = 1.0
    silent_seconds: float = 15.0
    expire_seconds: float = 10.0
    expire_patience_seconds: float = 60.0
    lease_ttl_seconds: int = 900
    prune_seconds: float = 60.0
    signal_keep_seconds: float = 600.0
    backoff_max_seconds: float = 10.0
    stop_seconds: float = 5.0
