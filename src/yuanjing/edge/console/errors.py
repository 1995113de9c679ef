"""How the console's routes refuse by themselves, and what its routes may answer."""

from yuanjing.domain.errors import YuanjingError

READ_CODES = ("not_signed_in", "forgery_suspected", "store_unavailable")
"""What every route that wants a session may answer."""
WRITE_CODES = ("forgery_suspected", "store_unavailable")
"""What every route with an unsafe method may answer."""
BODY_CODES = (
    "missing_required_parameter",
    "invalid_parameter",
    "unsupported_parameter",
    "invalid_json",
    "unsupported_media_type",
    "request_too_large",
    "request_timeout",
)
"""What every route that reads a body may answer."""


class ForgerySuspectedError(YuanjingError):
    """The request may come from another site's page, or from a page of ours that knows another session."""

    code = "forgery_suspected"


class MissingFieldError(YuanjingError):
    """A field that is needed here."""

    code = "missing_required_parameter"

    def __init__(self, param: str) -> None:
        super().__init__(f"Missing required parameter: {param}", param=param)


class UnknownFieldError(YuanjingError):
    """A field that does not exist here: a typing error, or an attempt to change what is not the caller's to change."""

    code = "unsupported_parameter"

    def __init__(self, param: str) -> None:
        super().__init__(f"There is no such parameter here: {param}", param=param)


class InvalidFieldError(YuanjingError):
    """A field with a value that cannot be."""

    code = "invalid_parameter"

    def __init__(self, param: str, reason: str) -> None:
        super().__init__(f"Invalid parameter: {param}: {reason}", param=param)


class InvalidBodyError(YuanjingError):
    """The body is no JSON object."""

    code = "invalid_json"

    def __init__(self) -> None:
        super().__init__("The request body must be a JSON object")


class BodyTypeError(YuanjingError):
    """The body is said to be something else than JSON."""

    code = "unsupported_media_type"

    def __init__(self) -> None:
        super().__init__("Send a JSON object with Content-Type: application/json")


class LargeBodyError(YuanjingError):
    """The body is larger than any that is needed here."""

    code = "request_too_large"

    def __init__(self, bytes_max: int) -> None:
        super().__init__(f"The request body must be at most {bytes_max} bytes")
