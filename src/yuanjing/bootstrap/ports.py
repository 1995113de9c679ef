"""The listening sockets of a machine's processes."""

import errno
import os
import socket
import sys
from dataclasses import dataclass
from typing import Literal

from yuanjing.settings import Settings, SettingsError, variable

PortName = Literal["port", "sandbox_port"]

_PORTS_TRIED = 50
_BACKLOG = 4096
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # only to show an address that can be called
_HOSTS: dict[PortName, Literal["host", "sandbox_host"]] = {"port": "host", "sandbox_port": "sandbox_host"}
_PORT_ERRORS = (errno.EACCES, errno.EPERM)


@dataclass(frozen=True, kw_only=True, slots=True)
class Listener:
    """A bound socket, and the address at which this machine reaches it."""

    socket: socket.socket
    address: str


def listen(settings: Settings, name: PortName) -> Listener:
    """Bind the port of the setting `name`; in development the next free one if it is taken, and say so.

    Raises:
        SettingsError: it is taken in production, or the address cannot be listened on.
    """
    host: str = getattr(settings, _HOSTS[name])
    port: int = getattr(settings, name)
    tries = 1 if settings.is_production or port == 0 else _PORTS_TRIED
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in range(port, min(port + tries, 2**16)):
        try:
            bound = socket.create_server((host, candidate), family=family, backlog=_BACKLOG)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                continue
            wrong = name if error.errno in _PORT_ERRORS else _HOSTS[name]
            raise SettingsError(
                [f"{variable(wrong)}: cannot listen on {host} port {candidate}: {_reason(error)}"]
            ) from error
        number = int(bound.getsockname()[1])
        if port not in (0, number):
            sys.stderr.write(f"Port {port} is taken; using {number} instead.\n")
        shown = _EVERYWHERE.get(host, host)
        return Listener(socket=bound, address=f"http://{f'[{shown}]' if ':' in shown else shown}:{number}")
    last = f" to {port + tries - 1}" if tries > 1 else ""
    raise SettingsError([f"{variable(name)}: port {port}{last} is taken; choose another"])


def _reason(error: OSError) -> str:
    """What is wrong, in words; Python's own text repeats the address as a tuple."""
    if isinstance(error, socket.gaierror) or error.errno is None:
        return error.strerror or "it is no address"
    return os.strerror(error.errno)
