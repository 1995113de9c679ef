"""`ChannelProbe` over HTTP: one small request to a provider, and what its answer means for the operator."""

import ssl
import time

import httpx2

from yuanjing.ports.upstream import ProbeReport, ProbeTarget

_ANSWER_BYTES_MAX = 4 * 1024 * 1024
_MODELS_MAX = 1000
_OK = 200
_ADVICE = {
    401: "the credential is refused; give a valid one",
    402: "the account has no money",
    403: "the credential is accepted, but not for this; look at its permissions and region",
    404: "nothing is there; look at the address, which usually ends in /v1, and at the model's name",
    429: "the account is limited at the moment, or has no money",
}


class HttpChannelProbe:
    """Follows no redirects, takes no proxy from the environment, and verifies certificates."""

    def __init__(self, *, timeout_seconds: float = 20.0, ca_file: str | None = None) -> None:
        self._timeout = httpx2.Timeout(timeout_seconds, connect=min(timeout_seconds, 5.0))
        self._verify = ssl.create_default_context(cafile=ca_file)

    async def probe(self, target: ProbeTarget) -> ProbeReport:
        """See `ChannelProbe.probe`."""
        started = time.monotonic()
        status, models = None, ()
        try:
            async with httpx2.AsyncClient(timeout=self._timeout, verify=self._verify, trust_env=False) as client:
                status, body = await _ask(client, target)
                models = _model_names(body) if status == _OK and target.model is None else ()
                message = _judge(status, body, target)
        except httpx2.TimeoutException:
            message = "no answer in time; look at the address and at firewalls"
        except httpx2.HTTPError as error:
            message = f"cannot be reached: {_without(str(error), target.credential)}"
        except httpx2.InvalidURL as error:
            message = f"the address cannot be used: {error}"
        duration_ms = round((time.monotonic() - started) * 1000)
        is_ok = message == ""
        return ProbeReport(
            is_ok=is_ok, status=status, message=message or "it works", duration_ms=duration_ms, models=models
        )


async def _ask(client: httpx2.AsyncClient, target: ProbeTarget) -> tuple[int, bytes]:
    headers = {"authorization": f"Bearer {target.credential}"} if target.credential else {}
    if target.model is None:
        request = client.build_request("GET", f"{target.base_url}/models", headers=headers)
    else:
        chat = {"model": target.model, "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}]}
        request = client.build_request("POST", f"{target.base_url}/chat/completions", headers=headers, json=chat)
    body = b""
    response = await client.send(request, stream=True)
    try:
        async for part in response.aiter_bytes():
            body += part
            if len(body) > _ANSWER_BYTES_MAX:
                break
    finally:
        await response.aclose()
    return response.status_code, body


def _judge(status: int, body: bytes, target: ProbeTarget) -> str:
    """Empty if all is well."""
    if status == _OK:
        answer = _decode(body)
        expected = "choices" if target.model is not None else "data"
        return "" if expected in answer else "it answers, but not in the OpenAI protocol; look at the address"
    error = _decode(body).get("error")
    fields: dict[str, object] = error if isinstance(error, dict) else {"message": error}  # pyright: ignore[reportUnknownVariableType]  # any JSON may come
    said = _without(str(fields.get("message") or "")[:200], target.credential)
    advice = _ADVICE.get(status, "an unexpected status")
    return f"HTTP {status}: {advice}" + (f" (it says: {said})" if said else "")


def _decode(body: bytes) -> dict[str, object]:
    try:
        answer = httpx2.Response(200, content=body).json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}  # pyright: ignore[reportUnknownVariableType]  # any JSON may come


def _model_names(body: bytes) -> tuple[str, ...]:
    items = _decode(body).get("data")
    if not isinstance(items, list):
        return ()
    names = [item.get("id") for item in items[:_MODELS_MAX] if isinstance(item, dict)]  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]  # any JSON may come
    return tuple(sorted(name for name in names if isinstance(name, str)))  # pyright: ignore[reportUnknownVariableType]  # checked here


def _without(text: str, credential: str) -> str:
    """Providers like to repeat the key they refuse."""
    return text.replace(credential, "***") if credential else text
