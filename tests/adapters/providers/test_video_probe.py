"""`channel test` of video providers, against the simulators and against what is none."""

import socket

import pytest
from tests.adapters.providers.boxes import BASES, KEY, box_running
from tests.adapters.providers.wire import PROTOCOLS

from yuanjing.adapters.providers.video_probe import VideoChannelProbe
from yuanjing.kit.webcalls import CallLimits, WebCaller, open_client
from yuanjing.ports.upstream import ProbeTarget

WRONG = "sk-wrong-canary"


@pytest.fixture(scope="module")
def box():
    with box_running() as running:
        yield running


async def probe(protocol, base_url, credential, now=0.0):
    limits = CallLimits()
    async with open_client(limits) as client:
        upstream = PROTOCOLS[protocol](WebCaller(client, limits))
        target = ProbeTarget(base_url=base_url, credential=credential, protocol=protocol)
        return await VideoChannelProbe(upstream, now=now).probe(target)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_an_account_that_works(box, protocol):
    report = await probe(protocol, box.url + BASES[protocol], KEY, box.clock.unix())
    assert (report.is_ok, report.status, report.message, report.models) == (True, None, "it works", ())


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_wrong_credential_is_named_but_not_shown(box, protocol):
    report = await probe(protocol, box.url + BASES[protocol], WRONG, box.clock.unix())
    assert (report.is_ok, report.status) == (False, 401)
    assert report.message.startswith("HTTP 401: the credential is refused")
    assert WRONG not in report.message


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_wrong_address_is_named(box, protocol):
    report = await probe(protocol, f"{box.url}/nowhere", KEY, box.clock.unix())
    assert not report.is_ok
    assert "look at the address" in report.message


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_nobody_at_home(protocol):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    report = await probe(protocol, f"http://127.0.0.1:{port}", KEY)
    assert (report.is_ok, report.status) == (False, None)
    assert report.message.startswith("it cannot be reached")
