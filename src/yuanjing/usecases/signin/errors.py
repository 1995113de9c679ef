"""How signing in is refused. No text tells whether a number has a customer."""

from yuanjing.domain.errors import YuanjingError


class NotSignedInError(YuanjingError):
    """No session, or one that has ended."""

    code = "not_signed_in"

    def __init__(self) -> None:
        super().__init__("Sign in first")


class WrongCodeError(YuanjingError):
    """The code does not count: wrong, used, too old, tried too often, of another number, purpose or browser."""

    code = "wrong_code"

    def __init__(self) -> None:
        super().__init__("This code does not count (any more); look at it again, or ask for a new one", param="code")


class WrongPasswordError(YuanjingError):
    """The number has no customer, no password or another one, or there were too many attempts.

    One text for all of them: the difference would tell who is a customer.
    """

    code = "wrong_password"

    def __init__(self) -> None:
        super().__init__(
            "The number or the password is wrong, or there were too many attempts; "
            "wait some minutes, or sign in by code",
            param="password",
        )


class OneTimePasswordRequiredError(YuanjingError):
    """All else was right."""

    code = "one_time_password_required"

    def __init__(self) -> None:
        super().__init__("Send totp, or a recovery_code, as well", param="totp")


class WrongOneTimePasswordError(YuanjingError):
    """Wrong, too old, or used already."""

    code = "wrong_one_time_password"

    def __init__(self, param: str = "totp") -> None:
        super().__init__("The one-time password is wrong, too old or used; wait for the next one", param=param)


class CustomerDisabledError(YuanjingError):
    """Told only to who has proved to be the customer."""

    code = "customer_disabled"

    def __init__(self) -> None:
        super().__init__("This account is disabled; talk to those who run the platform")


class ConfirmationRequiredError(YuanjingError):
    """What is asked for changes how one signs in, and the customer has not shown lately to be at hand."""

    code = "confirmation_required"

    def __init__(self) -> None:
        super().__init__("Confirm first that it is you: POST /api/auth/confirmations")


class CaptchaRequiredError(YuanjingError):
    """Too many codes for this address without work, or the work was not done, is too old or used."""

    code = "captcha_required"

    def __init__(self) -> None:
        super().__init__("Solve a new challenge of GET /api/auth/captcha and send it as captcha", param="captcha")


class NumberNotServedError(YuanjingError):
    """Codes are not sent to such numbers, or the sender does not take this one."""

    code = "number_not_served"

    def __init__(self) -> None:
        super().__init__("No code can be sent to this number; use another one", param="mobile")


class WeakPasswordError(YuanjingError):
    """Too short, too long, or too easily guessed."""

    code = "weak_password"

    def __init__(self, message: str) -> None:
        super().__init__(message, param="password")


class TooManyCodesError(YuanjingError):
    """A limit of `domain.signin.send_refusal`."""

    code = "too_many_codes"

    def __init__(self, wait_seconds: float) -> None:
        super().__init__("Too many codes were asked for; wait before the next one")
        self.retry_after_seconds = wait_seconds


class TooManyAttemptsError(YuanjingError):
    """Too many wrong attempts of this customer or this address."""

    code = "too_many_attempts"

    def __init__(self, wait_seconds: float) -> None:
        super().__init__("Too many wrong attempts; wait before the next one")
        self.retry_after_seconds = wait_seconds
