"""The gateway of one process: its state, and the few loops beside the hot path.

The loops run for the whole life of the process: heartbeat, signals, ticks, and reading the directory again.
"""

import asyncio
import hmac
import ipaddress
import random
import traceback
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from yuanjing.domain.errors import SpoolError, SpoolFullError, YuanjingError
from yuanjing.domain.identity import ApiKey, Customer
from yuanjing.domain.money import Book
from yuanjing.gateway import admission
from yuanjing.gateway.charging import UNACKNOWLEDGED
from yuanjing.gateway.claims import Claims, ClaimSource
from yuanjing.gateway.client import DefaultHeaders
from yuanjing.gateway.counters import Counters
from yuanjing.gateway.directory import (
    Directory,
    DirectorySource,
    KeyCache,
    KeyEntry,
    Network,
)
from yuanjing.gateway.exchange import Exchange
from yuanjing.gateway.health import RetryBudget
from yuanjing.gateway.lease_source import LeaseSource
from yuanjing.gateway.loading import Loader
from yuanjing.gateway.loops import Log, Loops
from yuanjing.gateway.options import GatewayOptions
from yuanjing.gateway.purse import Purses
from yuanjing.gateway.settlement import Settled, Spooler
from yuanjing.gateway.shedding import LOOK_SECONDS, Shedder
from yuanjing.kit.clock import Clock
from yuanjing.kit.ids import usage_id
from yuanjing.ports.spool import SpoolWriter
from yuanjing.ports.store import Topic


@dataclass(frozen=True, kw_only=True, slots=True)
class Pulse:
    """What a heartbeat brings back."""

    posted_seq: int
    gateways: int
    recalled: frozenset[str]


class NodeSource(Protocol):
    """This process as a node of the platform."""

    async def beat(self) -> Pulse:
        """Say that we live.

        Raises:
            FencedError: the node was taken over; the process must stop.
        """
        ...

    async def signals(self) -> Sequence[tuple[Topic, str]]:
        """What has changed since the last call; see `ports.store.Signal`. A recall's subject is a lease of ours."""
        ...

    async def leave(self) -> None:
        """End this life of the node cleanly: nothing of it is left to take over."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayParts:
    """What `bootstrap` puts into a gateway."""

    options: GatewayOptions
    clock: Clock
    log: Log
    pepper: bytes
    directory: DirectorySource
    leases: LeaseSource
    claims: ClaimSource
    node: NodeSource
    spool: SpoolWriter
    trusted_proxies: tuple[str, ...] = ()
    on_fenced: Callable[[], None] = lambda: None
    on_broken: Callable[[], None] = lambda: None
    """The process must end, and be started anew."""


_TOLD_MAX = 10_000
_LAG_FADES = 0.998
"""What is told of the longest lag is half of it after some ten seconds."""
_NO_DIGEST = bytes(32)


class Gateway:
    """The hot path's state in one process; what exchanges call `Services`."""

    def __init__(self, parts: GatewayParts) -> None:
        self.options = parts.options
        self.counters = Counters()
        self._retries = RetryBudget(
            share=parts.options.retry_share, per_second=parts.options.retries_per_second, now=parts.clock.monotonic()
        )
        self.pepper = parts.pepper
        self.shedder = Shedder(
            most=parts.options.exchanges_max,
            least=parts.options.overload_exchanges_min,
            lag_seconds=parts.options.overload_lag_seconds,
        )
        self.random = random.Random()  # noqa: S311  # spreads load; nothing secret depends on it
        self.processes = 1
        self.draining = 0
        self.exchanges: set[Exchange] = set()
        self.default_headers = DefaultHeaders()
        self.directory = Directory(KeyCache(size=parts.options.key_cache_size, seconds=parts.options.key_cache_seconds))
        self.now = parts.clock.monotonic
        self.purses = Purses(
            parts.leases,
            parts.options,
            self.counters,
            now=self.now,
            spawn=self.spawn,
            on_fenced=self._fenced,
        )
        self.claims = Claims(parts.claims, parts.options, spawn=self.spawn)
        self.spooler = Spooler(parts.spool, self.counters, self)
        self._spool = parts.spool
        self._parts = parts
        self._log = parts.log
        self._tasks: set[asyncio.Task[None]] = set()
        self._loops = Loops(parts.log, on_fenced=self._fenced, on_ended=parts.on_broken)
        self._trusted: tuple[Network, ...] = tuple(ipaddress.ip_network(n, strict=False) for n in parts.trusted_proxies)
        self._beat_at = -float("inf")
        self._looked_at = self._purses_ticked_at = self.now()
        self._is_draining = False
        self._is_stopping = False
        self._told: dict[tuple[str, str], float] = {}
        self._is_fenced = False
        self._spool_is_broken = False
        self._spool_was_full = False
        self._has_directory = False
        self._is_directory_old = False
        self._loader = Loader(parts.options, now=self.now, on_bad_channel=self._bad_channel)

    # Services

    new_id = staticmethod(usage_id)
    admit = admission.admit
    early_refusal = admission.early_refusal

    def throttle(self, key: ApiKey) -> int:
        """Count a request that is served beside the hot path; 0, or the seconds to wait if the key's limits refuse."""
        limits = key.limits
        if limits.requests_per_minute is None and limits.concurrency is None:
            return 0
        limits = replace(limits, tokens_per_minute=None)
        meter, now = self.directory.keys.meter(key.id), self.now()
        if not meter.admit(limits, now, self.processes):
            return meter.wait_seconds(limits, now, self.processes)
        meter.finish(0, now)
        return 0

    def refusal(self) -> str | None:
        """The error code with which everything is refused at the moment, or None."""
        if self._is_fenced or self._is_stopping:
            return "shutting_down"
        in_work = len(self.exchanges)
        if self._spool_is_broken or self._spool.room <= in_work or not self.is_fresh() or not self._has_directory:
            return "store_unavailable"
        return "overloaded" if in_work > self.shedder.most else None

    def why_not_ready(self) -> list[str]:
        """Words for what keeps requests from being admitted; empty if nothing does."""
        reasons = {
            "this process was taken over": self._is_fenced,
            "stopping": self._is_stopping or self._is_draining,
            "the spool cannot be written": self._spool_is_broken,
            "the spool is full": self._spool_is_full and not self._spool_is_broken,
            "no heartbeat reaches the ledger": not self._is_fenced and not self.is_fresh(),
            "the catalogue is not loaded": not self._has_directory,
            "too many requests in work": len(self.exchanges) > self.shedder.most,
        }
        return [reason for reason, holds in reasons.items() if holds]

    def is_fresh(self) -> bool:
        """Whether the node's last heartbeat is young enough to admit and to acknowledge."""
        return not self._is_fenced and self.now() - self._beat_at < self.options.heartbeat_fresh_seconds

    async def load_key(self, key: str, digest: bytes) -> KeyEntry | None:
        """Ask the store for a key that is not in memory; one that does not count is remembered for a moment.

        That costs the same work whether it is unknown, wrong, revoked or expired, so that time tells nobody which.
        """
        keys = self.directory.keys
        while True:
            seen = keys.changes
            found = await self._parts.directory.find_key(key.split("_")[2])
            if keys.changes == seen:
                break  # else what was read may be older than the signal that came meanwhile
        now = self.now()
        is_same = hmac.compare_digest(_NO_DIGEST if found is None else found[0].digest, digest)
        if found is None or not is_same or not _counts(found[0], found[1], self._parts.clock.unix()):
            keys.add_unknown(digest, now, self.options.refuse_seconds)
            return None
        is_first = keys.get(digest, now) is None
        entry = keys.add(found[0], now)
        if is_first:  # a change may have come while nobody here knew the key, and its purse was still there
            self.purses.recall_key(entry.purse_key)
        return entry

    def spawn(self, coroutine: Coroutine[object, object, None]) -> None:
        """Run what has to wait; what it raises is a bug and is logged."""
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(_run(coroutine))
        self._tasks.add(task)
        task.add_done_callback(self._spawned)

    def _spawned(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("background work failed", error=repr(error))

    def may_retry(self) -> bool:
        """Whether one more retry fits into the budget of all; it is counted if not."""
        if self._retries.take(self.counters.finished, self.now()):
            return True
        self.counters.retries_refused += 1
        return False

    def note(self, event: str, exchange: Exchange, **fields: str | float | None) -> None:
        """Write a log line about an exchange; never content, never secrets."""
        self._log.warning(event, request_id=exchange.request_id, dialect=exchange.dialect.value, **fields)

    def note_refusal(self, event: str, exchange: Exchange, **fields: str | float | None) -> None:
        """The same, of what nobody has to look at."""
        self._log.info(event, request_id=exchange.request_id, dialect=exchange.dialect.value, **fields)

    def note_channel(self, channel_id: str, kind: str, now: float, *, is_shut: bool) -> None:
        """A channel has failed in this way: one line in `log_repeat_seconds`, and one when that has shut it."""
        if self._is_told((channel_id, kind), now):
            self._log.warning("channel failed", channel=channel_id, kind=kind)
        if is_shut and self._is_told((channel_id, "shut"), now):
            self._log.warning("channel shut", channel=channel_id, kind=kind)

    def note_shut(self, model: str, now: float) -> None:
        """No channel of the model may be tried: one line in `log_repeat_seconds`."""
        if self._is_told((model, "all shut"), now):
            self._log.warning("every channel of a model is shut", model=model)

    def refuse_connection(self) -> None:
        """There are as many client connections as there may be."""
        self.counters.connections_refused += 1
        if self._is_told(("", "connections"), self.now()):
            self._log.warning("too many connections; more are refused", connections=self.options.connections_max)

    def _is_told(self, what: tuple[str, str], now: float) -> bool:
        if now - self._told.get(what, -float("inf")) < self.options.log_repeat_seconds:
            return False
        if len(self._told) >= _TOLD_MAX:
            self._told.clear()
        self._told[what] = now
        return True

    def is_trusted_proxy(self, address: str) -> bool:
        """Whether `X-Forwarded-For` of this peer is believed."""
        if not self._trusted:
            return False
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
        return any((mapped or ip) in network for network in self._trusted)

    # life

    async def start(self) -> None:
        """Take up work: the first heartbeat and the first directory must succeed.

        Raises:
            YuanjingError: the store cannot be reached.
        """
        await self._beat()
        await self._reload()
        await self._parts.node.signals()
        options = self.options
        self._looked_at = self._purses_ticked_at = self.now()
        self._loops.start("heartbeat", options.heartbeat_seconds, self._beat)
        self._loops.start("signals", options.signal_poll_seconds, self._poll_signals)
        self._loops.start("overload", LOOK_SECONDS, self._look_at_lag)
        self._loops.start("exchanges", options.tick_seconds, self._tick_exchanges)
        self._loops.start("purses", options.tick_seconds, self._tick_purses)
        self._loops.start("channels", options.tick_seconds, self._tick_channels)

    async def stop(self) -> None:
        """End: connections are gone by now; flush the spool, return the leases, leave."""
        self._is_stopping = True
        self._for_each_exchange(Exchange.stop)
        await asyncio.sleep(0)
        self._loops.stop()
        self.spooler.flush()
        await self.purses.close()
        for task in list(self._tasks):
            task.cancel()
        for channel in self.directory.channels.values():
            channel.pool.close()
        self.spooler.close()
        if not self._is_fenced:
            try:
                await self._parts.node.leave()
            except YuanjingError as error:
                self._log.warning("left without saying so; a worker will clean up", error=str(error))

    @property
    def is_ready(self) -> bool:
        """Whether new clients should come here."""
        return not self._is_draining and self.refusal() is None

    def begin_stop(self) -> None:
        """Answer `/readyz` with no from now on; requests on open connections are still served."""
        if not self._is_draining:
            self._is_draining = True
            self._log.info("draining", exchanges=len(self.exchanges))

    def _fenced(self) -> None:
        if not self._is_fenced:
            self._is_fenced = True
            self._log.error("this node was taken over; it stops")
            self._for_each_exchange(Exchange.stop)
            self._parts.on_fenced()

    async def _beat(self) -> None:
        before = self.now()
        pulse = await self._parts.node.beat()
        self._beat_at = before
        processes = max(1, pulse.gateways)
        if processes != self.processes:
            self.processes = self.purses.processes = processes
            self._fit_channels()
        self.spooler.forget(pulse.posted_seq)
        if pulse.recalled:
            self.purses.recall(set(pulse.recalled))

    async def _poll_signals(self) -> None:
        """What is quick first: a signal comes once, so none may be lost because another one's work failed."""
        recalled = set[str]()
        for topic, subject in await self._parts.node.signals():
            if topic is Topic.KEY:
                for entry in self.directory.keys.forget(subject):
                    self.purses.recall_key(entry.purse_key)
            elif topic is Topic.FUNDS:
                book, _, customer = subject.partition(":")
                self.purses.forget_refusal(Book(book), customer)
            elif topic is Topic.RECALL:
                recalled.add(subject)
            elif topic is Topic.CATALOG and subject:
                self._open_channel(subject)
            elif topic is Topic.CATALOG:
                self._is_directory_old = True
        if recalled:
            self.purses.recall(recalled)
        if self._is_directory_old:
            await self._reload()

    def _open_channel(self, channel_id: str) -> None:
        """An operator has tried the channel, and it works; if that was wrong, the next failure is told at once."""
        channel = self.directory.channels.get(channel_id)
        if channel is not None and channel.health.shut_until:
            channel.health.open()
            self._told.pop((channel_id, "shut"), None)
            self._log.info("channel opened", channel=channel_id)

    async def _tick_exchanges(self) -> None:
        now = self.now()
        self._for_each_exchange(lambda exchange: exchange.tick(now))
        is_full = self._spool_is_full and not self._spool_is_broken
        if is_full is not self._spool_was_full:
            self._spool_was_full = is_full
            self._log.warning("the spool is full" if is_full else "the spool has room again", rows=self.spooler.depth)

    async def _look_at_lag(self) -> None:
        """How late the loop is: more requests have come than can be served, or have stopped to come."""
        now = self.now()
        lag_seconds, self._looked_at = now - self._looked_at - LOOK_SECONDS, now
        self.counters.loop_lag_seconds_max = max(self.counters.loop_lag_seconds_max * _LAG_FADES, lag_seconds)
        was_shedding = self.shedder.is_shedding
        self.shedder.look(lag_seconds, len(self.exchanges))
        if self.shedder.is_shedding and not was_shedding:
            self._log.warning("overloaded: requests are refused", lag_seconds=round(lag_seconds, 3))
        elif was_shedding and not self.shedder.is_shedding:
            self._log.info("not overloaded any more")

    async def _tick_purses(self) -> None:
        now = self.now()
        passed, self._purses_ticked_at = now - self._purses_ticked_at, now
        self.purses.tick(passed)

    async def _tick_channels(self) -> None:
        now = self.now()
        for channel in self.directory.channels.values():
            channel.pool.close_idle(self.options.upstream_idle_seconds)
            channel.capacity.look(channel.in_flight - channel.held, now)
        self._fit_channels()

    def _fit_channels(self) -> None:
        for channel in self.directory.channels.values():
            channel.capacity.fit(self.processes, channel.held)

    # what must not happen

    def _for_each_exchange(self, work: Callable[[Exchange], None]) -> None:
        for exchange in list(self.exchanges):
            try:
                work(exchange)
            except Exception as error:  # noqa: BLE001  # the others need their turn; `give_up` logs it
                self.give_up(exchange, error)

    def give_up(self, exchange: Exchange, error: Exception) -> None:
        """See `Services`. The error's own words stay out of the log: they may be a customer's."""
        where = "".join(traceback.format_tb(error.__traceback__))
        self._log.error(
            "a request was given up for a bug", request_id=exchange.request_id, error=type(error).__name__, where=where
        )
        try:
            exchange.crash()
        except Exception as second:  # noqa: BLE001  # there is nothing left to try
            self._log.error("and could not be ended", request_id=exchange.request_id, error=type(second).__name__)
        finally:
            self.exchanges.discard(exchange)

    def settled_failed(self, settled: Settled, error: Exception) -> None:
        """See `SpoolWatcher`."""
        assert isinstance(settled, Exchange)
        self.give_up(settled, error)

    @property
    def _spool_is_full(self) -> bool:
        """Whether the spool has no room for one more row beside those of all that is in work."""
        return self._spool.room <= len(self.exchanges)

    def spool_failed(self, error: Exception) -> None:
        """See `SpoolWatcher`. A broken spool is never written again; a new one needs a new life of this node."""
        if isinstance(error, SpoolFullError):
            self._log.error("the spool is full; an answer was not acknowledged", error=str(error))
        elif not isinstance(error, SpoolError):
            self._log.error("a usage record cannot be written; its answer was not acknowledged", exc_info=error)
        elif not self._spool_is_broken:
            self._spool_is_broken = True
            self._log.error("the spool cannot be written; nothing is admitted any more", error=str(error))
            if not self._is_stopping:
                asyncio.get_running_loop().call_soon(self._cut)
                self._loops.start("spool", self.options.spool_retry_seconds, self._look_at_disk)

    def _cut(self) -> None:
        """End what runs: what it delivers from now on could not be charged."""
        self._for_each_exchange(lambda exchange: exchange.stop("store_unavailable", UNACKNOWLEDGED))

    async def _look_at_disk(self) -> None:
        """Until the disk can be written we say that we are not ready; then a new life begins with a new spool."""
        if await asyncio.to_thread(self._parts.spool.is_disk_well):
            self._log.error("the spool's disk can be written; this process ends, the next begins a new spool")
            self._parts.on_broken()

    # the directory

    async def _reload(self) -> None:
        self._is_directory_old = True
        content = await self._parts.directory.load()
        entries, channels = self._loader.snapshot(content, self.directory.channels)
        self.directory.install(entries, channels)
        self._fit_channels()
        self._has_directory = True
        self._is_directory_old = False

    def _bad_channel(self, channel_id: str, error: Exception) -> None:
        self._log.error("a channel cannot be served and is left out", channel=channel_id, exc_info=error)


async def _run(coroutine: Coroutine[object, object, None]) -> None:
    await coroutine


def _counts(key: ApiKey, customer: Customer, unix: float) -> bool:
    """Whether the key may be used at all at this time."""
    return key.is_usable(unix) and customer.disabled_at is None
