"""How Ark refuses: codes with their HTTP status and type, and the envelope."""

import secrets

from yuanjing.sandbox.asgi import Header

_TYPES = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    413: "RequestEntityTooLarge",
    429: "TooManyRequests",
    500: "InternalServerError",
}
"""The types of 400 and 429 are documented, the others [assumed]."""

_STATUS = {
    "AuthenticationError": 401,
    "AccountOverdueError": 403,
    "InvalidEndpointOrModel.NotFound": 404,
    "NotFound": 404,  # the code of an unknown task is [assumed]; its status is not
    "MethodNotAllowed": 405,
    "TaskRunningCannotCancel": 409,
    "RequestEntityTooLarge": 413,
    "RateLimitExceeded.EndpointRPMExceeded": 429,
    "InternalServiceError": 500,
}
"""Codes that are not HTTP 400."""

REQUEST_ID_HEADER = "X-Request-Id"


class ArkRefusedError(Exception):
    """Ark refuses the request.

    Attributes:
        code: Ark's code.
        text: what is wrong, a sentence.
        param: the parameter at fault, "" if none is.
    """

    def __init__(self, code: str, text: str, param: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.param = param

    @property
    def status(self) -> int:
        """The HTTP status."""
        return _STATUS.get(self.code, 400)

    def envelope(self, request_id: str) -> dict[str, object]:
        """The body of the answer; the text ends with the request's id."""
        return {
            "error": {
                "code": self.code,
                "message": f"{self.text} Request id: {request_id}",
                "param": self.param,
                "type": _TYPES[self.status],
            }
        }


def invalid(name: str, why: str) -> ArkRefusedError:
    """The refusal of a value."""
    text = f"The parameter `{name}` specified in the request are not valid: {why}."
    return ArkRefusedError("InvalidParameter", text, name)


def missing(name: str) -> ArkRefusedError:
    """The refusal of a request without a field."""
    return ArkRefusedError("MissingParameter", f"The request failed because it is missing `{name}`.", name)


def unsupported(name: str, model: str) -> ArkRefusedError:
    """The refusal of a field that the model does not have."""
    return invalid(name, f"it is not supported by model {model}")


def mixed(why: str) -> ArkRefusedError:
    """The refusal of inputs that exclude each other; which of the two codes is which is [assumed]."""
    return ArkRefusedError("InvalidParameter.TaskTypeConstraint", f"The content is not valid: {why}.", "content")


def mismatched(why: str) -> ArkRefusedError:
    """The refusal of inputs that the model cannot take; which of the two codes is which is [assumed]."""
    return ArkRefusedError("InvalidParameter.TaskTypeMismatch", f"The content is not valid: {why}.", "content")


def new_request_id() -> str:
    """An id of a request."""
    return f"021{secrets.token_hex(25)}"


def headers_of(request_id: str) -> list[Header]:
    """The headers of every answer."""
    return [(REQUEST_ID_HEADER, request_id)]
