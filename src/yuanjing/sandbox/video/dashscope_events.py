"""The event that Alibaba's EventBridge pushes when a DashScope task has ended, to the one address of an account.

Type, source and the fields of `data` are documented, and that it may come twice; the other attributes are those of
CloudEvents 1.0 and EventBridge's general ones [assumed]. It is signed, with a key whose certificate the receiver is to
fetch: nobody can check what is signed here, as the certificate's address is Alibaba's.
"""

import base64
import datetime as dt
import secrets
import uuid
from collections.abc import Mapping

from yuanjing.kit.clock import Clock
from yuanjing.sandbox.video.callbacks import Subscription
from yuanjing.sandbox.video.dashscope_answers import CHINA, REGION, listed
from yuanjing.sandbox.video.tasks import Task, View
from yuanjing.sandbox.video.wish import Phase

EVENT_TYPE = "dashscope:System:AsyncTaskFinish"
EVENT_SOURCE = "acs.dashscope"

_CERTIFICATE = f"https://{REGION}-eventbridge.oss-accelerate.aliyuncs.com/x509_public_certificate.pem"
_SIGNATURE_BYTES = 128
_DATA = (
    "task_id",
    "start_time",
    "end_time",
    "region",
    "request_id",
    "api_key_id",
    "user_api_unique_key",
)


def subscription(task: Task, url: str, clock: Clock) -> Subscription:
    """That tells `url` of the task's end."""
    event_id = str(uuid.uuid4())

    def body(view: View) -> dict[str, object] | None:
        return event(task, view, event_id) if view.phase.is_final else None

    def sign(body: bytes) -> Mapping[str, str]:
        del body  # with Alibaba's private key, which nobody else has
        return signature_headers(clock)

    return Subscription(url=url, body=body, sign=sign)


def event(task: Task, view: View, event_id: str) -> dict[str, object]:
    """The event; `task_status` here, where the list says `status`."""
    row = listed(task, view)
    status = row["status"]
    data = {name: row[name] for name in _DATA} | {
        "task_status": status,
        "contain_result": view.phase is Phase.SUCCEEDED,
    }
    ended = dt.datetime.fromtimestamp(view.updated_at, CHINA)
    return {
        "id": event_id,
        "source": EVENT_SOURCE,
        "specversion": "1.0",
        "type": EVENT_TYPE,
        "subject": f"acs:dashscope:{REGION}:{row['caller_uid']}:task/{task.id}",
        "time": ended.isoformat(timespec="milliseconds"),
        "datacontenttype": "application/json;charset=utf-8",
        "aliyunaccountid": row["caller_uid"],
        "aliyunregionid": REGION,
        "data": data,
    }


def signature_headers(clock: Clock) -> dict[str, str]:
    """`X-Eventbridge-Signature…`; of the names beyond that beginning, and the values, all is [assumed]."""
    return {
        "X-Eventbridge-Signature": base64.b64encode(secrets.token_bytes(_SIGNATURE_BYTES)).decode(),
        "X-Eventbridge-Signature-Method": "HMAC-SHA1",
        "X-Eventbridge-Signature-Version": "1.0",
        "X-Eventbridge-Signature-Timestamp": str(int(clock.unix() * 1000)),
        "X-Eventbridge-Signature-Secret": base64.b64encode(secrets.token_bytes(_SIGNATURE_BYTES)).decode(),
        "X-Eventbridge-Signature-Url": _CERTIFICATE,
    }
