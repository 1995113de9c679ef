"""What is not about a provider: see tests/adapters/providers/test_outcomes.py for broken answers."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.adapters.providers import wire

from yuanjing.kit.webcalls import NoAnswer, WebAnswer, WebCall, quoted, retry_after_seconds


@settings(deadline=None, max_examples=60)
@given(text=st.text(), secret=st.text(min_size=1))
def test_a_quotation_is_one_short_line(text, secret):
    quotation = quoted(text + secret + text, secret, 100)
    assert len(quotation) <= 100
    assert "\n" not in quotation


def test_a_secret_is_not_quoted():
    assert quoted("Incorrect key sk-1 (sk-1)\n\tgiven", "sk-1") == "Incorrect key *** (***) given"
    assert quoted("nothing secret", "") == "nothing secret"


def test_how_long_to_wait():
    for text, seconds in (("7", 7.0), ("7200", 3600.0), ("", None), ("1.5", None), ("Wed, 21 Oct", None)):
        answer = WebAnswer(status=429, headers={"retry-after": text}, body=b"", is_whole=True)
        assert retry_after_seconds(answer) == seconds


def test_a_call_does_not_show_what_is_in_it():
    call = WebCall(method="GET", url="https://secret.example", headers={"authorization": "Bearer x"})
    assert repr(call) == "WebCall(GET)"


async def test_a_cancelled_call_is_cancelled():
    async with wire.provider_running() as provider, wire.caller() as web:
        provider.plays(wire.Answer(is_silent=True))
        task = asyncio.ensure_future(web.call(WebCall(method="GET", url=provider.url)))
        await provider.was_asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_calls_share_connections_and_wait_for_a_free_one():
    limits = replace(wire.LIMITS, connections_max=2)
    async with wire.provider_running() as provider, wire.caller(limits) as web:
        provider.plays({})
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(web.call(WebCall(method="GET", url=provider.url))) for _ in range(20)]
        assert all(call.result().status == 200 for call in calls)
        assert provider.connections <= 2


async def test_no_free_connection_is_nothing_sent():
    limits = replace(wire.LIMITS, connections_max=1, pool_seconds=0.05)
    async with wire.provider_running() as provider, wire.caller(limits) as web:
        provider.plays(wire.Answer(is_silent=True))
        first = asyncio.ensure_future(web.call(WebCall(method="GET", url=provider.url)))
        await provider.was_asked.wait()
        assert await web.call(WebCall(method="GET", url=provider.url)) == NoAnswer(was_sent=False, reason="PoolTimeout")
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first


@pytest.mark.parametrize("location", ["x:y", "http:/127.0.0.1/", "//", "http://[", "\\\\host", "http://host:99999/"])
async def test_a_redirect_to_what_is_no_address_is_an_answer(location):
    """Not a failure before anything was sent, after which a submission would be made again."""
    async with wire.provider_running() as provider, wire.caller() as web:
        provider.plays(wire.Answer(status=302, headers={"location": location}))
        answer = await web.call(WebCall(method="POST", url=f"{provider.url}/submit", content=b"{}"))
        assert isinstance(answer, WebAnswer)
        assert answer.status == 302
