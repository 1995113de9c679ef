"""Chats that name themselves (`Idempotency-Key`): who runs, who is told to wait, who gets the first one's answer.

Only requests with the header come here; they leave the fast way before money is set aside. Claims that come at once
share one transaction, so that keys cost the store no more than its own speed, however many there are.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar

from yuanjing.domain.errors import StoreUnavailableError, YuanjingError
from yuanjing.domain.idempotency import Claim, Found, KeptAnswer, Standing
from yuanjing.gateway.options import GatewayOptions
from yuanjing.gateway.upstream import Spawn

_AT_ONCE = 64
R = TypeVar("R")


class ClaimSource(Protocol):
    """The store's idempotency keys, for one node. Each call may raise `StoreUnavailableError`."""

    async def claim(self, claims: Sequence[Claim]) -> Sequence[Found]:
        """Claim keys for chats that are about to run here; how each ended."""
        ...

    async def look(self, claims: Sequence[Claim]) -> Sequence[Found | None]:
        """What the keys stand for now; None for one that is free."""
        ...

    async def release(self, claims: Sequence[Claim]) -> None:
        """These chats were not charged: their keys are free again."""
        ...


class _Together(Generic[R]):
    """Asks the store about claims: what comes while one question is under way goes together into the next."""

    def __init__(self, ask: Callable[[Sequence[Claim]], Awaitable[Sequence[R]]], spawn: Spawn) -> None:
        self._ask = ask
        self._spawn = spawn
        self._waiting: list[tuple[Claim, asyncio.Future[R]]] = []
        self._is_asking = False

    async def ask(self, claim: Claim) -> R:
        """What the store says about one claim; whatever asking raises, each who waits is told."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((claim, answer))
        if not self._is_asking:
            self._is_asking = True
            self._spawn(self._ask_all())
        return await answer

    async def _ask_all(self) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
                await self._ask_some(asked)
        finally:
            self._is_asking = False

    async def _ask_some(self, asked: Sequence[tuple[Claim, "asyncio.Future[R]"]]) -> None:
        try:
            found = await self._ask([claim for claim, _ in asked])
        except Exception as error:  # noqa: BLE001  # whatever it is, they must not wait for ever; each of them tells it
            for _, answer in asked:
                if not answer.done():  # who waited may be gone
                    answer.set_exception(error)
            return
        for (_, answer), one in zip(asked, found, strict=True):
            if not answer.done():
                answer.set_result(one)


class Claims:
    """The claims of this process: those under way, those held, and those to be given up."""

    def __init__(self, source: ClaimSource, options: GatewayOptions, *, spawn: Spawn) -> None:
        self.kept_bytes = 0
        """Of answers under way that are to be kept."""
        self.options = options
        self._source = source
        self._spawn = spawn
        self._asking = _Together(source.claim, spawn)
        self._looking = _Together(source.look, spawn)
        self._held: dict[tuple[str, bytes], Claim] = {}
        self._unreleased: list[Claim] = []
        self._is_releasing = False

    @property
    def has_room(self) -> bool:
        """Whether more of answers under way may be kept."""
        return self.kept_bytes <= self.options.idempotency_answers_bytes_max

    async def claim(self, claim: Claim) -> Found:
        """Claim a key; NEW makes the claim this process's, until it is released or its record is handed over.

        A first request whose result is not known may just have ended: it is looked at once more after a moment.

        Raises:
            StoreUnavailableError: nobody knows; what may have been claimed is released.
        """
        held = self._held.get(claim.place)
        if held is not None:
            return Found(standing=Standing.RUNNING if held.content == claim.content else Standing.OTHER)
        found = await self._ask(claim)
        if found.standing is Standing.NEW:
            self._held[claim.place] = claim
        elif found.standing is Standing.RUNNING:
            await asyncio.sleep(self.options.idempotency_wait_seconds)
            found = await self._looking.ask(claim) or found
        return found

    async def _ask(self, claim: Claim) -> Found:
        try:
            return await self._asking.ask(claim)
        except StoreUnavailableError:
            self._release([claim])  # the commit may have happened
            raise

    def release(self, claim: Claim) -> None:
        """The request left no charge: its key is to be free again, as soon as the store can be told."""
        self.hand_over(claim)
        self._release([claim])

    def hand_over(self, claim: Claim) -> None:
        """The request's record is on its way to the store, and frees the key or gives it its answer."""
        if self._held.get(claim.place) is claim:
            del self._held[claim.place]

    def _release(self, claims: Sequence[Claim]) -> None:
        self._unreleased += claims
        if not self._is_releasing:
            self._is_releasing = True
            self._spawn(self._release_all())

    async def _release_all(self) -> None:
        try:
            while self._unreleased:
                claims = self._unreleased[:_AT_ONCE]
                try:
                    await self._source.release(claims)
                except YuanjingError:
                    await asyncio.sleep(self.options.heartbeat_seconds)
                    continue
                del self._unreleased[: len(claims)]
        finally:
            self._is_releasing = False


class HeldClaim:
    """The claim of a request that runs, and its answer as far as it has come."""

    __slots__ = ("_claims", "_is_kept", "_pieces", "_size", "claim", "is_whole")

    def __init__(self, claims: Claims, claim: Claim) -> None:
        self.claim = claim
        self.is_whole = False
        self._claims = claims
        self._pieces: list[bytes] = []
        self._size = 0
        self._is_kept = True

    def add(self, data: bytes) -> None:
        """A piece of the answer; nothing of one that has become too large is kept."""
        if not self._is_kept:
            return
        claims = self._claims
        self._size += len(data)
        claims.kept_bytes += len(data)
        self._pieces.append(data)
        if self._size > claims.options.idempotency_answer_bytes_max or not claims.has_room:
            self._drop()

    def add_last(self, data: bytes) -> None:
        """The last piece: the answer is whole."""
        self.add(data)
        self.is_whole = True

    def _drop(self) -> None:
        self._is_kept = False
        self._forget()

    def _forget(self) -> None:
        self._claims.kept_bytes -= self._size
        self._size = 0
        self._pieces.clear()

    def end(self, clamped_to: int | None) -> KeptAnswer:
        """The record that carries this is handed over: it decides over the key from now on."""
        kept = self.so_far()
        if self.is_whole:
            kept.is_whole, kept.clamped_to = True, clamped_to
            kept.body = b"".join(self._pieces) if self._is_kept else None
        self._forget()
        self._claims.hand_over(self.claim)
        return kept

    def so_far(self) -> KeptAnswer:
        """What is left of the request if its process dies now."""
        return KeptAnswer(digest=self.claim.digest)

    def release(self) -> None:
        """Nothing is charged."""
        self._forget()
        self._claims.release(self.claim)
