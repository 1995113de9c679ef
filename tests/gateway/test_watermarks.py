"""A watermark that no record replaces is charged when its process ends: its money is not spent a second time."""

import threading

import pytest
from tests.support.rawclient import post
from tests.support.rig import bill, rig, wait_for
from tests.support.upstream import DONE, END, STREAM_HEAD, chunk, event, request, send, usage_event, wait

from yuanjing.domain.errors import SpoolError, SpoolFullError
from yuanjing.gateway.exchange import Exchange


@pytest.mark.parametrize("error", [SpoolError, SpoolFullError])
def test_money_of_a_watermark_that_no_record_replaces_is_not_spent_again(error):
    """The watermark is our own count, and may be more than the bill; it is charged when the process has ended."""
    gate = threading.Event()
    end = chunk(event("", finish="stop") + usage_event((1, 1)) + DONE) + END
    script = [request, send(STREAM_HEAD + chunk(event("x" * 400))), wait(gate), send(end)]
    with rig(script, is_stopped_by_test=True, watermark_seconds=0.01) as r:
        client = r.client()
        client.send(post(stream=True))
        wait_for(lambda: r.spool.watermarks)
        (marked,) = r.spool.watermarks.values()
        assert marked.charge_nanos > bill(1, 1)

        def bad(*_: object) -> int:
            raise error("the disk")

        r.spool.append = bad
        gate.set()
        assert b"store_unavailable" in client.receive_until(b"\r\n0\r\n\r\n")
        r.wait_over()
        held = sum(r.bank.holds.values())
        assert held - r.gateway.purses.leased_nanos == marked.charge_nanos


def test_a_bug_after_a_watermark_keeps_its_money(monkeypatch):
    gate = threading.Event()
    script = [request, send(STREAM_HEAD + chunk(event("x" * 400))), wait(gate)]
    with rig(script, is_stopped_by_test=True, watermark_seconds=0.01) as r:
        client = r.client()
        client.send(post(stream=True))
        wait_for(lambda: r.spool.watermarks)
        (exchange,) = r.gateway.exchanges
        tick = Exchange._tick_stream

        def breaks(self, *arguments):
            if self is exchange:
                raise ValueError("a bug")
            tick(self, *arguments)

        monkeypatch.setattr(Exchange, "_tick_stream", breaks)
        assert b"internal_error" in client.receive_until(b"\r\n0\r\n\r\n")
        gate.set()
        r.wait_over()
        (marked,) = r.spool.watermarks.values()
        assert sum(r.bank.holds.values()) - r.gateway.purses.leased_nanos == marked.charge_nanos > 0
