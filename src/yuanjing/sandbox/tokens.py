"""The sandbox's one token rule; docs/sandbox.md states it in words.

White space is free and belongs to the token after it. Each CJK character is one token. All other text
is cut from the left into pieces of at most four UTF-8 bytes that neither contain white space or a CJK
character nor split a character; each piece is one token. A token is at least one byte, so a text never
has more tokens than bytes, and cutting a text between two tokens changes no other token.
"""

import re

MESSAGE_OVERHEAD_TOKENS = 4
IMAGE_TOKENS = 256

_CJK = "\u2e80-\u2fff\u3001-\ua4cf\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
_ONE = r"[\x00-\x7f]"
_TWO = "[\u0080-\u07ff]"
_FOUR = "[\U00010000-\U0010ffff]"
_NOT = rf"(?![\s{_CJK}])"
_A = f"{_NOT}{_ONE}"
_B = f"{_NOT}{_TWO}"
_C = f"{_NOT}[\u0800-\uffff]"
_D = f"{_NOT}{_FOUR}"
# The alternatives spell "as many characters as fit into four bytes" by the byte width of each.
_PIECE = f"(?:{_D}|{_C}(?:{_A})?|{_B}(?:{_B}|(?:{_A}){{0,2}})|{_A}(?:{_C}|{_B}(?:{_A})?|{_A}(?:{_B}|(?:{_A}){{0,2}}))?)"
_TOKEN = re.compile(rf"\s*(?:[{_CJK}]|{_PIECE})")


def split(text: str) -> list[str]:
    """The tokens of `text`; joined they are the text without white space at its end."""
    return _TOKEN.findall(text)


def count(text: str) -> int:
    """How many tokens `text` has; never more than its UTF-8 bytes."""
    return len(_TOKEN.findall(text))
