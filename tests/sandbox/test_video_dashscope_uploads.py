"""DashScope's temporary storage: policy, form, oss:// in a request."""

import base64
import json
import re

import pytest
from tests.support.video_wire import Wire, picture

SUBMIT = "/api/v1/services/aigc/video-generation/video-synthesis"
POLICY = "/api/v1/uploads?action=getPolicy&model=happyhorse-1.0-i2v"
OSS = "/oss-upload"
RESOLVE = {"x-dashscope-async": "enable", "x-dashscope-ossresourceresolve": "enable"}
BOUNDARY = "----x--y"


@pytest.fixture
def wire():
    one = Wire()
    yield one
    one.close()


async def policy(wire, key="sandbox-key"):
    answer = await wire.call("GET", POLICY, key=key)
    assert answer.status == 200
    assert answer.json["request_id"] == answer.entry.request_id
    return answer.json["data"]


def fields_of(data, name="图 1.png"):
    return {
        "OSSAccessKeyId": data["oss_access_key_id"],
        "Signature": data["signature"],
        "policy": data["policy"],
        "key": f"{data['upload_dir']}/{name}",
        "x-oss-object-acl": data["x_oss_object_acl"],
        "x-oss-forbid-overwrite": data["x_oss_forbid_overwrite"],
        "success_action_status": "200",
        "x-oss-content-type": "image/png",
    }


async def post(wire, fields, file=b"", *, is_last=True):
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    head = b'Content-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    parts.insert(len(parts) if is_last else 0, head + file)
    mark = f"--{BOUNDARY}".encode()
    body = b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"
    headers = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    return await wire.call("POST", OSS, body, key=None, headers=headers)


async def status_of(wire, key, *, owner="sandbox-key", model="happyhorse-1.0-i2v", headers=RESOLVE):
    inputs = {"media": [{"type": "first_frame", "url": f"oss://{key}"}]}
    answer = await wire.call("POST", SUBMIT, {"model": model, "input": inputs}, key=owner, headers=headers)
    wire.pass_by(9)
    task = answer.json["output"]["task_id"]
    output = (await wire.call("GET", f"/api/v1/tasks/{task}", key=owner)).json["output"]
    return output["task_status"], output.get("code")


async def test_a_picture_is_uploaded_and_used(wire):
    data = await policy(wire)
    assert data == data | {
        "upload_host": "http://sandbox.test/oss-upload",
        "expire_in_seconds": 300,
        "x_oss_object_acl": "private",
        "x_oss_forbid_overwrite": "true",
    }
    conditions = json.loads(base64.b64decode(data["policy"]))["conditions"]
    assert ["starts-with", "$key", data["upload_dir"]] in conditions
    fields = fields_of(data)
    file = picture(700, 500) + b"\r\n"
    answer = await post(wire, fields, file)
    assert (answer.status, answer.body) == (200, b"")
    assert await status_of(wire, fields["key"]) == ("SUCCEEDED", None)
    piece = wire.rendered[0][1][0]
    assert (piece.width, piece.height, piece.bytes_length) == (700, 500, len(file))


async def test_an_upload_is_bound_to_account_model_header_and_time(wire):
    fields = fields_of(await policy(wire))
    await post(wire, fields, picture(700, 500))
    key = fields["key"]
    assert await status_of(wire, key, owner="other-key") == ("FAILED", "InvalidURL.ConnectionRefused")
    assert await status_of(wire, key, model="wan2.7-i2v") == ("FAILED", "InvalidParameter")
    assert await status_of(wire, key, headers={"x-dashscope-async": "enable"}) == ("FAILED", "InvalidParameter")
    assert await status_of(wire, key + "x") == ("FAILED", "InvalidURL.ConnectionRefused")
    wire.pass_by(47 * 3600)
    assert await status_of(wire, key) == ("SUCCEEDED", None)
    wire.pass_by(3600)
    assert await status_of(wire, key) == ("FAILED", "InvalidURL.ConnectionRefused")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"Signature": "AAAA"}, 403, "SignatureDoesNotMatch"),
        ({"policy": "e30="}, 403, "AccessDenied"),
        ({"OSSAccessKeyId": "x"}, 403, "InvalidAccessKeyId"),
        ({"key": "elsewhere/a.png"}, 403, "AccessDenied"),
        ({"x-oss-object-acl": "public-read"}, 403, "AccessDenied"),
        ({"x-oss-forbid-overwrite": "false"}, 403, "AccessDenied"),
        ({"success_action_status": "201"}, 204, ""),
    ],
)
async def test_forms_that_differ_from_their_policy(wire, changes, status, code):
    answer = await post(wire, fields_of(await policy(wire)) | changes, b"x")
    assert answer.status == status
    assert not code or re.search(b"<Code>(.*)</Code>", answer.body)[1].decode() == code


async def test_forms_that_are_none(wire):
    fields = fields_of(await policy(wire))
    assert (await wire.call("GET", OSS)).status == 405
    assert b"MalformedPOSTRequest" in (await wire.call("POST", OSS, b"x")).body
    assert b"IncorrectNumberOfFiles" in (await post(wire, fields, is_last=False)).body
    assert b"InvalidArgument" in (await post(wire, {name: fields[name] for name in ("policy",)})).body
    assert (await post(wire, fields, b"x")).status == 200
    assert b"FileAlreadyExists" in (await post(wire, fields, b"x")).body
    late = fields_of(await policy(wire))
    wire.pass_by(300)
    assert b"Policy expired" in (await post(wire, late, b"x")).body


async def test_policies(wire):
    answer = await wire.call("GET", "/api/v1/uploads?action=other&model=wan2.6-t2v")
    assert (answer.status, answer.json["code"]) == (400, "InvalidParameter")
    answer = await wire.call("GET", "/api/v1/uploads?action=getPolicy&model=other")
    assert answer.json["message"] == "Model not exist."
    assert (await wire.call("GET", POLICY, key="wrong")).status == 401
