"""Work in threads that is not left alone."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar, TypeVarTuple

_Result = TypeVar("_Result")
_Given = TypeVarTuple("_Given")


async def to_its_end(work: Callable[[*_Given], _Result], *given: *_Given) -> _Result:
    """Like `asyncio.to_thread`, but who is cancelled meanwhile goes only when the thread has finished.

    A thread cannot be cancelled. What it works with, a descriptor or a file, may be closed or removed after this.
    """
    running = asyncio.get_running_loop().run_in_executor(None, work, *given)
    try:
        return await asyncio.shield(running)
    finally:
        while not running.done():
            with suppress(asyncio.CancelledError):  # the first one is on its way up already
                await asyncio.wait([running])
