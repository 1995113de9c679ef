"""API keys: their written form, their limits, and who they act for."""

import ipaddress
import zlib
from dataclasses import dataclass
from enum import StrEnum

from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.money import Book

KEY_ID_LENGTH = 8
KEY_SECRET_LENGTH = 32
KEY_CHECKSUM_LENGTH = 6
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PREFIXES = {Book.LIVE: "yj_live_", Book.TEST: "yj_test_"}
KEY_LENGTH = len("yj_live_") + KEY_ID_LENGTH + 1 + KEY_SECRET_LENGTH + 1 + KEY_CHECKSUM_LENGTH


class BudgetPeriod(StrEnum):
    """After which time a key's budget starts afresh (days and months of UTC+8); `total` never."""

    TOTAL = "total"
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyLimits:
    """What an API key may do; None and empty mean no limit.

    `requests_per_minute`, `tokens_per_minute` and `concurrency` are for all gateway processes together; each
    process enforces its share. The budget is exact: it is leased like money.
    """

    models: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None
    budget_nanos: int | None = None
    budget_period: BudgetPeriod = BudgetPeriod.TOTAL

    def allows_offer(self, offer_id: str, model: str) -> bool:
        """Whether the key may use this offer: by its id, or by its model, named as the offer names it."""
        return not self.models or offer_id in self.models or model in self.models

    def allows_address(self, address: str) -> bool:
        """Whether the key may be used from this IP address; a text that is no address is not allowed."""
        if not self.networks:
            return True
        try:
            client = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(client, "ipv4_mapped", None)
        return any((mapped or client) in ipaddress.ip_network(network) for network in self.networks)


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKey:
    """A stored key: its public id and the keyed digest of the whole secret, which is not kept.

    Times are Unix seconds.
    """

    id: str
    customer_id: str
    book: Book
    name: str
    public_id: str
    digest: bytes
    limits: KeyLimits
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None

    def is_usable(self, at: float) -> bool:
        """Whether it is neither revoked nor expired at this time."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


class Language(StrEnum):
    """In which language a customer is written to."""

    ZH = "zh"
    EN = "en"


@dataclass(frozen=True, kw_only=True, slots=True)
class Customer:
    """Who owns the money. `mobile` is E.164; `language` is None until the customer has chosen one."""

    id: str
    mobile: str
    name: str
    created_at: float
    disabled_at: float | None = None
    language: Language | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """The authenticated party of a request."""

    key: ApiKey
    customer: Customer


class AuthenticationError(YuanjingError):
    """The API key is missing, malformed, unknown, wrong, revoked, expired, or its customer is disabled.

    Callers are not told which: the difference would help only those who guess.
    """

    code = "invalid_api_key"

    def __init__(self) -> None:
        super().__init__("Invalid API Key")


def checksum(body: str) -> str:
    """Six base62 characters of CRC-32: refuses typing errors without a look-up; no protection in itself."""
    value = zlib.crc32(body.encode())
    digits = ""
    for _ in range(KEY_CHECKSUM_LENGTH):
        value, digit = divmod(value, 62)
        digits = _BASE62[digit] + digits
    return digits


def format_key(book: Book, public_id: str, secret: str) -> str:
    """The key as its owner sees it once: `yj_live_<id>_<secret>_<checksum>`."""
    assert len(public_id) == KEY_ID_LENGTH
    assert len(secret) == KEY_SECRET_LENGTH
    body = f"{_PREFIXES[book]}{public_id}_{secret}"
    return f"{body}_{checksum(body)}"


def is_well_formed(key: str) -> bool:
    """Whether the text has a key's length, prefix and checksum."""
    if len(key) != KEY_LENGTH or not key.startswith(("yj_live_", "yj_test_")):
        return False
    body, _, given = key.rpartition("_")
    return given == checksum(body)


def public_id_of(key: str) -> str:
    """The eight characters that name a well-formed key without opening anything."""
    start = len("yj_live_")
    return key[start : start + KEY_ID_LENGTH]


def book_of(key: str) -> Book:
    """The book that a well-formed key is written for."""
    return Book.LIVE if key.startswith(_PREFIXES[Book.LIVE]) else Book.TEST
