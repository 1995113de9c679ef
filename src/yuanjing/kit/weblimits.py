"""What a call to another service may take."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class CallLimits:
    """What a call may take.

    Attributes:
        connect_seconds: until there is a connection, its encryption included.
        pool_seconds: until a connection of the pool is free.
        write_seconds: between two steps of sending.
        read_seconds: between two pieces of the answer, and until its first.
        total_seconds: from the beginning to the end. More than the first two together, so that it never ends a call
            of which nothing was sent.
        answer_bytes_max: larger answers are not read on.
        connections_max: open at the same time.
        keep_alive_seconds: how long an idle connection is kept for the next call. Less than servers keep theirs (five
            seconds is the least that is common), for one that is just being closed costs a submission its certainty.
    """

    connect_seconds: float = 5.0
    pool_seconds: float = 10.0
    write_seconds: float = 30.0
    read_seconds: float = 30.0
    total_seconds: float = 90.0
    answer_bytes_max: int = 4 * 1024 * 1024
    connections_max: int = 64
    keep_alive_seconds: float = 4.0

    def __post_init__(self) -> None:
        assert self.total_seconds > self.connect_seconds + self.pool_seconds, self
