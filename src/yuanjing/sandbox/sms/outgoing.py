"""What the simulated vendors have sent, and how much they send to one number."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A message that was taken.

    Attributes:
        at: simulated Unix time.
        vendor: `dysmsapi`, `dypnsapi` or `tencent`.
        number: in E.164.
        receipt: the vendor's name of it.
        is_code: whether its template is one of codes.
        text: what the phone shows.
        fields: what the template was filled with, by name or position.
    """

    at: float
    vendor: str
    number: str
    sign_name: str
    template: str
    receipt: str
    is_code: bool
    text: str
    fields: dict[str, str]


class Outgoing:
    """The newest messages; limits look back over those of one day, which are never more than are remembered."""

    def __init__(self, sent_max: int) -> None:
        self._sent: deque[Sent] = deque(maxlen=sent_max)

    def add(self, sent: Sent) -> None:
        """Remember one."""
        self._sent.append(sent)

    def all(self) -> list[Sent]:
        """Newest first."""
        return list(reversed(self._sent))

    def to(self, vendors: Iterable[str], number: str, since: float) -> list[Sent]:
        """Messages of these vendors to a number since then."""
        names = frozenset(vendors)
        return [one for one in self._sent if one.number == number and one.at > since and one.vendor in names]
