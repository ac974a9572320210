"""What residents' pages do in a real browser: the map, the pictures, the private link, with and without scripts."""

from __future__ import annotations

import io
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.support.browser import DESKTOP, PHONE, Watched, chromium, live_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser
Open = Callable[..., Watched]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def database(demo_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("browser") / "bihuan.db"
    shutil.copy(demo_sqlite, path)
    return path


@pytest.fixture(scope="module")
def address(database: Path) -> Iterator[str]:
    with live_server(f"sqlite:///{database}", database.parent) as url:
        yield url


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Open]:
    """Open a browser of its own; at the end there must have been no trouble in it."""
    opened: list[tuple[Any, Watched]] = []

    def start(**options: Any) -> Watched:
        context = browser.new_context(**(PHONE | {"locale": "zh-CN"} | options))
        context.set_default_timeout(60_000)
        watched = Watched(context, address)
        opened.append((context, watched))
        return watched

    yield start
    for context, watched in opened:
        context.close()
        assert watched.troubles == []


def ask(database: Path, question: str) -> list[Any]:
    with sqlite3.connect(database) as connection:
        return connection.execute(question).fetchall()


def big_photo() -> bytes:
    out = io.BytesIO()
    Image.effect_noise((3000, 2000), 60).convert("RGB").save(out, "JPEG", quality=95)
    return out.getvalue()


def inked(page: Any, selector: str) -> int:
    """How many different colours the map's tiles show: an undrawn map has one or none."""
    colours: int = page.evaluate(
        """selector => { const seen = new Set();
        for (const tile of document.querySelectorAll(selector + ' canvas')) {
          const data = tile.getContext('2d').getImageData(0, 0, tile.width, tile.height).data;
          for (let i = 0; i < data.length; i += 4 * 97) seen.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
        } return seen.size; }""",
        selector,
    )
    return colours


def test_a_resident_reports_with_map_and_picture(visit: Open, database: Path) -> None:
    watched = visit()
    page = watched.open("/report")
    page.fill("#description", "人民路路口的路灯不亮了")
    watched.until("document.querySelectorAll('#map canvas').length > 1")
    page.locator("#map").scroll_into_view_if_needed()
    box = page.locator("#map").bounding_box()
    assert box is not None
    page.touchscreen.tap(box["x"] + 120, box["y"] + 90)
    watched.until("document.querySelector('[name=latitude]').value !== ''")
    watched.until("document.querySelector('[data-place-name]').textContent.includes('附近')")
    assert inked(page, "#map") > 20
    page.set_input_files(
        "[data-photo-upload]", [{"name": "IMG_1.jpg", "mimeType": "image/jpeg", "buffer": big_photo()}]
    )
    page.wait_for_selector(".photo-item img")
    sent = page.evaluate("document.querySelector('[data-photo-upload]').files[0].size")
    assert sent < len(big_photo()) / 2
    page.click("button[type=submit].weui-btn_primary")
    page.wait_for_selector(".sent")
    assert "key=" not in page.url
    report = ask(database, "select id, description, latitude, place_source from report order by id desc limit 1")[0]
    assert report[1] == "人民路路口的路灯不亮了"
    assert 50.3 < report[2] < 50.6
    assert report[3] == "picked"
    assert ask(database, f"select width, height, purpose from photo where report_id = {report[0]}") == [
        (1600, 1067, "before")
    ]
    page.reload()
    page.get_by_text("人民路路口的路灯不亮了").first.wait_for()


def test_the_map_is_worked_by_keys_and_by_position(visit: Open) -> None:
    watched = visit(geolocation={"latitude": 50.4262, "longitude": 124.1300}, permissions=["geolocation"])
    page = watched.open("/report")
    watched.until("document.querySelectorAll('#map canvas').length > 1")
    page.click(".dm-locate")
    watched.until("document.querySelector('[name=latitude]').value === '50.426200'")
    assert page.input_value("[name=place_source]") == "device"
    page.focus("#map")
    page.keyboard.press("ArrowUp")
    watched.until("Number(document.querySelector('[name=latitude]').value) > 50.4265")
    assert page.input_value("[name=place_source]") == "picked"


def test_the_words_suggest_a_category(visit: Open) -> None:
    page = visit().open("/report")
    page.fill("#description", "楼下的路灯不亮了")
    page.wait_for_selector("#suggestions .choice")
    page.locator("#suggestions .choice").first.click()
    assert page.input_value("#category") == "01037"


def test_a_picture_can_be_taken_back(visit: Open) -> None:
    watched = visit()
    page = watched.open("/report")
    photo = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": big_photo()}
    page.set_input_files("[data-photo-upload]", [photo])
    page.set_input_files("[data-photo-upload]", [photo])
    watched.until("document.querySelectorAll('.photo-item').length === 2")
    page.locator(".photo-remove").first.click()
    assert page.evaluate("document.querySelector('[data-photo-upload]').files.length") == 1


def test_without_scripts_a_report_is_filed_and_followed(visit: Open, database: Path) -> None:
    page = visit(java_script_enabled=False).open("/report")
    page.fill("#description", "没有脚本也能报")
    page.fill("#address", "鑫源小区3号楼东侧")
    page.click("button[type=submit].weui-btn_primary")
    page.wait_for_url("**/r/*")
    number = ask(database, "select number from report order by id desc limit 1")[0][0]
    page.get_by_text(number).first.wait_for()


def test_a_scan_is_reported_with_one_tap(visit: Open, database: Path) -> None:
    token = ask(database, "select token from facility_token limit 1")[0][0]
    page = visit(java_script_enabled=False).open(f"/F/{token}")
    page.locator(".problem").first.click()
    page.locator(".sent").wait_for()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_picture_goes_with_the_tap_and_others_join_it(visit: Open, database: Path, scripts: bool) -> None:
    """Photo and tap in one form; somebody else is asked, joins, and finds the page saying so."""
    offset = 5 if scripts else 6
    token = ask(database, f"select token from facility_token order by token limit 1 offset {offset}")[0][0]
    photos = "select count(*) from photo where report_id is not null"
    supports = "select count(*) from report_event where kind = 'supported'"
    before = [ask(database, question)[0][0] for question in (photos, supports)]
    page = visit(java_script_enabled=scripts).open(f"/F/{token}")
    page.set_input_files("input[name=photos]", {"name": "p.jpg", "mimeType": "image/jpeg", "buffer": big_photo()})
    if scripts:
        page.wait_for_selector(".photo-item img")
    page.locator(".problem").first.click()
    page.locator(".sent").wait_for()
    assert ask(database, photos)[0][0] == before[0] + 1

    other = visit(java_script_enabled=scripts).open(f"/F/{token}")
    other.locator(".problem").first.click()
    other.locator("[name=apart]").wait_for(state="attached")
    other.locator(".open-report button").click()
    other.locator(".notice.good").wait_for()
    assert "done=joined" in other.url
    assert other.locator(".open-report button").count() == 0
    assert ask(database, supports)[0][0] == before[1] + 1


def test_the_public_map_shows_pins_that_lead_somewhere(visit: Open, database: Path) -> None:
    page = visit(**DESKTOP, is_mobile=False, has_touch=False).open("/nearby")
    page.wait_for_selector(".dm-pin, .dm-cluster")
    assert inked(page, ".map-page") > 20


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/report", "/mine", "/nearby", "/privacy", "facility", "report"])
def test_pages_pass_the_accessibility_checker(
    browser: Browser, address: str, database: Path, path: str, scheme: str
) -> None:
    sync = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not reachable (make check)")
    if path == "facility":
        path = "/f/" + ask(database, "select token from facility_token limit 1")[0][0]
    if path == "report":
        from urllib.request import Request, urlopen

        body = b'{"description": "\xe8\xb7\xaf\xe7\x81\xaf\xe4\xb8\x8d\xe4\xba\xae"}'
        request = Request(f"{address}/api/v1/reports", body, {"Content-Type": "application/json"})
        with urlopen(request) as answer:
            import json

            path = json.load(answer)["url"].removeprefix("http://district.test")
    context = browser.new_context(**PHONE, locale="zh-CN", bypass_csp=True, color_scheme=scheme)
    try:
        page = context.new_page()
        page.goto(address + path, wait_until="load")
        found = sync.Axe().run(page).response["violations"]
        serious = [f"{v['id']}: {v['nodes'][0]['html']}" for v in found if v["impact"] in ("serious", "critical")]
        assert serious == []
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 1
    finally:
        context.close()
