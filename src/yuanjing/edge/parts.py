"""What `bootstrap` puts into the HTTP application, and how routes reach it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request

from yuanjing.kit.clock import Clock
from yuanjing.ports.store import Store


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgeParts:
    """Everything that the routes need.

    Attributes:
        store: where customers, keys, offers and prices are.
        clock: what time it is.
        pepper: under which API keys are hashed.
        is_ready: whether chat requests are admitted.
        render_metrics: the answer to a scrape.
        lifespan: runs around the application's life; what it yields becomes the state that the server's protocol sees.
        public_base_url: the address that customers use, without a slash at the end; empty if it is not known.
        allow_test_pages: whether the home page may show how to try things out; not in production.
        metrics_public: whether anybody may read the metrics, and not only this machine.
        trusted_proxies: networks of reverse proxies whose `X-Forwarded-For` is believed.
        why_not_ready: words for what keeps chat requests from being admitted.
    """

    store: Store
    clock: Clock
    pepper: bytes = field(repr=False)
    is_ready: Callable[[], bool]
    render_metrics: Callable[[], bytes]
    lifespan: Callable[[object], AbstractAsyncContextManager[Mapping[str, object]]]
    public_base_url: str
    allow_test_pages: bool
    metrics_public: bool = False
    trusted_proxies: tuple[str, ...] = ()
    why_not_ready: Callable[[], Sequence[str]] = tuple


async def parts_of(request: Request) -> EdgeParts:
    """The parts of the application that a request has reached."""
    return cast("EdgeParts", request.app.state.parts)


Parts = Annotated[EdgeParts, Depends(parts_of)]
