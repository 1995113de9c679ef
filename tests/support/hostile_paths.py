"""Paths and heads that are to lead past a check: the corpora of goals S4 and S9."""

from collections.abc import Iterator
from urllib.parse import quote

_UP = 8
_TARGETS = (
    "etc/passwd",
    "proc/self/environ",
    "yuanjing.db",
    "canary.txt",
    "secrets/key-pepper",
    "secrets/encryption-key",
    "demo-key",
    "outbox.jsonl",
)


def hostile_paths(root: str) -> list[str]:
    """Names of files as attackers write them, percent-encoding included; `root` is the data folder."""
    return list(dict.fromkeys(path for target in _TARGETS for path in _writings(target, root)))


def _writings(target: str, root: str) -> Iterator[str]:
    for step in ("../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%252f", "%252e%252e/", "..\\", "..%5c", "....//", "..;/"):
        yield step * _UP + target
    for step in ("..%c0%af", "%c0%ae%c0%ae/", "%e0%80%ae%e0%80%ae/", "..%ef%bc%8f", "．．/", ".%00./", ". ./"):  # noqa: RUF001  # full width
        yield step * _UP + target
    yield f"/{target}"
    yield f"{root}/{target}"
    yield f"/tmp/1/2/3/4{'/..' * _UP}/{target}"  # noqa: S108  # no path of a disk
    yield f"/tmp/{'x/../' * 20}{'../' * _UP}{target}"  # noqa: S108  # the same
    yield f"file:///{target}"
    yield f"file://{root}/{target}"
    yield f"{'../' * _UP}{target}%00.mp4"
    yield f"{'../' * _UP}{target}%00"
    yield f"link/{target}"
    yield f"~/{target}"
    yield f"{'./' * 40}{'../' * _UP}{target}"
    yield f"{'/' * 30}{root}/{target}"
    yield f"{'../' * 30}{target}"
    yield quote(quote(f"{'../' * _UP}{target}", safe=""), safe="")


def targets_of(path: str) -> Iterator[str]:
    """Ways to write a request's target so that it may be taken for another one, or for this one."""
    first, rest = path[1:2], path[2:]
    segments = path.strip("/").split("/")
    yield from (path, f"/{path}", f"//{path}", "//".join(["", *segments]), f"{path}/", f"{path}//", f"{path}/.")
    yield from (f"/.{path}", f"/./{path[1:]}", f"/x/..{path}", f"/healthz/..{path}", f"/healthz/%2e%2e{path}")
    yield from (
        f"/healthz{path}",
        f"/healthz;{path}",
        f"/healthz%2f..{path}",
        f"/assets/..{path}",
        f"/openapi.json{path}",
    )
    yield from (
        f"{path}?",
        f"{path}?/healthz",
        f"{path}%3f",
        f"{path}%23",
        f"{path};x=/healthz",
        f"{path}%00",
        f"{path}%20",
    )
    yield from (
        f"{path}%0a",
        f"{path}.json",
        f"{path}/../healthz",
        f"{path}%2f..%2fhealthz",
        path.upper(),
        path.title(),
    )
    yield from (
        f"/%{ord(first):02x}{rest}",
        f"/%25{ord(first):02x}{rest}",
        path.replace("/", "%2f"),
        path.replace("/", "\\"),
    )
    for place in (
        "http://127.0.0.1",
        "http://localhost:1",
        "http://healthz",
        "http://x@127.0.0.1",
        "https://evil.example",
    ):
        yield f"{place}{path}"
    yield from (
        f"http://127.0.0.1//{path[1:]}",
        f"http://127.0.0.1/healthz/..{path}",
        f"HTTP://127.0.0.1{path}",
        f"ftp://x{path}",
    )


def heads_of(path: str) -> Iterator[str]:
    """Lines of a head that may make somebody believe that the request is another one, or comes from elsewhere."""
    for host in (
        "localhost",
        "127.0.0.1",
        "[::1]",
        "healthz",
        "",
        "127.0.0.1/healthz",
        "127.0.0.1/healthz?",
        "x/healthz#",
    ):
        yield f"host: {host}"
    yield "host: 127.0.0.1\r\nhost: evil.example"
    yield ""
    for name in ("x-original-url", "x-rewrite-url", "x-forwarded-path", "x-forwarded-uri", "x-forwarded-prefix"):
        yield f"host: x\r\n{name}: /healthz"
    for name in (
        "x-forwarded-for",
        "x-real-ip",
        "x-client-ip",
        "x-originating-ip",
        "cf-connecting-ip",
        "true-client-ip",
    ):
        yield f"host: x\r\n{name}: 127.0.0.1"
    yield "host: x\r\nforwarded: for=127.0.0.1;host=localhost;proto=https"
    yield "host: x\r\nx-forwarded-host: localhost\r\nx-forwarded-proto: https\r\nx-forwarded-port: 443"
    for method in ("GET", "OPTIONS", "HEAD"):
        yield f"host: x\r\nx-http-method-override: {method}\r\nx-method-override: {method}"
    for value in (
        "",
        "Bearer",
        "Bearer ",
        "Bearer null",
        "Bearer undefined",
        "Bearer *",
        "Bearer 0",
        "Basic YWRtaW46YWRtaW4=",
    ):
        yield f"host: x\r\nauthorization: {value}"
    yield "host: x\r\nconnection: close, authorization\r\nauthorization: Bearer x"
    yield "host: x\r\ncookie: yj_session=; session=admin; __Host-session=admin\r\norigin: http://x\r\nx-csrf-token: x"
    yield f"host: x\r\nreferer: http://x{path}\r\nsec-fetch-site: same-origin\r\nx-requested-with: XMLHttpRequest"
    yield "host: x\r\nx-internal: true\r\nx-admin: true\r\nx-api-key: x\r\nx-user-id: 1\r\nx-customer: 1"
