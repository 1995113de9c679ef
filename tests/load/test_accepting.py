"""All clients who wait are let in within a turn or two of the loop, however long its turns are."""

import asyncio
import contextlib
import errno
import socket

import uvloop

from yuanjing.bootstrap.accepting import Acceptor, Served

CLIENTS = 100


class Connection(Served):
    """Counts those that there are, and those that are told to end."""

    made = 0
    told = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        Connection.made += 1
        self._transport = transport

    def shutdown(self) -> None:
        Connection.told += 1
        self._transport.close()


class FullListener(socket.socket):
    """For a while there are no files for another connection."""

    is_full = True

    def accept(self) -> tuple[socket.socket, object]:
        if self.is_full:
            raise OSError(errno.EMFILE, "too many open files")
        return super().accept()


def run(listener: socket.socket, *, closes: bool = False) -> int:
    """How many turns it takes until all are there."""
    Connection.made = Connection.told = 0

    async def turns() -> int:
        acceptor = Acceptor(listener, Connection, backlog=CLIENTS)
        with contextlib.ExitStack() as stack:
            for _ in range(CLIENTS):
                stack.enter_context(socket.create_connection(listener.getsockname()))
            count = 0
            while Connection.made < CLIENTS and count < 2000:
                await asyncio.sleep(0.001 if isinstance(listener, FullListener) else 0)
                count += 1
                if closes and acceptor._tasks:
                    acceptor.close()
                if count == 200 and isinstance(listener, FullListener):
                    assert Connection.made == 0
                    listener.is_full = False
            await acceptor.wait_closed()
            acceptor.close()
        return count

    with listener:
        listener.bind(("127.0.0.1", 0))
        return uvloop.run(turns())


def test_all_who_wait_are_let_in_at_once():
    assert run(socket.socket()) <= 5
    assert (Connection.made, Connection.told) == (CLIENTS, 0)


def test_who_is_just_being_let_in_when_the_server_stops_is_told_to_end():
    run(socket.socket(), closes=True)
    assert (Connection.made, Connection.told) == (CLIENTS, CLIENTS)


def test_without_files_clients_wait_until_there_are_some():
    assert 200 < run(FullListener()) < 2000
    assert Connection.made == CLIENTS
