"""A real browser on a real server, for what only a browser can show."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import services
from tests.support.serving import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True,
}  # fmt: skip
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
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
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

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.page: Page = context.new_page()
        self.address = address
        self.troubles: list[str] = []
        self.page.on("console", lambda m: self.troubles.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("request", lambda r: None if self._ours(r.url) else self.troubles.append(r.url))

    def _ours(self, url: str) -> bool:
        return url.startswith((self.address, "data:", "blob:"))

    def open(self, path: str) -> Page:
        self.page.goto(self.address + path, wait_until="load")
        return self.page

    def until(self, expression: str, limit_s: float = 60) -> None:
        """Wait until a JavaScript expression holds. (Playwright's own waiting evaluates text inside the page, which
        the content policy forbids, and rightly so.)"""
        end = time.monotonic() + limit_s
        while not self._holds(expression):
            assert time.monotonic() < end, f"not within {limit_s:g} s: {expression}"
            time.sleep(0.1)

    def _holds(self, expression: str) -> bool:
        from playwright.sync_api import Error

        try:
            return bool(self.page.evaluate(expression))
        except Error as error:
            # Between two pages there is nothing to ask; the next one is asked again.
            if "context was destroyed" in str(error):
                return False
            raise
