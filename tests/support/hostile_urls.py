"""Addresses that must never be fetched: the corpus of goal S3.

All that has a port of this machine has `port`, where a canary listens; they differ in how they say where it is.
"""

import ipaddress
from collections.abc import Iterator

LOOPBACKS_4 = ("127.0.0.1", "127.0.0.2", "127.255.255.254", "127.1.2.3")
INSIDE_4 = (
    "0.0.0.0",  # noqa: S104  # an address to be refused
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.168.0.1",
    "192.168.255.255",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
)
INSIDE_6 = (
    "::",
    "::1",
    "::2",
    "fe80::1",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "ff02::1",
    "ff0e::1",
    "2001::1",
    "2001:db8::1",
    "2001:10::1",
    "100::1",
    "64:ff9b:1::7f00:1",
)
_EMBEDDED = ("127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "0.0.0.0")  # noqa: S104  # the same


def embedded(address: str) -> Iterator[str]:
    """IPv6 addresses that lead to an IPv4 address: mapped, compatible, NAT64, 6to4, Teredo, ISATAP, IPv4-translated."""
    number = int(ipaddress.IPv4Address(address))
    high, low = number >> 16, number & 0xFFFF
    yield f"::ffff:{address}"
    yield f"::ffff:{high:x}:{low:x}"
    yield f"0:0:0:0:0:ffff:{address}"
    yield f"::{address}"
    yield f"::ffff:0:{address}"
    yield f"64:ff9b::{address}"
    yield f"2002:{high:x}:{low:x}::1"
    yield f"2001:0:{high:x}:{low:x}:0:0:{high ^ 0xFFFF:x}:{low ^ 0xFFFF:x}"
    yield f"fe80::5efe:{address}"


def notations(address: str) -> Iterator[str]:
    """Ways to write an IPv4 address that C libraries and browsers take."""
    number = int(ipaddress.IPv4Address(address))
    a, b, c, d = (number >> shift & 255 for shift in (24, 16, 8, 0))
    yield address
    yield str(number)
    yield f"0x{number:08x}"
    yield f"0X{number:X}"
    yield f"0{number:o}"
    yield f"000000000000{number:o}"
    yield f"0{a:o}.0{b:o}.0{c:o}.0{d:o}"
    yield f"000{a:o}.000{b:o}.000{c:o}.000{d:o}"
    yield f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"
    yield f"0x{a:x}.{b}.0{c:o}.{d}"
    yield f"{a}.{(b << 16) + (c << 8) + d}"
    yield f"{a}.{b}.{(c << 8) + d}"
    yield f"0x{a:x}.0x{(b << 16) + (c << 8) + d:x}"
    yield f"{address}."
    yield "".join(chr(0xFF10 + int(x)) if x.isdigit() else "．" for x in address)  # noqa: RUF001  # full width
    yield address.replace(".", "。")
    yield "".join(f"%{ord(x):02x}" for x in address)
    yield address.replace("1", "①")


def hosts() -> Iterator[str]:
    """What may stand where a host stands, and leads inside."""
    yield from (*LOOPBACKS_4, *INSIDE_4)
    for address in ("127.0.0.1", "169.254.169.254"):
        yield from notations(address)
    yield from ("127.1", "127.0.1", "0", "0x0", "00", "0.0", "0x7f.1", "017700000001", "127.0.0.1%00.example.com")
    yield from (f"[{address}]" for address in INSIDE_6)
    for address in _EMBEDDED:
        yield from (f"[{one}]" for one in embedded(address))
    yield from ("[::1%25lo]", "[::1%lo]", "[fe80::1%25eth0]", "[::ffff:7f00:0001]", "[0000::1]", "[::127.0.0.1]")
    yield from ("localhost", "LOCALHOST", "localhost.", "localhost.localdomain", "ip6-localhost", "\uff4cocalhost")
    yield from ("metadata.google.internal", "metadata", "instance-data", "db.internal", "printer.local", "router.lan")
    yield from ("127.0.0.1.nip.example", "7f000001.rbndr.example", "spoofed.burpcollaborator.example")


def parser_tricks(port: int) -> Iterator[str]:
    """What a parser may read in another way than whoever has checked."""
    inside = f"127.0.0.1:{port}"
    for public in ("8.8.8.8", "example.com"):
        yield f"http://{public}@{inside}/"
        yield f"http://{public}:80@{inside}/"
        yield f"http://{public}%40{inside}/"
        yield f"http://{inside}#@{public}/"
        yield f"http://{inside}?@{public}/"
        yield f"http://{inside}\\@{public}/"
        yield f"http://{public}\\@{inside}/"
        yield f"http://{public}#@{inside}\\..\\/"
        yield f"http://user:{public}@{inside}/"
        yield f"http://{public}\t@{inside}/"
        yield f"http://{inside}\r\nhost: {public}/"
        yield f"http://{public}:80:{port}@127.0.0.1/"


def odd_addresses(port: int) -> Iterator[str]:
    """What is hardly an address, or has another scheme or port."""
    inside = f"127.0.0.1:{port}"
    yield from (
        f"http:\\\\{inside}\\",
        f"http:/{inside}/",
        f"http:{inside}/",
        f"http:///{inside}/",
        f"http:////{inside}/",
        f"//{inside}/",
        f"\\\\{inside}\\x",
        f"http://{inside}\x00.example.com/",
        f"http://\x00{inside}/",
        f"http://{inside[:4]}\n{inside[4:]}/",
        f"ht\ntp://{inside}/",
        f"http://[{inside}]/",
        f"http://[::1]:{port}]/",
        f"http://[::1]:{port}@127.0.0.1:{port}/",
        f"http://127.0.0.1:0{port}/",
        f"http://127.0.0.1:+{port}/",
        f"http://127.0.0.1: {port}/",
        f"http://127.0.0.1:{port + 65_536}/",
        f"http://127。0。0。1:{port}/",
        f"HTTP://{inside}/",
        f"hTTp://{inside}/",
        f" http://{inside}/ ",
        f"http://{inside}/../../latest/meta-data/",
        f"http://{inside};.example.com/",
        f"http://{inside},example.com/",
        f"http://example.com,{inside}/",
        f"url:http://{inside}/",
        f"http://8.8.8.8/{'x' * 9000}",
    )
    for scheme in (
        "https",
        "ftp",
        "gopher",
        "file",
        "dict",
        "ldap",
        "tftp",
        "sftp",
        "ws",
        "netdoc",
        "jar:http",
        "data",
    ):
        yield f"{scheme}://{inside}/"
    yield from ("file:///etc/passwd", "file://localhost/etc/passwd", "data:text/plain,x", "javascript:0", "", "http://")
    yield from (f"http://8.8.8.8:{other}/" for other in (0, 22, 25, 3306, 5432, 6379, 8080, 9200, 65_535, 99_999))


def hostile_urls(port: int) -> list[str]:
    """All of them, each once."""
    return list(
        dict.fromkeys([*(f"http://{host}:{port}/" for host in hosts()), *parser_tricks(port), *odd_addresses(port)])
    )
