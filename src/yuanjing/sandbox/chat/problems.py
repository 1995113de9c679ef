"""What can be wrong with a request; each flavour has its own words for it."""

from dataclasses import dataclass
from enum import Enum, auto

from yuanjing.sandbox.faults import Fault


class Problem(Enum):
    """The kinds of refusal."""

    NO_KEY = auto()
    BAD_KEY = auto()
    INVALID = auto()
    MISSING = auto()
    UNKNOWN_MODEL = auto()
    TOO_LONG = auto()
    PAYMENT = auto()
    NO_MONEY = auto()
    RATE_LIMIT = auto()
    SERVER_ERROR = auto()
    UNAVAILABLE = auto()
    MODERATION = auto()
    TOO_LARGE = auto()
    NO_ROUTE = auto()
    WRONG_METHOD = auto()


STATUS_FAULTS: dict[Fault, Problem] = {
    Fault.UNAUTHORIZED: Problem.BAD_KEY,
    Fault.PAYMENT: Problem.PAYMENT,
    Fault.NO_MONEY: Problem.NO_MONEY,
    Fault.RATE_LIMIT: Problem.RATE_LIMIT,
    Fault.SERVER_ERROR: Problem.SERVER_ERROR,
    Fault.UNAVAILABLE: Problem.UNAVAILABLE,
}


@dataclass(frozen=True)
class Row:
    """How a flavour says a problem: HTTP status, type, code, and a text in which `{}` is the detail.

    A text with two details has `{0}` and `{1}`.
    """

    status: int
    type: str
    code: str | int | None
    text: str

    def say(self, refused: "RefusedError") -> str:
        """The text about this refusal."""
        return self.text.format(refused.detail, refused.more)


class RefusedError(Exception):
    """The request is refused.

    Attributes:
        problem: why.
        detail: what fills the flavour's text.
        param: the parameter at fault, if one is.
        more: a second detail, for texts that have two.
    """

    def __init__(self, problem: Problem, detail: str = "", param: str | None = None, *, more: str = "") -> None:
        super().__init__(detail)
        self.problem = problem
        self.detail = detail
        self.param = param
        self.more = more
