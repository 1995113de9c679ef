"""Some seconds of everything at once: parallel clients, faults of every kind, leaving at any time."""

import random
import threading
import time
from collections.abc import Callable

import pytest
from tests.support.rawclient import Cut, chat_body, cold, post
from tests.support.rig import Rig, rig
from tests.support.upstream import (
    STREAM_HEAD,
    Conn,
    RawUpstream,
    Request,
    body_of_stream,
    chunk,
    close,
    echo,
    error,
    event,
    plain,
    reset,
    stream,
)

SECONDS = 1.5


def _partly(conn: Conn, got: Request, choose: random.Random) -> None:
    conn.write(echo(got)[: choose.randrange(200)])
    close(conn)


def _broken(conn: Conn, _: Request, choose: random.Random) -> None:
    conn.write(STREAM_HEAD + chunk(event("abc")))
    time.sleep(choose.choice([0.0, 0.01]))
    reset(conn)


def _without_end(conn: Conn, _: Request, __: random.Random) -> None:
    conn.write(STREAM_HEAD + chunk(body_of_stream()))
    close(conn)


ACTS: list[tuple[float, Callable[[Conn, Request, random.Random], None]]] = [
    (0.60, lambda conn, got, _: conn.write(echo(got))),
    (0.05, lambda conn, _, choose: conn.write(error(choose.choice([b"500 X", b"429 X", b"401 X", b"400 X"])))),
    (0.05, lambda conn, got, _: conn.write(stream(tokens=None) if got.json.get("stream") else plain(tokens=None))),
    (0.05, lambda conn, _, __: conn.write(b"\x00\x01\x02")),
    (0.05, lambda conn, got, _: conn.write(echo(got) + plain("unasked"))),
    (0.05, _broken),
    (0.05, _without_end),
    (0.05, lambda conn, _, choose: choose.choice([close, reset])(conn)),
    (1.00, _partly),
]
"""What a provider does with a request, each with its share of them."""


def moody(seed: int):
    """A provider that answers as it likes."""
    choose = random.Random(seed)  # noqa: S311  # chooses faults
    lock = threading.Lock()

    def step(conn: Conn) -> None:
        while True:
            got = conn.read_request()
            with lock:
                mood, pause = choose.random(), choose.choice([0.0, 0.0, 0.003, 0.03])
            time.sleep(pause)
            if mood < 0.6:
                conn.write(echo(got))
            for share, act in ACTS:
                mood -= share
                if mood < 0:
                    act(conn, got, choose)
                    break

    return [step]


class Customer(threading.Thread):
    """Sends requests of every kind, and sometimes leaves."""

    def __init__(self, r: Rig, seed: int) -> None:
        super().__init__()
        self._rig, self._choose = r, random.Random(seed)  # noqa: S311  # chooses faults
        self.asked = self.whole = 0
        self.failure: BaseException | None = None

    def run(self) -> None:
        until = time.monotonic() + SECONDS
        try:
            while time.monotonic() < until:
                self._connection()
        except BaseException as failure:  # noqa: BLE001  # the test's own thread raises it
            self.failure = failure

    def _connection(self) -> None:
        choose = self._choose
        client = self._rig.client()
        for _ in range(choose.randrange(1, 8)):
            kinds = [
                choose.choice(["hot", "hot", "stream", "stream", "cold", "refused"])
                for _ in range(choose.choice([1, 1, 3]))
            ]
            self.asked += len(kinds)
            data = b"".join(self._request(kind) for kind in kinds)
            try:
                client.send_pieces(data, choose.choice([50, 10_000, 10_000]))
                if choose.random() < 0.15:
                    time.sleep(choose.choice([0.0, 0.002, 0.01]))
                    choose.choice([client.close, client.reset])()
                    return
                for kind in kinds:
                    self._check(kind, client.receive())
            except (Cut, ConnectionError):
                return
        client.close()

    def _request(self, kind: str) -> bytes:
        if kind == "cold":
            return cold(b"c")
        if kind == "refused":
            return post(key=None)
        text = "t" * self._choose.randrange(1, 2000)
        return post(chat_body(text=text, stream=kind == "stream"), chunks=self._choose.choice([None, None, 300]))

    def _check(self, kind: str, answer) -> None:
        if kind == "cold":
            assert answer.body == b"cold:/echo:c"
        elif kind == "refused":
            assert answer.status == 401
        elif answer.status == 200:
            assert b"unasked" not in answer.body
            self.whole += answer.is_done or kind == "hot"
        else:
            assert answer.status in (400, 429, 502, 503, 504), answer


@pytest.mark.parametrize("drains", [False, True], ids=["cancel", "drain"])
@pytest.mark.parametrize("connections_max", [256, 3])
def test_money_is_conserved_and_nothing_is_left(drains, connections_max):
    seed = random.randrange(10**6)  # noqa: S311  # told when the test fails
    upstreams = [RawUpstream(moody(seed)), RawUpstream(moody(seed + 1))]
    with rig(upstreams=upstreams, drains=drains, connections_max=connections_max, connect_seconds=0.5,
             drain_seconds=1.0, upstream_idle_seconds=0.5) as r:  # fmt: skip
        customers = [Customer(r, seed + n) for n in range(4)]
        for customer in customers:
            customer.start()
        for customer in customers:
            customer.join()
        assert [c.failure for c in customers] == [None] * 4, seed
        assert sum(c.asked for c in customers) > 100
        r.wait_over()
        completed = [record for record in r.records if record.status == "completed"]
        assert sum(c.whole for c in customers) <= len(completed)
        assert all(0 <= record.charge_nanos <= record.ceiling_nanos for record in r.records)
