"""What verification finds."""

from collections import Counter
from dataclasses import dataclass, field

_KEPT_MAX = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Breach:
    """One thing that is not as it must be.

    Attributes:
        check: the name of the check, such as `accounts`.
        subject: the id of what is wrong.
        message: a sentence with the figures.
    """

    check: str
    subject: str
    message: str


@dataclass(kw_only=True, slots=True)
class Findings:
    """Collects counts and breaches; of each check only the first hundred are kept."""

    checked: Counter[str] = field(default_factory=Counter[str])
    breaches: list[Breach] = field(default_factory=list[Breach])
    total: int = 0
    _kept: Counter[str] = field(default_factory=Counter[str])

    def count(self, check: str) -> None:
        """One more subject was looked at."""
        self.checked[check] += 1

    def add(self, check: str, subject: str, message: str) -> None:
        """A breach."""
        self.total += 1
        self._kept[check] += 1
        if self._kept[check] <= _KEPT_MAX:
            self.breaches.append(Breach(check=check, subject=subject, message=message))
