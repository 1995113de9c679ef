"""Callbacks of video providers: a reason to ask, and nothing else.

What they say is never believed. Who can prove nothing else must at least know the channel's secret address.
"""

from collections import OrderedDict
from typing import Protocol

from yuanjing.domain.errors import InvalidInputError, NotFoundError
from yuanjing.domain.tasks import TaskState
from yuanjing.kit.clock import Clock
from yuanjing.kit.digest import is_same_digest, keyed_digest
from yuanjing.ports.store import Store, Tx
from yuanjing.ports.upstream import Callback, CallbackHint

_PURPOSE = b"addresses of video callbacks, version 1"
_NONCES_MAX = 10_000
_LATE = "a callback says that it has succeeded after all"


class CallbackAddresses:
    """The secret address of each channel."""

    def __init__(self, pepper: bytes) -> None:
        self._secret = keyed_digest(pepper, _PURPOSE)

    def path(self, channel_id: str) -> str:
        """What follows the host."""
        return f"/callbacks/video/{channel_id}/{self._token(channel_id)}"

    def is_right(self, channel_id: str, token: str) -> bool:
        """Whether the token is the channel's."""
        return is_same_digest(token.encode(errors="replace"), self._token(channel_id).encode())

    def _token(self, channel_id: str) -> str:
        return keyed_digest(self._secret, channel_id).hex()


async def callback_path(store: Store, addresses: CallbackAddresses, channel_id: str) -> str:
    """The path to register at a provider that tells of the tasks of a whole account (DashScope's EventBridge).

    Raises:
        NotFoundError: no such channel.
        InvalidInputError: it is none of videos.
    """

    def work(tx: Tx) -> bool:
        channel = next((one for one in tx.catalog.channels() if one.id == channel_id), None)
        if channel is None:
            raise NotFoundError(f"there is no channel {channel_id[:60]!r}", param="channel")
        return any(one.id == channel.provider_id and one.video is not None for one in tx.catalog.providers())

    if not await store.read(work):
        raise InvalidInputError("only channels of video providers are called back", param="channel")
    return addresses.path(channel_id)


class ReadsCallbacks(Protocol):
    """Knows the channels and their protocols."""

    async def read(self, channel_id: str, callback: Callback) -> CallbackHint | None:
        """What the callback says; None if there is no such channel.

        Raises:
            CallbackRefusedError: see `VideoUpstream.read_callback`.
        """
        ...


class VideoCallbacks:
    """Takes callbacks in."""

    def __init__(self, store: Store, clock: Clock, addresses: CallbackAddresses, reader: ReadsCallbacks) -> None:
        self._store = store
        self._clock = clock
        self._addresses = addresses
        self._reader = reader
        self._nonces: OrderedDict[tuple[str, str], None] = OrderedDict()

    async def take(self, channel_id: str, token: str, callback: Callback) -> bool:
        """Let the callback's task be asked for now; whether there is one that waits for its end.

        Raises:
            NotFoundError: there is no such address.
            CallbackRefusedError: it is not from the provider, or too old.
        """
        hint = await self._reader.read(channel_id, callback) if self._addresses.is_right(channel_id, token) else None
        if hint is None:
            raise NotFoundError("There is nothing at this path")
        if not hint.upstream_task_id or self._is_repeated(channel_id, hint.nonce):
            return False
        return await self._store.write(lambda tx: self._hasten(tx, channel_id, hint))

    def _is_repeated(self, channel_id: str, nonce: str) -> bool:
        """Whether this process has seen it before; that others have costs a question, and does no harm."""
        if not nonce:
            return False
        is_known = (channel_id, nonce) in self._nonces
        self._nonces[channel_id, nonce] = None
        if len(self._nonces) > _NONCES_MAX:
            self._nonces.popitem(last=False)
        return is_known

    def _hasten(self, tx: Tx, channel_id: str, hint: CallbackHint) -> bool:
        if tx.tasks.hasten(channel_id, hint.upstream_task_id, self._clock.unix()):
            return True
        if hint.state is TaskState.SUCCEEDED:
            self._note_late(tx, channel_id, hint)
        return False

    def _note_late(self, tx: Tx, channel_id: str, hint: CallbackHint) -> None:
        """A success of a task that has ended otherwise is never charged; operators should know of it, once."""
        owner = tx.tasks.owner_of(channel_id, hint.upstream_task_id)
        task = tx.tasks.get(owner) if owner is not None else None
        if task is None or not task.state.is_final or task.state is TaskState.SUCCEEDED or _LATE in task.flag:
            return
        tx.tasks.note(task.id, _LATE, flag="; ".join(filter(None, (task.flag, _LATE))))
