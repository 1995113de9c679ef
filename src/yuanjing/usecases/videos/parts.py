"""What the use cases of video are made of, and how they refuse."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from yuanjing.domain.artifacts import Artifact
from yuanjing.domain.catalog import Channel
from yuanjing.domain.errors import YuanjingError
from yuanjing.domain.identity import Caller
from yuanjing.domain.money import Book
from yuanjing.domain.parameters import MediaValue, ResolvedVideo
from yuanjing.domain.tasks import UNAVAILABLE_TEXT
from yuanjing.domain.video_offers import VideoSpec
from yuanjing.domain.video_pricing import VideoQuote
from yuanjing.domain.videos import VideoTask
from yuanjing.kit.clock import Clock
from yuanjing.ports.store import Store
from yuanjing.usecases.artifacts.intake import TakenMedia
from yuanjing.usecases.budgets import LockedBudget


class Intake(Protocol):
    """See `usecases.artifacts.intake.MediaIntake`."""

    async def take(
        self, spec: VideoSpec, media: Sequence[MediaValue], *, customer_id: str, task_id: str, expires_at: float
    ) -> TakenMedia:
        """Take all files of a request, or none."""
        ...

    async def drop(self, taken: TakenMedia) -> None:
        """Remove what was taken: its task does not come to be."""
        ...


class ChecksDelivery(Protocol):
    """Knows what providers can be given."""

    async def can_give(self, channel: Channel, protocol: str, form: str, taken: TakenMedia) -> bool:
        """Whether there is a way for each of the files to the provider that speaks this protocol."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoPolicy:
    """Limits; each is a setting.

    Attributes:
        tasks_per_customer_max: tasks of a customer, in both books, that may be under way.
        refresh_seconds: how old the catalogue and the history of durations may get.
        lease_wait_seconds: how long a submission waits at most for money that leases give back.
        input_seconds: how long the files of a request are kept.
        history_max: of how many last videos of an offer the time left is told.
        test_seconds: how long a test video usually takes, told while there is no history of the offer; None if nobody
            knows. What its provider needs for a real one says nothing about a simulated one.
    """

    tasks_per_customer_max: int = 1000
    refresh_seconds: float = 5.0
    lease_wait_seconds: float = 2.0
    input_seconds: float = 2 * 86_400.0
    history_max: int = 50
    test_seconds: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoParts:
    """Everything that `Videos` needs."""

    store: Store
    clock: Clock
    intake: Intake
    delivery: ChecksDelivery
    policy: VideoPolicy


@dataclass(frozen=True, kw_only=True, slots=True)
class SubmittedVideo:
    """A task that was made.

    Attributes:
        quote: what it was made at; None of a replay.
        warnings: what is done differently from what was asked for, in ASCII, for a header.
        is_replayed: an earlier request with the same idempotency key has made it.
    """

    task: VideoTask
    quote: VideoQuote | None
    warnings: tuple[str, ...]
    is_replayed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class QuotedVideo:
    """What a request would cost at most, if it were submitted now.

    Attributes:
        ceiling_nanos: what would be held.
    """

    resolved: ResolvedVideo
    price_id: str
    ceiling_nanos: int


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoView:
    """A task as its customer sees it.

    Attributes:
        video, cover: once it has succeeded; removed ones too.
        progress: 0 to 100; it never falls, and 100 is told of success only.
        seconds_left: told from how long the offer's last videos took, else from what the catalogue expects; None if
            there is nothing to tell it from, or if it takes longer than all of that.
    """

    task: VideoTask
    video: Artifact | None = None
    cover: Artifact | None = None
    progress: int = 0
    seconds_left: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Viewer:
    """Who looks at tasks: a customer.

    Attributes:
        book: the one whose tasks are seen; None sees both.
    """

    customer_id: str
    book: Book | None = None


def viewer_of(who: Caller | Viewer) -> Viewer:
    """A key sees its customer's tasks in its own book."""
    return who if isinstance(who, Viewer) else Viewer(customer_id=who.customer.id, book=who.key.book)


class ModelNotAllowedError(YuanjingError):
    """The key has a list of models, and what is asked for is not on it."""

    code = "model_not_allowed"

    def __init__(self, param: str | None) -> None:
        super().__init__("This API key may not use this model", param=param)


class ProviderUnavailableError(YuanjingError):
    """There is no channel, or no price, with which the offer could be served in this book."""

    code = "provider_unavailable"

    def __init__(self) -> None:
        super().__init__(UNAVAILABLE_TEXT)


class UndeliverableFilesError(YuanjingError):
    """No provider that could serve the offer can be given the files, however often it is tried."""

    code = "undeliverable_files"

    def __init__(self) -> None:
        super().__init__(
            "The provider of this model cannot be given these files by this platform as it is set up now; "
            "where the model takes addresses, give them by public ones of your own"
        )


class TooManyTasksError(YuanjingError):
    """The customer has as many tasks under way as it may."""

    code = "rate_limit_exceeded"

    def __init__(self, tasks_max: int) -> None:
        super().__init__(f"Too many requests: {tasks_max} videos are under way; wait until some of them have ended")


class BudgetExceededError(YuanjingError):
    """The key's budget does not allow what the task may cost."""

    code = "budget_exceeded"

    def __init__(
        self, message: str = "This API key has reached its budget; raise it or wait for its next period"
    ) -> None:
        super().__init__(message)


class BudgetHeldError(BudgetExceededError):
    """What of the key's budget is not spent would do, but part of it is held for what is running."""

    code = "budget_held"
    retry_after_seconds = 10.0

    def __init__(self) -> None:
        super().__init__(
            "This video does not fit into the API key's budget beside what is running; try again when that has ended"
        )


def budget_error(budget: LockedBudget, needed_nanos: int) -> BudgetExceededError:
    """Why a budget that leaves less than is needed does so: because of what is held, or of what is spent."""
    unspent = budget.limit_nanos - budget.budget.spent_nanos
    return BudgetHeldError() if needed_nanos <= unspent else BudgetExceededError()
