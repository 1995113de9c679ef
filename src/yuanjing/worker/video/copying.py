"""Copying results into our store, and the charge that goes with them."""

from dataclasses import replace

from yuanjing.domain.catalog import Offer
from yuanjing.domain.tasks import Size, TaskState
from yuanjing.domain.video_pricing import VideoPrice, sizes_of
from yuanjing.domain.videos import VideoTask
from yuanjing.ports.store import Tx
from yuanjing.usecases.artifacts.results import CopiedResult, ResultBrokenError, ResultUnavailableError
from yuanjing.usecases.videos.finishing import finish_succeeded
from yuanjing.worker.video.desk import Desk, Ending
from yuanjing.worker.video.directory import VideoChannel
from yuanjing.worker.video.parts import Copies
from yuanjing.worker.video.schedule import backoff
from yuanjing.worker.video.submitting import unavailable

_RETRY_SECONDS_FIRST = 5.0
_RETRY_SECONDS_MAX = 300.0
_FLAG = "the provider has charged for a result that we could not take"


class Copier:
    """Takes tasks that their providers have finished to their end."""

    def __init__(self, desk: Desk, copier: Copies) -> None:
        self._desk = desk
        self._copier = copier

    async def copy(self, offer: Offer | None, channel: VideoChannel | None, task: VideoTask) -> None:
        """Copy the files, then charge; or try again later; or fail."""
        try:
            copied = await self._copier.copy(
                task, allowed_origin=channel.origin if channel else "", expected=_expected(offer, task)
            )
            self._desk.counters.copies += 1
            await self._succeed(task, copied)
        except ResultBrokenError as error:
            self._desk.counters.copy_failures += 1
            await self._fail(task, f"broken: {error.message}")
        except ResultUnavailableError as error:
            self._desk.counters.copy_failures += 1
            await self._again(task, channel, error.message)
        except Exception as error:  # a file or a charge that we cannot cope with must come to an end, too
            self._desk.counters.failures += 1
            self._desk.logger.warning("video.copy_failed", task=task.id, exc_info=error)
            self._desk.take_back(task)
            await self._again(task, channel, f"a fault of ours: {type(error).__name__}")

    async def _succeed(self, task: VideoTask, copied: CopiedResult) -> None:
        at = self._desk.clock.unix()

        def work(tx: Tx, mine: VideoTask) -> VideoTask | None:
            price = tx.catalog.price(mine.price_id)
            assert isinstance(price, VideoPrice), mine.price_id
            done = finish_succeeded(
                tx,
                mine,
                video=copied.video,
                cover=copied.cover,
                measured=copied.measured,
                price=price,
                at=at,
            )
            if done is not None and copied.notes:
                tx.tasks.note(done.id, "; ".join(copied.notes))
            return done

        await self._desk.finish(task, work)

    async def _again(self, task: VideoTask, channel: VideoChannel | None, why: str) -> None:
        """Try later as long as there is time: it is paid for, and whatever is in the way may go."""
        now, options = self._desk.clock.unix(), self._desk.options
        ended_at = task.outcome.ended_at if task.outcome else now
        lives = min(options.copy_seconds, channel.limits.result_seconds if channel else options.copy_seconds)
        if now >= ended_at + lives:
            await self._fail(task, why)
            return
        failures = task.failures + 1
        pause = backoff(self._desk.choose, failures, _RETRY_SECONDS_MAX, first=_RETRY_SECONDS_FIRST)
        pause = min(pause, ended_at + lives - now)
        text = f"its files could not be copied: {why}; again in {pause:.0f} s"
        await self._desk.put(replace(task, failures=failures, next_at=now + pause), text)

    async def _fail(self, task: VideoTask, why: str) -> None:
        await self._desk.end(task, Ending(state=TaskState.FAILED, failure=unavailable(why), flag=_FLAG))


def _expected(offer: Offer | None, task: VideoTask) -> Size | None:
    """The size that was asked for, if the offer's table knows exactly one."""
    request = task.request
    if request.size is not None or offer is None or offer.video is None:
        return request.size
    sizes = sizes_of(offer.video.pixels, request.resolution or "", request.ratio)
    return sizes[0] if len(sizes) == 1 else None
