"""The outcomes that rows of the table have in common."""

from tests.faults.model import (
    CONNECT_SECONDS,
    FAILED,
    FIRST_BYTE_SECONDS,
    IDLE_SECONDS,
    PLAIN_SECONDS,
    SHUT,
    TOTAL_SECONDS,
    Outcome,
)

HELLO = Outcome(text="hello", tokens=(10, 5))
"""The answer is whole."""
COUNTED = Outcome(text="hello", tokens=(1, 2), is_estimated=True)
"""The same, counted by us: `hi` and `hello`, three bytes a token."""
UNAVAILABLE = Outcome(code="provider_unavailable", status=503, is_retried=True, channel=FAILED, retry_after=1)
NO_CONNECTION = UNAVAILABLE.but(calls=0)
NO_CONNECTION_IN_TIME = NO_CONNECTION.but(seconds=CONNECT_SECONDS)
REFUSED_US = UNAVAILABLE.but(channel=SHUT)
BAD_ANSWER = Outcome(code="provider_bad_answer", status=502, is_retried=True, channel=FAILED)
BROKEN = Outcome(code="provider_unavailable", text="hello", tokens=(1, 2), is_estimated=True, channel=FAILED)
"""It broke after it had begun: what was delivered is charged, by our count."""
GARBLED = BROKEN.but(code="provider_bad_answer")
SILENT_STREAM = Outcome(
    code="provider_timeout", status=504, is_retried=True, channel=FAILED, seconds=FIRST_BYTE_SECONDS
)
SILENT_PLAIN = SILENT_STREAM.but(is_retried=False, seconds=PLAIN_SECONDS)
FELL_SILENT = BROKEN.but(code="provider_timeout", seconds=IDLE_SECONDS)
TOO_LONG = Outcome(code="provider_timeout", status=504, seconds=TOTAL_SECONDS)
"""The whole time is over; it is our limit, and tells nothing against the channel."""
INVALID = Outcome(code="invalid_request", status=400, message="n is wrong")
"""The request is to blame: the customer is told, in the provider's words."""
