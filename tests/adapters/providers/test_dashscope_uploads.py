"""DashScope's temporary storage: a policy, then a form with its fields in the documented order."""

import pytest
from tests.adapters.providers import wire
from tests.adapters.providers.wire import Answer, access

from yuanjing.adapters.providers.dashscope import DashscopeUpstream
from yuanjing.domain.tasks import FailureKind, UpstreamError
from yuanjing.ports.upstream import UploadFile


@pytest.fixture
def dashscope(web):
    return DashscopeUpstream(web)


def policy(host, **changes):
    data = {
        "policy": "cG9saWN5",
        "signature": "c2ln",
        "upload_dir": "dashscope-instant/x/2026-05-21/y",
        "upload_host": host,
        "expire_in_seconds": 300,
        "max_file_size_mb": 1,
        "capacity_limit_mb": 999,
        "oss_access_key_id": "LTAI",
        "x_oss_object_acl": "private",
        "x_oss_forbid_overwrite": "true",
    }
    return {"request_id": "r", "data": {**data, **changes}}


async def chunks(*parts):
    for part in parts:
        yield part


def file(name="猫 1.PNG", size=6, media_type="image/png"):
    return UploadFile(name=name, media_type=media_type, size_bytes=size, chunks=chunks(b"abc", b"def"))


async def test_an_upload(provider, dashscope):
    provider.plays(policy(provider.url + "/oss-upload"), b"")
    url = await dashscope.upload(access(provider, "dashscope"), "m-1", file())
    assert url == "oss://dashscope-instant/x/2026-05-21/y/_1.PNG"
    leave, form = provider.asked
    assert (leave.method, leave.path) == ("GET", "/api/v1/uploads")
    assert leave.query == [("action", "getPolicy"), ("model", "m-1")]
    assert (form.method, form.target) == ("POST", "/oss-upload")
    assert "authorization" not in form.headers
    assert wire.CREDENTIAL.encode() not in form.body
    boundary = form.headers["content-type"].partition("boundary=")[2].encode()
    parts = form.body.split(b"--" + boundary)
    assert (parts[0], parts[-1]) == (b"", b"--\r\n")
    fields = [part.strip(b"\r\n").split(b"\r\n\r\n") for part in parts[1:-1]]
    values = [(head.partition(b'name="')[2].partition(b'"')[0].decode(), value.decode()) for head, value in fields]
    assert values == [
        ("OSSAccessKeyId", "LTAI"),
        ("Signature", "c2ln"),
        ("policy", "cG9saWN5"),
        ("key", "dashscope-instant/x/2026-05-21/y/_1.PNG"),
        ("x-oss-object-acl", "private"),
        ("x-oss-forbid-overwrite", "true"),
        ("success_action_status", "200"),
        ("x-oss-content-type", "image/png"),
        ("file", "abcdef"),
    ]
    assert b"Content-Type: image/png" in fields[-1][0]


@pytest.mark.parametrize(
    "host",
    [
        "",
        "http://127.0.0.1:9/elsewhere",
        "http://bucket.oss-cn-beijing.aliyuncs.com",
        "https://aliyuncs.com.evil.example/x",
        "https://evil.example",
        "https://169.254.169.254/",
        "file:///etc/passwd",
        "https://[bad",
    ],
)
async def test_a_file_goes_to_the_providers_storage_only(provider, dashscope, host):
    provider.plays(policy(host))
    with pytest.raises(UpstreamError) as caught:
        await dashscope.upload(access(provider, "dashscope"), "m-1", file())
    assert caught.value.kind is FailureKind.UNAVAILABLE
    assert len(provider.asked) == 1


async def test_a_file_that_is_too_large_is_not_sent(provider, dashscope):
    provider.plays(policy(provider.url))
    with pytest.raises(UpstreamError) as caught:
        await dashscope.upload(access(provider, "dashscope"), "m-1", file(size=2**20 + 1))
    assert caught.value.kind is FailureKind.INVALID_INPUT
    assert len(provider.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=403, body=b"<Error><Code>AccessDenied</Code></Error>"),
        Answer(raw=b"", cut_at=0),
        Answer(status=500),
    ],
)
async def test_an_upload_that_fails_may_be_repeated(provider, dashscope, answer):
    provider.plays(policy(provider.url), answer)
    with pytest.raises(UpstreamError) as caught:
        await dashscope.upload(access(provider, "dashscope"), "m-1", file())
    assert caught.value.kind is FailureKind.UNAVAILABLE
    assert caught.value.failure.is_worth_retrying


async def test_names_and_types_cannot_break_the_form(provider, dashscope):
    provider.plays(policy(provider.url), b"")
    url = await dashscope.upload(access(provider, "dashscope"), "m", file('a"\r\n/../b', 6, 'x/"\r\ny: z'))
    assert url.endswith("/y/a_.._b")
    assert b"application/octet-stream" in provider.last.body
    assert b"y: z" not in provider.last.body
