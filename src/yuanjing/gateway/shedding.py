"""How many requests may be in work at once: fewer while the event loop lags behind.

What is let in although the loop cannot keep up makes all wait, and none of it is done sooner. So the number follows the
loop's lag: down by a tenth or more for each look while it is too long, up again by a tenth when it is not. What is not
let in is refused before its body is read as JSON, which costs a fraction of serving it.

A lag that comes and goes is work in bursts, which a loop is there for; one that stays is a queue that only grows
("CoDel"). So a few looks in a row have to find it before anything is refused, and they are frequent: who is refused
waits for the lag as well.
"""

LOOK_SECONDS = 0.025
"""Between two looks, so that a few of them are soon over."""
_FEWER_MIN, _FEWER, _MORE = 0.7, 0.9, 1.1
_LOOKS = 4
"""A pause of the system, a large request or a burst is no overload."""


class Shedder:
    """The limit of one process.

    Attributes:
        most: so many may be in work now.
    """

    __slots__ = ("_lag_seconds", "_lags", "_least", "_limit", "most")

    def __init__(self, *, most: int, least: int, lag_seconds: float) -> None:
        self.most = self._limit = most
        self._least = min(least, most)
        self._lag_seconds = lag_seconds
        self._lags = 0

    @property
    def is_shedding(self) -> bool:
        """Whether fewer are let in than there may be."""
        return self.most < self._limit

    def look(self, lag_seconds: float, in_work: int) -> None:
        """How late the loop came to look, and how many requests are in work."""
        if lag_seconds < self._lag_seconds:
            self._lags = 0
            if self.most < self._limit:
                self.most = min(self._limit, int(self.most * _MORE) + 1)
            return
        self._lags += 1
        if self._lags >= _LOOKS or self.is_shedding:
            factor = max(_FEWER_MIN, min(_FEWER, self._lag_seconds / lag_seconds))
            self.most = max(self._least, int(min(self.most, in_work) * factor))
