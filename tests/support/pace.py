"""How quick a page is, on a machine that does other things as well.

What a page itself does is bounded always: the processor time of its main thread, and how often it waits for answers
before it goes on. Neither grows with what else runs. The time on the clock is bounded as well, wherever the kernel says
that the machine was not at its limit meanwhile.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from playwright.sync_api import Page, Route

_PRESSURE = Path("/proc/pressure/cpu")
_QUIET = 0.8
"""Below this share of the time something waits for a core. A browser and the platform on two cores come to 0.2 to 0.77
by themselves; with four programs more that take all that they get it is 0.82 and above."""
_ATTEMPTS = 5
_REST = "() => new Promise((done) => setTimeout(done, 40))"
_USABLE_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A time that was measured, in milliseconds.

    Attributes:
        work: of it the processor time of the page's main thread.
        is_quiet: whether the machine had a core to spare.
    """

    clock: float
    work: float
    is_quiet: bool

    def faults(self, *, clock_max: float, work_max: float) -> list[str]:
        """What is above its limit."""
        found = [f"{self.work:.0f} ms of work, more than {work_max:.0f}"] if self.work > work_max else []
        if self.is_quiet and self.clock > clock_max:
            found.append(f"{self.clock:.0f} ms on a quiet machine, more than {clock_max:.0f}")
        return found


class Pace:
    """Measures what a page does."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._devtools = page.context.new_cdp_session(page)
        self._devtools.send("Performance.enable", {"timeDomain": "threadTicks"})

    def close(self) -> None:
        """At the end."""
        self._devtools.detach()

    def _work(self) -> tuple[float, float]:
        """Which document there is, by when it began, and the milliseconds of work for it."""
        metrics = self._devtools.send("Performance.getMetrics")["metrics"]
        seconds = next(one["value"] for one in metrics if one["name"] == "TaskDuration")
        return self._page.evaluate("() => performance.timeOrigin"), 1000 * float(seconds)

    def quickest(self, measure: Callable[[], float], *, clock_max: float, work_max: float) -> Timed:
        """The smallest of some measurements, until one is within the limits; `measure` gives the time on the clock."""
        best: Timed | None = None
        for _ in range(_ATTEMPTS):
            one = self._once(measure)
            best = one if best is None else _better(best, one)
            if best.clock <= clock_max and best.work <= work_max:
                break
        assert best is not None
        return best

    def _once(self, measure: Callable[[], float]) -> Timed:
        (origin, before), waited, began = self._work(), _waited_seconds(), time.monotonic()
        clock = measure()
        share = (_waited_seconds() - waited) / (time.monotonic() - began)
        now, work = self._work()
        return Timed(clock=clock, work=work - before if now == origin else work, is_quiet=share < _QUIET)

    def rounds(self, path: str, is_usable: str) -> int:
        """How often a page waits for answers, one after the other, until `is_usable` is true in it.

        All that is asked for in one go is answered at once, when the page has nothing more to ask: so it is no time.
        """
        held: list[Route] = []
        self._page.goto("about:blank")
        self._page.route(
            "**/*", lambda one: one.continue_() if one.request.is_navigation_request() else held.append(one)
        )
        self._page.goto(path, wait_until="commit")
        count, end = 1, time.monotonic() + _USABLE_SECONDS
        while not self._page.evaluate(is_usable):
            assert time.monotonic() < end, f"{path} cannot be used after {count} answers"
            self._wait_for_more(held)
            count += bool(held)
            for one in held:
                one.continue_()
            held.clear()
        for one in held:
            one.abort("aborted")  # by us, as by who leaves the page; nothing has failed
        self._page.unroute_all(behavior="ignoreErrors")
        return count

    def _wait_for_more(self, held: list[Route]) -> None:
        seen = -1
        while seen != len(held):
            seen = len(held)
            self._page.evaluate(_REST)


def _better(a: Timed, b: Timed) -> Timed:
    """The smallest of each; it counts as quiet if any of them was."""
    return replace(a, clock=min(a.clock, b.clock), work=min(a.work, b.work), is_quiet=a.is_quiet or b.is_quiet)


def _waited_seconds() -> float:
    """How long something has waited for a core; where the kernel does not tell, always while the load is high."""
    if _PRESSURE.exists():
        return int(_PRESSURE.read_text(encoding="ascii").splitlines()[0].rpartition("=")[2]) / 1e6
    return time.monotonic() if os.getloadavg()[0] > (os.cpu_count() or 1) else 0.0
