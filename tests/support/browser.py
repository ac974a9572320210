"""A real browser on a real server, for what only a browser can show."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import services
from tests.support.serving import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Request

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True,
}  # fmt: skip
# The words of the page, or of what lies over it, without empty lines.
VISIBLE = """() => ([...document.querySelectorAll('dialog[open], main')].pop() || document.body).innerText
  .split('\\n').map((line) => line.trim()).filter(Boolean).join('\\n').slice(0, 4000)"""
DESKTOP: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}}


@contextmanager
def live_server(url: str, folder: Path, port: int = 0, **env: str) -> Iterator[str]:
    """The application on a port of this machine, a free one unless it is given; gives its address."""
    from wsgi import create_app

    with serving(create_app(services.config_for(url, folder, **env)), port) as address:
        yield address


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium. Skips the test where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not reachable (make check)")
    # The one without windows does the same in less time.
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("Chromium is not reachable")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page whose troubles are noted: script errors, refusals by the content policy, requests to other hosts."""

    # Longer than any script of ours waits before it asks for what a page shows.
    QUIET_S = 0.3

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.page: Page = context.new_page()
        self.address = address
        self.troubles: list[str] = []
        self.page.on("console", lambda m: self.troubles.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("request", self._asked)
        # An answer whose body nobody reads never finishes.
        self.page.on("response", lambda response: self._answered(response.request))
        for end in ("requestfinished", "requestfailed"):
            self.page.on(end, self._answered)
        self._under_way: dict[Request, None] = {}
        self._last_heard_at = time.monotonic()

    def _asked(self, request: Request) -> None:
        if not self._ours(request.url):
            self.troubles.append(request.url)
        # Nobody waits for the answer to what a page says as it goes.
        if request.resource_type != "ping":
            self._under_way[request] = None
            self._last_heard_at = time.monotonic()

    def _answered(self, request: Request) -> None:
        self._under_way.pop(request, None)
        self._last_heard_at = time.monotonic()

    def _ours(self, url: str) -> bool:
        return url.startswith((self.address, "data:", "blob:"))

    def open(self, path: str) -> Page:
        self.page.goto(self.address + path, wait_until="load")
        return self.page

    def leads_on(self, press: Callable[[], object]) -> None:
        """Press what sends a form or leads to another page, and be on that page, also where its address is the same."""
        with self.page.expect_navigation(wait_until="load"):
            press()

    def settled(self, limit_s: float = 120) -> None:
        """Wait until all that the page asked for is there, and it has asked for nothing more in QUIET_S."""
        end = time.monotonic() + limit_s
        self.page.wait_for_load_state("load")
        while self._under_way or time.monotonic() - self._last_heard_at < self.QUIET_S:
            assert time.monotonic() < end, f"not within {limit_s:g} s: {[one.url for one in self._under_way]}"
            self.page.wait_for_timeout(30)

    def until(self, expression: str, limit_s: float = 120) -> None:
        """Wait until a JavaScript expression holds. (Playwright's own waiting evaluates text inside the page, which
        the content policy forbids, and rightly so.)"""
        end = time.monotonic() + limit_s
        while not self._holds(expression):
            assert time.monotonic() < end, f"not within {limit_s:g} s: {expression}; {self.shows()}"
            # Not `time.sleep`: what happens in the browser meanwhile is heard of, too.
            self.page.wait_for_timeout(50)

    def shows(self) -> str:
        """What is to be seen, for whoever reads that a test failed."""
        from playwright.sync_api import Error

        try:
            return f"{self.page.url} shows:\n{self.page.evaluate(VISIBLE)}"
        except Error as error:
            return f"{self.page.url} cannot be asked: {error}"

    def _holds(self, expression: str) -> bool:
        from playwright.sync_api import Error

        try:
            return bool(self.page.evaluate(expression))
        except Error as error:
            # Between two pages there is nothing to ask; the next one is asked again.
            if "context was destroyed" in str(error):
                return False
            raise
