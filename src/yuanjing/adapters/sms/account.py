"""What an operator says of the account at a vendor of messages, and what all vendors' senders share."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from yuanjing.domain.errors import YuanjingError
from yuanjing.kit.webcalls import CallLimits, NoAnswer, WebAnswer
from yuanjing.ports.messages import (
    Notice,
    SmsLimitedError,
    SmsRefusedError,
    SmsTrouble,
    SmsUnavailableError,
)

ANSWER_BYTES_MAX = 64 * 1024
CONNECTIONS_MAX = 8
_CONNECT_SECONDS, _POOL_SECONDS = 5.0, 5.0
_MARGIN_SECONDS = 0.5
_WORD = re.compile(r"[0-9A-Za-z_.\-]{1,80}")
_CHINA = "+86"


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """A text that the vendor has approved.

    Attributes:
        id: its name at the vendor.
        fields: what it takes, as pairs of the vendor's name and ours, in its order; empty: all that there is to say.
    """

    id: str
    fields: tuple[tuple[str, str], ...] = ()

    def filled(self, values: Mapping[str, str]) -> dict[str, str]:
        """Its fields by the vendor's names, in order.

        Raises:
            SmsUnavailableError: it wants something that the message does not say.
        """
        if not self.fields:
            return dict(values)
        missing = [ours for _, ours in self.fields if ours not in values]
        if missing:
            raise SmsUnavailableError(
                f"template {self.id} wants {', '.join(missing)}; there is {', '.join(values)}",
                trouble=SmsTrouble.SETUP,
            )
        return {name: values[ours] for name, ours in self.fields}


@dataclass(frozen=True, kw_only=True, slots=True)
class SmsAccount:
    """An account at a vendor.

    Attributes:
        endpoint: the address of its API, without a slash at the end.
        sign_name: the signature that stands before each message.
        code: the template of codes.
        notices: those of notices.
        cost_nanos: what one message costs.
        app_id, region: Tencent's.
    """

    key_id: str
    key_secret: str = field(repr=False)
    endpoint: str
    sign_name: str
    code: Template
    notices: Mapping[Notice, Template] = field(default_factory=dict[Notice, Template])
    cost_nanos: int = 0
    app_id: str = ""
    region: str = ""

    def notice(self, sender: str, notice: Notice) -> Template:
        """The template of a notice.

        Raises:
            SmsUnavailableError: there is none.
        """
        found = self.notices.get(notice)
        if found is None:
            raise SmsUnavailableError(f"{sender} has no template for {notice}", trouble=SmsTrouble.SETUP)
        return found


def call_limits(seconds: float) -> CallLimits:
    """Limits of a call that may take so long."""
    total = max(seconds, _CONNECT_SECONDS + _POOL_SECONDS + _MARGIN_SECONDS)
    return CallLimits(
        connect_seconds=_CONNECT_SECONDS,
        pool_seconds=_POOL_SECONDS,
        write_seconds=seconds,
        read_seconds=seconds,
        total_seconds=total,
        answer_bytes_max=ANSWER_BYTES_MAX,
        connections_max=CONNECTIONS_MAX,
    )


def chinese_number(mobile: str) -> str | None:
    """A Chinese number without its country code; None if it is of another country."""
    return mobile.removeprefix(_CHINA) if mobile.startswith(_CHINA) else None


def read_answer(action: str, answer: WebAnswer | NoAnswer) -> Mapping[str, object]:
    """The JSON object that came back, whatever its status.

    Raises:
        SmsUnavailableError: there is none; what was sent may have been taken.
    """
    if isinstance(answer, NoAnswer):
        raise SmsUnavailableError(f"{action} has no answer: {answer.reason}", may_cost=answer.was_sent)
    try:
        found: object = json.loads(answer.body)
    except ValueError:  # of UTF-8 too
        found = None
    if not isinstance(found, dict):
        raise SmsUnavailableError(f"{action} is answered with HTTP {answer.status} and nothing readable", may_cost=True)
    return cast("Mapping[str, object]", found)


def refusal(action: str, code: object, table: Mapping[str, SmsTrouble]) -> YuanjingError:
    """The error for a vendor's word. The table has words, or beginnings of words that end before a dot."""
    word = code if isinstance(code, str) and _WORD.fullmatch(code) else "(no readable code)"
    trouble = _trouble(word, table)
    message = f"{action} is refused with {word} ({trouble})"
    if trouble is SmsTrouble.LIMIT:
        return SmsLimitedError(message)
    if trouble is SmsTrouble.NUMBER:
        return SmsRefusedError(message)
    return SmsUnavailableError(message, trouble=trouble)


def _trouble(word: str, table: Mapping[str, SmsTrouble]) -> SmsTrouble:
    known = word
    while known:
        if known in table:
            return table[known]
        known = known.rpartition(".")[0]
    return SmsTrouble.UNKNOWN


def object_of(value: object) -> Mapping[str, object]:
    """What should be an object; an empty one otherwise."""
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def text_of(value: object, length_max: int = 100) -> str:
    """What should be a text; empty otherwise, or if it is too long to be kept."""
    return value if isinstance(value, str) and len(value) <= length_max else ""
