"""Where a request comes from, behind reverse proxies too."""

import ipaddress

from fastapi import Request

_FORWARDING_HEADERS = ("x-forwarded-for", "forwarded", "x-real-ip")


def client_address(request: Request, trusted_proxies: tuple[str, ...]) -> str:
    """The client's IP address; `X-Forwarded-For` counts only from trusted proxies, read from the right.

    Empty if the connection has no address.
    """
    peer = request.client.host if request.client is not None else ""
    forwarded = request.headers.getlist("x-forwarded-for")
    if not forwarded or not _is_in(peer, trusted_proxies):
        return peer
    for part in reversed(forwarded[-1].split(",")):
        hop = part.strip()
        if not _is_address(hop):
            return peer
        peer = hop
        if not _is_in(peer, trusted_proxies):
            break
    return peer


def is_from_this_machine(request: Request) -> bool:
    """Whether a program on this machine asks for itself; a reverse proxy here speaks for somebody else."""
    peer = request.client.host if request.client is not None else ""
    return _is_in(peer, ("127.0.0.0/8", "::1/128")) and not any(name in request.headers for name in _FORWARDING_HEADERS)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_in(text: str, networks: tuple[str, ...]) -> bool:
    if not networks or not _is_address(text):
        return False
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in ipaddress.ip_network(network, strict=False) for network in networks)
