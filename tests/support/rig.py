"""A gateway and its scripted providers together; leaving it checks that nothing is left over and no money is lost."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from tests.support.gateway import FakeBank, FakeDirectory, FakeSpool, GatewayServer, channel, provider
from tests.support.rawclient import RawClient
from tests.support.upstream import RawUpstream, Step

from yuanjing.domain.catalog import ChannelLimits, OnDisconnect
from yuanjing.domain.usage import UsageRecord
from yuanjing.gateway.directory import ChannelState
from yuanjing.gateway.options import GatewayOptions
from yuanjing.gateway.runtime import Gateway

FIRST_BALANCE = 100 * 10**9
INPUT_NANOS = 3_200
OUTPUT_NANOS = 12_800


def bill(input_tokens: int, output_tokens: int) -> int:
    """What so many tokens cost, in nano-yuan."""
    return input_tokens * INPUT_NANOS + output_tokens * OUTPUT_NANOS


@dataclass
class Rig:
    """What a test needs."""

    server: GatewayServer
    upstreams: list[RawUpstream]
    bank: FakeBank
    spool: FakeSpool
    clients: ExitStack = field(default_factory=ExitStack)

    @property
    def upstream(self) -> RawUpstream:
        return self.upstreams[0]

    @property
    def gateway(self) -> Gateway:
        return self.server.gateway

    @property
    def records(self) -> list[UsageRecord]:
        return self.spool.records

    def client(self, *, timeout: float = 5.0, receive_buffer: int | None = None) -> RawClient:
        """A new connection, closed at the end of the test."""
        client = RawClient(self.server.port, timeout=timeout, receive_buffer=receive_buffer)
        return self.clients.enter_context(client)

    def channel(self, number: int = 1) -> ChannelState:
        return self.gateway.directory.channels[f"ch_{number}"]

    def wait_records(self, count: int, seconds: float = 5.0) -> list[UsageRecord]:
        """The usage records, when there are so many."""
        wait_for(lambda: len(self.records) >= count, seconds, lambda: f"{len(self.records)} of {count} records")
        return self.records

    def wait_over(self, seconds: float = 5.0) -> None:
        """Wait until no exchange is under way."""
        wait_for(lambda: not self.gateway.exchanges, seconds, lambda: f"left: {self.gateway.exchanges}")

    def leftovers(self) -> list[str]:
        """What should not be there when everything is over."""
        gateway = self.gateway
        held = sum(self.bank.holds.values())
        charged = sum(record.charge_nanos for record in self.records)
        checks = {
            "exchanges": len(gateway.exchanges),
            "tasks": len(gateway._tasks),
            "draining": gateway.draining,
            "reserved": sum(p.reserved for p in gateway.purses._purses.values()),
            "in flight": sum(c.in_flight for c in gateway.directory.channels.values()),
            "held": sum(abs(c.held) for c in gateway.directory.channels.values()),
            "money made or lost": held - gateway.purses.leased_nanos - charged,
            "balance": FIRST_BALANCE - held - sum(self.bank.balance.values()),
            "broken connections kept": sum(
                sum(1 for c in channel.pool._idle if c.transport is None or c.transport.is_closing())
                for channel in gateway.directory.channels.values()
            ),
            "billed twice": len(self.records) - len({record.id for record in self.records}),
            "errors logged": len([line for line in self.server.log.lines if line[0] == "error"]),
            "errors on the loop": len(self.server.loop_errors),
        }
        return [f"{name}: {value}" for name, value in checks.items() if value]

    def assert_clean(self, seconds: float = 3.0) -> None:
        """Nothing is left over, and money is conserved."""
        wait_for(lambda: not self.leftovers(), seconds, lambda: f"{self.leftovers()} {self._errors()}")

    def _errors(self) -> list[object]:
        return [line for line in self.server.log.lines if line[0] == "error"] + self.server.loop_errors


def wait_for(is_so: Callable[[], object], seconds: float = 5.0, say: Callable[[], str] = lambda: "") -> None:
    """Wait until it is so."""
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, say()
        time.sleep(0.003)


@contextmanager
def rig(  # noqa: PLR0913  # a set-up's parts, each by its name
    *scripts: Sequence[Step],
    upstreams: Sequence[RawUpstream] = (),
    drains: bool = False,
    connections_max: int = 256,
    keep_alive_seconds: int = 75,
    is_stopped_by_test: bool = False,
    clients_max: int = 16_384,
    limits: Sequence[ChannelLimits] = (),
    **options: float | str | None,
) -> Iterator[Rig]:
    """A gateway before one provider that plays `scripts`, or before `upstreams`, a channel each, in that order.

    `limits` are those of the first channels.
    """
    providers = list(upstreams) or [RawUpstream(*scripts)]
    none = [ChannelLimits()] * len(providers)
    chosen = GatewayOptions(**({"tick_seconds": 0.02, "connections_max": clients_max, "breaker": "all"} | options))  # type: ignore[arg-type]
    bank = FakeBank(balance={"cus_1": FIRST_BALANCE})
    spool = FakeSpool()
    with ExitStack() as stack:
        for upstream in providers:
            stack.enter_context(upstream)
        directory = FakeDirectory(
            channels=[
                channel(u.url, id=f"ch_{i}", priority=i, connections_max=connections_max, limits=own)
                for i, (u, own) in enumerate(zip(providers, [*limits, *none], strict=False), start=1)
            ],
            providers=[provider(on_disconnect=OnDisconnect.DRAIN if drains else OnDisconnect.CANCEL)],
        )
        server = GatewayServer(directory, options=chosen, bank=bank, spool=spool, keep_alive_seconds=keep_alive_seconds)
        made = Rig(server, providers, bank, spool)
        with server:
            with made.clients:
                yield made
            if not is_stopped_by_test:
                made.assert_clean()
