"""Fetching over TLS: the connection goes to the address that was checked, the certificate is that of the name."""

import asyncio
import socket

import pytest
from cryptography import x509
from tests.adapters.fetch.test_fetch import endless_room
from tests.gateway.test_tls import Authority

from yuanjing.adapters.fetch.fetcher import FetcherOptions, GuardedFetcher
from yuanjing.ports.artifacts import FetchFailedError, FetchLimits

LIMITS = FetchLimits(size_bytes_max=100, total_seconds=10, idle_seconds=5)
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfilm"


async def serve(reader, writer):
    try:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


def resolve(_host, port, *_):
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


@pytest.mark.parametrize(
    ("name", "is_known", "works"),
    [("video.example", True, True), ("other.example", True, False), ("video.example", False, False)],
)
async def test_the_certificate_is_that_of_the_name(tmp_path, name, is_known, works):
    authority = Authority(tmp_path)
    context = authority.context(name=x509.DNSName(name))
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    options = FetcherOptions(allowed_networks=("127.0.0.0/8",), ca_file=str(authority.path) if is_known else None)
    async with server:
        with GuardedFetcher(options, check_room=endless_room, resolver=resolve) as fetcher:
            fetching = fetcher.fetch(f"https://video.example:{port}/v", tmp_path / "f", LIMITS)
            if works:
                assert await fetching == 4
                assert (tmp_path / "f").read_bytes() == b"film"
            else:
                with pytest.raises(FetchFailedError, match="ConnectError"):
                    await fetching
                assert not (tmp_path / "f").exists()
