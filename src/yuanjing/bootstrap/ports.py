"""The listening sockets of a machine's processes."""

import errno
import socket
import sys
from dataclasses import dataclass

from yuanjing.settings import Settings, SettingsError, variable

_PORTS_TRIED = 50
_BACKLOG = 4096
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # only to show an address that can be called


@dataclass(frozen=True, kw_only=True, slots=True)
class Listener:
    """A bound socket, and the address at which this machine reaches it."""

    socket: socket.socket
    address: str


def listen(settings: Settings, name: str, host: str, port: int) -> Listener:
    """Bind the port of the setting `name`; in development the next free one if it is taken, and say so.

    Raises:
        SettingsError: it is taken in production, or the address cannot be listened on.
    """
    tries = 1 if settings.is_production or port == 0 else _PORTS_TRIED
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in range(port, min(port + tries, 2**16)):
        try:
            bound = socket.create_server((host, candidate), family=family, backlog=_BACKLOG)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                continue
            reason = error.strerror or str(error)
            raise SettingsError([f"{variable(name)}: cannot listen on {host}:{candidate}: {reason}"]) from error
        number = int(bound.getsockname()[1])
        if port not in (0, number):
            sys.stderr.write(f"Port {port} is taken; using {number} instead.\n")
        shown = _EVERYWHERE.get(host, host)
        return Listener(socket=bound, address=f"http://{f'[{shown}]' if ':' in shown else shown}:{number}")
    last = f" to {port + tries - 1}" if tries > 1 else ""
    raise SettingsError([f"{variable(name)}: port {port}{last} is taken; choose another"])
