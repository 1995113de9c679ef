"""Fetching addresses of others: where they may lead, and what may come from there."""

import asyncio
import os
import socket
import threading
from contextlib import contextmanager

import pytest
from tests.support.web import Web

from yuanjing.adapters.fetch.fetcher import FetcherOptions, GuardedFetcher
from yuanjing.domain.artifacts import StorageFullError
from yuanjing.ports.artifacts import FetchFailedError, FetchLimits, FetchRefusedError

LIMITS = FetchLimits(size_bytes_max=100_000, total_seconds=10, idle_seconds=5)
HOSTILE = (
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0177.0.0.1/",
    "http://0x7f000001/",
    "http://0/",
    "http://localhost/",
    "http://①②⑦.0.0.1/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.100.100.200/latest/meta-data/",
    "http://100.64.0.1/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://198.18.0.1/",
    "http://203.0.113.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://8.8.8.8:22/",
    "http://8.8.8.8:8080/",
    "http://user:password@8.8.8.8/",
    "http://8.8.8.8@127.0.0.1/",
    "file:///etc/passwd",
    "gopher://8.8.8.8/",
    "ftp://8.8.8.8/",
    "data:text/plain,x",
    "//8.8.8.8/",
    "http://",
    "http:///etc",
    "http://8.8.8.8\r\nx: y/",
    "http://8.8.8.8:99999/",
    "http://[::1",
    f"http://8.8.8.8/{'x' * 9000}",
)


async def endless_room(_):
    """There is room for everything."""


@contextmanager
def fetching(*networks, resolver=None, redirects_max=3, check_room=endless_room):
    options = FetcherOptions(allowed_networks=networks, redirects_max=redirects_max)
    with GuardedFetcher(options, check_room=check_room, resolver=resolver) as made:
        yield made


def names(**answers):
    """A resolver with these names; each look-up of one takes its next answer, the last for ever."""

    def resolve(host, port, *_):
        asked.append(host)
        if host not in answers and not host[0].isdigit():
            raise socket.gaierror(host)
        left = answers.get(host, [host])
        address = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in address.split()]

    asked = []
    resolve.asked = asked
    return resolve


@pytest.fixture
async def web():
    async with Web() as made:
        yield made


@pytest.mark.parametrize("url", HOSTILE)
@pytest.mark.parametrize("networks", [(), ("192.0.2.0/24",)], ids=["none allowed", "another allowed"])
async def test_hostile_addresses_are_refused(url, networks, tmp_path):
    with fetching(*networks) as fetcher, pytest.raises(FetchRefusedError) as error:
        await fetcher.fetch(url, tmp_path / "f", LIMITS)
    assert "127.0.0.1" not in error.value.message
    assert not (tmp_path / "f").exists()


async def test_the_allowed_origin_is_one_origin_and_not_its_neighbours(web, tmp_path):
    web.answers["/v"] = (200, {}, b"film")
    limits = FetchLimits(size_bytes_max=9, total_seconds=10, idle_seconds=5, allowed_origin=web.url)
    port = int(web.url.rpartition(":")[2])
    with fetching() as fetcher:
        assert await fetcher.fetch(f"{web.url}/v", tmp_path / "f", limits) == 4
        for url in (
            f"http://127.0.0.2:{port}/v",
            f"http://127.0.0.1:{port + 1}/v",
            f"https://127.0.0.1:{port}/v",
            f"http://localhost:{port}/v",
        ):
            with pytest.raises(FetchRefusedError):
                await fetcher.fetch(url, tmp_path / "f", limits)
    assert (tmp_path / "f").read_bytes() == b"film"


async def test_operators_networks_may_be_fetched_from_on_any_port(web, tmp_path):
    web.answers["/v"] = (200, {}, b"film")
    with fetching("127.0.0.0/8") as fetcher:
        assert await fetcher.fetch(f"{web.url}/v", tmp_path / "f", LIMITS) == 4
        with pytest.raises(FetchRefusedError):
            await fetcher.fetch("http://8.8.8.8:8080/", tmp_path / "f", LIMITS)
        with pytest.raises(FetchRefusedError):
            await fetcher.fetch("http://10.0.0.1/", tmp_path / "f", LIMITS)


async def test_the_path_and_query_are_sent_byte_for_byte(web, tmp_path):
    target = "/a%2fb/%7E~;x=1?Signature=a%2Bb%3D+c/d&q=%zz"
    web.answers[target.partition("?")[0]] = (200, {}, b"x")
    web.answers["/%E5%9B%BE"] = (200, {}, b"y")
    with fetching("127.0.0.0/8") as fetcher:
        await fetcher.fetch(f" {web.url}{target}#fragment ", tmp_path / "f", LIMITS)
        await fetcher.fetch(f"{web.url}/图", tmp_path / "f", LIMITS)
    assert web.seen[0].target == target
    assert web.seen[0].headers["host"] == web.url.removeprefix("http://")
    assert not {"cookie", "authorization"} & set(web.seen[0].headers)
    assert web.seen[1].target == "/%E5%9B%BE"


@pytest.mark.parametrize(
    "location",
    ["http://169.254.169.254/", "http://127.0.0.2/v", "//10.0.0.1/x", "file:///etc/passwd", "x:y"],
)
async def test_redirects_are_checked_like_the_first_address(web, location, tmp_path):
    web.answers["/v"] = (302, {"location": location}, b"")
    with fetching("127.0.0.1/32") as fetcher, pytest.raises(FetchRefusedError, match="may not be fetched"):
        await fetcher.fetch(f"{web.url}/v", tmp_path / "f", LIMITS)


async def test_a_redirect_to_what_is_no_address_is_refused(web, tmp_path):
    web.answers["/v"] = (302, {"location": "http://["}, b"")
    with fetching("127.0.0.1/32") as fetcher, pytest.raises(FetchRefusedError, match="is no address"):
        await fetcher.fetch(f"{web.url}/v", tmp_path / "f", LIMITS)


async def test_three_redirects_are_followed_and_no_more(web, tmp_path):
    for i in range(4):
        web.answers[f"/{i}"] = (307, {"location": f"/{i + 1}"}, b"")
    web.answers["/4"] = (200, {}, b"film")
    with fetching("127.0.0.0/8") as fetcher:
        assert await fetcher.fetch(f"{web.url}/1", tmp_path / "f", LIMITS) == 4
        with pytest.raises(FetchRefusedError, match="too often"):
            await fetcher.fetch(f"{web.url}/0", tmp_path / "f", LIMITS)


async def test_a_name_is_resolved_once_for_each_hop_and_what_was_checked_is_connected_to(web, tmp_path):
    port = web.url.rpartition(":")[2]
    web.answers["/v"] = (200, {}, b"film")
    rebinding = names(**{"evil.example": ["127.0.0.1", "127.0.0.9"]})
    with fetching("127.0.0.1/32", resolver=names(**{"evil.example": ["127.0.0.1"]})) as fetcher:
        await fetcher.fetch(f"http://evil.example:{port}/v", tmp_path / "f", LIMITS)
        assert web.seen[0].headers["host"] == f"evil.example:{port}"
    limits = FetchLimits(
        size_bytes_max=9, total_seconds=10, idle_seconds=5, allowed_origin=f"http://evil.example:{port}"
    )
    with fetching(resolver=rebinding) as fetcher:
        await fetcher.fetch(f"http://evil.example:{port}/v", tmp_path / "f", limits)
    assert rebinding.asked == ["evil.example"]


@pytest.mark.parametrize("answer", ["127.0.0.1", "8.8.8.8 127.0.0.1", "169.254.169.254", "10.1.2.3 8.8.8.8"])
async def test_a_name_that_leads_inside_is_refused_whatever_else_it_says(answer, tmp_path):
    with fetching(resolver=names(**{"evil.example": [answer]})) as fetcher, pytest.raises(FetchRefusedError):
        await fetcher.fetch("http://evil.example/", tmp_path / "f", LIMITS)


async def test_a_name_that_becomes_private_behind_a_redirect_is_refused(web, tmp_path):
    port = web.url.rpartition(":")[2]
    web.answers["/v"] = (302, {"location": f"http://evil.example:{port}/w"}, b"")
    rebinding = names(**{"evil.example": ["127.0.0.1", "127.0.0.2"]})
    with fetching("127.0.0.1/32", resolver=rebinding) as fetcher, pytest.raises(FetchRefusedError):
        await fetcher.fetch(f"http://evil.example:{port}/v", tmp_path / "f", LIMITS)


async def test_an_unknown_name_and_a_slow_name_server_fail_in_time(tmp_path):
    limits = FetchLimits(size_bytes_max=9, total_seconds=10, idle_seconds=0.1)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(*_):
        asyncio.run_coroutine_threadsafe(stop.wait(), loop).result(10)
        raise socket.gaierror("late")

    with fetching(resolver=names()) as fetcher, pytest.raises(FetchFailedError, match="host is not known"):
        await fetcher.fetch("http://nobody.example/", tmp_path / "f", limits)
    with fetching(resolver=slow) as fetcher, pytest.raises(FetchFailedError, match="host is not known"):
        await fetcher.fetch("http://slow.example/", tmp_path / "f", limits)
    stop.set()


async def test_the_next_address_is_tried_if_one_does_not_answer(web, tmp_path):
    port = web.url.rpartition(":")[2]
    web.answers["/v"] = (200, {}, b"film")
    two = names(**{"two.example": ["::1 127.0.0.1"]})
    with fetching("127.0.0.0/8", "::1/128", resolver=two) as fetcher:
        assert await fetcher.fetch(f"http://two.example:{port}/v", tmp_path / "f", LIMITS) == 4


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_what_is_gone_is_refused(web, status, tmp_path):
    web.answers["/v"] = (status, {}, b"no")
    with fetching("127.0.0.0/8") as fetcher, pytest.raises(FetchRefusedError, match=f"HTTP {status}"):
        await fetcher.fetch(f"{web.url}/v", tmp_path / "f", LIMITS)


@pytest.mark.parametrize("status", [204, 206, 301, 400, 429, 500, 503])
async def test_other_answers_may_be_better_next_time(web, status, tmp_path):
    web.answers["/v"] = (status, {}, b"")
    with fetching("127.0.0.0/8") as fetcher, pytest.raises(FetchFailedError) as error:
        await fetcher.fetch(f"{web.url}/v", tmp_path / "f", LIMITS)
    assert error.value.status == status


async def test_too_much_is_refused_by_what_is_said_and_by_what_comes(web, tmp_path):
    web.answers["/said"] = (200, {}, b"x" * 100_001)
    web.answers["/silent"] = (200, {"content-length": "100001"}, b"x" * 100_001)
    web.answers["/just"] = (200, {}, b"x" * 100_000)
    with fetching("127.0.0.0/8") as fetcher:
        for path in ("/said", "/silent"):
            with pytest.raises(FetchRefusedError, match="more than 100000 bytes"):
                await fetcher.fetch(web.url + path, tmp_path / "f", LIMITS)
        assert await fetcher.fetch(f"{web.url}/just", tmp_path / "f", LIMITS) == 100_000


async def raw(answer, pause=0.0):
    """A server that writes these bytes, one after the other with a pause if there is one, and closes."""

    async def serve(reader, writer):
        try:
            await reader.readuntil(b"\r\n\r\n")
            for piece in [bytes([b]) for b in answer] if pause else [answer]:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 40_000,
    ],
)
async def test_broken_answers_fail(answer, tmp_path):
    server, url = await raw(answer)
    async with server:
        with fetching("127.0.0.0/8") as fetcher, pytest.raises(FetchFailedError):
            await fetcher.fetch(url, tmp_path / "f", LIMITS)


async def test_an_endless_body_without_length_is_cut(tmp_path):
    server, url = await raw(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 3_000_000)
    async with server:
        with fetching("127.0.0.0/8") as fetcher, pytest.raises(FetchRefusedError, match="more than"):
            await fetcher.fetch(url, tmp_path / "f", LIMITS)


async def test_silence_and_a_slow_drip_end_in_time(tmp_path):
    with fetching("127.0.0.0/8") as fetcher:
        limits = FetchLimits(size_bytes_max=9, total_seconds=10, idle_seconds=0.3)
        server, url = await raw(b"H", pause=60)
        async with server:
            with pytest.raises(FetchFailedError, match="ReadTimeout"):
                await fetcher.fetch(url, tmp_path / "f", limits)
        server, url = await raw(b"HTTP/1.1 200 OK\r\n\r\nxxxxxxxx", pause=0.05)
        async with server:
            limits = FetchLimits(size_bytes_max=9, total_seconds=0.3, idle_seconds=5)
            with pytest.raises(FetchFailedError, match=r"more than 0\.3 s"):
                await fetcher.fetch(url, tmp_path / "f", limits)


async def test_nobody_there_fails(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with fetching("127.0.0.0/8") as fetcher, pytest.raises(FetchFailedError, match="ConnectError"):
        await fetcher.fetch(f"http://127.0.0.1:{port}/", tmp_path / "f", LIMITS)


async def test_a_full_disk_is_told_as_such(web, monkeypatch, tmp_path):
    web.answers["/v"] = (200, {}, b"film")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("yuanjing.adapters.fetch.fetcher._write", full)
    with fetching("127.0.0.0/8") as fetcher, pytest.raises(StorageFullError):
        await fetcher.fetch(f"{web.url}/v", tmp_path / "f", LIMITS)


async def test_the_reserve_is_looked_at_as_the_file_grows(tmp_path):
    free = 2_500_000

    async def check_room(size):
        if sum(path.stat().st_size for path in tmp_path.iterdir()) + size > free:
            raise StorageFullError("full")

    server, url = await raw(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5_000_000)
    limits = FetchLimits(size_bytes_max=10_000_000, total_seconds=10, idle_seconds=5)
    async with server:
        with fetching("127.0.0.0/8", check_room=check_room) as fetcher, pytest.raises(StorageFullError):
            await fetcher.fetch(url, tmp_path / "f", limits)
    assert 1_000_000 < (tmp_path / "f").stat().st_size <= free


async def test_a_fetch_that_is_given_up_writes_into_no_other_file(web, monkeypatch, tmp_path):
    """Its thread is about to write when it is cancelled; a descriptor of the same number is another file's by then."""
    web.answers["/v"] = (200, {}, b"film")
    loop, writes, is_cancelled = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    write = os.write

    def late(descriptor, data):
        if bytes(data) == b"film":
            loop.call_soon_threadsafe(writes.set)
            assert is_cancelled.wait(10)
        return write(descriptor, data)

    monkeypatch.setattr("yuanjing.adapters.fetch.fetcher.os.write", late)
    with fetching("127.0.0.0/8") as fetcher:
        job = asyncio.ensure_future(fetcher.fetch(f"{web.url}/v", tmp_path / "f", LIMITS))
        await writes.wait()
        job.cancel()
        await asyncio.sleep(0.05)
        others = [os.open(tmp_path / f"database{number}", os.O_WRONLY | os.O_CREAT) for number in range(8)]
        is_cancelled.set()
        with pytest.raises(asyncio.CancelledError):
            await job
    for descriptor in others:
        os.close(descriptor)
    assert (tmp_path / "f").read_bytes() == b"film"
    assert all(path.read_bytes() == b"" for path in tmp_path.glob("database*"))
