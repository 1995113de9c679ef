"""Where a request comes from, behind reverse proxies too, and at which address of ours it has arrived."""

import ipaddress
import re
from typing import cast

from fastapi import Request

_FORWARDING_HEADERS = ("x-forwarded-for", "forwarded", "x-real-ip")
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?\Z")


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


def own_address(request: Request, public_base_url: str) -> str:
    """The platform's address for links in an answer, without a slash at the end.

    It is the public one, if that is known, else the one that the client has used. A `Host` that is no host is passed
    over.
    """
    if public_base_url:
        return public_base_url
    scheme = str(request.scope["scheme"])
    host = request.headers.get("host", "")
    if _HOST.match(host):
        return f"{scheme}://{host}"
    name, port = cast("tuple[str, int | None]", request.scope.get("server") or ("127.0.0.1", None))
    name = f"[{name}]" if ":" in name else name
    return f"{scheme}://{name}" if port is None else f"{scheme}://{name}:{port}"


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
