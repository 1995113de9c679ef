"""Challenges, sessions and factors in SQL."""

from typing import Any

import msgspec
import sqlalchemy as sa

from yuanjing.adapters.sql.account_tables import challenges, sessions
from yuanjing.adapters.sql.account_tables import factors as factor_table
from yuanjing.adapters.sql.work import Work, dump, insert, lockable, to_fields, to_row
from yuanjing.domain.errors import AlreadyExistsError
from yuanjing.domain.signin import DAY, HOUR, Challenge, Factors, Purpose, SendCounts, Session

_DIGESTS = msgspec.json.Decoder(tuple[bytes, ...])
_ADD_CHALLENGE = insert(challenges).on_conflict_do_nothing().returning(challenges.c.id)
_CHALLENGE = lockable(sa.select(challenges).where(challenges.c.id == sa.bindparam("challenge")))
_SAVE_CHALLENGE = (
    sa.update(challenges)
    .where(challenges.c.id == sa.bindparam("challenge"))
    .values(
        receipt=sa.bindparam("new_receipt"),
        cost_nanos=sa.bindparam("cost"),
        attempts=sa.bindparam("tries"),
        ended_at=sa.bindparam("moment"),
    )
)
_END_OPEN = (
    sa.update(challenges)
    .where(
        challenges.c.mobile == sa.bindparam("number"),
        challenges.c.purpose == sa.bindparam("what"),
        challenges.c.ended_at.is_(None),
        challenges.c.created_at > sa.bindparam("since"),
    )
    .values(ended_at=sa.bindparam("moment"))
)
_SENT = sa.select(sa.func.count().label("sent"), sa.func.min(challenges.c.created_at).label("since"))
_TO_MOBILE = _SENT.add_columns(sa.func.max(challenges.c.created_at).label("last")).where(
    challenges.c.mobile == sa.bindparam("number"), challenges.c.created_at > sa.bindparam("after")
)
_BY_ADDRESS = _SENT.where(
    challenges.c.address == sa.bindparam("origin"), challenges.c.created_at > sa.bindparam("after")
)
_TO_ALL = sa.select(
    sa.func.count().label("sent"), sa.func.coalesce(sa.func.sum(challenges.c.cost_nanos), 0).label("cost")
).where(challenges.c.created_at > sa.bindparam("after"))
_COUNTING_LOCK = 0x5969_0001
_COUNTING = sa.select(sa.func.pg_advisory_xact_lock(_COUNTING_LOCK))
_PRUNE_CHALLENGES = sa.delete(challenges).where(challenges.c.created_at < sa.bindparam("before"))

_ADD_SESSION = insert(sessions).on_conflict_do_nothing().returning(sessions.c.id)
_BY_DIGEST = sa.select(sessions).where(sessions.c.digest == sa.bindparam("key"))
_SESSIONS = (
    sa.select(sessions)
    .where(sessions.c.customer_id == sa.bindparam("customer"), sessions.c.ended_at.is_(None))
    .order_by(sessions.c.created_at.desc(), sessions.c.id.desc())
)
_TOUCH = (
    sa.update(sessions)
    .where(sessions.c.id == sa.bindparam("session"), sessions.c.ended_at.is_(None))
    .values(seen_at=sa.bindparam("moment"), address=sa.bindparam("origin"))
)
_ROTATE = (
    sa.update(sessions)
    .where(sessions.c.id == sa.bindparam("session"), sessions.c.ended_at.is_(None))
    .values(digest=sa.bindparam("key"), confirmed_at=sa.bindparam("moment"))
)
_END = (
    sa.update(sessions)
    .where(
        sessions.c.id == sa.bindparam("session"),
        sessions.c.customer_id == sa.bindparam("customer"),
        sessions.c.ended_at.is_(None),
    )
    .values(ended_at=sa.bindparam("moment"))
)
_END_OTHERS = (
    sa.update(sessions)
    .where(
        sessions.c.customer_id == sa.bindparam("customer"),
        sessions.c.id != sa.bindparam("session"),
        sessions.c.ended_at.is_(None),
    )
    .values(ended_at=sa.bindparam("moment"))
)
_PRUNE_SESSIONS = sa.delete(sessions).where(sessions.c.ends_at < sa.bindparam("before"))

_FACTORS = lockable(sa.select(factor_table).where(factor_table.c.customer_id == sa.bindparam("customer")))
_PUT = insert(factor_table)
_WITH_SECRETS = (
    sa.select(factor_table)
    .where(
        sa.or_(factor_table.c.totp_secret.is_not(None), factor_table.c.totp_pending.is_not(None)),
        factor_table.c.customer_id > sa.bindparam("after"),
    )
    .order_by(factor_table.c.customer_id)
    .limit(sa.bindparam("most"))
)
_SAVE_FACTORS = _PUT.on_conflict_do_update(
    index_elements=[factor_table.c.customer_id],
    set_={column.name: _PUT.excluded[column.name] for column in factor_table.c if not column.primary_key},
)


class SqlChallenges:
    """See `yuanjing.ports.accounts.ChallengeTable`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def add(self, challenge: Challenge) -> None:
        """See the port."""
        if self._work.first(_ADD_CHALLENGE, **to_row(challenges, challenge)) is None:
            raise AlreadyExistsError(f"challenge {challenge.id} exists")

    def lock(self, challenge_id: str) -> Challenge | None:
        """See the port."""
        rows = self._work.locked(_CHALLENGE, challenge=challenge_id)
        return _challenge(rows[0]) if rows else None

    def save(self, challenge: Challenge) -> None:
        """See the port."""
        self._work.do(
            _SAVE_CHALLENGE,
            challenge=challenge.id,
            new_receipt=challenge.receipt,
            cost=challenge.cost_nanos,
            tries=challenge.attempts,
            moment=challenge.ended_at,
        )

    def end_open(self, mobile: str, purpose: Purpose, at: float) -> int:
        """See the port."""
        return self._work.do(_END_OPEN, number=mobile, what=purpose.value, since=at - DAY, moment=at)

    def counts(self, mobile: str, address: str, at: float) -> SendCounts:
        """See the port."""
        if self._work.may_write and self._work.conn.dialect.name == "postgresql":
            self._work.first(_COUNTING)  # SQLite's one writer excludes all others
        day = self._work.rows(_TO_MOBILE, number=mobile, after=at - DAY)[0]
        hour = self._work.rows(_TO_MOBILE, number=mobile, after=at - HOUR)[0]
        origin = self._work.rows(_BY_ADDRESS, origin=address, after=at - HOUR)[0]
        everything = self._work.rows(_TO_ALL, after=at - DAY)[0]
        return SendCounts(
            last_to_mobile_at=day.last,
            hour_to_mobile=hour.sent,
            hour_to_mobile_since=hour.since or 0.0,
            day_to_mobile=day.sent,
            day_to_mobile_since=day.since or 0.0,
            hour_by_address=origin.sent,
            hour_by_address_since=origin.since or 0.0,
            day_to_all=everything.sent,
            day_cost_nanos=int(everything.cost),
        )

    def prune(self, before: float) -> int:
        """See the port."""
        return self._work.do(_PRUNE_CHALLENGES, before=before)


class SqlSessions:
    """See `yuanjing.ports.accounts.SessionTable`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def add(self, session: Session) -> None:
        """See the port."""
        if self._work.first(_ADD_SESSION, **to_row(sessions, session)) is None:
            raise AlreadyExistsError(f"session {session.id}, or its token, exists")

    def by_digest(self, digest: bytes) -> Session | None:
        """See the port."""
        row = self._work.first(_BY_DIGEST, key=digest)
        return None if row is None else _session(row)

    def list(self, customer_id: str) -> list[Session]:
        """See the port."""
        return [_session(row) for row in self._work.rows(_SESSIONS, customer=customer_id)]

    def touch(self, session_id: str, at: float, address: str) -> None:
        """See the port."""
        self._work.do(_TOUCH, session=session_id, moment=at, origin=address)

    def rotate(self, session_id: str, digest: bytes, confirmed_at: float) -> None:
        """See the port."""
        self._work.do(_ROTATE, session=session_id, key=digest, moment=confirmed_at)

    def end(self, customer_id: str, session_id: str, at: float) -> bool:
        """See the port."""
        return self._work.do(_END, customer=customer_id, session=session_id, moment=at) == 1

    def end_others(self, customer_id: str, session_id: str, at: float) -> int:
        """See the port."""
        return self._work.do(_END_OTHERS, customer=customer_id, session=session_id, moment=at)

    def prune(self, before: float) -> int:
        """See the port."""
        return self._work.do(_PRUNE_SESSIONS, before=before)


class SqlFactors:
    """See `yuanjing.ports.accounts.FactorTable`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def lock(self, customer_id: str) -> Factors:
        """See the port."""
        rows = self._work.locked(_FACTORS, customer=customer_id)
        if not rows:
            return Factors(customer_id=customer_id)
        return _factors(rows[0])

    def save(self, factors: Factors) -> None:
        """See the port."""
        row = to_row(factor_table, factors)
        row["recovery_digests"] = dump(factors.recovery_digests)
        self._work.do(_SAVE_FACTORS, **row)

    def with_secrets(self, after: str, limit: int) -> list[Factors]:
        """See the port."""
        return [_factors(row) for row in self._work.rows(_WITH_SECRETS, after=after, most=limit)]


def _challenge(row: sa.Row[Any]) -> Challenge:
    fields = to_fields(row)
    fields["purpose"] = Purpose(row.purpose)
    return Challenge(**fields)


def _factors(row: sa.Row[Any]) -> Factors:
    fields = to_fields(row)
    fields["recovery_digests"] = _DIGESTS.decode(fields["recovery_digests"])
    return Factors(**fields)


def _session(row: sa.Row[Any]) -> Session:
    return Session(**to_fields(row))
