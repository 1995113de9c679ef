"""The magic words: which faults exist, how they are asked for, what they do."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

_WORD = re.compile(r"(?<![A-Za-z0-9_-])sandbox:([a-z0-9]+(?:-[a-z0-9]+)*)(?:=(\d+(?:\.\d+)?))?")
_CREDENTIAL = re.compile(r"([a-z0-9]+(?:-[a-z0-9]+)*)(?:=(\d+(?:\.\d+)?))?\Z")
_FAIL = "-fail-"


class Fault(StrEnum):
    """Everything that can be asked for with `sandbox:<word>`."""

    UNAUTHORIZED = "401"
    PAYMENT = "402"
    NO_MONEY = "no-money"
    RATE_LIMIT = "429"
    SERVER_ERROR = "500"
    UNAVAILABLE = "503"
    TOO_LONG = "too-long"
    SLOW_FIRST_BYTE = "slow-first-byte"
    STALL = "stall"
    DROP = "drop"
    MALFORMED = "malformed"
    ERROR_FIRST = "error-first"
    ERROR_MID = "error-mid"
    NO_USAGE = "no-usage"
    NO_DONE = "no-done"
    HUGE_CHUNK = "huge-chunk"
    NOT_JSON = "not-json"
    TRUNCATED_LENGTH = "truncated-length"
    GZIP = "gzip"
    USAGE_NEGATIVE = "usage-negative"
    USAGE_HUGE = "usage-huge"
    USAGE_TWICE = "usage-twice"
    DONE_TWICE = "done-twice"
    CRLF = "crlf"
    SPLIT_UTF8 = "split-utf8"
    BOM = "bom"
    MULTI_DATA = "multi-data"
    TOKENS = "tokens"


WORDS = frozenset(fault.value for fault in Fault)


@dataclass(frozen=True, kw_only=True)
class FaultDoc:
    """What a fault does in a stream and in a plain answer, and its number if it takes one."""

    stream: str
    plain: str
    number: str = ""
    default: float | None = None


def _status(text: str) -> FaultDoc:
    return FaultDoc(stream=text, plain=text)


_SAME_AS_STREAM = "the same"
_AS_USUAL = "as usual"

FAULTS: dict[Fault, FaultDoc] = {
    Fault.UNAUTHORIZED: _status("HTTP 401 in the flavour's envelope"),
    Fault.PAYMENT: _status("HTTP 402 in the flavour's envelope"),
    Fault.NO_MONEY: _status("the flavour's own answer to an empty account (429, 400, 403 or 402)"),
    Fault.RATE_LIMIT: _status("HTTP 429 with `Retry-After: 1`"),
    Fault.SERVER_ERROR: _status("HTTP 500"),
    Fault.UNAVAILABLE: _status("HTTP 503"),
    Fault.TOO_LONG: _status("the flavour's own answer to an input beyond the model's context (400)"),
    Fault.SLOW_FIRST_BYTE: FaultDoc(
        stream="nothing for SECONDS, then as usual (DeepSeek: keep-alive comments meanwhile)",
        plain="nothing for SECONDS, then as usual (DeepSeek: empty lines meanwhile)",
        number="SECONDS",
        default=20.0,
    ),
    Fault.STALL: FaultDoc(
        stream="half of the events, silence for SECONDS, then the connection is cut",
        plain="headers and half of the body, silence for SECONDS, then the connection is cut",
        number="SECONDS",
        default=60.0,
    ),
    Fault.DROP: FaultDoc(
        stream="half of the events, then the connection is cut",
        plain="headers and half of the body, then the connection is cut",
    ),
    Fault.MALFORMED: FaultDoc(
        stream="one event `data: {not json` in the middle, the rest as usual",
        plain="the body has `{not json` in its middle",
    ),
    Fault.ERROR_FIRST: FaultDoc(
        stream="HTTP 200, the first event is an error object, then the end without `[DONE]`",
        plain="HTTP 200 with an error object as its body",
    ),
    Fault.ERROR_MID: FaultDoc(
        stream="half of the events, an error object, then the end without `[DONE]`",
        plain="HTTP 200 with an error object as its body",
    ),
    Fault.NO_USAGE: FaultDoc(stream="no usage, although asked for", plain="no `usage` in the body"),
    Fault.NO_DONE: FaultDoc(stream="complete, but without `[DONE]`", plain=_AS_USUAL),
    Fault.HUGE_CHUNK: FaultDoc(
        stream="one more event in the middle whose content is BYTES spaces (spaces are no tokens)",
        plain="BYTES spaces after the content",
        number="BYTES",
        default=2_000_000.0,
    ),
    Fault.NOT_JSON: FaultDoc(stream="HTTP 200, `text/html`", plain=_SAME_AS_STREAM),
    Fault.TRUNCATED_LENGTH: FaultDoc(
        stream="complete, but `Content-Length` promises more than is sent; then the connection is cut",
        plain=_SAME_AS_STREAM,
    ),
    Fault.GZIP: FaultDoc(stream="`content-encoding: gzip` although not asked for", plain=_SAME_AS_STREAM),
    Fault.USAGE_NEGATIVE: FaultDoc(stream="all counts of the usage are negative", plain=_SAME_AS_STREAM),
    Fault.USAGE_HUGE: FaultDoc(stream="all counts of the usage are 10^12 and more", plain=_SAME_AS_STREAM),
    Fault.USAGE_TWICE: FaultDoc(
        stream="two usage events: the first with half of the output tokens, the last is right",
        plain="the key `usage` stands twice in the body: the first with half of the output tokens",
    ),
    Fault.DONE_TWICE: FaultDoc(stream="`[DONE]` twice", plain="two empty lines after the body"),
    Fault.CRLF: FaultDoc(stream="lines end with CR LF", plain="the JSON has several lines that end with CR LF"),
    Fault.SPLIT_UTF8: FaultDoc(
        stream="the first 300 bytes one by one, later every character of several bytes in two; "
        "each piece a chunk of HTTP",
        plain=_SAME_AS_STREAM,
    ),
    Fault.BOM: FaultDoc(stream="the body begins with a byte order mark", plain=_SAME_AS_STREAM),
    Fault.MULTI_DATA: FaultDoc(
        stream="the JSON of each event is spread over several `data:` lines",
        plain="the JSON has several lines",
    ),
    Fault.TOKENS: FaultDoc(
        stream="exactly N output tokens per choice, reasoning included; no fault, may stand beside one",
        plain=_SAME_AS_STREAM,
        number="N",
        default=100.0,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the magic words of one request ask for.

    `number` is the fault's number, its default if none was given; `tokens` the wanted output tokens;
    `unknown` the words that are no fault.
    """

    fault: Fault | None = None
    number: float = 0.0
    tokens: int | None = None
    unknown: tuple[str, ...] = ()


def words_in(text: str) -> list[tuple[str, str]]:
    """Every `sandbox:<word>[=N]` in `text`, whatever it means: the word and its digits, "" without a number."""
    return _WORD.findall(text)


def word_of_credential(credential: str, accepted: Collection[str]) -> tuple[str, str] | None:
    """The word and digits of `<accepted>-fail-<word>[=N]`, whatever they mean; None if it is no such credential."""
    for one in accepted:
        match = _CREDENTIAL.match(credential.removeprefix(one + _FAIL))
        if credential.startswith(one + _FAIL) and match:
            return match[1], match[2] or ""
    return None


def parse(text: str) -> Asked:
    """The magic words in `text`: the first fault counts, and the first `tokens` beside it."""
    fault: Fault | None = None
    number = 0.0
    tokens: int | None = None
    unknown: list[str] = []
    for word, digits in words_in(text):
        if word not in WORDS:
            unknown.append(word)
        elif word == Fault.TOKENS:
            tokens = int(_number(Fault.TOKENS, digits)) if tokens is None else tokens
        elif fault is None:
            fault = Fault(word)
            number = _number(fault, digits)
    return Asked(fault=fault, number=number, tokens=tokens, unknown=tuple(unknown))


def of_credential(credential: str, accepted: Collection[str]) -> Asked | None:
    """What the credential itself asks for; None if it is not accepted."""
    if credential in accepted:
        return Asked()
    found = word_of_credential(credential, accepted)
    if found is None or found[0] not in WORDS:
        return None
    word, digits = found
    return parse(f"sandbox:{word}={digits}" if digits else f"sandbox:{word}")


def merge(credential: Asked, message: Asked) -> Asked:
    """The request's wishes: a credential's fault goes before a message's."""
    first = credential if credential.fault else message
    return Asked(
        fault=first.fault,
        number=first.number,
        tokens=credential.tokens if credential.tokens is not None else message.tokens,
        unknown=message.unknown,
    )


def _number(fault: Fault, digits: str) -> float:
    return float(digits) if digits else FAULTS[fault].default or 0.0
