"""TLS to providers: verified against the given authority, refused without; otherwise as plain TCP."""

import datetime as dt
import ipaddress
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.support.rawclient import chat_body, post
from tests.support.rig import Rig, bill, rig, wait_for
from tests.support.upstream import (
    STREAM_HEAD,
    RawUpstream,
    chunk,
    echo,
    event,
    forever,
    plain,
    request,
    reset,
    send,
)

NOW = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
YEARS = dt.timedelta(days=3650)
LOOPBACK = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


class Authority:
    """A certificate authority of the tests' own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        certificate = self._builder(self._name, NOW + YEARS).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        certificate = certificate.public_key(self._key.public_key()).issuer_name(self._name)
        self.path = folder / "ca.pem"
        self.path.write_bytes(certificate.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _builder(self, name: x509.Name, until: dt.datetime) -> x509.CertificateBuilder:
        key_id = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        builder = x509.CertificateBuilder().subject_name(name).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(NOW - YEARS).not_valid_after(until)
        return builder.add_extension(x509.AuthorityKeyIdentifier(key_id.digest, None, None), critical=False)

    def context(
        self, *, name: x509.GeneralName = LOOPBACK, until: dt.datetime = NOW + YEARS, self_signed: bool = False
    ) -> ssl.SSLContext:
        """A server's context with a certificate for that name."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "provider")])
        builder = self._builder(subject, until).public_key(key.public_key())
        builder = builder.issuer_name(subject if self_signed else self._name)
        builder = builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)
        certificate = builder.sign(key if self_signed else self._key, hashes.SHA256())
        path = self._folder / f"{certificate.serial_number}.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@contextmanager
def tls_rig(authority: Authority, *scripts, context: ssl.SSLContext | None = None, **options: object) -> Iterator[Rig]:
    upstream = RawUpstream(*scripts, tls=context or authority.context())
    with rig(upstreams=[upstream], ca_file=str(authority.path), **options) as r:  # type: ignore[arg-type]
        yield r


def test_a_verified_provider_serves_and_its_connection_is_kept(authority):
    with tls_rig(authority, [forever(echo)]) as r:
        client = r.client()
        for number in range(10):
            client.send(post(chat_body(text=f"t{number}", stream=number % 2 == 0)))
            assert client.receive().text == f"t{number}"
        assert len(r.upstream.connections) == 1
        assert r.wait_records(10)[-1].charge_nanos == bill(10, 5)


def test_large_bodies_both_ways(authority):
    text = "x" * 3_000_000
    with tls_rig(authority, [forever(echo)]) as r:
        client = r.client()
        client.send(post(chat_body(text=text)))
        assert client.receive().text == text


@pytest.mark.parametrize(
    "changes",
    [
        {"name": x509.DNSName("other.example")},
        {"name": x509.IPAddress(ipaddress.ip_address("127.0.0.2"))},
        {"until": NOW - dt.timedelta(days=1)},
        {"self_signed": True},
    ],
    ids=["wrong name", "wrong address", "expired", "self-signed"],
)
@pytest.mark.parametrize("streams", [False, True])
def test_a_provider_that_cannot_prove_itself_is_refused(authority, changes, streams):
    with tls_rig(authority, [forever(echo)], context=authority.context(**changes)) as r:
        client = r.client()
        client.send(post(stream=streams))
        answer = client.receive()
        assert (answer.status, answer.code) == (503, "provider_unavailable")
        assert not r.upstream.requests
        assert not r.records
        assert r.channel().pool.open_count == 0


def test_an_authority_that_was_not_given_is_not_trusted(authority):
    upstream = RawUpstream([forever(echo)], tls=authority.context())
    with rig(upstreams=[upstream]) as r:
        client = r.client()
        client.send(post())
        assert client.receive().status == 503
        assert not upstream.requests


def test_a_provider_without_tls_is_refused_in_time(authority):
    upstream = RawUpstream([], tls=None)
    upstream_url = upstream.url.replace("http:", "https:")
    with rig(upstreams=[_At(upstream_url)], ca_file=str(authority.path), connect_seconds=0.3) as r, upstream:
        client = r.client()
        began = time.monotonic()
        client.send(post())
        assert client.receive().status == 503
        assert time.monotonic() - began < 3.5


class _At(RawUpstream):
    """Another's address."""

    def __init__(self, url: str) -> None:
        super().__init__([])
        self._other = url

    @property
    def url(self) -> str:
        return self._other


def test_a_stale_connection_is_retried(authority):
    with tls_rig(authority, [request, send(plain("one")), request, reset], [forever(plain("two"))]) as r:
        client = r.client()
        for text in ("one", "two"):
            client.send(post())
            assert client.receive().text == text
        assert len(r.wait_records(2)) == 2


def test_leaving_closes_the_provider(authority):
    with tls_rig(authority, [request, send(STREAM_HEAD + chunk(event("abc")))]) as r:
        client = r.client()
        client.send(post(stream=True))
        client.receive_until(b"abc")
        client.close()
        assert r.upstream.connections[0].wait_closed()
        assert r.wait_records(1)[0].charge_nanos == bill(1, 1)


def test_a_slow_client_holds_its_provider_back(authority):
    pieces = [chunk(event("x" * 50_000))] * 800
    with tls_rig(authority, [request, send(STREAM_HEAD, *pieces)], client_write_seconds=30.0) as r:
        client = r.client(receive_buffer=16_384)
        client.send(post(stream=True))
        client.receive_head()
        conn, before = r.upstream.connections[0], -1
        while conn.sent != before:
            before = conn.sent
            time.sleep(0.25)
        assert before < 25_000_000
        client.reset()
        wait_for(lambda: r.records)
