"""A gateway that ends a life of its own says what it had to settle late, as a worker does of others."""

from tests.support.gateway import ListLog
from tests.support.money import FlakyStore, World
from tests.usecases.test_nodes import stray

from yuanjing.adapters.memory import MemoryStore
from yuanjing.adapters.memory.spool import MemorySpoolFolder
from yuanjing.bootstrap.sources import NodeLife
from yuanjing.kit.clock import ManualClock


async def test_what_comes_late_when_a_gateway_leaves_is_told():
    clock = ManualClock()
    world = World(store=FlakyStore(MemoryStore(clock=clock)), spools=MemorySpoolFolder(), clock=clock)
    await world.prepare("cus_a")
    for rows, amounts in ((0, []), (2, [{"rows": 2, "charge_nanos": 14, "shortfall_nanos": 14}])):
        log, gateway = ListLog(), await world.gateway()
        gateway.spool.append([stray(world, 7) for _ in range(rows)], [])
        gateway.kill()
        await NodeLife(world, gateway.keeper, gateway.node, log).leave()
        assert log.lines == [("warning", "settled late", {"node": "m-g0", **fields}) for fields in amounts]
