"""DashScope's temporary storage: a policy, then a form posted to OSS, then `oss://` in a request."""

import base64
import datetime as dt
import hashlib
import hmac
import re
import secrets
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, TypeVar

from yuanjing.kit.clock import Clock
from yuanjing.sandbox import jsons
from yuanjing.sandbox.asgi import Request
from yuanjing.sandbox.video.media import OSS_SCHEME, MediaLoader, Upload

UPLOAD_PATH: Final = "/oss-upload"
POLICY_SECONDS = 300
KEPT_SECONDS = 48 * 3600.0
FILE_MB_MAX = 1024
CAPACITY_MB = 999_999_999
POLICIES_MAX = 10_000
KEY_CHARS_MAX = 1024

_T = TypeVar("_T")
_ACL = "private"
_FORBID = "true"
_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)
_NAME = re.compile(r'[;\s]name="([^"]*)"')


class OssRefusedError(Exception):
    """OSS refuses the form.

    Attributes:
        status: the HTTP status.
        code: OSS's code.
    """

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code

    def xml(self) -> bytes:
        """The body of the answer."""
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{self.code}</Code><Message>{self}</Message>'
            f"<RequestId>{secrets.token_hex(12).upper()}</RequestId><HostId>sandbox</HostId></Error>"
        ).encode()


@dataclass(frozen=True, kw_only=True)
class _Policy:
    owner: str
    model: str
    text: str
    access_key_id: str
    until: float


class DashUploads:
    """Policies that were given, and which model an upload is for; the files themselves are the media loader's."""

    def __init__(self, clock: Clock, media: MediaLoader) -> None:
        self._clock = clock
        self._media = media
        self._secret = secrets.token_bytes(20)
        self._policies: OrderedDict[str, _Policy] = OrderedDict()
        self._models: OrderedDict[str, str] = OrderedDict()

    def policy(self, owner: str, model: str, base_url: str) -> dict[str, object]:
        """The `data` of a policy's answer."""
        now = self._clock.now()
        folder = f"dashscope-instant/{secrets.token_hex(16)}/{now:%Y-%m-%d}/{uuid.uuid4()}"
        expiration = now + dt.timedelta(seconds=POLICY_SECONDS)
        conditions = [
            ["content-length-range", 0, FILE_MB_MAX * 1024 * 1024],
            ["starts-with", "$key", folder],
            {"x-oss-object-acl": _ACL},
            {"x-oss-forbid-overwrite": _FORBID},
        ]
        value = {"expiration": f"{expiration:%Y-%m-%dT%H:%M:%S.000Z}", "conditions": conditions}
        text = base64.b64encode(jsons.encode(value)).decode()
        policy = _Policy(
            owner=owner,
            model=model,
            text=text,
            access_key_id=f"LTAI{secrets.token_hex(10)}",
            until=expiration.timestamp(),
        )
        _keep(self._policies, folder, policy)
        return {
            "policy": text,
            "signature": self._sign(text),
            "upload_dir": folder,
            "upload_host": f"{base_url}{UPLOAD_PATH}",
            "expire_in_seconds": POLICY_SECONDS,
            "max_file_size_mb": FILE_MB_MAX,
            "capacity_limit_mb": CAPACITY_MB,
            "oss_access_key_id": policy.access_key_id,
            "x_oss_object_acl": _ACL,
            "x_oss_forbid_overwrite": _FORBID,
        }

    def take(self, request: Request) -> int:
        """Keep the file of a posted form; the status of the answer, whose body is empty.

        Raises:
            OssRefusedError: the form is not as its policy says.
        """
        if request.method != "POST":
            raise OssRefusedError(405, "MethodNotAllowed", "The specified method is not allowed.")
        if request.is_too_large:
            raise OssRefusedError(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size.")
        form = read_form(request)
        key = _text(form, "key")
        policy = self._policies.get(key.rpartition("/")[0])
        if len(key) > KEY_CHARS_MAX:
            raise OssRefusedError(400, "InvalidObjectName", "The specified object is not valid.")
        if policy is None or _text(form, "policy") != policy.text:
            raise OssRefusedError(403, "AccessDenied", "Invalid according to Policy: Policy Condition failed.")
        if _text(form, "OSSAccessKeyId") != policy.access_key_id:
            raise OssRefusedError(
                403, "InvalidAccessKeyId", "The OSS Access Key Id you provided does not exist in our records."
            )
        if not hmac.compare_digest(_text(form, "Signature").encode(), self._sign(policy.text).encode()):
            text = "The request signature we calculated does not match the signature you provided."
            raise OssRefusedError(403, "SignatureDoesNotMatch", text)
        if self._clock.unix() >= policy.until:
            raise OssRefusedError(403, "AccessDenied", "Invalid according to Policy: Policy expired.")
        if (_text(form, "x-oss-object-acl"), _text(form, "x-oss-forbid-overwrite")) != (_ACL, _FORBID):
            raise OssRefusedError(403, "AccessDenied", "Invalid according to Policy: Policy Condition failed.")
        if key in self._models:
            raise OssRefusedError(409, "FileAlreadyExists", "The object you specified already exists.")
        upload = Upload(owner=policy.owner, data=form["file"], until=self._clock.unix() + KEPT_SECONDS)
        self._media.put(f"{OSS_SCHEME}{key}", upload)
        _keep(self._models, key, policy.model)
        return 200 if _text(form, "success_action_status", "204") == "200" else 204

    def is_for(self, key: str, model: str) -> bool:
        """Whether an upload was made for this model; uploads that are not known count."""
        return self._models.get(key, model) == model

    def _sign(self, text: str) -> str:
        return base64.b64encode(hmac.new(self._secret, text.encode(), hashlib.sha1).digest()).decode()


def read_form(request: Request) -> dict[str, bytes]:
    """The fields of a `multipart/form-data` body.

    Raises:
        OssRefusedError: it is none, or its last field is not `file`.
    """
    match = _BOUNDARY.search(request.headers.get("content-type", ""))
    if not match:
        raise OssRefusedError(400, "MalformedPOSTRequest", "The body of your POST request is not well-formed.")
    mark = b"\r\n--" + (match[1] or match[2]).encode("latin-1")
    form: dict[str, bytes] = {}
    for part in (b"\r\n" + request.body).split(mark)[1:-1]:
        head, _, data = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = _NAME.search(head.decode("utf-8", "replace"))
        if name:
            form[name[1]] = data
    if list(form)[-1:] != ["file"]:
        raise OssRefusedError(400, "IncorrectNumberOfFilesInPOSTRequest", "The last field has to be the file.")
    return form


def _text(form: dict[str, bytes], name: str, default: str | None = None) -> str:
    if name not in form and default is not None:
        return default
    if name not in form:
        raise OssRefusedError(400, "InvalidArgument", f"Bucket POST must contain a field named '{name}'.")
    return form[name].decode("utf-8", "replace")


def _keep(kept: OrderedDict[str, _T], key: str, value: _T) -> None:
    kept[key] = value
    while len(kept) > POLICIES_MAX:
        kept.popitem(last=False)
