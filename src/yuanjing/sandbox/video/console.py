"""What is done in a provider's console, before any task: assets are registered, and an address for events is given.

No page that we know documents how Ark registers assets, so the paths are the sandbox's own, under `/sandbox/video/`.
"""

import datetime as dt
import secrets
from urllib.parse import urlsplit

import msgspec

from yuanjing.kit.clock import Clock
from yuanjing.sandbox import jsons
from yuanjing.sandbox.asgi import Request
from yuanjing.sandbox.video.media import ASSET_SCHEME, Upload
from yuanjing.sandbox.video.studio import Call, Studio
from yuanjing.sandbox.video.wish import FailedError, Kind, Media, Role

BASE = "/sandbox/video/"
ASSETS = f"{BASE}assets"
EVENTS = f"{BASE}events"

_ROLES = {
    Kind.IMAGE: Role.REFERENCE_IMAGE,
    Kind.VIDEO: Role.REFERENCE_VIDEO,
    Kind.AUDIO: Role.REFERENCE_AUDIO,
}
_ID_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_CHINA = dt.timezone(dt.timedelta(hours=8))
_NEVER = float("inf")

Answer = dict[str, object]


class _RefusedError(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Console:
    """Answers `/sandbox/video/…`, with the credential of the account that it is done for."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def claims(self, path: str) -> bool:
        """Whether the path is one of its own."""
        return path.startswith(BASE)

    async def answer(self, call: Call) -> None:
        """Answer a request whose path it claims."""
        call.entry.flavour = "console"
        try:
            value = await self._route(call)
        except _RefusedError as refused:
            error = {"message": str(refused), "type": "invalid_request_error"}
            await call.reply.json(refused.status, {"error": error})
        else:
            await call.reply.json(200, value)

    async def _route(self, call: Call) -> Answer:
        request = call.request
        owner = request.credential or ""
        call.entry.credential = owner[-4:]
        if self._studio.admit(owner) is None:
            raise _RefusedError(401, "the credential is missing or not accepted")
        if request.is_too_large:
            raise _RefusedError(413, "the request is too large")
        match request.method, request.path:
            case "POST", path if path == ASSETS:
                return await self._register(owner, request)
            case "PUT", path if path == EVENTS:
                url = _text(_fields(request), "url")
                if urlsplit(url).scheme not in {"http", "https"}:
                    raise _RefusedError(400, "url is no http(s) address")
                self._studio.event_targets[owner] = url
                return {"url": url}
            case "DELETE", path if path == EVENTS:
                return {"url": self._studio.event_targets.pop(owner, "")}
            case _:
                raise _RefusedError(404, f"{request.method} {request.path} does not exist")

    async def _register(self, owner: str, request: Request) -> Answer:
        """Keep the file at an address, or in a data URI, as an asset of the account; it stays."""
        fields = _fields(request)
        kind = _text(fields, "type")
        if kind not in _ROLES:
            raise _RefusedError(400, f"type is not one of {', '.join(_ROLES)}")
        source = _text(fields, "url")
        media = Media(role=_ROLES[Kind(kind)], kind=Kind(kind), source=source)
        try:
            data = await self._studio.media.fetch(media, owner)
        except FailedError as error:
            raise _RefusedError(400, error.failure.text) from error
        asset_id = new_asset_id(self._studio.clock)
        self._studio.media.put(ASSET_SCHEME + asset_id, Upload(owner=owner, data=data, until=_NEVER))
        return {"id": asset_id, "url": ASSET_SCHEME + asset_id, "type": kind}


def new_asset_id(clock: Clock) -> str:
    """An id as assets have them [assumed]: `asset-`, the time in China, five letters or digits."""
    tail = "".join(secrets.choice(_ID_LETTERS) for _ in range(5))
    return f"asset-{clock.now().astimezone(_CHINA):%Y%m%d%H%M%S}-{tail}"


def _fields(request: Request) -> dict[str, object]:
    try:
        fields = jsons.as_object(msgspec.json.decode(request.body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        fields = None
    if fields is None:
        raise _RefusedError(400, "the request body is not a JSON object")
    return fields


def _text(fields: dict[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise _RefusedError(400, f"{name} is required")
    return value
