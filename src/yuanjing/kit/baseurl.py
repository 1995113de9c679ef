"""Addresses of HTTP services, as an operator writes them: checked once, and taken apart the same way everywhere."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_SHAPE = re.compile(r"https?://[^\s/?#@\\]+(/[!-~]*)?", re.IGNORECASE)
_IP6 = re.compile(r"\[[^\]]*\](:\d+)?")
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?", re.IGNORECASE)
_NAME_LENGTH_MAX = 253
_LENGTH_MAX = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class BaseUrl:
    """An address taken apart.

    Attributes:
        is_tls: whether it begins with `https`.
        host: what to connect to, in ASCII, without brackets.
        port: the one written, or the scheme's.
        host_header: what to say in `Host`.
        path: without a `/` at its end.
    """

    is_tls: bool
    host: str
    port: int
    host_header: str
    path: str


def parse_base_url(text: str) -> BaseUrl:
    """Take an address such as `https://example.com/v1` apart.

    Raises:
        ValueError: it cannot be used; the message says why, without its text.
    """
    if len(text) > _LENGTH_MAX or not _SHAPE.fullmatch(text) or any(sign in text for sign in "?#@\\"):
        raise ValueError("write an address such as https://example.com/v1, without user, query and spaces")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("the host or its port is wrong; a port is a number from 1 to 65535") from None
    if port == 0 or parts.netloc.endswith(":"):
        raise ValueError("a port is a number from 1 to 65535")
    is_ip6 = parts.netloc.startswith("[")
    if is_ip6 and not _IP6.fullmatch(parts.netloc):
        raise ValueError("the IPv6 address in brackets is wrong")
    name = _ip6(host) if is_ip6 else _name(host)
    shown = f"[{name}]" if is_ip6 else name
    is_tls = parts.scheme == "https"
    return BaseUrl(
        is_tls=is_tls,
        host=name,
        port=port or (443 if is_tls else 80),
        host_header=shown if port is None else f"{shown}:{port}",
        path=parts.path.rstrip("/"),
    )


def _ip6(host: str) -> str:
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        raise ValueError("the IPv6 address in brackets is wrong") from None
    if address.scope_id is not None:
        raise ValueError("an IPv6 address with a zone cannot be used")
    return str(address)


def _name(host: str) -> str:
    """A name or an IPv4 address, in ASCII."""
    try:
        name = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError("this host name cannot exist") from None
    if len(name) > _NAME_LENGTH_MAX or not _NAME.fullmatch(name):
        raise ValueError("this host name cannot exist")
    if name.rstrip(".").rpartition(".")[2].isdigit():  # a name never ends with a number, so this is an IPv4 address
        try:
            ipaddress.IPv4Address(name)
        except ValueError:
            raise ValueError("the IPv4 address is wrong") from None
    return name
