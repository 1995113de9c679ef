"""What customers can do with videos."""

from collections.abc import Sequence
from dataclasses import replace

from yuanjing.domain.catalog import Offer
from yuanjing.domain.dialects import Dialect
from yuanjing.domain.errors import NotFoundError, TaskEndedError
from yuanjing.domain.idempotency import Claim
from yuanjing.domain.identity import Caller
from yuanjing.domain.money import Book
from yuanjing.domain.parameters import Fields
from yuanjing.domain.videos import TaskStep, VideoTask
from yuanjing.ports.store import Tx
from yuanjing.ports.tasks import TaskFilter
from yuanjing.usecases.videos.history import History, is_foretold, progress_of, seconds_left
from yuanjing.usecases.videos.parts import QuotedVideo, SubmittedVideo, VideoParts, VideoView, Viewer, viewer_of
from yuanjing.usecases.videos.shelf import Shelves
from yuanjing.usecases.videos.submitting import Submitter


class Videos:
    """Submits videos, and tells who looks of its own tasks; there are no others for it.

    Attributes:
        under_way_max: so many tasks of a customer, in both books, may be under way.
    """

    def __init__(self, parts: VideoParts) -> None:
        policy = parts.policy
        self.under_way_max = policy.tasks_per_customer_max
        self._store = parts.store
        self._clock = parts.clock
        self._shelves = Shelves(parts.store, parts.clock, policy.refresh_seconds)
        self._submitter = Submitter(parts, self._shelves)
        self._test_seconds = policy.test_seconds
        self._history = History(
            parts.store, parts.clock, fresh_seconds=policy.refresh_seconds, length=policy.history_max
        )

    async def offers(self, caller: Caller) -> Sequence[Offer]:
        """The offers of video that are there now and that the caller's key may use."""
        return await self._submitter.offers(caller)

    async def first_of(self, claim: Claim) -> SubmittedVideo | None:
        """The task that the first request with this idempotency key has made; None if there was none.

        Raises:
            IdempotencyMismatchError: the key stands for a request with other content.
            NotFoundError: its customer has deleted that task.
        """
        return await self._submitter.first_of(claim)

    async def submit(
        self, caller: Caller, fields: Fields, *, dialect: Dialect, request_id: str, claim: Claim | None = None
    ) -> SubmittedVideo:
        """Make a task of a request; its ceiling is held from then on.

        If the request brings an idempotency key and another one with it comes first, the task of that one is returned.

        Raises:
            ParameterError: what to change in the request.
            ModelNotAllowedError: the key may not use the model.
            ProviderUnavailableError: nobody serves the offer in the key's book.
            InsufficientFundsError, BudgetExceededError: there is not money enough.
            TooManyTasksError: too many of the customer's tasks are under way.
            StorageFullError: there is no room for files.
            IdempotencyMismatchError, IdempotencyRunningError, NotFoundError: see `first_of`, or not known yet.
            StoreUnavailableError: not now; the task may have been made if the store was lost at the last moment.
        """
        return await self._submitter.submit(caller, fields, dialect=dialect, request_id=request_id, claim=claim)

    async def quote(self, caller: Caller, fields: Fields) -> QuotedVideo:
        """What a request would cost at most; its files are not looked at, and nothing is held.

        Raises:
            ParameterError: what to change in the request.
            ModelNotAllowedError: the key may not use the model.
            ProviderUnavailableError: nobody serves the offer in the key's book.
        """
        return await self._submitter.quote(caller, fields)

    async def find(self, who: Caller | Viewer, task_id: str) -> VideoView:
        """One task.

        Raises:
            NotFoundError: there is none with this id that the viewer may see.
        """
        return await self._view(await self._store.read(lambda tx: _with_files(tx, _own(tx, who, task_id))))

    async def list(self, who: Caller | Viewer, where: TaskFilter) -> Sequence[VideoView]:
        """The viewer's tasks, as far as the filter lets them through."""
        viewer = viewer_of(who)
        own = replace(where, customer_id=viewer.customer_id, book=viewer.book or where.book, with_deleted=False)
        found = await self._store.read(lambda tx: [_with_files(tx, task) for task in tx.tasks.list(own)])
        return [await self._view(one) for one in found]

    async def delete(self, who: Caller | Viewer, task_id: str) -> VideoView:
        """Hide a task that has ended, and let the time of its files be over; ask for the end of one that is under way.

        Whether it does end then is the provider's to say: one that cannot be stopped runs on, and is charged if it
        succeeds.

        Raises:
            NotFoundError: there is none with this id that the viewer may see.
        """

        def work(tx: Tx) -> VideoView:
            task, at = _own(tx, who, task_id), self._clock.unix()
            if task.step is TaskStep.DONE:
                tx.tasks.mark_deleted(task_id, at)
                tx.artifacts.expire(task_id, at)
            else:
                _ask_to_end(tx, task, at)
            return _with_files(tx, _found(tx, task_id))

        return await self._view(await self._store.write(work))

    async def cancel(self, who: Caller | Viewer, task_id: str) -> VideoView:
        """Ask for the end of a task that is under way; nothing that has ended is touched.

        Raises:
            NotFoundError: there is none with this id that the viewer may see.
            TaskEndedError: it has ended already.
        """

        def work(tx: Tx) -> VideoView:
            task = _own(tx, who, task_id)
            if task.step is TaskStep.DONE:
                raise TaskEndedError("This task has ended already; nothing was canceled", param="task_id")
            _ask_to_end(tx, task, self._clock.unix())
            return _with_files(tx, _found(tx, task_id))

        return await self._view(await self._store.write(work))

    async def _view(self, view: VideoView) -> VideoView:
        """With how far it is."""
        task, at = view.task, self._clock.unix()
        durations = await self._history.durations(task)
        if not durations and is_foretold(task):
            durations = await self._expected(task)
        return replace(view, progress=progress_of(task, durations, at), seconds_left=seconds_left(task, durations, at))

    async def _expected(self, task: VideoTask) -> Sequence[float]:
        """What takes the place of a history while there is none."""
        if task.book is Book.TEST:
            seconds = self._test_seconds
        else:
            offers = {offer.id: offer.video for offer in (await self._shelves.shelf()).offers}
            spec = offers.get(task.offer_id)
            seconds = None if spec is None else spec.expected_seconds
        return () if seconds is None else (float(seconds),)


def _ask_to_end(tx: Tx, task: VideoTask, at: float) -> None:
    if not task.is_cancel_requested and tx.tasks.request_cancel(task.id, at):
        tx.tasks.note(task.id, "its customer wants it canceled")


def _with_files(tx: Tx, task: VideoTask) -> VideoView:
    return VideoView(
        task=task,
        video=tx.artifacts.get(task.video_artifact_id) if task.video_artifact_id is not None else None,
        cover=tx.artifacts.get(task.cover_artifact_id) if task.cover_artifact_id is not None else None,
    )


def _found(tx: Tx, task_id: str) -> VideoTask:
    task = tx.tasks.get(task_id)
    if task is None:
        raise NotFoundError("Task not found")
    return task


def _own(tx: Tx, who: Caller | Viewer, task_id: str) -> VideoTask:
    """The task, if it is the viewer's to see; else it is as if there were none."""
    task, viewer = _found(tx, task_id), viewer_of(who)
    is_own = task.customer_id == viewer.customer_id and viewer.book in (None, task.book)
    if not is_own or task.deleted_at is not None:
        raise NotFoundError("Task not found")
    return task
