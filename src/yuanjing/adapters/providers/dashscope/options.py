"""What the protocol's codes, words and forms mean, as data that an operator may change.

Source of the codes: https://help.aliyun.com/zh/model-studio/error-code.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from yuanjing.domain.tasks import (
    MEDIA_TEXT,
    Delivery,
    FailureKind,
    FailureRule,
    MediaRole,
    TaskState,
)

VIDEO_PATH = "/services/aigc/video-generation/video-synthesis"
IMAGE2VIDEO_PATH = "/services/aigc/image2video/video-synthesis"
UNKNOWN = "UNKNOWN"
"""The state of a task that does not exist or is older than 24 h, with HTTP 200."""

STATES: Mapping[str, TaskState] = {
    "pending": TaskState.QUEUED,
    "running": TaskState.RUNNING,
    "suspended": TaskState.RUNNING,  # a constant of the SDK that nobody has seen
    "succeeded": TaskState.SUCCEEDED,
    "failed": TaskState.FAILED,
    "canceled": TaskState.CANCELED,
}

_INVALID = FailureRule(kind=FailureKind.INVALID_INPUT)
_MEDIA = FailureRule(kind=FailureKind.INVALID_INPUT, text=MEDIA_TEXT)
_MODERATED = FailureRule(kind=FailureKind.MODERATED)
_AUTH = FailureRule(kind=FailureKind.PROVIDER_AUTH)
_BALANCE = FailureRule(kind=FailureKind.PROVIDER_BALANCE)
_RATE = FailureRule(kind=FailureKind.RATE_LIMITED)
_DOWN = FailureRule(kind=FailureKind.UNAVAILABLE)
_MODEL = FailureRule(kind=FailureKind.NOT_FOUND)

FAILURES: Mapping[str, FailureRule] = {
    "InvalidParameter": _INVALID,
    "InvalidParameter.DataInspection": _MEDIA,  # the spelling is [assumed]
    "InvalidURL": _MEDIA,  # the spelling is [assumed]
    "UnsupportedOperation": _INVALID,
    "DataInspectionFailed": _MODERATED,
    "data_inspection_failed": _MODERATED,
    "InvalidApiKey": _AUTH,
    "invalid_api_key": _AUTH,
    "AccessDenied": _AUTH,
    "Model.AccessDenied": FailureRule(kind=FailureKind.PROVIDER_AUTH, is_of_model=True),
    "Workspace.AccessDenied": _AUTH,
    # each model has its own
    "AllocationQuota.FreeTierOnly": FailureRule(kind=FailureKind.PROVIDER_BALANCE, is_of_model=True),
    "Arrearage": _BALANCE,
    "CommodityNotPurchased": _BALANCE,  # HTTP 429, as the next two
    "PrepaidBillOverdue": _BALANCE,
    "PostpaidBillOverdue": _BALANCE,
    "ModelNotFound": _MODEL,
    "model_not_found": _MODEL,
    "model_not_supported": _MODEL,
    "Throttling": _RATE,
    "LimitRequests": _RATE,
    "limit_requests": _RATE,
    "limit_burst_rate": _RATE,
    "insufficient_quota": _RATE,  # of tokens per minute: here it does not mean that there is no money
    "InternalError": _DOWN,
    "SystemError": _DOWN,
    "ModelServiceFailed": _DOWN,
    "RequestTimeOut": _DOWN,
    "ModelServingError": _DOWN,
    "ModelUnavailable": _DOWN,
}

_IMAGE = (Delivery.INLINE, Delivery.URL, Delivery.UPLOAD)
_FETCHED = (Delivery.URL, Delivery.UPLOAD)
MEDIA_FORM = "media"


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaForm:
    """One of the forms in which the models take their files.

    Attributes:
        path: of the submission, under the base.
        fields: where a file of a role goes in `input`: a field of its own, `name[]` for a list, `name[].type` for a
            list of objects with this type.
        deliveries: how files of a role can be given.
    """

    path: str = VIDEO_PATH
    fields: Mapping[MediaRole, str] = field(default_factory=dict[MediaRole, str])
    deliveries: Mapping[MediaRole, Collection[Delivery]] = field(default_factory=dict[MediaRole, Collection[Delivery]])


FORMS: Mapping[str, MediaForm] = {
    # happyhorse, and wan from 2.7 on
    MEDIA_FORM: MediaForm(
        fields={role: f"media[].{role.value}" for role in MediaRole},
        deliveries={
            MediaRole.FIRST_FRAME: _IMAGE,
            MediaRole.LAST_FRAME: _IMAGE,
            MediaRole.REFERENCE_IMAGE: _IMAGE,
            MediaRole.REFERENCE_VIDEO: _FETCHED,
            MediaRole.REFERENCE_AUDIO: _FETCHED,
        },
    ),
    # wan2.6-t2v and wan2.6-i2v
    "img_url": MediaForm(
        fields={MediaRole.FIRST_FRAME: "img_url", MediaRole.REFERENCE_AUDIO: "audio_url"},
        deliveries={MediaRole.FIRST_FRAME: _IMAGE, MediaRole.REFERENCE_AUDIO: _FETCHED},
    ),
    # wan2.6-r2v, which takes nothing inline and knows no frames: pictures are subjects, in their order
    "reference_urls": MediaForm(
        fields=dict.fromkeys(
            (
                MediaRole.FIRST_FRAME,
                MediaRole.LAST_FRAME,
                MediaRole.REFERENCE_IMAGE,
                MediaRole.REFERENCE_VIDEO,
            ),
            "reference_urls[]",
        ),
        deliveries=dict.fromkeys(
            (
                MediaRole.FIRST_FRAME,
                MediaRole.LAST_FRAME,
                MediaRole.REFERENCE_IMAGE,
                MediaRole.REFERENCE_VIDEO,
            ),
            _FETCHED,
        ),
    ),
    # wan2.2-kf2v-flash; that it takes nothing inline is [assumed]
    "frame_urls": MediaForm(
        path=IMAGE2VIDEO_PATH,
        fields={MediaRole.FIRST_FRAME: "first_frame_url", MediaRole.LAST_FRAME: "last_frame_url"},
        deliveries={MediaRole.FIRST_FRAME: _FETCHED, MediaRole.LAST_FRAME: _FETCHED},
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class DashscopeOptions:
    """What an operator may change.

    Attributes:
        failures: what the provider's codes mean.
        states: what its words mean, in lower case.
        forms: by the name that `Submission.form` gives; `media` is the usual one.
        input_extras: which further parameters belong into `input` rather than `parameters`.
        utc_offset_hours: of the times in answers, and, [assumed], of those in the list's query.
        page_size: of lists; the largest is not documented.
        pages_max: pages that one `query_many` or `find` reads; queries, lists and cancellations share 20 a second.
        list_window_seconds: the longest window that a list takes.
        slack_seconds: how far the provider's clock may be from ours.
        upload_hosts: where uploads may be sent, beside the channel's own host: the ends of host names.
        upload_bytes_max: used where the provider's policy does not say.
        event_type: of EventBridge's events about tasks that have ended.
    """

    failures: Mapping[str, FailureRule] = field(default_factory=lambda: FAILURES)
    states: Mapping[str, TaskState] = field(default_factory=lambda: STATES)
    forms: Mapping[str, MediaForm] = field(default_factory=lambda: FORMS)
    input_extras: frozenset[str] = frozenset({"audio_url", "template"})
    utc_offset_hours: float = 8.0
    batch_max: int = 500
    page_size: int = 100
    pages_max: int = 20
    list_window_seconds: float = 86_400.0
    slack_seconds: float = 120.0
    upload_hosts: tuple[str, ...] = (".aliyuncs.com",)
    upload_bytes_max: int = 100 * 1024 * 1024
    event_type: str = "dashscope:System:AsyncTaskFinish"
    record_seconds: int = 86_400
    result_seconds: int = 86_400
    unseen_seconds: int = 60
