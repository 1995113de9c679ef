"""The magic words of video prompts: which there are, what they do."""

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from yuanjing.sandbox import faults
from yuanjing.sandbox.video.wish import Failure, FailureKind, Wish, even


class Word(StrEnum):
    """Everything that a video prompt can ask for with `sandbox:<word>`; several may stand together."""

    UNAUTHORIZED = "401"
    NO_MONEY = "no-money"
    RATE_LIMIT = "429"
    SERVER_ERROR_AFTER_ACCEPT = "500-after-accept"
    LOST_REPLY = "lost-reply"
    UNSEEN = "unseen"
    MODERATION = "moderation"
    REAL_FACE = "real-face"
    INVALID_INPUT = "invalid-input"
    LONG_QUEUE = "long-queue"
    STUCK = "stuck"
    RESULT_404 = "result-404"
    TRUNCATED_FILE = "truncated-file"
    LARGE_FILE = "large-file"
    SLOW_FILE = "slow-file"
    REDIRECTED_FILE = "redirected-file"
    SHORTER = "shorter"
    WRONG_RESOLUTION = "wrong-resolution"
    CALLBACK_LOST = "callback-lost"
    CALLBACK_TWICE = "callback-twice"
    CALLBACK_FORGED = "callback-forged"


@dataclass(frozen=True, kw_only=True)
class WordDoc:
    """What a word does, and its number if it takes one."""

    effect: str
    number: str = ""
    default: float | None = None


WORDS: dict[Word, WordDoc] = {
    Word.UNAUTHORIZED: WordDoc(effect="submit: HTTP 401 in the protocol's envelope"),
    Word.NO_MONEY: WordDoc(effect="submit: the protocol's own answer to an empty account (400 or 403)"),
    Word.RATE_LIMIT: WordDoc(effect="submit: HTTP 429 in the protocol's envelope; no task"),
    Word.SERVER_ERROR_AFTER_ACCEPT: WordDoc(
        effect="submit: HTTP 500 in the protocol's envelope, although the task exists"
    ),
    Word.LOST_REPLY: WordDoc(effect="submit: the task exists, the connection is closed without an answer"),
    Word.UNSEEN: WordDoc(
        effect="the task exists, but nobody finds it before SECONDS after its acceptance, by its id or in a list",
        number="SECONDS",
        default=5.0,
    ),
    Word.MODERATION: WordDoc(effect="the task runs and fails as moderated"),
    Word.REAL_FACE: WordDoc(
        effect="submit: Ark and BytePlus refuse a picture or clip that is no asset, as one of a real person (400); "
        "other protocols take no notice"
    ),
    Word.INVALID_INPUT: WordDoc(effect="the task is accepted and fails with the protocol's invalid-parameter code"),
    Word.LONG_QUEUE: WordDoc(effect="the task waits SECONDS in the queue", number="SECONDS", default=60.0),
    Word.STUCK: WordDoc(
        effect="the task runs and never ends; it expires SECONDS after its acceptance, without a number when the "
        "protocol says",
        number="SECONDS",
    ),
    Word.RESULT_404: WordDoc(effect="the task succeeds, its files are not there (404)"),
    Word.TRUNCATED_FILE: WordDoc(effect="the task succeeds, of its video only the first half is there"),
    Word.LARGE_FILE: WordDoc(
        effect="the task succeeds, its video plays and is filled up to MEGABYTES (at most 4000) with bytes that mean "
        "nothing",
        number="MEGABYTES",
        default=100.0,
    ),
    Word.SLOW_FILE: WordDoc(
        effect="the task succeeds, of its video the first half comes at once and the rest SECONDS later",
        number="SECONDS",
        default=30.0,
    ),
    Word.REDIRECTED_FILE: WordDoc(
        effect="the task succeeds, its video's address leads on to one inside of a cloud (169.254.169.254)"
    ),
    Word.SHORTER: WordDoc(
        effect="half of the seconds asked for are delivered, at least one; usage tells the delivered"
    ),
    Word.WRONG_RESOLUTION: WordDoc(
        effect="half of the width and height are delivered; answers tell what was asked for"
    ),
    Word.CALLBACK_LOST: WordDoc(effect="no callback is sent"),
    Word.CALLBACK_TWICE: WordDoc(effect="each callback is sent twice"),
    Word.CALLBACK_FORGED: WordDoc(
        effect="before the first callback comes a false one: success with a foreign URL, wrongly signed where the "
        "protocol signs"
    ),
}

MODERATED_TEXT = "The request failed because the output may contain sensitive information."
INVALID_TEXT = "The parameter is not valid: asked for by a magic word of the sandbox."


@dataclass(frozen=True)
class Asked:
    """The magic words of one request with their numbers (0 for those without)."""

    words: Mapping[Word, float] = field(default_factory=dict[Word, float])

    def __contains__(self, word: Word) -> bool:
        return word in self.words

    def number(self, word: Word) -> float:
        """The word's number; 0 if it is absent or has none."""
        return self.words.get(word, 0.0)

    def __str__(self) -> str:
        return ",".join(self.words)


def parse(text: str) -> Asked:
    """The magic words in a prompt; of a repeated one the first counts, unknown ones do nothing."""
    found: dict[Word, float] = {}
    for word, digits in faults.words_in(text):
        if word in _NAMES:
            found.setdefault(Word(word), _number(Word(word), digits))
    return Asked(found)


def of_credential(credential: str, accepted: Collection[str]) -> Asked | None:
    """What the credential itself asks for (`<credential>-fail-<word>[=N]`); None if it is not accepted."""
    if credential in accepted:
        return Asked()
    found = faults.word_of_credential(credential, accepted)
    if found is None or found[0] not in _NAMES:
        return None
    return Asked({Word(found[0]): _number(Word(found[0]), found[1])})


def merge(credential: Asked, prompt: Asked) -> Asked:
    """All words of both; the credential's numbers go first."""
    return Asked({**prompt.words, **credential.words})


def failure_of(asked: Asked) -> Failure | None:
    """Why the task is to fail, if a word says so."""
    if Word.MODERATION in asked:
        return Failure(kind=FailureKind.MODERATED, text=MODERATED_TEXT)
    if Word.INVALID_INPUT in asked:
        return Failure(kind=FailureKind.INVALID, text=INVALID_TEXT)
    return None


def delivered(wish: Wish, asked: Asked) -> Wish:
    """What is rendered for the wish."""
    if Word.SHORTER in asked:
        wish = dataclasses.replace(wish, seconds=max(1, int(wish.seconds) // 2))
    if Word.WRONG_RESOLUTION in asked:
        wish = dataclasses.replace(wish, width=even(wish.width // 2), height=even(wish.height // 2))
    return wish


def _number(word: Word, digits: str) -> float:
    return float(digits) if digits else WORDS[word].default or 0.0


_NAMES = frozenset(word.value for word in Word)
