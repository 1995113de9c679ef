"""The rows of signing in: challenges, sessions, and further factors."""

from typing import Protocol

from yuanjing.domain.signin import Challenge, Factors, Purpose, SendCounts, Session


class ChallengeTable(Protocol):
    """Codes that were sent."""

    def add(self, challenge: Challenge) -> None:
        """Insert.

        Raises:
            AlreadyExistsError: the id exists.
        """
        ...

    def lock(self, challenge_id: str) -> Challenge | None:
        """One, locked until the end of the unit of work."""
        ...

    def save(self, challenge: Challenge) -> None:
        """Write what changes: receipt, cost, attempts and end."""
        ...

    def end_open(self, mobile: str, purpose: Purpose, at: float) -> int:
        """End those of the number and purpose that are open; a newer code voids the older ones. How many."""
        ...

    def counts(self, mobile: str, address: str, at: float) -> SendCounts:
        """What was sent within the windows that end now.

        Until a unit of work that writes has ended nobody else counts, so that what is sent at once is counted too.
        """
        ...

    def prune(self, before: float) -> int:
        """Remove those that were created before; how many."""
        ...


class SessionTable(Protocol):
    """Browsers in which customers are signed in."""

    def add(self, session: Session) -> None:
        """Insert.

        Raises:
            AlreadyExistsError: the id or the digest exists.
        """
        ...

    def by_digest(self, digest: bytes) -> Session | None:
        """One by its token's digest; ended ones too."""
        ...

    def list(self, customer_id: str) -> list[Session]:
        """A customer's sessions that have not been ended, newest first."""
        ...

    def touch(self, session_id: str, at: float, address: str) -> None:
        """Note that it was used."""
        ...

    def rotate(self, session_id: str, digest: bytes, confirmed_at: float) -> None:
        """Give it another token; the old one does not count any more."""
        ...

    def end(self, customer_id: str, session_id: str, at: float) -> bool:
        """End one of a customer's; False if it is none, or has ended."""
        ...

    def end_others(self, customer_id: str, session_id: str, at: float) -> int:
        """End all of a customer's but this one; how many."""
        ...

    def prune(self, before: float) -> int:
        """Remove those whose end lies before; how many."""
        ...


class FactorTable(Protocol):
    """Passwords and one-time passwords."""

    def lock(self, customer_id: str) -> Factors:
        """Those of a customer, locked; empty ones if there are none."""
        ...

    def save(self, factors: Factors) -> None:
        """Write them."""
        ...

    def with_secrets(self, after: str, limit: int) -> list[Factors]:
        """Those that have a one-time password secret, pending ones too, by customer, after this one; not locked."""
        ...
