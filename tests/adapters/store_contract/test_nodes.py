from yuanjing.ports.store import Node, SpoolPosition, Store


def _node(incarnation: int, beat: int, *, at: float = 1.5, seq: int = 0, is_alive: bool = True) -> Node:
    return Node(
        id="m-g0",
        incarnation=incarnation,
        machine="m",
        role="gateway",
        beat=beat,
        beat_at=at,
        posted_seq=seq,
        is_alive=is_alive,
    )


async def test_each_life_has_a_higher_incarnation(store: Store):
    assert await store.read(lambda tx: tx.nodes.lock("m-g0")) is None
    assert await store.write(lambda tx: tx.nodes.register("m-g0", "m", "gateway", 1.5)) == _node(1, 1)
    second = await store.write(lambda tx: tx.nodes.register("m-g0", "m2", "worker", 2.5))
    assert (second.incarnation, second.machine, second.role, second.beat_at) == (2, "m2", "worker", 2.5)
    assert await store.write(lambda tx: tx.nodes.lock("m-g0")) == second


async def test_beats_count_only_for_the_living_incarnation(store: Store):
    await store.write(lambda tx: tx.nodes.register("m-g0", "m", "gateway", 1.5))
    assert await store.write(lambda tx: tx.nodes.beat("m-g0", 1, 9.5)) == _node(1, 2, at=9.5)
    assert await store.write(lambda tx: tx.nodes.beat("m-g0", 2, 9.5)) is None
    assert await store.write(lambda tx: tx.nodes.beat("m-gx", 1, 9.5)) is None
    assert await store.write(lambda tx: tx.nodes.close("m-g0", 1)) is True
    assert await store.write(lambda tx: tx.nodes.beat("m-g0", 1, 9.5)) is None
    assert await store.write(lambda tx: tx.nodes.beat("m-g0", 2, 9.5)) is None


async def test_closing_raises_the_incarnation_once(store: Store):
    await store.write(lambda tx: tx.nodes.register("m-g0", "m", "gateway", 1.5))
    assert await store.write(lambda tx: tx.nodes.close("m-g0", 2)) is False
    assert await store.write(lambda tx: tx.nodes.close("m-g0", 1)) is True
    assert await store.write(lambda tx: tx.nodes.close("m-g0", 1)) is False
    assert await store.write(lambda tx: tx.nodes.close("m-g0", 2)) is False
    assert await store.read(lambda tx: tx.nodes.all()) == [_node(2, 1, is_alive=False)]
    again = await store.write(lambda tx: tx.nodes.register("m-g0", "m", "gateway", 3.5))
    assert (again.incarnation, again.is_alive) == (3, True)


async def test_a_position_moves_only_from_where_it_is(store: Store):
    await store.write(lambda tx: tx.nodes.register("m-g0", "m", "gateway", 1.5))
    advance = store.write
    assert await advance(lambda tx: tx.nodes.advance("m-g0", 1, expected_seq=0, posted_seq=10)) is True
    assert await advance(lambda tx: tx.nodes.advance("m-g0", 1, expected_seq=0, posted_seq=12)) is False
    assert await advance(lambda tx: tx.nodes.advance("m-g0", 2, expected_seq=0, posted_seq=12)) is False
    assert await advance(lambda tx: tx.nodes.advance("m-g0", 1, expected_seq=10, posted_seq=12)) is True
    assert await store.read(lambda tx: tx.nodes.lock("m-g0")) == _node(1, 1, seq=12)
    assert await store.read(lambda tx: tx.nodes.position("m-g0", 1)) == SpoolPosition(
        node_id="m-g0", incarnation=1, posted_seq=12, is_finished=False
    )
    assert await store.write(lambda tx: tx.nodes.beat("m-g0", 1, 2.5)) == _node(1, 2, at=2.5, seq=12)


async def test_positions_outlive_their_incarnation(store: Store):
    await store.write(lambda tx: tx.nodes.register("m-g0", "m", "gateway", 1.5))
    await store.write(lambda tx: tx.nodes.advance("m-g0", 1, expected_seq=0, posted_seq=10))
    await store.write(lambda tx: tx.nodes.close("m-g0", 1))
    assert await store.read(lambda tx: tx.nodes.position("m-g0", 2)) is None
    await store.write(lambda tx: tx.nodes.register("m-g0", "m", "gateway", 1.5))
    await store.write(lambda tx: tx.nodes.register("m-a0", "m", "gateway", 1.5))
    assert await store.write(lambda tx: tx.nodes.advance("m-g0", 1, expected_seq=10, posted_seq=11)) is True
    assert [(n.id, n.posted_seq) for n in await store.read(lambda tx: tx.nodes.all())] == [("m-a0", 0), ("m-g0", 0)]

    def unfinished(tx):
        return [(p.node_id, p.incarnation, p.posted_seq) for p in tx.nodes.unfinished()]

    assert await store.read(unfinished) == [("m-a0", 1, 0), ("m-g0", 1, 11), ("m-g0", 3, 0)]
    await store.write(lambda tx: tx.nodes.finish("m-g0", 1))
    assert await store.read(unfinished) == [("m-a0", 1, 0), ("m-g0", 3, 0)]
    finished = await store.read(lambda tx: tx.nodes.position("m-g0", 1))
    assert finished is not None
    assert finished.is_finished
