"""What `bootstrap` puts into the HTTP application, and how routes reach it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Annotated, Literal, cast

from fastapi import Depends, Request

from yuanjing.domain.identity import ApiKey
from yuanjing.edge.file_answers import FileServing
from yuanjing.edge.multipart import FormOptions
from yuanjing.kit.clock import Clock
from yuanjing.ports.messages import OutboxMessage
from yuanjing.ports.store import Store
from yuanjing.usecases.account import AccountPolicy
from yuanjing.usecases.key_finder import KeyFinder
from yuanjing.usecases.receipts import Receipts
from yuanjing.usecases.redemptions import Redemptions
from yuanjing.usecases.signin import SignInParts
from yuanjing.usecases.topups import Notifications, TopUps
from yuanjing.usecases.usage_pages import OwnUsage
from yuanjing.usecases.video_callbacks import VideoCallbacks
from yuanjing.usecases.videos import Videos


def _never(_key: ApiKey) -> int:
    return 0


@dataclass(frozen=True, kw_only=True, slots=True)
class TopUpDesk:
    """Where customers pay in.

    Attributes:
        orders: what customers do.
        notifications: what payment methods tell.
        notification_bytes_max: the largest of those.
    """

    orders: TopUps
    notifications: Notifications
    notification_bytes_max: int = 64 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgeParts:
    """Everything that the routes need.

    Attributes:
        store: where customers, keys, offers and prices are.
        clock: what time it is.
        keys: finds who presents a key.
        pepper: under which API keys are hashed.
        is_ready: whether chat requests are admitted.
        render_metrics: the answer to a scrape.
        lifespan: runs around the application's life; what it yields becomes the state that the server's protocol sees.
        public_base_url: the address that customers use, without a slash at the end; empty if it is not known.
        forms: how large requests with files may be.
        files: what is needed to give files out.
        videos: what can be done with video tasks.
        sign_in: what customers sign in with.
        usage: what customers can ask of their usage.
        receipts: makes signed receipts.
        topups: where customers pay in; None where no payment method is set up.
        account: limits of what customers do with their account.
        redemptions: what customers redeem codes with.
        secure_cookies: whether customers come over HTTPS, so that cookies may be kept to it.
        console_body_bytes_max: the largest body of a request to `/api/…`.
        callbacks: takes the callbacks of video providers in; None if there are none.
        allow_test_pages: whether the home page may show how to try things out; not in production.
        outbox: gives the last so many messages that were not sent but kept, newest first; None where they are sent.
        metrics_public: whether anybody may read the metrics, and not only this machine.
        trusted_proxies: networks of reverse proxies whose `X-Forwarded-For` is believed.
        why_not_ready: words for what keeps chat requests from being admitted.
        throttle: counts a request of a key that is not chat; 0, or the seconds to wait if the key's limits refuse it.
        create_status_word: what the seed's create call answers: `created` as its example has it, or `CREATED`.
    """

    store: Store
    clock: Clock
    keys: KeyFinder
    pepper: bytes = field(repr=False)
    is_ready: Callable[[], bool]
    render_metrics: Callable[[], bytes]
    lifespan: Callable[[object], AbstractAsyncContextManager[Mapping[str, object]]]
    public_base_url: str
    forms: FormOptions
    files: FileServing
    videos: Videos
    sign_in: SignInParts
    usage: OwnUsage
    receipts: Receipts
    redemptions: Redemptions
    allow_test_pages: bool
    callbacks: VideoCallbacks | None = None
    topups: TopUpDesk | None = None
    outbox: Callable[[int], Sequence[OutboxMessage]] | None = None
    account: AccountPolicy = field(default_factory=AccountPolicy)
    secure_cookies: bool = True
    console_body_bytes_max: int = 64 * 1024
    metrics_public: bool = False
    trusted_proxies: tuple[str, ...] = ()
    why_not_ready: Callable[[], Sequence[str]] = tuple
    throttle: Callable[[ApiKey], int] = _never
    create_status_word: Literal["created", "CREATED"] = "created"


async def parts_of(request: Request) -> EdgeParts:
    """The parts of the application that a request has reached."""
    return cast("EdgeParts", request.app.state.parts)


Parts = Annotated[EdgeParts, Depends(parts_of)]
