"""`Idempotency-Key` in the API's description."""

from yuanjing.domain.idempotency import HEADER, KEY_LENGTH_MAX
from yuanjing.edge.error_docs import Json

IDEMPOTENCY_KEY: Json = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": (
        "Names the request, so that sending it again is safe: whoever sends the same key and the same content gets the "
        "first result, which is charged once. Kept for at least 24 hours, for this API key alone."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH_MAX, "pattern": "^[ -~]+$"},
}
REPLAYED: Json = {
    "description": "Says that this is the result of an earlier request with the same `Idempotency-Key`.",
    "schema": {"type": "string", "const": "true"},
}
