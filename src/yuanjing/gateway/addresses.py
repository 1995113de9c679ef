"""The client's address behind reverse proxies."""

import ipaddress
from collections.abc import Callable


def client_address(peer: str, forwarded_for: bytes | None, is_trusted: Callable[[str], bool]) -> str:
    """The address a request comes from; `X-Forwarded-For` counts only from trusted proxies, read from the right."""
    if forwarded_for is None or not is_trusted(peer):
        return peer
    for part in reversed(forwarded_for.decode("latin-1").split(",")):
        hop = part.strip()
        try:
            ipaddress.ip_address(hop)
        except ValueError:
            return peer
        peer = hop
        if not is_trusted(hop):
            break
    return peer
