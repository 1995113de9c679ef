"""Holds, and how large a lease is."""

from dataclasses import dataclass, replace
from enum import StrEnum

from yuanjing.domain.money import Book


class HoldPurpose(StrEnum):
    """What the reserved money is for."""

    LEASE = "lease"
    TASK = "task"


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """Money moved from `promotion` and `available` to `held` before work starts.

    A charge takes the promotion money in it first; what goes back is promotion money last.

    Attributes:
        amount_nanos: everything ever placed into it; grows when a lease is extended.
        settled_nanos: what was charged out of it.
        released_nanos: what went back.
        promotion_nanos: how much of what remains is promotion money.
        owner_node: the gateway process whose lease this is; None for a task's hold.
        owner_incarnation: that node's incarnation; a newer one of the same node does not own it.
        key_id: the API key whose budget the hold also counts against, if that key has one.
        is_closing: the owner will not charge more than what it has already spooled; never extended again.
        recall_requested_at: Unix time at which another process or a task asked for the unused part.
        parts: how many transfers the hold has had.
        expires_at: Unix time after which a hold without a living owner is released. The beats of a lease's owner
            renew it, until it is closing.
        closed_at: Unix time at which it was resolved and nothing remained; None while open.
    """

    id: str
    book: Book
    customer_id: str
    purpose: HoldPurpose
    amount_nanos: int
    settled_nanos: int = 0
    released_nanos: int = 0
    promotion_nanos: int = 0
    owner_node: str | None = None
    owner_incarnation: int | None = None
    key_id: str | None = None
    is_closing: bool = False
    recall_requested_at: float | None = None
    parts: int = 0
    created_at: float
    expires_at: float
    closed_at: float | None = None

    def __post_init__(self) -> None:
        assert self.settled_nanos >= 0, self
        assert self.released_nanos >= 0, self
        assert 0 <= self.promotion_nanos <= self.remaining_nanos, self

    @property
    def remaining_nanos(self) -> int:
        """What is still reserved."""
        return self.amount_nanos - self.settled_nanos - self.released_nanos

    def extended(self, amount_nanos: int, *, promotion_nanos: int = 0, expires_at: float) -> "Hold":
        """The hold with more money in it, so much of it promotion money."""
        assert amount_nanos > 0
        assert self.closed_at is None, self
        assert not self.is_closing, self
        return replace(
            self,
            amount_nanos=self.amount_nanos + amount_nanos,
            promotion_nanos=self.promotion_nanos + promotion_nanos,
            parts=self.parts + parts_of(amount_nanos, promotion_nanos),
            expires_at=max(expires_at, self.expires_at),
        )

    def settled(self, amount_nanos: int, *, at: float) -> "Hold":
        """The hold after a charge; resolved if it was closing and nothing remains."""
        assert amount_nanos > 0
        assert self.closed_at is None, self
        charged = replace(
            self,
            settled_nanos=self.settled_nanos + amount_nanos,
            promotion_nanos=max(0, self.promotion_nanos - amount_nanos),
            parts=self.parts + 1,
        )
        return charged.closed_if_done(at)

    def released(self, amount_nanos: int) -> "Hold":
        """The hold after money went back to the customer."""
        assert amount_nanos > 0
        assert self.closed_at is None, self
        back_nanos = max(0, amount_nanos - (self.remaining_nanos - self.promotion_nanos))
        return replace(
            self,
            released_nanos=self.released_nanos + amount_nanos,
            promotion_nanos=self.promotion_nanos - back_nanos,
            parts=self.parts + parts_of(amount_nanos, back_nanos),
        )

    def closed_if_done(self, at: float) -> "Hold":
        """Resolved now, if it is closing and nothing remains."""
        is_done = self.is_closing and self.remaining_nanos == 0 and self.closed_at is None
        return replace(self, closed_at=at) if is_done else self

    def is_lease_of(self, node_id: str, incarnation: int) -> bool:
        """Whether this is an open lease that this life of the node owns."""
        return (
            self.purpose is HoldPurpose.LEASE
            and self.closed_at is None
            and (self.owner_node, self.owner_incarnation) == (node_id, incarnation)
        )


def parts_of(amount_nanos: int, promotion_nanos: int) -> int:
    """How many transfers move an amount of which so much is promotion money; see `ledger.split`."""
    assert 0 <= promotion_nanos <= amount_nanos
    return 2 if 0 < promotion_nanos < amount_nanos else 1


@dataclass(frozen=True, kw_only=True, slots=True)
class LeasePolicy:
    """How large leases are; settings `lease_share_percent`, `lease_amount_max`."""

    share_percent: int = 5
    amount_max_nanos: int = 100 * 10**9


def lease_amount(available_nanos: int, needed_nanos: int, recent_nanos: int, policy: LeasePolicy) -> int:
    """How much to lease, or 0 if `needed_nanos` (the ceiling that missed) is not there.

    What is likely to be needed soon (`recent_nanos`), at least the ceiling that missed, else at most a share of what is
    available; near the end of a balance exactly one ceiling, so that the last yuan is spendable anywhere.
    """
    assert needed_nanos > 0
    assert recent_nanos >= 0
    if available_nanos < needed_nanos:
        return 0
    share = min(available_nanos * policy.share_percent // 100, policy.amount_max_nanos)
    wanted = max(needed_nanos, recent_nanos)
    return max(needed_nanos, min(wanted, share))
