"""What the protocol relies on in uvicorn: fails when a new version changes it, before anything subtle does."""

import asyncio
import importlib.metadata
import inspect
import re

import httptools
import pytest
import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from yuanjing.gateway.contract import BASE_MEMBERS
from yuanjing.gateway.exchange import Exchange
from yuanjing.gateway.incoming import Incoming
from yuanjing.gateway.outgoing import Outgoing
from yuanjing.gateway.protocol import GatewayProtocol

SIGNATURES = {
    "data_received": ["data"],
    "connection_made": ["transport"],
    "connection_lost": ["exc"],
    "on_message_begin": [],
    "on_url": ["url"],
    "on_header": ["name", "value"],
    "on_headers_complete": [],
    "on_body": ["body"],
    "on_message_complete": [],
    "on_response_complete": [],
    "pause_writing": [],
    "resume_writing": [],
    "shutdown": [],
    "send_400_response": ["msg"],
    "_start_asgi_task": ["cycle", "app"],
    "_unset_keepalive_if_required": [],
    "_should_upgrade": [],
    "handle_websocket_upgrade": [],
    "eof_received": [],
}
CYCLE_MEMBERS = {"response_complete", "disconnected", "keep_alive", "message_event"}
"""What the base class looks at in a cycle, and so in an exchange."""


async def _app(scope: object, receive: object, send: object) -> None:
    """An application that is never called."""


class _Transport(asyncio.Transport):
    """Just enough for a connection to be made."""

    def get_extra_info(self, name: str, default: object = None) -> object:
        return {"sockname": ("127.0.0.1", 1), "peername": ("127.0.0.1", 2)}.get(name, default)


@pytest.fixture
async def base() -> HttpToolsProtocol:
    made = HttpToolsProtocol(uvicorn.Config(_app, ws="none", log_config=None), ServerState(), {})
    made.connection_made(_Transport())
    made.on_message_begin()
    return made


def test_the_version_is_in_the_tested_range():
    major, minor = (int(part) for part in importlib.metadata.version("uvicorn").split(".")[:2])
    assert (0, 54) <= (major, minor) < (0, 55)
    requires = importlib.metadata.requires("yuanjing") or []
    (pinned,) = [r for r in requires if r.startswith("uvicorn")]
    assert ">=0.54" in pinned
    assert "<0.55" in pinned


@pytest.mark.parametrize("member", BASE_MEMBERS)
async def test_the_base_class_has_the_member(base, member):
    assert hasattr(base, member)


async def test_the_servers_state_has_what_is_counted(base):
    assert base.server_state.total_requests == 0
    assert base.server_state.default_headers == []
    assert base.connections is base.server_state.connections
    assert base.flow.read_paused is False
    assert base.flow.write_paused is False
    assert base.timeout_keep_alive_task is None


def attributes(function: object, *, of: str = "self") -> set[str]:
    """The attributes of one name that a function's or class's source uses."""
    return set(re.findall(rf"\b{re.escape(of)}\.(\w+)", inspect.getsource(function)))  # type: ignore[arg-type]


def test_every_member_that_is_used_is_declared():
    layers = (GatewayProtocol, Incoming, Outgoing)
    used = set().union(*map(attributes, layers))
    own = set().union(*(set(vars(layer)) | set(layer.__annotations__) for layer in layers))
    assert used - own <= set(BASE_MEMBERS)


def test_the_flow_control_is_what_is_extended():
    assert set(vars(FlowControl)) >= {"pause_reading", "resume_reading", "pause_writing", "resume_writing", "drain"}
    assert attributes(FlowControl.pause_reading) == attributes(FlowControl.resume_reading)
    assert attributes(FlowControl.pause_reading) == {"read_paused", "_transport"}


def test_a_trailer_can_be_told_from_a_header():
    calls = []

    class Seen:
        def on_headers_complete(self) -> None:
            calls.append("head")

        def on_header(self, name: bytes, value: bytes) -> None:
            calls.append(name + value)

    parser = httptools.HttpRequestParser(Seen())
    parser.feed_data(b"POST / HTTP/1.1\r\na: b\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nc: d\r\n\r\n")
    assert calls == [b"ab", b"transfer-encodingchunked", "head", b"cd"]


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_signatures_are_those_that_are_overridden(name):
    parameters = list(inspect.signature(getattr(HttpToolsProtocol, name)).parameters)
    assert parameters == ["self", *SIGNATURES[name]]


def test_the_base_class_looks_at_nothing_in_a_cycle_that_an_exchange_lacks():
    """The methods that may meet an exchange in `self.cycle`; the others are overridden or only meet ASGI cycles."""
    for method in (
        HttpToolsProtocol.connection_lost,
        HttpToolsProtocol.shutdown,
        HttpToolsProtocol.on_headers_complete,
        HttpToolsProtocol.on_body,
        HttpToolsProtocol.on_message_complete,
    ):
        used = attributes(method, of="self.cycle") | attributes(method, of="existing_cycle")
        if method in (HttpToolsProtocol.on_body, HttpToolsProtocol.on_message_complete):
            used -= {"body", "more_body"}  # of ASGI cycles only: `on_body` and `on_message_complete` part them before
        assert used <= CYCLE_MEMBERS, method
    assert all(hasattr(Exchange, name) for name in CYCLE_MEMBERS)


def test_a_cycle_has_what_is_read_of_it():
    assert attributes(RequestResponseCycle.__init__) >= {*CYCLE_MEMBERS, "response_started"}


def test_the_servers_stop_asks_every_connection_and_then_waits_for_it():
    source = inspect.getsource(uvicorn.Server.shutdown)
    assert "connection.shutdown()" in source
    assert source.index("connection.shutdown()") < source.index("_wait_tasks_to_complete") < source.index("lifespan")
