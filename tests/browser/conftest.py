"""A whole running Bihuan with the demo district, and a browser."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.browser import Watched, chromium
from tests.support.running import Bihuan, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Visit = Callable[..., Watched]
OPENED = pytest.StashKey[list[Watched]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Whoever reads that something was waited for in vain reads what was there instead."""
    report = yield
    if report.failed and call.when == "call":
        report.sections += [("page", watched.shows()) for watched in item.stash.get(OPENED, [])]
    return report


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
def visit(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """Open a browser of its own; at the end there must have been no trouble in it."""
    opened = request.node.stash[OPENED] = list[Watched]()

    def start(username: str = "", **options: Any) -> Watched:
        context = browser.new_context(**({"locale": "zh-CN"} | options))
        context.set_default_timeout(120_000)
        watched = Watched(context, address)
        opened.append(watched)
        if username:
            page = watched.open("/admin/login")
            page.fill("[name=username]", username)
            page.fill("[name=password]", "bihuan-demo")
            page.click("button[type=submit]")
            page.wait_for_selector(".tabs")
        return watched

    yield start
    for watched in opened:
        watched.page.context.close()
    assert [watched.troubles for watched in opened if watched.troubles] == []
