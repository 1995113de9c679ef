"""What the use cases ask of a provider beside the hot path."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeTarget:
    """Where to look and with what.

    Attributes:
        base_url: the channel's address.
        credential: in plain text, or empty.
        model: the provider's name of a model to send one tiny chat to; None asks for its list of models, for free.
    """

    base_url: str
    credential: str
    model: str | None = None

    def __repr__(self) -> str:
        return f"ProbeTarget({self.base_url!r})"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeReport:
    """What a provider answered.

    Attributes:
        status: the HTTP status, None if there was no answer.
        message: one sentence for the operator: what is wrong and what to change. Never the credential.
        duration_ms: until the answer was complete, or until we gave up.
        models: the models that the provider lists, as far as it does.
    """

    is_ok: bool
    status: int | None
    message: str
    duration_ms: int
    models: tuple[str, ...] = ()


class ChannelProbe(Protocol):
    """Tries a channel. It never raises for what the other side does: every failure is a report."""

    async def probe(self, target: ProbeTarget) -> ProbeReport:
        """Send one small request and judge the answer."""
        ...
