"""Requests and answers of the video routes as examples; the seed's own where it prints them."""

from collections.abc import Mapping

Json = Mapping[str, object]

_PICTURE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAgAAAAIAAQAAAADcA+lXAAAAjklEQVR42u3MQQ0AAAgEoNP+nTWELzcIQE1uOgKBQCAQ"
    "CAQCgUAgEAgEAoFAIBAIBAKBQCAQCAQCgUAgEAgEAoFAIBAIBAKBQCAQCAQCgUAgEAgEAoFAIBAIBAKBQCAQCAQCgUAgEAgEAoFAIBAIBAKBQCAQ"
    "CAQCgUAgEAgEAoFAIBAIBAKBQCAQCASvgwUV2wT/60VJcgAAAABJRU5ErkJggg=="
)
"""A white square of 512 x 512 pixels."""
_TASK_ID = "936759404378734592"
_COVER = "https://opencomputing.ai/idfile?path=/tmp/19/43/137/39/cover.jpeg"
_VIDEO = "https://opencomputing.ai/idfile?path=/tmp/137/173/31/47/video.mp4"
_USAGE: Json = {
    "action": "t2v",
    "credits": 10,
    "type": "text2video",
    "model": "viduq3-pro",
    "resolution": "540p",
    "off_peak": False,
    "duration": 1,
}
_DONE: Json = {"usage": _USAGE, "image": _COVER, "video": _VIDEO, "status": "SUCCEEDED", "taskid": _TASK_ID}
_WAITING: Json = {"usage": None, "image": None, "video": None, "status": "PENDING", "taskid": _TASK_ID}
_FAILED: Json = {
    "usage": None,
    "image": None,
    "video": None,
    "status": "FAILED",
    "taskid": _TASK_ID,
    "error": "The input was refused by the provider's content moderation",
}
_VIDEO_OBJECT: Json = {
    "id": _TASK_ID,
    "object": "video",
    "created_at": 1775019761,
    "completed_at": None,
    "expires_at": None,
    "status": "queued",
    "model": "wan2.6-t2v",
    "progress": 0,
    "prompt": "小猫在抓老鼠",
    "seconds": "5",
    "size": "1280x720",
    "error": None,
    "remixed_from_video_id": None,
    "yuanjing": {
        "llmid": "u9HZyfDoqU6uKI6M1BTks",
        "requested_llmid": "u9HZyfDoqU6uKI6M1BTks",
        "operation": "text_to_video",
        "currency": "CNY",
        "ceiling": "3.00",
        "charge": "0.00",
        "warnings": [],
        "seconds_left": 60,
        "usage": None,
        "video_url": None,
        "thumbnail_url": None,
    },
}

REQUESTS: Mapping[str, Mapping[str, Json]] = {
    "/llmage/video": {
        "text": {
            "llmid": "CrEMkFQfRCmbmopZsCqLj",
            "prompt": "小猫在抓老鼠",
            "duration": 5,
            "ratio": "16:9",
            "resolution": "480p",
        },
        "first frame": {
            "llmid": "7y7kfYM0Xasizyi37WvAZ",
            "prompt": "一起来调科目三",
            "duration": 3,
            "resolution": "720P",
            "image1_file": _PICTURE,
        },
    },
    "/llmage/v1/video/generations": {
        "text": {
            "model": "doubao-seedance-1-5-pro-251215",
            "catelogid": "t2v",
            "prompt": "A beautiful sunset over the ocean",
            "duration": "5s",
            "resolution": "480p",
        },
    },
    "/llmage/v1/video/quotes": {
        "text": {
            "model": "viduq3-pro",
            "catelogid": "t2v",
            "prompt": "小猫在抓老鼠",
            "duration": 5,
            "resolution": "720p",
        },
    },
    "/v1/videos": {
        "text": {"model": "wan2.6-t2v", "prompt": "小猫在抓老鼠", "seconds": "5", "size": "1280x720"},
        "first frame": {
            "model": "happyhorse-1.0-i2v",
            "prompt": "一起来调科目三",
            "seconds": "3",
            "resolution": "720p",
            "input_reference": {"image_url": _PICTURE},
        },
    },
}
"""By path, of its POST; each is accepted by the platform with the shipped catalogue."""

RESPONSES: Mapping[tuple[str, str], Mapping[str, Json]] = {
    ("post", "/llmage/video"): {"created": {"taskid": _TASK_ID, "status": "created"}},
    ("get", "/llmage/tasks"): {"waiting": _WAITING, "succeeded": _DONE, "failed": _FAILED},
    ("post", "/llmage/tasks"): {"waiting": _WAITING, "succeeded": _DONE, "failed": _FAILED},
    ("post", "/llmage/v1/video/generations"): {
        "submitted": {
            "id": "K9_veNBxeqvrFfbGWXs0R",
            "object": "video.generation",
            "model": "doubao-seedance-1-5-pro-251215",
            "status": "submitted",
            "taskid": _TASK_ID,
            "created": 1775019761,
        }
    },
    ("post", "/llmage/v1/video/quotes"): {
        "quote": {
            "object": "video.quote",
            "model": "wan2.6-t2v",
            "llmid": "u9HZyfDoqU6uKI6M1BTks",
            "requested_llmid": "u9HZyfDoqU6uKI6M1BTks",
            "operation": "text_to_video",
            "ceiling": "3.00",
            "currency": "CNY",
            "price_id": "price_019aeb33c2f07e0c8d1d",
            "warnings": [],
        }
    },
    ("get", "/llmage/v1/tasks"): {
        "one": {"status": "ok", "data": {**_DONE, "output": [_VIDEO]}},
        "unknown": {
            "status": "ok",
            "data": {**_FAILED, "error": "Task not found", "output": []},
        },
        "list": {
            "object": "list",
            "data": [
                {
                    "taskid": _TASK_ID,
                    "status": "RUNNING",
                    "progress": 33,
                    "seconds_left": 40,
                    "model": "wan2.6-t2v",
                    "llmid": "u9HZyfDoqU6uKI6M1BTks",
                    "requested_llmid": "u9HZyfDoqU6uKI6M1BTks",
                    "operation": "text_to_video",
                    "created": 1775019761,
                    "ended": None,
                    "quote": "3.00",
                    "charge": "0.00",
                    "currency": "CNY",
                    "usage": None,
                    "image": None,
                    "video": None,
                    "error": None,
                }
            ],
            "next": None,
        },
    },
    ("post", "/v1/videos"): {"queued": _VIDEO_OBJECT},
    ("get", "/v1/videos/{video_id}"): {
        "completed": {
            **_VIDEO_OBJECT,
            "status": "completed",
            "progress": 100,
            "completed_at": 1775019821,
            "expires_at": 1777611821,
        },
        "failed": {
            **_VIDEO_OBJECT,
            "status": "failed",
            "error": {"code": "content_policy_violation", "message": _FAILED["error"]},
        },
    },
    ("get", "/v1/videos"): {
        "page": {
            "object": "list",
            "data": [_VIDEO_OBJECT],
            "first_id": _TASK_ID,
            "last_id": _TASK_ID,
            "has_more": False,
        }
    },
    ("delete", "/v1/videos/{video_id}"): {"deleted": {"id": _TASK_ID, "object": "video.deleted", "deleted": True}},
}
"""By method and path, of 200."""
