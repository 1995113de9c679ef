"""Others' public keys of receipts, from their platforms. Only the command line asks for them."""

import ssl
from urllib.parse import urlsplit

from yuanjing.bootstrap.checks import check_ca_file
from yuanjing.domain.errors import InvalidInputError, YuanjingError
from yuanjing.kit.baseurl import parse_base_url
from yuanjing.kit.webcalls import CallLimits, NoAnswer, WebCall, WebCaller, open_client
from yuanjing.settings import Settings

_KEYS_PATH = "/.well-known/yuanjing-receipts.json"
_LIMITS = CallLimits(total_seconds=20.0)
_OK = 200
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class KeysUnavailableError(YuanjingError):
    """The public keys of a platform cannot be had now."""

    code = "keys_unavailable"


async def fetch_keys(settings: Settings, url: str) -> bytes:
    """The public keys that a platform publishes: of its address, or of theirs.

    Raises:
        InvalidInputError: the address cannot be used; over plain HTTP only this machine is asked.
        KeysUnavailableError: there was no answer, or another one.
        SettingsError: the file of certificate authorities cannot be used.
    """
    try:
        found = parse_base_url(url)
    except ValueError as error:
        raise InvalidInputError(f"url: {error}", param="url") from None
    if not found.is_tls and found.host not in _LOOPBACK:
        raise InvalidInputError("url: keys are taken over https only, but for this machine's own", param="url")
    check_ca_file(settings)
    target = url if found.path else f"{urlsplit(url).scheme}://{urlsplit(url).netloc}{_KEYS_PATH}"
    verify = ssl.create_default_context(cafile=settings.ca_file)
    async with open_client(_LIMITS, verify=verify) as client:
        answer = await WebCaller(client, _LIMITS).call(WebCall(method="GET", url=target))
    if isinstance(answer, NoAnswer):
        raise KeysUnavailableError(f"the public keys cannot be had: {answer.reason}")
    if answer.status != _OK or not answer.is_whole:
        raise KeysUnavailableError(f"the public keys cannot be had: the answer was {answer.status}")
    return answer.body
