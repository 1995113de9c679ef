"""Messages to customers' mobiles."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from yuanjing.domain.errors import YuanjingError


class Notice(StrEnum):
    """Messages that are no codes; each needs a template that the vendor has approved."""

    LOW_BALANCE = "low-balance"
    LOW_BALANCE_EN = "low-balance-en"


@dataclass(frozen=True, kw_only=True, slots=True)
class SentMessage:
    """What a sender has taken.

    Attributes:
        receipt: the sender's name of the message, where it has one.
    """

    receipt: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboxMessage:
    """A message that development has kept instead of sending it.

    Attributes:
        at: RFC 3339, in UTC.
        kind: `code`, or the notice's name.
        fields: what the message says.
    """

    receipt: str
    at: str
    mobile: str
    kind: str
    code: str = field(default="", repr=False)
    fields: Mapping[str, str]


class SmsTrouble(StrEnum):
    """Why a sender has not taken a message, whatever its own word for it is."""

    LIMIT = "limit"
    """Too many to this number."""
    NUMBER = "number"
    """It does not serve the number."""
    QUOTA = "quota"
    """Too many of ours, to all numbers together."""
    BALANCE = "balance"
    """Our account has no money."""
    AUTH = "auth"
    """Our key, or what it may do."""
    SETUP = "setup"
    """It does not know our signature, our template, or what we have put into it."""
    UNAVAILABLE = "unavailable"
    """No answer, or a failure of its own."""
    UNKNOWN = "unknown"
    """A word that we do not know."""


class SmsRefusedError(YuanjingError):
    """The sender does not serve this number; not our fault."""

    code = "sms_refused"


class SmsLimitedError(YuanjingError):
    """The sender takes no more messages to this number for now, though our own limits would have."""

    code = "sms_limited"


class SmsUnavailableError(YuanjingError):
    """The sender cannot be reached, or does not take messages of ours at all; operators should look.

    Attributes:
        trouble: why.
        may_cost: the message may have been taken all the same.
    """

    code = "sms_unavailable"

    def __init__(self, message: str, *, trouble: SmsTrouble = SmsTrouble.UNAVAILABLE, may_cost: bool = False) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.may_cost = may_cost


class SmsSender(Protocol):
    """One way to send messages.

    Attributes:
        name: as the setting `sms_sender` has it.
        makes_codes: the sender makes the codes itself, and checks them.
        cost_nanos: what one message costs, by the operator's setting.
        notices: those that it can send; a vendor of codes alone sends none.
    """

    @property
    def name(self) -> str:
        """See the class."""
        ...

    @property
    def makes_codes(self) -> bool:
        """See the class."""
        ...

    @property
    def cost_nanos(self) -> int:
        """See the class."""
        ...

    @property
    def notices(self) -> frozenset[Notice]:
        """See the class."""
        ...

    async def send_code(self, mobile: str, code: str, *, minutes: int) -> SentMessage:
        """Send a code that holds for so many minutes; `code` is empty where the sender makes it.

        Raises:
            SmsRefusedError, SmsLimitedError, SmsUnavailableError: it was not taken.
        """
        ...

    async def check_code(self, mobile: str, code: str, receipt: str) -> bool:
        """Whether this is the code that the sender has sent; only asked where it makes them.

        Raises:
            SmsUnavailableError: the sender cannot be asked.
        """
        ...

    async def send_notice(self, mobile: str, notice: Notice, fields: Mapping[str, str]) -> SentMessage:
        """Send another message.

        Args:
            mobile: E.164.
            notice: what kind of message; one of `notices`.
            fields: what it says, in the order in which a template takes them where it has no names.

        Raises:
            SmsRefusedError, SmsLimitedError: it was not taken.
            SmsUnavailableError: the same, or the notice is none of `notices`.
        """
        ...
