"""What the task engine is told by its settings."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoOptions:
    """How the engine works; times are seconds.

    Attributes:
        owner: names this worker in claims, for people.
        claim_seconds: how long a claim lasts; after that a dead worker's tasks go on elsewhere. It is renewed three
            times as often.
        look_seconds: the pause between two looks for work when there was none.
        look_seconds_min: the shortest pause, when there is known to be some.
        refresh_seconds: how old the catalogue, the channels and the number of workers may get.
        submits_max: submissions under way at once in this process, their uploads included.
        calls_max: other calls to providers under way at once.
        polls_max: tasks that are being asked for at once.
        poll_batch: how many tasks one look takes to be asked for.
        lost_max: lost submissions that are looked for at once.
        copies_max: results that are copied at once.
        wait_seconds: how long a task waits for a provider to take it; then it has failed.
        ahead_seconds_max: how far ahead a task may be to be looked at again; what is later was written by a wrong clock
            and is looked at now. Once a minute it is seen to.
        retry_seconds_max: the longest pause between two attempts, unless the provider asks for a longer one.
        avoid_seconds: how long a channel with trouble of our own account, or a model of it, is left alone at first; it
            doubles up to `avoid_seconds_max`. So does the pause of a task that was refused everywhere.
        call_seconds: the longest that one submission can take.
        unseen_answers: how often in a row a provider must not know a task before we believe it.
        copy_seconds: how long after its end a result is tried to be copied, at most.
        stop_seconds: how long work under way may take when the worker is stopped.
    """

    owner: str
    claim_seconds: float = 30.0
    look_seconds: float = 0.25
    look_seconds_min: float = 0.05
    refresh_seconds: float = 5.0
    submits_max: int = 32
    calls_max: int = 32
    polls_max: int = 2000
    poll_batch: int = 500
    lost_max: int = 50
    copies_max: int = 16
    wait_seconds: float = 14_400.0
    ahead_seconds_max: float = 900.0
    retry_seconds_max: float = 60.0
    avoid_seconds: float = 30.0
    avoid_seconds_max: float = 600.0
    call_seconds: float = 90.0
    unseen_answers: int = 3
    copy_seconds: float = 7200.0
    stop_seconds: float = 8.0
