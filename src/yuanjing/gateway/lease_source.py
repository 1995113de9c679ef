"""What purses ask of the ledger, and what it answers: the contract of the lease keeper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from yuanjing.domain.money import Book

PurseKey = tuple[Book, str, str | None]
"""Book, customer, and the API key's id if that key has a budget of its own."""

Asked = Mapping[str, int]
"""Other processes' leases that were asked back, by hold id: what had been placed into each until then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refill:
    """What the lease keeper answered: nothing granted means refused.

    `is_budget` says that `available_nanos` is what the key's budget leaves; `budget_held_nanos` of it is not spent, but
    held for requests and tasks that run.
    """

    hold_id: str | None
    granted_nanos: int
    available_nanos: int
    is_recalling: bool
    is_budget: bool = False
    budget_held_nanos: int = 0
    asked: Asked = field(default_factory=dict[str, int])


@dataclass(frozen=True, kw_only=True, slots=True)
class GivenBack:
    """Money that goes back to the ledger; maybe none, if it answers.

    `is_final`: the lease is given up. `is_wanted`: others have asked for it. `is_answer`: it tells them that this is
    all for now; a return that was made before anybody here knew of the question is none.
    """

    hold_id: str
    amount_nanos: int
    is_final: bool = False
    is_wanted: bool = False
    is_answer: bool = False


class LeaseSource(Protocol):
    """The lease keeper, for one node."""

    async def acquire(
        self, key: PurseKey, *, hold_id: str | None, needed_nanos: int, recent_nanos: int, asked: Asked | None
    ) -> Refill:
        """Lease money, or learn how much there is.

        `asked` if somebody waits, for whom other leases are asked back, with what the last answer told of it.
        """
        ...

    async def give_back(self, returns: Sequence[GivenBack]) -> None:
        """Return what purses do not need."""
        ...
