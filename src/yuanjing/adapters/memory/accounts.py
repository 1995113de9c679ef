"""Challenges, sessions and factors in memory."""

from collections.abc import Iterable
from dataclasses import replace

from yuanjing.adapters.memory.journal import Journal
from yuanjing.domain.errors import AlreadyExistsError
from yuanjing.domain.signin import DAY, HOUR, Challenge, Factors, Purpose, SendCounts, Session


class MemoryChallenges:
    """See `yuanjing.ports.accounts.ChallengeTable`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._rows: dict[str, Challenge] = {}

    def add(self, challenge: Challenge) -> None:
        """See the port."""
        if challenge.id in self._rows:
            raise AlreadyExistsError(f"challenge {challenge.id} exists")
        self._journal.put(self._rows, challenge.id, challenge)

    def lock(self, challenge_id: str) -> Challenge | None:
        """See the port."""
        return self._rows.get(challenge_id)

    def save(self, challenge: Challenge) -> None:
        """See the port."""
        old = self._rows.get(challenge.id)
        if old is not None:
            changed = replace(
                old,
                receipt=challenge.receipt,
                cost_nanos=challenge.cost_nanos,
                attempts=challenge.attempts,
                ended_at=challenge.ended_at,
            )
            self._journal.put(self._rows, challenge.id, changed)

    def end_open(self, mobile: str, purpose: Purpose, at: float) -> int:
        """See the port."""
        found = [
            one
            for one in self._rows.values()
            if (one.mobile, one.purpose, one.ended_at) == (mobile, purpose, None) and one.created_at > at - DAY
        ]
        for one in found:
            self._journal.put(self._rows, one.id, one.ended(at))
        return len(found)

    def counts(self, mobile: str, address: str, at: float) -> SendCounts:
        """See the port."""
        rows = self._rows.values()
        day = [one.created_at for one in rows if one.mobile == mobile and one.created_at > at - DAY]
        hour = [moment for moment in day if moment > at - HOUR]
        origin = [one.created_at for one in rows if one.address == address and one.created_at > at - HOUR]
        costs = [one.cost_nanos for one in rows if one.created_at > at - DAY]
        return SendCounts(
            last_to_mobile_at=max(day, default=None),
            hour_to_mobile=len(hour),
            hour_to_mobile_since=min(hour, default=0.0),
            day_to_mobile=len(day),
            day_to_mobile_since=min(day, default=0.0),
            hour_by_address=len(origin),
            hour_by_address_since=min(origin, default=0.0),
            day_to_all=len(costs),
            day_cost_nanos=sum(costs),
        )

    def prune(self, before: float) -> int:
        """See the port."""
        old = [one.id for one in self._rows.values() if one.created_at < before]
        for one in old:
            self._journal.remove(self._rows, one)
        return len(old)


class MemorySessions:
    """See `yuanjing.ports.accounts.SessionTable`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._rows: dict[str, Session] = {}

    def add(self, session: Session) -> None:
        """See the port."""
        if session.id in self._rows or self.by_digest(session.digest) is not None:
            raise AlreadyExistsError(f"session {session.id}, or its token, exists")
        self._journal.put(self._rows, session.id, session)

    def by_digest(self, digest: bytes) -> Session | None:
        """See the port."""
        return next((one for one in self._rows.values() if one.digest == digest), None)

    def list(self, customer_id: str) -> list[Session]:
        """See the port."""
        return sorted(self._open(customer_id), key=lambda one: (one.created_at, one.id), reverse=True)

    def touch(self, session_id: str, at: float, address: str) -> None:
        """See the port."""
        self._change(session_id, seen_at=at, address=address)

    def rotate(self, session_id: str, digest: bytes, confirmed_at: float) -> None:
        """See the port."""
        self._change(session_id, digest=digest, confirmed_at=confirmed_at)

    def end(self, customer_id: str, session_id: str, at: float) -> bool:
        """See the port."""
        return self._end([one for one in self._open(customer_id) if one.id == session_id], at) == 1

    def end_others(self, customer_id: str, session_id: str, at: float) -> int:
        """See the port."""
        return self._end([one for one in self._open(customer_id) if one.id != session_id], at)

    def prune(self, before: float) -> int:
        """See the port."""
        old = [one.id for one in self._rows.values() if one.ends_at < before]
        for one in old:
            self._journal.remove(self._rows, one)
        return len(old)

    def _open(self, customer_id: str) -> Iterable[Session]:
        return (one for one in self._rows.values() if (one.customer_id, one.ended_at) == (customer_id, None))

    def _end(self, found: "list[Session]", at: float) -> int:
        for one in found:
            self._change(one.id, ended_at=at)
        return len(found)

    def _change(self, session_id: str, **changes: object) -> None:
        one = self._rows.get(session_id)
        if one is not None and one.ended_at is None:
            self._journal.put(self._rows, session_id, replace(one, **changes))


class MemoryFactors:
    """See `yuanjing.ports.accounts.FactorTable`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._rows: dict[str, Factors] = {}

    def lock(self, customer_id: str) -> Factors:
        """See the port."""
        return self._rows.get(customer_id) or Factors(customer_id=customer_id)

    def save(self, factors: Factors) -> None:
        """See the port."""
        self._journal.put(self._rows, factors.customer_id, factors)

    def with_secrets(self, after: str, limit: int) -> list[Factors]:
        """See the port."""
        found = [one for id_, one in sorted(self._rows.items()) if id_ > after]
        return [one for one in found if one.totp_secret is not None or one.totp_pending is not None][:limit]
