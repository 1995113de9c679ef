"""Calls to Alibaba Cloud's RPC interfaces, signed by ACS3-HMAC-SHA256.

The parameters go into the query, as the interfaces describe them and Alibaba's own SDKs send them; nothing of ours
writes an address down. Sources: https://help.aliyun.com/document_detail/159973.htm (signature), the lists of codes at
https://help.aliyun.com/document_detail/101346.html (SMS) and https://help.aliyun.com/document_detail/85198.htm
(number verification).
"""

import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Collection, Mapping
from urllib.parse import quote, urlsplit

from yuanjing.adapters.sms.account import SmsAccount, read_answer, refusal
from yuanjing.kit.clock import Clock
from yuanjing.kit.webcalls import WebCall, WebCaller
from yuanjing.ports.messages import SmsTrouble

_ALGORITHM = "ACS3-HMAC-SHA256"
_VERSION = "2017-05-25"
_OK = "OK"
_NONCE_BYTES = 16

TROUBLES = {
    "isv.BUSINESS_LIMIT_CONTROL": SmsTrouble.LIMIT,
    "BUSINESS_LIMIT_CONTROL": SmsTrouble.LIMIT,
    "biz.FREQUENCY": SmsTrouble.LIMIT,
    "FREQUENCY_FAIL": SmsTrouble.LIMIT,
    "isv.MOBILE_NUMBER_ILLEGAL": SmsTrouble.NUMBER,
    "MOBILE_NUMBER_ILLEGAL": SmsTrouble.NUMBER,
    "isv.DOMESTIC_NUMBER_NOT_SUPPORTED": SmsTrouble.NUMBER,
    "SECURITY_INTERCEPTED": SmsTrouble.NUMBER,
    "isv.DAY_LIMIT_CONTROL": SmsTrouble.QUOTA,
    "isv.MONTH_LIMIT_CONTROL": SmsTrouble.QUOTA,
    "Throttling": SmsTrouble.QUOTA,
    "isv.AMOUNT_NOT_ENOUGH": SmsTrouble.BALANCE,
    "isv.OUT_OF_SERVICE": SmsTrouble.BALANCE,
    "RESOURCE_NOT_ENOUGH": SmsTrouble.BALANCE,
    "InvalidAccessKeyId": SmsTrouble.AUTH,
    "SignatureDoesNotMatch": SmsTrouble.AUTH,
    "IncompleteSignature": SmsTrouble.AUTH,
    "SignatureNonceUsed": SmsTrouble.AUTH,
    "InvalidTimeStamp": SmsTrouble.AUTH,
    "Forbidden": SmsTrouble.AUTH,
    "NoPermission": SmsTrouble.AUTH,
    "Unsupported.Account": SmsTrouble.AUTH,
    "isp.RAM_PERMISSION_DENY": SmsTrouble.AUTH,
    "isv.RAM_PERMISSION_DENY": SmsTrouble.AUTH,
    "isv.ACCOUNT_NOT_EXISTS": SmsTrouble.AUTH,
    "isv.ACCOUNT_ABNORMAL": SmsTrouble.AUTH,
    "isv.PRODUCT_UN_SUBSCRIPT": SmsTrouble.AUTH,
    "isv.PRODUCT_UNSUBSCRIBE": SmsTrouble.AUTH,
    "isv.FUNCTION_NOT_OPENED": SmsTrouble.AUTH,
    "FUNCTION_NOT_OPENED": SmsTrouble.AUTH,
    "isv.DENY_IP_RANGE": SmsTrouble.AUTH,
    "isv.SMS_SIGNATURE_ILLEGAL": SmsTrouble.SETUP,
    "isv.SMS_SIGNATURE_SCENE_ILLEGAL": SmsTrouble.SETUP,
    "isv.SMS_SIGN_ILLEGAL": SmsTrouble.SETUP,
    "isv.SIGN_STATE_ILLEGAL": SmsTrouble.SETUP,
    "isv.SMS_TEMPLATE_ILLEGAL": SmsTrouble.SETUP,
    "isv.SMS_CONTENT_ILLEGAL": SmsTrouble.SETUP,
    "isv.TEMPLATE_MISSING_PARAMETERS": SmsTrouble.SETUP,
    "isv.TEMPLATE_PARAMS_ILLEGAL": SmsTrouble.SETUP,
    "isv.INVALID_PARAMETERS": SmsTrouble.SETUP,
    "INVALID_PARAMETERS": SmsTrouble.SETUP,
    "isv.INVALID_JSON_PARAM": SmsTrouble.SETUP,
    "isv.PARAM_LENGTH_LIMIT": SmsTrouble.SETUP,
    "isv.PARAM_NOT_SUPPORT_URL": SmsTrouble.SETUP,
    "isv.BLACK_KEY_CONTROL_LIMIT": SmsTrouble.SETUP,
    "isv.EXTEND_CODE_ERROR": SmsTrouble.SETUP,
    "isv.VERIFY_SCHEME_NOT_EXIST": SmsTrouble.SETUP,
    "InvalidAction": SmsTrouble.SETUP,
    "InvalidVersion": SmsTrouble.SETUP,
    "isp.SYSTEM_ERROR": SmsTrouble.UNAVAILABLE,
    "InternalError": SmsTrouble.UNAVAILABLE,
    "ServiceUnavailable": SmsTrouble.UNAVAILABLE,
}
"""Alibaba's words; number verification has some of them with and without a first part, and those of the gateway have a
second part that tells more."""


class AliyunApi:
    """One product of an account."""

    def __init__(self, account: SmsAccount, caller: WebCaller, clock: Clock) -> None:
        self._account = account
        self._caller = caller
        self._clock = clock
        self._host = urlsplit(account.endpoint).netloc

    async def call(
        self, action: str, params: Mapping[str, str], other_codes: Collection[str] = ()
    ) -> Mapping[str, object]:
        """What the product answers, whose `Code` is `OK`, or one of the others that the caller knows.

        Raises:
            SmsRefusedError, SmsLimitedError, SmsUnavailableError: it refuses, or there is no answer.
        """
        query = canonical_query(params)
        headers = self._signed(action, query)
        call = WebCall(method="POST", url=f"{self._account.endpoint}/?{query}", headers=headers)
        found = read_answer(action, await self._caller.call(call))
        if found.get("Code") not in (_OK, *other_codes):
            raise refusal(action, found.get("Code"), TROUBLES)
        return found

    def _signed(self, action: str, query: str) -> dict[str, str]:
        at = dt.datetime.fromtimestamp(self._clock.unix(), dt.UTC)
        headers = {
            "x-acs-action": action,
            "x-acs-content-sha256": hashlib.sha256(b"").hexdigest(),
            "x-acs-date": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "x-acs-signature-nonce": secrets.token_hex(_NONCE_BYTES),
            "x-acs-version": _VERSION,
        }
        headers["authorization"] = authorization(
            self._account.key_id, self._account.key_secret, query, {"host": self._host, **headers}
        )
        return headers


def canonical_query(params: Mapping[str, str]) -> str:
    """The query in the order and with the escapes in which it is signed."""
    return "&".join(f"{quote(name, safe='~')}={quote(params[name], safe='~')}" for name in sorted(params))


def authorization(key_id: str, secret: str, query: str, headers: Mapping[str, str]) -> str:
    """The header that signs a POST to `/` without a body; all of `headers`, in lower case, are signed."""
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
    request = f"POST\n/\n{query}\n{lines}\n{names}\n{headers['x-acs-content-sha256']}"
    to_sign = f"{_ALGORITHM}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    return f"{_ALGORITHM} Credential={key_id},SignedHeaders={names},Signature={signature}"
