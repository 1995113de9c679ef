"""A real browser on the console of a real platform; what it must not say, and pictures for people to look at."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Literal

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Cookie,
    Dialog,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

PICTURES = Path(__file__).parents[2] / "build" / "console"
"""Where tests put screenshots; not kept in git."""
AXE = Path(__file__).parents[2] / "console" / "node_modules" / "axe-core" / "axe.min.js"
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP platform.lan 127.0.0.1",
)
_AT_REST = """() => Promise.allSettled(document.getAnimations()
    .filter((one) => one.effect.getTiming().iterations !== Infinity).map((one) => one.finished))"""
_SPARING = "Object.defineProperty(navigator, 'connection', { value: { saveData: true } });"
"""Pages fetch no others beforehand, which would be new work for each test."""
_PLAIN_PATH = "/.well-known/yuanjing-receipts.json"
"""A document of the platform in which nothing runs."""
_PATIENCE_MS = 20_000
_SERIOUS = ("serious", "critical")


@contextmanager
def browser() -> Generator[Browser]:
    """Debian's Chromium, which `make test` installs."""
    place = which("chromium")
    assert place is not None, "install the Debian package chromium; `make test` does"
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=place, args=list(_FLAGS))
        yield made
        made.close()


class Seat:
    """One tab of a browser that is kept from visitor to visitor: a new one takes a second of work until it is as quick.

    Attributes:
        url: of the platform.
        visitor: whose it is now.
    """

    def __init__(self, made: Browser, url: str, language: str) -> None:
        self.url = url
        self.language = language
        self.visitor: Visitor | None = None
        self.context: BrowserContext = made.new_context(base_url=url, locale=language)
        self.context.set_default_timeout(_PATIENCE_MS)
        self.context.add_init_script(_SPARING)
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda one: self._tell(lambda to: to.note_message(one)))
        self.page.on("pageerror", lambda one: self._tell(lambda to: to.note(f"page error: {one}")))
        self.page.on("dialog", self._take_dialog)
        self.page.on("requestfailed", lambda one: self._tell(lambda to: to.note_failure(one)))
        self.page.on("response", lambda one: self._tell(lambda to: to.note_response(one)))

    def _tell(self, what: Callable[[Visitor], None]) -> None:
        if self.visitor is not None:
            what(self.visitor)

    def _take_dialog(self, dialog: Dialog) -> None:
        """No page of ours opens one but for what would be lost; a script that got in would."""
        if self.visitor is None:
            dialog.accept()
            return
        self.visitor.note(f"dialog: {dialog.message}")
        dialog.dismiss()

    def clear(self) -> None:
        """Forget all of the visitor: cookies, what pages have kept, other tabs, and what tests have put in between."""
        self.visitor = None
        for other in self.context.pages:
            if other is not self.page:
                other.close()
        self.context.set_offline(offline=False)
        self.context.unroute_all(behavior="ignoreErrors")
        self.page.unroute_all(behavior="ignoreErrors")
        self.page.goto(_PLAIN_PATH)
        self.page.evaluate("() => { sessionStorage.clear(); localStorage.clear(); }")
        self.page.goto("about:blank")
        self.context.clear_cookies()
        self.context.clear_permissions()


class Seats:
    """The tabs of a browser; of each the language and the platform stay."""

    def __init__(self, made: Browser) -> None:
        self._made = made
        self._free: list[Seat] = []

    def take(self, url: str, language: str) -> Seat:
        """A free one, or another one."""
        for seat in self._free:
            if (seat.url, seat.language) == (url, language):
                self._free.remove(seat)
                return seat
        return Seat(self._made, url, language)

    def give_back(self, seat: Seat) -> None:
        """For the next visitor."""
        seat.clear()
        self._free.append(seat)


class Visitor:
    """One person's browser: fails for messages of the console, requests that fail, and breaches of the page's policy.

    Attributes:
        expected: what may be said: a part of the text, such as the address of a request that is to be refused.
    """

    def __init__(
        self,
        seats: Seats,
        url: str,
        *,
        language: str = "zh-CN",
        width: int = 1280,
        theme: Literal["light", "dark"] = "light",
        cookies: list[Cookie] | None = None,
    ) -> None:
        """`cookies` are those of another one: its session goes on here."""
        self.url = url
        self.expected: list[str] = []
        self._said: list[str] = []
        self._seats = seats
        self._seat = seats.take(url, language)
        self._seat.visitor = self
        self.context = self._seat.context
        self.page = self._seat.page
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        if cookies:
            self.context.add_cookies(cookies)  # type: ignore[arg-type]  # what one context gives, another takes

    def note(self, text: str) -> None:
        """Somebody has something to say."""
        self._said.append(text)

    def note_message(self, message: ConsoleMessage) -> None:
        """Of the page's console."""
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self._said.append(f"console {message.type}: {message.text}")

    def note_failure(self, request: Request) -> None:
        """A request has come to nothing."""
        if request.failure and "ERR_ABORTED" not in request.failure:
            self._said.append(f"failed: {request.method} {request.url} {request.failure}")

    def note_response(self, response: Response) -> None:
        """The platform has answered."""
        if response.status >= 400:  # HTTP: refused, or failed
            self._said.append(f"{response.status}: {response.request.method} {response.url}")

    def complaints(self) -> list[str]:
        """What was said and is not expected."""
        return [one for one in self._said if not any(part in one for part in self.expected)]

    def picture(self, name: str, *, whole: bool = True) -> None:
        """Keep a screenshot of the whole page, or of what is seen of it."""
        path = PICTURES / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path, full_page=whole)

    def axe(self) -> Iterator[str]:
        """The serious and critical findings of axe on the page as it is."""
        if not self.page.evaluate("() => typeof window.axe !== 'undefined'"):
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        self.page.evaluate(_AT_REST)  # what fades in or out has no colour of its own yet
        found = self.page.evaluate("() => window.axe.run({ resultTypes: ['violations'] })")
        for one in found["violations"]:
            if one["impact"] in _SERIOUS:
                yield f"{one['id']}: {[node['html'][:120] for node in one['nodes']][:3]}"

    def close(self) -> None:
        """At the end."""
        self._seats.give_back(self._seat)
