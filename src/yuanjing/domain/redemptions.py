"""Redeem codes: texts that are worth promotion money, once.

A code is sixteen characters of an alphabet without look-alikes, in groups of four: thirteen random ones, which are 65
bits, and three that check them. Reading forgives what people do to codes: small letters, spaces, O for 0, I for 1.
"""

from dataclasses import dataclass

from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.money import AMOUNT_NANOS_MAX

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
BODY_LENGTH, CHECK_LENGTH = 13, 3
TEXT_LENGTH_MAX = 60
"""The longest text that is looked at; what people put between the characters included."""
CAUSE_PREFIX = "code:"
"""How the causes of their grants begin, and no other's."""
_GROUP = 4
_BASE = len(ALPHABET)
_PRIME = 32_749
"""The largest below 32³. Neither a difference of two digits nor 31, 32 or 1025 times one is a multiple of it, so every
wrong character and every swap of neighbours is seen."""
_VALUES = {character: value for value, character in enumerate(ALPHABET)} | {"O": 0, "I": 1, "L": 1}
_BETWEEN = str.maketrans("", "", " -\t\u2010\u2011\u2012\u2013\u2014")


class MistypedRedeemCodeError(YuanjingError):
    """No code at all; told before anything is looked up."""

    code = "mistyped_redeem_code"

    def __init__(self) -> None:
        super().__init__("This is no redeem code: look at it again, a character is wrong or missing", param="code")


class WrongRedeemCodeError(YuanjingError):
    """It is unknown, used by another, revoked, or its time is over.

    One text for all of them: the difference would tell which codes exist.
    """

    code = "wrong_redeem_code"

    def __init__(self) -> None:
        super().__init__("This code does not count (any more)", param="code")


class RedeemCodeLimitError(YuanjingError):
    """The customer has redeemed as many codes of the batch as one may."""

    code = "redeem_code_limit"

    def __init__(self, codes_max: int) -> None:
        super().__init__(f"One customer may redeem {codes_max} of these codes, which you have done", param="code")


@dataclass(frozen=True, kw_only=True, slots=True)
class RedeemCode:
    """A code as it is kept; its text is not.

    Attributes:
        batch_id: of the codes that were made together.
        digest: keyed digest of the text.
        hint: the text's first group, to tell codes of a batch apart.
        money_days: for so many days after it was redeemed its money can be spent; None if it does not expire.
        customer_max: how many of its batch one customer may redeem; None if as many as there are.
        expires_at: Unix time from which it cannot be redeemed; None if it always can.
        note: for operators.
        customer_id: who has redeemed it, at `redeemed_at`.
    """

    id: str
    batch_id: str
    digest: bytes
    hint: str
    amount_nanos: int
    money_days: int | None = None
    customer_max: int | None = None
    expires_at: float | None = None
    note: str = ""
    created_at: float
    revoked_at: float | None = None
    customer_id: str | None = None
    redeemed_at: float | None = None

    def __post_init__(self) -> None:
        assert 0 < self.amount_nanos <= AMOUNT_NANOS_MAX, self.id
        assert (self.customer_id is None) == (self.redeemed_at is None), self.id

    def is_redeemable(self, at: float) -> bool:
        """Whether somebody may redeem it now."""
        is_in_time = self.expires_at is None or at < self.expires_at
        return self.customer_id is None and self.revoked_at is None and is_in_time

    @property
    def cause(self) -> str:
        """The name of the grant that it makes."""
        return f"{CAUSE_PREFIX}{self.id}"


def make_code(body: str) -> str:
    """The code of thirteen random characters of the alphabet, as people see it."""
    assert len(body) == BODY_LENGTH
    text = body + _check(body)
    return "-".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))


def read_code(text: str) -> str:
    """The sixteen characters of a code that somebody has typed, without anything between them.

    Raises:
        MistypedRedeemCodeError: it is none.
    """
    bare = text.translate(_BETWEEN).upper() if len(text) <= TEXT_LENGTH_MAX else ""
    if len(bare) != BODY_LENGTH + CHECK_LENGTH or not all(character in _VALUES for character in bare):
        raise MistypedRedeemCodeError
    plain = "".join(ALPHABET[_VALUES[character]] for character in bare)
    if _check(plain[:BODY_LENGTH]) != plain[BODY_LENGTH:]:
        raise MistypedRedeemCodeError
    return plain


def _check(body: str) -> str:
    value = 0
    for character in body:
        value = value * _BASE + _VALUES[character]
    value %= _PRIME
    return ALPHABET[value // _BASE**2] + ALPHABET[value // _BASE % _BASE] + ALPHABET[value % _BASE]
