"""A real browser on the console of a real platform; what it must not say, and pictures for people to look at."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Page,
    Request,
    Response,
    StorageState,
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


class Visitor:
    """One person's browser: fails for messages of the console, requests that fail, and breaches of the page's policy.

    Attributes:
        expected: what may be said: a part of the text, such as the address of a request that is to be refused.
    """

    def __init__(
        self,
        made: Browser,
        url: str,
        *,
        language: str = "zh-CN",
        width: int = 1280,
        theme: str = "light",
        state: StorageState | None = None,
    ) -> None:
        """`state` is that of another one's context: its session goes on here."""
        assert theme in ("light", "dark")
        self.url = url
        self.expected: list[str] = []
        self._said: list[str] = []
        scheme = "dark" if theme == "dark" else "light"
        self.context: BrowserContext = made.new_context(
            base_url=url,
            locale=language,
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            storage_state=state,
        )
        self.context.set_default_timeout(_PATIENCE_MS)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._note_message)
        self.page.on("pageerror", lambda error: self._said.append(f"page error: {error}"))
        self.page.on("dialog", self._note_dialog)
        self.page.on("requestfailed", self._note_failure)
        self.page.on("response", self._note_response)

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self._said.append(f"console {message.type}: {message.text}")

    def _note_dialog(self, dialog: Dialog) -> None:
        """No page of ours opens one; a script that got in would."""
        self._said.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _note_failure(self, request: Request) -> None:
        if request.failure and "ERR_ABORTED" not in request.failure:
            self._said.append(f"failed: {request.method} {request.url} {request.failure}")

    def _note_response(self, response: Response) -> None:
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
        self.context.close()
