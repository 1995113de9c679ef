"""`/.well-known/yuanjing-receipts.json`: the public keys of receipts, and how receipts are answered."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from yuanjing.domain.dialects import Dialect
from yuanjing.edge.error_docs import Json, error_responses
from yuanjing.edge.parts import Parts
from yuanjing.usecases.receipts import key_document

PATH = "/.well-known/yuanjing-receipts.json"
RECEIPT_ANSWER: Json = {
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["receipt", "signature"],
                "properties": {
                    "receipt": {"type": "object", "description": "What is stated, in texts and whole numbers."},
                    "signature": {"type": "object", "description": "`algorithm`, `key_id` and `value` in base64url."},
                },
            }
        }
    },
    "description": "The receipt in canonical form (RFC 8785), as a file: it counts to the byte.",
}
router = APIRouter(tags=["receipts"])


class ReceiptKeyView(BaseModel):
    """A public key as a JSON Web Key (RFC 8037)."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    alg: Literal["EdDSA"]
    use: Literal["sig"]
    kid: str = Field(description="The `key_id` in receipts.")
    x: str = Field(description="The key's 32 bytes in base64url.")


class ReceiptKeys(BaseModel):
    """All keys that receipts were ever signed with here, the newest first."""

    keys: list[ReceiptKeyView]


@router.get(PATH, responses=error_responses(Dialect.OPENAI, "store_unavailable"))
async def list_receipt_keys(response: Response, parts: Parts) -> ReceiptKeys:
    """The public keys with which receipts can be checked. It needs no key and no session."""
    response.headers["cache-control"] = "public, max-age=300"
    return ReceiptKeys.model_validate(key_document(await parts.receipts.public_keys()))


def receipt_answer(receipt: bytes) -> Response:
    """A receipt as a file."""
    headers = {"content-disposition": 'attachment; filename="yuanjing-receipt.json"'}
    return Response(receipt, media_type="application/json", headers=headers)
