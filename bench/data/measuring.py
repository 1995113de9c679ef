"""What customers ask of the platform, through the use cases that their routes call, and how long that takes."""

import math
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tests.support.signin import FakeSender, sign_in_parts

from bench.data.rows import MODELS, customer_id, key_id, mobile, picked
from yuanjing.domain.days import day_of
from yuanjing.domain.ledger import Reason
from yuanjing.domain.money import Book
from yuanjing.domain.signin import Purpose, SendPolicy
from yuanjing.domain.statements import month_of
from yuanjing.kit.clock import Clock
from yuanjing.ports.store import Store
from yuanjing.ports.usages import DaysFilter, UsageFilter, UsageGroup
from yuanjing.usecases.customers import customer_balances
from yuanjing.usecases.entries import EntryFilter, list_entries
from yuanjing.usecases.key_reports import list_key_reports
from yuanjing.usecases.signin.codes import send_code
from yuanjing.usecases.signin.parts import SignInParts, Visitor
from yuanjing.usecases.signin.sessions import Wish, find_session, sign_in_by_code
from yuanjing.usecases.statements import list_statements, read_statement
from yuanjing.usecases.usage_pages import OwnUsage

_DAY = 86_400.0
_WARM_UPS = 5
_MANY = 10**9


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A database full of rows, and what is needed to ask it."""

    store: Store
    clock: Clock
    until: float
    customers: int
    sender: FakeSender
    sign_in: SignInParts


def asked(store: Store, clock: Clock, *, until: float, customers: int) -> Asked:
    """Limits of sign-in are no obstacle; a code costs nothing to send."""
    send = SendPolicy(
        resend_seconds=0.0,
        per_mobile_hour=_MANY,
        per_mobile_day=_MANY,
        per_address_hour=_MANY,
        per_day=_MANY,
        cost_per_day_nanos=_MANY * _MANY,
        captcha_after=_MANY,
    )
    sender = FakeSender()
    parts = sign_in_parts(store, clock, sender, send=send)
    return Asked(store=store, clock=clock, until=until, customers=customers, sender=sender, sign_in=parts)


Call = Callable[[], Awaitable[object]]
Prepare = Callable[[Asked, int], Awaitable[Call]]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked for a customer, given by number; `prepare` does what is not measured. None: there is no goal."""

    name: str
    goal_ms: float | None
    prepare: Prepare


@dataclass(frozen=True, kw_only=True)
class Figure:
    """How long a question took, in milliseconds."""

    p10_ms: float
    p50_ms: float
    p99_ms: float
    max_ms: float


async def _balance(a: Asked, customer: int) -> Call:
    return lambda: customer_balances(a.store, customer_id(customer))


async def _statement(a: Asked, customer: int) -> Call:
    month = month_of(a.until) - 1
    return lambda: read_statement(a.store, a.clock, customer_id(customer), Book.LIVE, month)


async def _statements(a: Asked, customer: int) -> Call:
    return lambda: list_statements(a.store, a.clock, customer_id(customer), Book.LIVE)


def _days(*by: UsageGroup) -> Prepare:
    async def prepare(a: Asked, customer: int) -> Call:
        last = day_of(a.until)
        where = DaysFilter(
            customer_id=customer_id(customer), book=Book.LIVE, first=last - 364, last=last, by=frozenset(by)
        )
        return lambda: OwnUsage(store=a.store, clock=a.clock).days(where, book=Book.LIVE)

    return prepare


def _usage(*, key: bool, model: int | None, days: float | None, before_days: float = 0.0) -> Prepare:
    """A first page of 50 records."""

    async def prepare(a: Asked, customer: int) -> Call:
        until = a.until - before_days * _DAY
        where = UsageFilter(
            customer_id=customer_id(customer),
            key_id=key_id(customer, 0) if key else None,
            book=Book.LIVE,
            model=None if model is None else MODELS[model],
            posted_from=None if days is None else until - days * _DAY,
            posted_until=until if before_days else None,
            limit=51,
        )
        return lambda: OwnUsage(store=a.store, clock=a.clock).list(customer_id(customer), where)

    return prepare


def _entries(where: EntryFilter) -> Prepare:
    async def prepare(a: Asked, customer: int) -> Call:
        return lambda: list_entries(a.store, customer_id(customer), where, limit=50)

    return prepare


async def _keys(a: Asked, customer: int) -> Call:
    return lambda: list_key_reports(a.store, a.clock, customer_id(customer), book=None, after=None, limit=50)


async def _session(a: Asked, customer: int) -> Call:
    new = await (await _sign_in(a, customer))()
    return lambda: find_session(a.sign_in, new.token, "192.0.2.1")  # type: ignore[attr-defined]  # a NewSession


async def _code(a: Asked, customer: int) -> Call:
    visitor = _visitor(customer)
    return lambda: send_code(a.sign_in, visitor, mobile=mobile(customer), purpose=Purpose.SIGN_IN, captcha=None)


async def _sign_in(a: Asked, customer: int) -> Call:
    number, visitor = mobile(customer), _visitor(customer)
    sent = await send_code(a.sign_in, visitor, mobile=number, purpose=Purpose.SIGN_IN, captcha=None)
    code = a.sender.code(number)
    return lambda: sign_in_by_code(a.sign_in, visitor, challenge_id=sent.id, mobile=number, code=code, wish=Wish())


def _visitor(customer: int) -> Visitor:
    return Visitor(browser=f"browser-{customer}", address=f"203.0.{customer // 250 % 250}.{customer % 250}")


QUESTIONS = (
    Question(name="balance", goal_ms=10, prepare=_balance),
    Question(name="statement of a month", goal_ms=100, prepare=_statement),
    Question(name="list of statements", goal_ms=None, prepare=_statements),
    Question(name="entries, first page", goal_ms=None, prepare=_entries(EntryFilter(book=Book.LIVE))),
    Question(
        name="entries by reason", goal_ms=None, prepare=_entries(EntryFilter(book=Book.LIVE, reason=Reason.GRANT))
    ),
    Question(name="usage of a year by day", goal_ms=100, prepare=_days(UsageGroup.DAY)),
    Question(name="usage of a year by day, key, model", goal_ms=100, prepare=_days(*UsageGroup)),
    Question(name="usage, first page", goal_ms=100, prepare=_usage(key=False, model=None, days=None)),
    Question(name="by key", goal_ms=100, prepare=_usage(key=True, model=None, days=None)),
    Question(name="by key, model, time", goal_ms=100, prepare=_usage(key=True, model=0, days=90)),
    Question(name="by key, seldom model, time", goal_ms=100, prepare=_usage(key=True, model=-1, days=90)),
    Question(name="by model, time long ago", goal_ms=100, prepare=_usage(key=False, model=1, days=30, before_days=200)),
    Question(name="keys with what they have spent", goal_ms=None, prepare=_keys),
    Question(name="a code is sent", goal_ms=None, prepare=_code),
    Question(name="sign-in by code", goal_ms=20, prepare=_sign_in),
    Question(name="session of a request", goal_ms=None, prepare=_session),
)


async def measure(a: Asked, question: Question, *, largest: bool, count: int) -> Figure:
    """Ask for so many customers by chance, or as often for the largest one."""
    numbers: Sequence[int] = [0] * count if largest else picked(a.customers, count)
    for number in picked(a.customers, _WARM_UPS, seed=2):
        await (await question.prepare(a, number))()
    took: list[float] = []
    for number in numbers:
        call = await question.prepare(a, number)
        began = time.perf_counter()
        await call()
        took.append((time.perf_counter() - began) * 1e3)
    took.sort()
    return Figure(
        p10_ms=took[len(took) // 10],
        p50_ms=statistics.median(took),
        p99_ms=took[math.ceil(len(took) * 0.99) - 1],
        max_ms=took[-1],
    )
