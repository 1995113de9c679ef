"""What a sender of messages says is for operators; customers learn what they can do."""

from collections.abc import Generator
from contextlib import contextmanager

import structlog

from yuanjing.ports.messages import SmsUnavailableError
from yuanjing.usecases.signin.errors import NumberNotServedError, TooManyCodesError

_UNAVAILABLE = "No codes can be sent or checked now; try again later"
_log = structlog.stdlib.get_logger("edge")


@contextmanager
def operators_told() -> Generator[None]:
    """Log why a sender has refused; the error that goes on says nothing of it."""
    try:
        yield
    except SmsUnavailableError as error:
        _log.warning("sms.unavailable", error=error.message, trouble=error.trouble)
        raise SmsUnavailableError(_UNAVAILABLE, trouble=error.trouble) from error
    except (NumberNotServedError, TooManyCodesError) as error:
        if error.__cause__ is not None:  # the sender's word, not our own limit
            _log.warning("sms.refused", error=str(error.__cause__))
        raise
