"""Finding API keys with their customers; what is asked while the store answers is asked together, in one read.

Each answer comes from a read that began after its question, so a key that was revoked before is seen as revoked.
"""

import asyncio
from collections.abc import Mapping, Sequence

from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.domain.identity import ApiKey, Customer
from yuanjing.ports.store import Store

Found = tuple[ApiKey, Customer]

_AT_ONCE = 100
_PATIENCE_SECONDS = 0.25
"""Who asks while a read is slower than that does not wait for its end."""


class KeyFinder:
    """See the module."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[str, list[asyncio.Future[Found | None]]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._readers: set[asyncio.Task[None]] = set()
        self._reading_since = 0.0

    async def find(self, public_id: str) -> Found | None:
        """A key and its customer by the eight characters that name it; revoked and expired ones too.

        Raises:
            StoreUnavailableError: the store cannot be asked.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Found | None] = loop.create_future()
        self._waiting.setdefault(public_id, []).append(answer)
        is_slow = loop.time() - self._reading_since > _PATIENCE_SECONDS
        if self._reader is None or self._reader.done() or is_slow:
            self._reading_since = loop.time()
            self._reader = loop.create_task(self._read_all())
            self._readers.add(self._reader)
            self._reader.add_done_callback(self._readers.discard)
        return await answer

    async def _read_all(self) -> None:
        """Answer what waits. A task of its own: whoever goes away meanwhile must not leave the others waiting."""
        while self._waiting:
            self._reading_since = asyncio.get_running_loop().time()
            ids = list(self._waiting)[:_AT_ONCE]
            asked = {public_id: self._waiting.pop(public_id) for public_id in ids}
            try:
                await self._answer(asked)
            finally:
                for answer in (one for answers in asked.values() for one in answers):
                    answer.cancel()  # none is left, unless this is cancelled

    async def _answer(self, asked: Mapping[str, Sequence[asyncio.Future[Found | None]]]) -> None:
        """After an error that nobody expects, which may be about one of the keys only, each is looked for alone."""
        try:
            found = await self._store.read(lambda tx: tx.keys.with_customers(asked))
        except StoreUnavailableError as error:
            for answers in asked.values():
                _finish(answers, error)
        except Exception as error:  # noqa: BLE001  # whatever it is, who has asked is told
            for public_id, answers in asked.items():
                if len(asked) > 1:
                    await self._answer({public_id: answers})
                else:
                    _finish(answers, error)
        else:
            for public_id, answers in asked.items():
                _finish(answers, found.get(public_id))


def _finish(answers: Sequence[asyncio.Future[Found | None]], outcome: Found | Exception | None) -> None:
    for answer in answers:
        if answer.done():  # whoever has asked has gone away
            continue
        if isinstance(outcome, Exception):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)
