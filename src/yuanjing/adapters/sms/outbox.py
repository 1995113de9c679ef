"""The sender of development: messages go to a file, and a log line without the code tells that there is one."""

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import structlog

from yuanjing.kit.clock import Clock
from yuanjing.kit.ids import sortable_id
from yuanjing.ports.messages import Notice, OutboxMessage, SentMessage, SmsUnavailableError

_FILE_MODE = 0o600
_BYTES_MAX = 1024 * 1024
_SHOWN_DIGITS = 4
_log = structlog.stdlib.get_logger("sms")


class Outbox:
    """See `yuanjing.ports.messages.SmsSender`. Only the program's own user can read the file.

    At one MiB it becomes `outbox.jsonl.1`, and a new one begins.
    """

    name = "outbox"
    makes_codes = False
    notices = frozenset(Notice)

    def __init__(self, path: Path, clock: Clock, *, cost_nanos: int = 0) -> None:
        self.cost_nanos = cost_nanos
        self._path = path
        self._clock = clock

    async def send_code(self, mobile: str, code: str, *, minutes: int) -> SentMessage:
        """See the port."""
        return await self._send(mobile, "code", code, {"minutes": str(minutes)})

    async def check_code(self, mobile: str, code: str, receipt: str) -> bool:
        """See the port; the codes are ours.

        Raises:
            SmsUnavailableError: always.
        """
        raise SmsUnavailableError(f"the outbox knows no codes: {receipt!r} to {_masked(mobile)}, {len(code)} digits")

    async def send_notice(self, mobile: str, notice: Notice, fields: Mapping[str, str]) -> SentMessage:
        """See the port."""
        return await self._send(mobile, notice.value, "", fields)

    async def _send(self, mobile: str, kind: str, code: str, fields: Mapping[str, str]) -> SentMessage:
        message = OutboxMessage(
            receipt=sortable_id("out"),
            at=datetime.fromtimestamp(int(self._clock.unix()), UTC).isoformat().replace("+00:00", "Z"),
            mobile=mobile,
            kind=kind,
            code=code,
            fields=dict(fields),
        )
        try:
            await asyncio.to_thread(self._append, message)
        except OSError as error:
            raise SmsUnavailableError(f"the outbox cannot be written: {error.strerror}") from error
        _log.info("sms.outbox", mobile=_masked(mobile), kind=kind, receipt=message.receipt)
        return SentMessage(receipt=message.receipt)

    def _append(self, message: OutboxMessage) -> None:
        line = json.dumps(asdict(message), ensure_ascii=False) + "\n"
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _FILE_MODE)
        try:
            os.write(handle, line.encode())
            is_full = os.fstat(handle).st_size > _BYTES_MAX
        finally:
            os.close(handle)
        if is_full:
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))


def read_messages(path: Path, mobile: str | None = None, *, limit: int) -> list[OutboxMessage]:
    """The last messages, newest first; those to this number if one is given."""
    found: list[OutboxMessage] = []
    for name in (path, path.with_name(f"{path.name}.1")):
        try:
            lines = name.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            continue
        for line in reversed(lines):
            message = OutboxMessage(**json.loads(line))
            if mobile is None or message.mobile == mobile:
                found.append(message)
                if len(found) == limit:
                    return found
    return found


def _masked(mobile: str) -> str:
    return f"…{mobile[-_SHOWN_DIGITS:]}"
