"""What the API's description says of video beyond what the routes' own types say: bodies, examples and headers.

Which values a parameter takes is each offer's own matter, so it is described by `GET /llmage/v1/models`, not here.
"""

from collections.abc import Mapping
from typing import cast

from yuanjing.domain.idempotency import REPLAYED_HEADER
from yuanjing.edge.error_docs import Json
from yuanjing.edge.idempotency_docs import IDEMPOTENCY_KEY, REPLAYED
from yuanjing.edge.video_samples import REQUESTS, RESPONSES

FORM_CODES = (
    "missing_required_parameter",
    "invalid_parameter",
    "invalid_json",
    "invalid_request",
    "request_timeout",
    "request_too_large",
    "unsupported_media_type",
    "storage_full",
)
"""What reading a body may end in."""
QUOTE_CODES = (
    *FORM_CODES,
    "unknown_llmid",
    "unsupported_parameter",
    "model_not_found",
    "model_not_allowed",
    "rate_limit_exceeded",
    "provider_unavailable",
)
"""What a request may end in that is only looked at."""
SUBMIT_CODES = (
    *QUOTE_CODES,
    "insufficient_balance",
    "budget_exceeded",
    "budget_held",
    "undeliverable_files",
    "not_found",
    "idempotency_in_progress",
    "idempotency_mismatch",
)
FILE_CODES = ("invalid_parameter", "not_found", "video_not_ready", "file_expired", "range_not_satisfiable")
"""What giving out a file may end in."""


def _text(words: str, *examples: object) -> Json:
    return {"type": "string", "description": words, **({"examples": list(examples)} if examples else {})}


def _either(words: str, *examples: object) -> Json:
    return {"type": ["string", "integer"], "description": words, "examples": list(examples)}


_MEDIA = "An http(s) address, a `data:` URI or bare base64; in a form also a file."
_COMMON: Json = {
    "negative_prompt": _text("What should not be seen."),
    "ratio": _text("Width to height; `radio` and `aspect_ratio` mean the same.", "16:9", "adaptive"),
    "resolution": _text("The tier, in any case of letters.", "480p", "720p", "1080p"),
    "off_peak": {"type": ["string", "boolean"], "description": "Cheaper and later.", "examples": ["Y", "N", True]},
    "seed": {"type": ["string", "integer"], "description": "For the same video again, where the model can."},
}
_SIZE = _text("Pixels, in place of tier and ratio.", "1280x720", "1280*720")
_PROMPT: Json = {"type": "string", "minLength": 1, "description": "What is to be seen."}
_FILES = ("image1_file", "image2_file", "image_files", "video_files", "audio_files")
_ONE_FILE: Mapping[str, str] = {
    "image1_file": f"The first frame; `image_file1` and `first_frame` mean the same. {_MEDIA}",
    "image2_file": f"The last frame; likewise, or the second value of a repeated `image1_file`. {_MEDIA}",
}
_MORE_FILES: Mapping[str, str] = {
    "image_files": f"Reference images, in the order in which prompts number them. {_MEDIA}",
    "video_files": f"Reference videos. {_MEDIA}",
    "audio_files": f"Reference sounds. {_MEDIA}",
}


def _media(file: Json) -> Json:
    """The media parameters, with what a single file may be."""
    one: Json = {name: {**file, "description": words} for name, words in _ONE_FILE.items()}
    return one | {name: {"type": "array", "items": file, "description": words} for name, words in _MORE_FILES.items()}


_IN_JSON: Json = {"type": "string"}
_IN_FORM: Json = {"type": "string", "contentMediaType": "application/octet-stream"}
_LLMAGE: Json = {
    "llmid": _text("The offer; its other names are in `GET /llmage/v1/models`.", "CrEMkFQfRCmbmopZsCqLj"),
    "model": _text("One of the offer's models, or, without `llmid`, what chooses the offer."),
    "prompt": _PROMPT,
    **_COMMON,
    "size": _SIZE,
    "duration": _either("Seconds; `seconds` means the same.", 5, "5"),
}
_GENERATION: Json = {
    "model": _text("Model name, alias or llmid.", "doubao-seedance-1-5-pro-251215"),
    "catelogid": _text("The category: `t2v`, `i2v`, `r2v` or `ref2v`. Without it the files given choose.", "t2v"),
    "prompt": _PROMPT,
    **_COMMON,
    "duration": _either("Seconds.", "5s", 5),
    "image_url": {**_IN_JSON, "description": "The first frame."},
    "n": {"type": "integer", "const": 1, "description": "One video at a time."},
    "transno": _text("The caller's own serial; not used."),
}
_OPENAI: Json = {
    "model": _text("Model name, alias or llmid.", "wan2.6-t2v"),
    "prompt": _PROMPT,
    "seconds": _either("The length; `duration` means the same.", "5"),
    "size": _text("Pixels; of models that have tiers and ratios, the nearest ones.", "1280x720"),
    "input_reference": {
        "description": "The first frame, or, of a model that has references only, a reference image.",
        "anyOf": [
            {"type": "string"},
            {"type": "object", "required": ["image_url"], "properties": {"image_url": {"type": "string"}}},
        ],
    },
    **_COMMON,
}


_REFERENCE_IN_FORM: Json = {
    "input_reference": {**_IN_FORM, "description": "See the JSON form."},
    "input_reference[image_url]": _text("The same by its address."),
}


def _request(words: str, required: list[str], properties: Json) -> Json:
    return {"type": "object", "description": words, "required": required, "properties": properties}


COMPONENTS: Mapping[str, Json] = {
    "VideoRequest": _request(
        "What is asked of an offer of video. Fields that it does not know are passed over.",
        ["llmid", "prompt"],
        _LLMAGE | _media(_IN_JSON),
    ),
    "VideoForm": _request("The same, with files.", ["llmid", "prompt"], _LLMAGE | _media(_IN_FORM)),
    "VideoGenerationRequest": _request(
        "What is asked of a model of video.", ["model", "prompt"], _GENERATION | _media(_IN_JSON)
    ),
    "VideoGenerationForm": _request(
        "The same, with files.",
        ["model", "prompt"],
        _GENERATION | _media(_IN_FORM) | {"image_url": {**_IN_FORM, "description": "The first frame."}},
    ),
    "OpenAIVideoRequest": _request(
        "A video as OpenAI's SDKs ask for it; the offer's own parameters may be given too.",
        ["model", "prompt"],
        _OPENAI | _media(_IN_JSON),
    ),
    "OpenAIVideoForm": _request(
        "The same, with files.", ["model", "prompt"], _OPENAI | _media(_IN_FORM) | _REFERENCE_IN_FORM
    ),
    "OpenAIVideoText": _request(
        "The same in a form without files.",
        ["model", "prompt"],
        _OPENAI | _media(_IN_JSON) | _REFERENCE_IN_FORM | {"input_reference": _text("An address; see the JSON form.")},
    ),
    "TaskQuestion": {
        "type": "object",
        "description": "Which task is meant, if the address does not say it.",
        "properties": {"taskid": _text("The task.", "936759404378734592")},
    },
}

_JSON, _FORM, _URLENCODED = "application/json", "multipart/form-data", "application/x-www-form-urlencoded"
_BODIES: Mapping[str, tuple[bool, Mapping[str, str]]] = {
    "/llmage/video": (True, {_JSON: "VideoRequest", _FORM: "VideoForm", _URLENCODED: "VideoRequest"}),
    "/llmage/tasks": (False, {_JSON: "TaskQuestion", _FORM: "TaskQuestion", _URLENCODED: "TaskQuestion"}),
    "/llmage/v1/video/generations": (
        True,
        {_JSON: "VideoGenerationRequest", _FORM: "VideoGenerationForm", _URLENCODED: "VideoGenerationRequest"},
    ),
    "/llmage/v1/video/quotes": (
        True,
        {_JSON: "VideoGenerationRequest", _FORM: "VideoGenerationForm", _URLENCODED: "VideoGenerationRequest"},
    ),
    "/v1/videos": (
        True,
        {_JSON: "OpenAIVideoRequest", _FORM: "OpenAIVideoForm", _URLENCODED: "OpenAIVideoText"},
    ),
}
"""Whether a body is needed, and its schema by media type, of each path's POST."""
_HEADERS: Mapping[str, Json] = {
    "x-request-id": {"description": "Our id of this request.", "schema": {"type": "string"}},
    "x-warning": {
        "description": "What is done otherwise than asked; one for each such thing.",
        "schema": {"type": "string"},
    },
    REPLAYED_HEADER: REPLAYED,
    "openai-poll-after-ms": {
        "description": "After how many milliseconds asking again is worth it, while a video is under way.",
        "schema": {"type": "integer"},
    },
}
_ANSWER_HEADERS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("post", "/llmage/video"): ("x-request-id", "x-warning", REPLAYED_HEADER),
    ("post", "/llmage/v1/video/generations"): ("x-request-id", "x-warning", REPLAYED_HEADER),
    ("post", "/v1/videos"): ("x-request-id", "x-warning", REPLAYED_HEADER, "openai-poll-after-ms"),
    ("get", "/v1/videos/{video_id}"): ("x-request-id", "openai-poll-after-ms"),
}


SUBMIT_ROUTES = ("/llmage/video", "/llmage/v1/video/generations", "/v1/videos")
"""Where a request that names itself makes one task, however often it is sent."""


def describe(paths: Mapping[str, Json]) -> None:
    """Write bodies, examples and headers into the operations that the framework has described."""
    for path, (is_required, schemas) in _BODIES.items():
        operation = cast("Json", paths[path]["post"])
        operation["requestBody"] = {
            "required": is_required,
            "content": {media: _content(path, media, name) for media, name in schemas.items()},
        }
    for path in SUBMIT_ROUTES:
        operation = cast("Json", paths[path]["post"])
        operation["parameters"] = [*cast("list[Json]", operation.get("parameters", [])), IDEMPOTENCY_KEY]
    for (method, path), names in _ANSWER_HEADERS.items():
        _success(paths, method, path)["headers"] = {name: _HEADERS[name] for name in names}
    for (method, path), examples in RESPONSES.items():
        content = cast("Json", _success(paths, method, path)["content"])
        cast("Json", content[_JSON])["examples"] = {name: {"value": value} for name, value in examples.items()}


def _content(path: str, media: str, component: str) -> Json:
    content: Json = {"schema": {"$ref": f"#/components/schemas/{component}"}}
    if media == _JSON and path in REQUESTS:
        content["examples"] = {name: {"value": value} for name, value in REQUESTS[path].items()}
    return content


def _success(paths: Mapping[str, Json], method: str, path: str) -> Json:
    operation = cast("Mapping[str, Json]", paths[path])[method]
    return cast("Mapping[str, Json]", operation["responses"])["200"]
