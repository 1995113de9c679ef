"""How the vendors refuse."""


class Problem(Exception):  # noqa: N818  # an answer of the vendor, no failure of the sandbox
    """A refusal.

    Attributes:
        code: the vendor's word.
        text: what it says to it.
        status: Alibaba's HTTP status; its gateway's refusals have others than 200. Tencent always answers 200.
    """

    def __init__(self, code: str, text: str, status: int = 200) -> None:
        super().__init__(code)
        self.code = code
        self.text = text
        self.status = status


def badly_signed() -> Problem:
    """No signature, or one that leaves out what must be signed."""
    return Problem("IncompleteSignature", "The request signature does not conform to Alibaba Cloud standards.", 400)


def unknown_key() -> Problem:
    """No such key id."""
    return Problem("InvalidAccessKeyId.NotFound", "Specified access key is not found.", 404)


def expired() -> Problem:
    """Of another time."""
    return Problem("InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.", 400)


def repeated() -> Problem:
    """It was here before."""
    return Problem("SignatureNonceUsed", "Specified signature nonce was used already.", 400)


def unknown_action() -> Problem:
    """No such call."""
    text = "Specified api is not found, please check your url and method."
    return Problem("InvalidAction.NotFound", text, 404)


def unknown_version() -> Problem:
    """A call of another version."""
    return Problem("InvalidVersion", "Specified parameter Version is not valid.", 400)


def mandatory(name: str) -> Problem:
    """A parameter that is missing."""
    return Problem(f"Missing{name}", f"{name} is mandatory for this action.", 400)
