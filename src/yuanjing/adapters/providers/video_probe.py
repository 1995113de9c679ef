"""`ChannelProbe` for the protocols of video: one call that costs nothing, and what its answer means."""

import time

from yuanjing.domain.tasks import Failure, FailureKind, UpstreamError
from yuanjing.ports.upstream import ChannelAccess, ProbeReport, ProbeTarget, TaskRef, VideoUpstream

NOBODYS_TASK = "00000000-0000-0000-0000-000000000000"
"""An id that no provider gives."""

_ADVICE = {
    FailureKind.PROVIDER_AUTH: "the credential is refused, or not for this; give a valid one, of the address's region",
    FailureKind.PROVIDER_BALANCE: "the account has no money",
    FailureKind.RATE_LIMITED: "the account is limited at the moment",
    FailureKind.NOT_FOUND: "nothing is there; look at the address",
    FailureKind.INVALID_INPUT: "it does not know the call; look at the address",
    FailureKind.UNAVAILABLE: "it cannot be reached, or does not answer as this protocol does; look at the address",
}


class VideoChannelProbe:
    """Asks for the state of a task that does not exist, by the protocol's list: an empty answer is the right one."""

    def __init__(self, upstream: VideoUpstream, *, now: float) -> None:
        self._upstream = upstream
        self._now = now

    async def probe(self, target: ProbeTarget) -> ProbeReport:
        """See `ChannelProbe.probe`."""
        started = time.monotonic()
        access = ChannelAccess(base_url=target.base_url, credential=target.credential, quirks=target.quirks)
        ref = TaskRef(upstream_task_id=NOBODYS_TASK, model="", submitted_at=self._now)
        status, message = None, ""
        try:
            await self._upstream.query_many(access, [ref])
        except UpstreamError as error:
            status, message = error.failure.status, _judge(error.failure)
        duration_ms = round((time.monotonic() - started) * 1000)
        return ProbeReport(is_ok=not message, status=status, message=message or "it works", duration_ms=duration_ms)


def _judge(failure: Failure) -> str:
    said = ": ".join(word for word in (failure.code, failure.detail) if word)
    advice = _ADVICE.get(failure.kind, failure.text)
    status = "" if failure.status is None else f"HTTP {failure.status}: "
    return f"{status}{advice}" + (f" (it says: {said})" if said else "")
