"""What signing in is made of."""

import ipaddress
from dataclasses import dataclass, field
from enum import StrEnum

from yuanjing.domain.audit import Actor, ActorKind
from yuanjing.domain.identity import Customer
from yuanjing.domain.signin import SendPolicy, Session
from yuanjing.kit.clock import Clock
from yuanjing.kit.digest import keyed_digest
from yuanjing.kit.secretbox import SecretBox
from yuanjing.ports.messages import SmsSender
from yuanjing.ports.store import Store
from yuanjing.usecases.signin.failures import AddressFailures
from yuanjing.usecases.signin.passwords import Passwords

_IPV6_PREFIX = 64
"""One customer of an internet provider has at least so many addresses, and can change among them at will."""


class Secret(StrEnum):
    """What a keyed digest is of, so that one of a kind never passes for one of another."""

    SESSION = "session"
    BROWSER = "browser"
    CODE = "code"
    RECOVERY = "recovery"
    CAPTCHA = "captcha"
    FORGERY = "forgery"


@dataclass(frozen=True, kw_only=True, slots=True)
class SignInPolicy:
    """Limits; each is a setting.

    Attributes:
        country_codes: without the plus; codes are sent to numbers of these countries only.
        blocked_prefixes: beginnings of numbers, with the plus, to which none is sent.
        idle_seconds, session_seconds: a session ends after so long without use, and in any case.
        remembered_seconds: both, for a browser that the customer wants remembered.
        sessions_max: open sessions of one customer; a further one ends the oldest.
        confirm_seconds: for so long after showing to be at hand, how one signs in may be changed.
        failures_max, failure_window_seconds, lock_seconds: so many wrong passwords within the window lock for so long.
        captcha_seconds, captcha_rounds: how long a challenge of work holds, and about how many rounds it takes.
        test_grant_nanos: play money for a new customer.
        recorded_failures_max: failed tries of one customer within an hour that the audit log takes.
    """

    send: SendPolicy = field(default_factory=SendPolicy)
    country_codes: tuple[str, ...] = ("86",)
    blocked_prefixes: tuple[str, ...] = ()
    idle_seconds: float = 43_200.0
    session_seconds: float = 86_400.0
    remembered_seconds: float = 30 * 86_400.0
    sessions_max: int = 50
    confirm_seconds: float = 600.0
    failures_max: int = 3
    failure_window_seconds: float = 120.0
    lock_seconds: float = 300.0
    captcha_seconds: float = 600.0
    captcha_rounds: int = 1000
    test_grant_nanos: int = 0
    recorded_failures_max: int = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class SignInParts:
    """Everything that signing in needs; `sms` is None where no sender is configured."""

    store: Store
    clock: Clock
    pepper: bytes = field(repr=False)
    box: SecretBox = field(repr=False)
    sms: SmsSender | None
    policy: SignInPolicy
    passwords: Passwords
    failures: AddressFailures

    def digest(self, kind: Secret, *texts: str) -> bytes:
        """Keyed digest of texts that hold no NUL."""
        return keyed_digest(self.pepper, "\0".join((kind.value, *texts)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Visitor:
    """From where a request comes.

    Attributes:
        browser: the token in the browser's cookie.
        address: its IP address; empty if it has none.
        agent: what it says to be.
    """

    browser: str = field(repr=False)
    address: str
    agent: str = ""

    @property
    def address_group(self) -> str:
        """The address as limits count it: of IPv6 the network that one customer has."""
        try:
            found = ipaddress.ip_address(self.address)
        except ValueError:
            return self.address
        if isinstance(found, ipaddress.IPv6Address):
            if found.ipv4_mapped is not None:
                return str(found.ipv4_mapped)
            return str(ipaddress.ip_network((found, _IPV6_PREFIX), strict=False))
        return str(found)


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedIn:
    """A customer in a browser; `address` is where the request comes from."""

    session: Session
    customer: Customer
    address: str = ""

    @property
    def actor(self) -> Actor:
        """Who is recorded as having done what this request does."""
        return Actor(kind=ActorKind.CUSTOMER, id=self.customer.id, address=self.address)

    def is_confirmed(self, at: float, policy: SignInPolicy) -> bool:
        """Whether the customer has shown lately to be at hand."""
        return at < self.session.confirmed_at + policy.confirm_seconds
