"""The provider's temporary storage: a policy, then a form posted to it.

Source: https://help.aliyun.com/zh/model-studio/get-temporary-file-url, and the order of the fields from the SDK. A file
is kept for 48 h, for one account and one model.
"""

import re
import secrets
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from yuanjing.kit import jsonvalues
from yuanjing.kit.jsonvalues import Fields
from yuanjing.kit.webcalls import WebCall
from yuanjing.ports.upstream import UploadFile

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+\Z", re.ASCII)
_NAME_CHARS_MAX = 100
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadPolicy:
    """Leave to upload one file.

    Attributes:
        host: the address to post the form to.
        key: of the file in the storage.
        form: the fields before the file, in their order.
        bytes_max: None if the provider does not say.
    """

    host: str
    key: str
    form: tuple[tuple[str, str], ...]
    bytes_max: int | None


def read_policy(fields: Fields, file: UploadFile) -> UploadPolicy | None:
    """The policy of an answer; None if something of it is missing."""
    data = jsonvalues.as_fields(fields.get("data"))
    host, folder = jsonvalues.text(data, "upload_host"), jsonvalues.text(data, "upload_dir")
    names = ("oss_access_key_id", "signature", "policy", "x_oss_object_acl", "x_oss_forbid_overwrite")
    access_key_id, signature, policy, acl, forbid = (jsonvalues.text(data, name) for name in names)
    if not all((host, folder, access_key_id, signature, policy)):
        return None
    key = f"{folder}/{_UNSAFE.sub('_', file.name)[-_NAME_CHARS_MAX:] or 'file'}"
    megabytes = jsonvalues.number(data, "max_file_size_mb")
    form = (
        ("OSSAccessKeyId", access_key_id),
        ("Signature", signature),
        ("policy", policy),
        ("key", key),
        ("x-oss-object-acl", acl),
        ("x-oss-forbid-overwrite", forbid),
        ("success_action_status", "200"),
        ("x-oss-content-type", media_type_of(file)),
    )
    return UploadPolicy(
        host=host, key=key, form=form, bytes_max=int(megabytes * _MEGABYTE) if megabytes is not None else None
    )


def is_allowed(host: str, base_url: str, ends: tuple[str, ...]) -> bool:
    """Whether a file may be posted there: encrypted to the provider's storage, or to the channel's own host."""
    try:
        target, base = urlsplit(host), urlsplit(base_url)
        target_port, base_port = target.port, base.port
    except ValueError:
        return False
    if (target.scheme, target.hostname, target_port) == (base.scheme, base.hostname, base_port):
        return True
    return target.scheme == "https" and any((target.hostname or "").endswith(end) for end in ends)


def upload_call(policy: UploadPolicy, file: UploadFile) -> WebCall:
    """The form as a request, its file as a stream."""
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in policy.form
    ]
    name = policy.key.rpartition("/")[2]
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: {media_type_of(file)}\r\n\r\n"
    )
    head, tail = "".join(parts).encode(), f"\r\n--{boundary}--\r\n".encode()
    return WebCall(
        method="POST",
        url=policy.host,
        headers={
            "content-type": f"multipart/form-data; boundary={boundary}",
            "content-length": str(len(head) + file.size_bytes + len(tail)),
        },
        content=_chained(head, file.chunks, tail),
    )


def media_type_of(file: UploadFile) -> str:
    """The file's type, if it is written as one."""
    return file.media_type if _MEDIA_TYPE.match(file.media_type) else "application/octet-stream"


async def _chained(head: bytes, chunks: AsyncIterable[bytes], tail: bytes) -> AsyncIterator[bytes]:
    yield head
    async for chunk in chunks:
        yield chunk
    yield tail
