"""How DashScope refuses: codes with their HTTP status, and the envelope."""

from http import HTTPStatus

_STATUS = {
    "InvalidApiKey": HTTPStatus.UNAUTHORIZED,
    "AccessDenied": HTTPStatus.FORBIDDEN,
    "NotFound": HTTPStatus.NOT_FOUND,
    "MethodNotAllowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "RequestEntityTooLarge": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "Throttling.RateQuota": HTTPStatus.TOO_MANY_REQUESTS,
    "InternalError": HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""Codes that are not HTTP 400; those of wrong paths, methods and sizes are [assumed]."""


class DashRefusedError(Exception):
    """DashScope refuses the request at once.

    Attributes:
        code: DashScope's code.
        text: what is wrong, a sentence.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

    @property
    def status(self) -> int:
        """The HTTP status."""
        return _STATUS.get(self.code, HTTPStatus.BAD_REQUEST).value

    def envelope(self, request_id: str) -> dict[str, object]:
        """The body of the answer."""
        return {"code": self.code, "message": self.text, "request_id": request_id}
