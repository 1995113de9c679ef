"""Who sends messages to mobiles, from the settings."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from yuanjing.adapters.sms.outbox import Outbox, read_messages
from yuanjing.bootstrap.checks import check_sms_sender
from yuanjing.domain.errors import NotFoundError
from yuanjing.domain.money import parse_amount
from yuanjing.kit.clock import Clock
from yuanjing.ports.messages import OutboxMessage, SmsSender
from yuanjing.settings import Settings

_OUTBOX = "outbox"


@asynccontextmanager
async def open_sms(settings: Settings, clock: Clock) -> AsyncGenerator[SmsSender | None]:
    """Who sends messages; None if nobody does. A vendor's connections are open for as long as this is.

    Raises:
        SettingsError: codes would be written to a file in production, or a setting of the vendor is missing.
    """
    check_sms_sender(settings)
    if uses_outbox(settings):
        yield Outbox(outbox_path(settings), clock, cost_nanos=parse_amount(settings.sms_cost))
    elif not settings.sms_sender:
        yield None
    else:
        from yuanjing.bootstrap.sms_vendors import open_vendor  # noqa: PLC0415  # with httpx2: 0.1 s of a start

        async with open_vendor(settings, clock) as vendor:
            yield vendor


def uses_outbox(settings: Settings) -> bool:
    """Whether messages are written to a file; never in production."""
    return settings.sms_sender == _OUTBOX or not (settings.sms_sender or settings.is_production)


def outbox_path(settings: Settings) -> Path:
    """The outbox's file."""
    return settings.data / "outbox.jsonl"


def outbox_reader(settings: Settings) -> Callable[[int], list[OutboxMessage]] | None:
    """What gives the last so many messages of the outbox; None if there is none."""
    if not uses_outbox(settings):
        return None
    path = outbox_path(settings)
    return lambda limit: read_messages(path, limit=limit)


def last_message(settings: Settings, mobile: str | None) -> OutboxMessage:
    """The last message in the outbox, to this number (E.164) if one is given.

    Raises:
        SettingsError: there is no outbox in production.
        NotFoundError: there is no message.
    """
    check_sms_sender(settings.model_copy(update={"sms_sender": _OUTBOX}))
    found = read_messages(outbox_path(settings), mobile, limit=1)
    if not found:
        raise NotFoundError("there is no message in the outbox" + (f" to {mobile}" if mobile else ""), param="mobile")
    return found[0]
