"""Telling customers that their balance is low: once each time it falls below their line, and once a day at most."""

from dataclasses import dataclass, replace

DAY_SECONDS = 86_400.0
CLAIM_SECONDS = 600.0
"""Whoever has claimed a notice and does not say within this time that it went out has crashed: it is sent again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BalanceAlert:
    """A customer's line, and what was told. Times are Unix seconds.

    Attributes:
        below_nanos: a notice is wanted when less than this is owned in the live book; None if none is wanted.
        is_armed: the balance has been at the line or above since the last notice, or the line is new.
        claimed_at: since then someone is sending a notice.
        told_at: when the last notice went out.
    """

    customer_id: str
    below_nanos: int | None = None
    is_armed: bool = True
    claimed_at: float | None = None
    told_at: float | None = None

    def __post_init__(self) -> None:
        assert self.below_nanos is None or self.below_nanos > 0, self

    def drawn(self, below_nanos: int | None) -> "BalanceAlert":
        """With another line, which is armed; the same line changes nothing. When the last notice was stays known."""
        if below_nanos == self.below_nanos:
            return self
        return replace(self, below_nanos=below_nanos, is_armed=True, claimed_at=None)

    def is_due(self, owned_nanos: int, at: float) -> bool:
        """Whether a notice is to be sent now."""
        is_free = self.claimed_at is None or at >= self.claimed_at + CLAIM_SECONDS
        is_quiet = self.told_at is None or at >= self.told_at + DAY_SECONDS
        return self._is_below(owned_nanos) and self.is_armed and is_free and is_quiet

    def is_to_arm(self, owned_nanos: int) -> bool:
        """Whether the balance is back at the line, so that the next fall is worth a notice."""
        return self.below_nanos is not None and not self.is_armed and not self._is_below(owned_nanos)

    def armed(self) -> "BalanceAlert":
        """After `is_to_arm`."""
        return replace(self, is_armed=True)

    def claimed(self, at: float) -> "BalanceAlert":
        """Someone is about to send a notice."""
        return replace(self, claimed_at=at)

    def told(self, at: float) -> "BalanceAlert":
        """It went out, or cannot go out to this number; a line that was drawn anew meanwhile waits for tomorrow."""
        return replace(self, is_armed=False, claimed_at=None, told_at=at)

    def _is_below(self, owned_nanos: int) -> bool:
        return self.below_nanos is not None and owned_nanos < self.below_nanos
