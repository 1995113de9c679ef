"""Where an address of others may lead: to public hosts, on the usual ports, and to networks that operators allow.

A name is resolved once, every answer is checked, and the connection goes to an address that was checked: what a name
server says a moment later does not matter.
"""

import asyncio
import re
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from urllib.parse import quote, urlsplit

from ssrfguard import DEFAULT_DENIED, AddressTable, Block, Policy, Reach, Resolver, SSRFGuardError, resolve

from yuanjing.ports.artifacts import FetchFailedError, FetchRefusedError

_PORTS = frozenset({80, 443})
_ALL_PORTS = frozenset(range(1, 65_536))
_DEFAULT_PORTS = {"http": 80, "https": 443}
_EVERYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))
_TRANSLATED = Block(ip_network("::ffff:0:0:0/96"), "IPv4-translated", "RFC2765", Reach.DENIED)
"""Where a translator stands, an address in here leads to the IPv4 address in its last bits."""
_DENIED = AddressTable((*DEFAULT_DENIED.blocks, _TRANSLATED))
_LOOKUPS_MAX = 8
_ADDRESSES_MAX = 4
_NOT_PUBLIC = "the address may not be fetched: it is no http(s) address of a public host on port 80 or 443"
_UNKNOWN_HOST = "the address cannot be fetched: its host is not known"
_AFTER_AUTHORITY = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#]*([^#]*)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Destination:
    """Where to connect, and what to say there.

    Attributes:
        addresses: that were checked, to be tried in this order.
        host: for the certificate; `host_header` as HTTP writes it.
        target: the path and query, byte for byte as given.
    """

    scheme: str
    addresses: tuple[str, ...]
    port: int
    host: str
    host_header: str
    target: bytes


class Guard:
    """Checks addresses. `resolver` stands for `socket.getaddrinfo`, in tests."""

    def __init__(self, allowed_networks: Sequence[str], resolver: Resolver | None = None) -> None:
        self._resolver = resolver
        self._public = Policy(denied_networks=_DENIED, allowed_ports=_PORTS)
        networks = tuple(map(ip_network, allowed_networks))
        self._allowed = Policy(denied_networks=_DENIED, allowed_networks=networks, allowed_ports=_ALL_PORTS)
        self._own = Policy(allowed_networks=_EVERYWHERE, allowed_ports=_ALL_PORTS)
        self._has_allowed = bool(allowed_networks)
        self._threads = ThreadPoolExecutor(_LOOKUPS_MAX, "fetch-lookup")  # a name server may hold a thread for long

    def close(self) -> None:
        """Let the threads go; one that waits for a name server ends when that answers."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def check(self, url: str, allowed_origin: str, seconds: float) -> Destination:
        """Where the address leads.

        Raises:
            FetchRefusedError: to a place that is not fetched from.
            FetchFailedError: its host is not known, or the name server does not answer in time.
        """
        lookup = asyncio.get_running_loop().run_in_executor(self._threads, self._check, url, allowed_origin)
        try:
            return await asyncio.wait_for(lookup, seconds)
        except (TimeoutError, socket.gaierror, UnicodeError) as error:
            raise FetchFailedError(_UNKNOWN_HOST) from error
        except (SSRFGuardError, ValueError) as error:
            raise FetchRefusedError(_NOT_PUBLIC) from error

    def _check(self, url: str, allowed_origin: str) -> Destination:
        if allowed_origin and _origin(url) == _origin(allowed_origin):
            return self._resolved(url, self._own)
        if not self._has_allowed:
            return self._resolved(url, self._public)
        try:
            return self._resolved(url, self._public)
        except SSRFGuardError:
            found = self._resolved(url, self._allowed)
            if found.port not in _PORTS and not self._is_all_allowed(found):
                raise
            return found

    def _is_all_allowed(self, found: Destination) -> bool:
        """Whether the operators' networks hold every address: only there are other ports open."""
        networks = self._allowed.allowed_networks
        return all(any(ip_address(address) in network for network in networks) for address in found.addresses)

    def _resolved(self, url: str, policy: Policy) -> Destination:
        checked = policy.check_url(url)
        addresses = resolve(checked, policy=policy, resolver=self._resolver)
        host = f"[{checked.host}]" if ":" in checked.host else checked.host
        is_usual = checked.port == _DEFAULT_PORTS[checked.scheme]
        return Destination(
            scheme=checked.scheme,
            addresses=tuple(str(address.ip) for address in addresses[:_ADDRESSES_MAX]),
            port=checked.port,
            host=checked.host,
            host_header=host if is_usual else f"{host}:{checked.port}",
            target=_target(url),
        )


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)


def _target(url: str) -> bytes:
    """What follows the host, as it is: a signature does not survive being written anew. What is no ASCII is escaped."""
    found = _AFTER_AUTHORITY.match(url)
    rest = found[1] if found else ""
    text = rest if rest.startswith("/") else f"/{rest}"
    return "".join(c if c.isascii() else quote(c) for c in text).encode("ascii")
