"""A whole running Bihuan with the demo district, and a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.browser import Watched, chromium
from tests.support.running import Bihuan, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Visit = Callable[..., Watched]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="package")
def bihuan(demo_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bihuan]:
    """As `make run` starts it: web, workers, scheduler, queue server, and the stand-in for WeChat."""
    with running(tmp_path_factory.mktemp("browser"), demo_sqlite, WEB_WORKERS="2", RQ_WORKERS="2") as started:
        yield started


@pytest.fixture(scope="package")
def address(bihuan: Bihuan) -> str:
    return f"http://127.0.0.1:{bihuan.port}"


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    """Open a browser of its own; at the end there must have been no trouble in it."""
    opened: list[tuple[Any, Watched]] = []

    def start(username: str = "", **options: Any) -> Watched:
        context = browser.new_context(**({"locale": "zh-CN"} | options))
        context.set_default_timeout(120_000)
        watched = Watched(context, address)
        opened.append((context, watched))
        if username:
            page = watched.open("/admin/login")
            page.fill("[name=username]", username)
            page.fill("[name=password]", "bihuan-demo")
            page.click("button[type=submit]")
            page.wait_for_selector(".tabs")
        return watched

    yield start
    for context, watched in opened:
        context.close()
        assert watched.troubles == []
