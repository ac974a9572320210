"""The panel in a real browser: with a thumb, by keyboard, live, without scripts, before the accessibility checker."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from sqlalchemy import select

from district import jobs
from district.extensions import db
from district.overview import figures
from district.reports import photos
from district.reports import service as reports
from district.reports.models import Source
from district.units.models import Unit
from district.work import unit_of_work
from tests.support import services
from tests.support.browser import DESKTOP, PHONE, Watched, chromium, live_server
from tests.support.pictures import jpeg

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
PASSWORD = "bihuan-demo"
LAMPS = "SZ-LD"
Visit = Callable[..., Watched]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def database(demo_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("panel") / "bihuan.db"
    shutil.copy(demo_sqlite, path)
    return path


@pytest.fixture(scope="module")
def address(database: Path) -> Iterator[str]:
    with live_server(f"sqlite:///{database}", database.parent) as url:
        yield url


@pytest.fixture(scope="module")
def backstage(database: Path) -> Iterator[Flask]:
    """The same district, reached through the verbs: what others do while somebody is at the panel."""
    from wsgi import create_app

    app = create_app(services.config_for(f"sqlite:///{database}", database.parent))
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    """Log somebody in, in a browser of their own; at the end there must have been no trouble in it."""
    opened: list[tuple[Any, Watched]] = []

    def start(username: str, **options: Any) -> Watched:
        context = browser.new_context(**(DESKTOP | {"locale": "zh-CN"} | options))
        context.set_default_timeout(60_000)
        watched = Watched(context, address)
        opened.append((context, watched))
        log_in(watched.open("/admin/login"), username)
        return watched

    yield start
    for context, watched in opened:
        context.close()
        assert watched.troubles == []


def log_in(page: Page, username: str) -> None:
    page.fill("[name=username]", username)
    page.fill("[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_selector(".tabs")


def new_report(backstage: Flask, *, assigned: bool = False, **given: Any) -> str:
    """File a report with a picture; its number."""
    values: dict[str, Any] = {
        "source": Source.API, "description": "路灯不亮", "category_code": "01037", "latitude": 50.4276,
        "longitude": 124.127, "address": "人民路北侧", "contact": "13845700001",
    } | given  # fmt: skip
    with backstage.app_context():
        picture = photos.prepare(jpeg(size=(800, 600)))
        photos.keep(picture)
        with unit_of_work():
            photo = photos.add_uploaded(picture)
            report = reports.submit(reports.NewReport(**values, photo_ids=[photo.id]), by=None)
            if assigned:
                unit_id = db.session.scalars(select(Unit.id).where(Unit.code == LAMPS)).one()
                reports.assign(report, unit_id, by=reports.SYSTEM)
            number = report.number
        # The worker's part: here nobody answers the bell.
        jobs.index_reports()
    return number


def ask(database: Path, question: str) -> list[Any]:
    with sqlite3.connect(database) as connection:
        return connection.execute(question).fetchall()


def status_of(database: Path, number: str) -> str:
    return str(ask(database, f"select status from report where number = '{number}'")[0][0])


def test_a_repair_is_reported_with_one_thumb(visit: Visit, backstage: Flask, database: Path) -> None:
    number = new_report(backstage, assigned=True)
    watched = visit("sz-ld", **PHONE)
    page = watched.open(f"/admin/reports/{number}")
    page.locator(".bar button").first.tap()
    page.wait_for_selector("[data-toast]")
    assert status_of(database, number) == "in_progress"
    page.locator(".bar a[data-sheet=resolve]").tap()
    page.wait_for_selector("#sheet[open] textarea")
    big = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": jpeg(size=(3000, 2000), quality=95)}
    page.set_input_files("#sheet input[type=file]", [big, big])
    watched.until("document.querySelectorAll('#sheet .photo-item').length === 2")
    page.fill("#f-note", "换了灯泡")
    page.locator("#sheet button[type=submit]").tap()
    page.wait_for_selector("[data-toast]")
    assert status_of(database, number) == "resolved"
    kept = ask(database, f"select width, height, purpose from photo join report on report.id = report_id "
                         f"where number = '{number}' and purpose = 'after'")  # fmt: skip
    assert kept == [(1600, 1067, "after")] * 2


def test_buttons_are_large_enough_for_a_thumb(visit: Visit, backstage: Flask) -> None:
    number = new_report(backstage, assigned=True)
    watched = visit("sz-ld", **PHONE)
    watched.open(f"/admin/reports/{number}")
    heights = watched.page.evaluate(
        "[...document.querySelectorAll('.bar .btn')].map(b => b.offsetHeight).filter(Boolean)"
    )
    assert len(heights) >= 3
    assert min(heights) >= 44
    watched.open("/admin/")
    heights = watched.page.evaluate("[...document.querySelectorAll('.bottom a, .tab')].map(b => b.offsetHeight)")
    assert min(heights) >= 44


def test_a_report_is_found_and_assigned_without_a_mouse(visit: Visit, backstage: Flask, database: Path) -> None:
    number = new_report(backstage, urgency="critical", description="键盘派遣")
    watched = visit("dispatcher1")
    page = watched.page
    # The keys are there when the scripts are.
    page.wait_for_load_state("load")
    page.keyboard.press("/")
    page.keyboard.type("键盘派遣")
    watched.leads_on(lambda: page.keyboard.press("Enter"))
    page.wait_for_selector(".chip")
    page.keyboard.press("j")
    watched.leads_on(lambda: page.keyboard.press("Enter"))
    assert page.inner_text("#number") == number
    page.focus(".case-do a[data-sheet=assign]")
    page.keyboard.press("Enter")
    page.wait_for_selector("#sheet[open]")
    watched.until("document.activeElement.matches('[data-picker-find]')")
    page.keyboard.type("sz-ld")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("[data-toast]")
    assert status_of(database, number) == "assigned"


def test_words_stay_when_a_form_is_closed_and_opened_again(visit: Visit, backstage: Flask) -> None:
    number = new_report(backstage, assigned=True)
    watched = visit("sz-ld")
    page = watched.open(f"/admin/reports/{number}")
    page.click(".case-do a[data-sheet=resolve]")
    page.wait_for_selector("#sheet[open] #f-note")
    page.fill("#f-note", "写了一半")
    page.keyboard.press("Escape")
    watched.until("!document.querySelector('#sheet').open")
    page.click(".case-do a[data-sheet=resolve]")
    watched.until("document.querySelector('#sheet').open")
    assert page.input_value("#f-note") == "写了一半"
    page.once("dialog", lambda dialog: dialog.accept())


def test_the_likeliest_category_comes_first(visit: Visit) -> None:
    page = visit("acceptor1").open("/admin/reports/new")
    page.fill("[data-picker-find]", "路灯")
    names = page.locator(".picker-item:not([hidden]) .picker-name").all_inner_texts()
    assert names[0] == "路灯异常"
    assert len(names) > 2
    page.fill("[data-picker-find]", "没有这种东西")
    assert page.locator("[data-picker-none]").is_visible()
    page.fill("[data-picker-find]", "")


def test_a_call_is_filed_with_a_searched_place(visit: Visit, backstage: Flask, database: Path) -> None:
    neighbour = new_report(backstage, latitude=50.427667, longitude=124.127027)
    watched = visit("acceptor1")
    page = watched.open("/admin/reports/new")
    page.fill("#description", "楼下路灯不亮三天了")
    page.fill("#contact", "13845701111")
    page.fill("[data-picker-find]", "路灯")
    page.press("[data-picker-find]", "Enter")
    watched.until("document.querySelector('.picker.is-folded') !== null")
    page.fill("#place", "人民路")
    page.wait_for_selector("[data-place]")
    page.press("#place", "Enter")
    watched.until("document.querySelector('[name=latitude]').value !== ''")
    page.wait_for_selector(f"#nearby a[href$='{neighbour}']")
    page.click(".bar-form button")
    page.wait_for_selector("#filed-number")
    number = page.inner_text("#filed-number")
    row = ask(database, f"select source, place_source, address, contact_sealed from report where number = '{number}'")[
        0
    ]
    assert row[:3] == ("staff", "gazetteer", "人民路")
    assert "1384570" not in row[3]


TICK = "document.body.dispatchEvent(new CustomEvent('panel:tick'))"


def test_new_work_waits_while_somebody_writes_and_then_appears_by_itself(visit: Visit, backstage: Flask) -> None:
    watched = visit("dispatcher1")
    page = watched.open("/admin/?tab=dispatch")
    before = int(page.inner_text(".tab-dispatch .tab-count"))
    title = page.title()
    page.evaluate("window.stays = true")
    number = new_report(backstage)
    page.fill("#find", "写了一半")
    page.evaluate(TICK)
    page.wait_for_selector(".fresh-pill")
    assert int(page.inner_text(".tab-dispatch .tab-count")) == before + 1
    assert page.title() == f"(1) {title}"
    assert page.locator(f".work-link[href$='{number}']").count() == 0
    page.evaluate("document.activeElement.blur()")
    page.evaluate(TICK)
    page.wait_for_selector(f".is-new .work-link[href$='{number}']")
    watched.until("!document.querySelector('.fresh-pill')")
    assert page.title() == title
    assert page.input_value("#find") == "写了一半"
    assert page.evaluate("window.stays") is True
    # What came in counts as seen: the next look finds nothing new.
    with page.expect_response(lambda answer: "/admin/live" in answer.url):
        page.evaluate(TICK)
    watched.until("!document.querySelector('.fresh-pill')")


# Counts the tones instead of playing them.
SILENT = """
window.tones = 0;
window.AudioContext = class {
  constructor() { this.state = 'running'; this.currentTime = 0; this.destination = {}; }
  createGain() {
    return { gain: { setValueAtTime() {}, exponentialRampToValueAtTime() {} }, connect() { return this; } };
  }
  createOscillator() {
    return { frequency: {}, connect(to) { return to; }, start() { window.tones += 1; }, stop() {} };
  }
};
"""
# As if the tab had just been brought to the front.
LOOKED_AT = "document.dispatchEvent(new Event('visibilitychange'))"


def test_a_critical_report_rings_and_marks_the_title_unless_muted(visit: Visit, backstage: Flask) -> None:
    watched = visit("dispatcher1")
    page = watched.page
    page.add_init_script(SILENT)
    with page.expect_response(lambda answer: "/admin/alarm" in answer.url):
        watched.open("/admin/facilities")
    title = page.title()
    number = new_report(backstage, urgency="critical", description="井盖没了")
    page.evaluate(LOOKED_AT)
    page.wait_for_selector(f"a.toast-line[href$='{number}']")
    assert page.evaluate("window.tones") == 2
    assert page.title() == f"❗紧急 {title}"
    page.keyboard.press("m")
    watched.until("document.querySelector('[data-sound]').getAttribute('aria-pressed') === 'false'")
    assert page.title() == title
    # On the next page it is still muted, and what was heard of is not said again.
    with page.expect_response(lambda answer: "/admin/alarm" in answer.url):
        watched.open("/admin/units")
    second = new_report(backstage, urgency="critical", description="又一个井盖没了")
    page.evaluate(LOOKED_AT)
    page.wait_for_selector(f"a.toast-line[href$='{second}']")
    assert page.locator(f"a.toast-line[href$='{number}']").count() == 0
    assert page.evaluate("window.tones") == 0


def test_the_keys_move_open_assign_go_on_and_explain_themselves(visit: Visit, backstage: Flask) -> None:
    numbers = {new_report(backstage), new_report(backstage)}
    watched = visit("dispatcher1")
    page = watched.open("/admin/?tab=dispatch&order=newest")
    page.keyboard.press("?")
    watched.until("document.querySelector('#keys').open")
    page.keyboard.press("j")
    page.keyboard.press("Escape")
    watched.until("!document.querySelector('#keys').open")
    assert page.evaluate("document.activeElement.className") != "work-link"
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    watched.leads_on(lambda: page.keyboard.press("o"))
    first = page.inner_text("#number")
    assert first in numbers
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.matches('section.card, .case')")
    page.keyboard.press("a")
    page.wait_for_selector("#sheet[open] [data-picker-find]")
    watched.until("document.activeElement.matches('[data-picker-find]')")
    # Letters are letters while somebody writes.
    page.keyboard.type("nn")
    assert page.input_value("#sheet [data-picker-find]") == "nn"
    page.fill("#sheet [data-picker-find]", "")
    page.keyboard.press("Escape")
    watched.until("!document.querySelector('#sheet').open")
    page.keyboard.press("n")
    watched.until(f"(document.querySelector('#number') || {{}}).textContent !== '{first}'")
    page.wait_for_selector("#number")


def test_a_reply_looks_like_wechat_and_names_are_offered_in_a_note(
    visit: Visit, backstage: Flask, database: Path
) -> None:
    number = new_report(backstage, assigned=True)
    watched = visit("shift1", **PHONE)
    page = watched.open(f"/admin/reports/{number}/do/reply")
    page.wait_for_selector("#sheet[open] #f-text")
    page.locator("[data-reply-offer]", has_text="已派人").tap()
    page.wait_for_selector(".bubble")
    assert number in page.inner_text(".bubble")
    assert "查看详情" in page.inner_text(".bubble-link")
    words = page.input_value("#f-text")
    page.locator("#sheet button[type=submit]").tap()
    page.wait_for_selector("[data-toast]")
    assert ask(database, "select note from report_event where kind = 'replied'") == [(words,)]
    page = watched.open(f"/admin/reports/{number}/do/comment")
    page.wait_for_selector("#sheet[open] #f-text")
    page.locator("#f-text").press_sequentially("请@sz-l")
    page.locator(".mention:visible").first.tap()
    watched.until("/^请@[^@\\s]+ $/.test(document.querySelector('#f-text').value)")
    page.locator("#sheet button[type=submit]").tap()
    page.wait_for_selector("[data-toast]")
    told = ask(database, "select username from staff_notice join staff on staff.id = staff_id where kind = 'mentioned'")
    assert [name for (name,) in told] == ["sz-ld"]


def test_the_wall_renews_itself_and_says_when_it_cannot(
    visit: Visit, backstage: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "FRESH_S", 0)
    watched = visit("leader", viewport={"width": 1920, "height": 1080})
    page = watched.open("/admin/wall")
    watched.until("document.querySelectorAll('.ov-dot').length > 0 || document.querySelector('.leaflet-tile-loaded')")
    sideways, down = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert (sideways, down) == (1920, 1080)
    before = int(page.inner_text("[data-part=tiles] .ov-tile:nth-child(3) .ov-figure"))
    page.context.set_offline(True)
    watched.until("!document.querySelector('#overview-stale').hidden")
    assert re.fullmatch(r"数据停在 \d\d:\d\d · .+", page.inner_text("#overview-stale"))
    new_report(backstage, assigned=True)
    page.context.set_offline(False)
    watched.until("document.querySelector('#overview-stale').hidden")
    figure = "document.querySelector('[data-part=tiles] .ov-tile:nth-child(3) .ov-figure')"
    watched.until(f"+{figure}.textContent > {before}")
    watched.until("document.querySelectorAll('.ov-dot').length > 0")


def test_the_twin_leads_from_the_map_to_the_oldest_report(visit: Visit, backstage: Flask) -> None:
    new_report(backstage, assigned=True)
    watched = visit("leader")
    page = watched.open("/admin/district")
    page.click("[data-heat=on]")
    watched.until("getComputedStyle(document.querySelector('.leaflet-heat-pane')).display === 'block'")
    page.click("[data-heat=off]")
    page.locator(".ov-dot").last.dispatch_event("click")
    page.wait_for_selector(".dm-popup a")
    page.click(".dm-popup a")
    page.wait_for_selector(".case-do, .case-head, h1")
    assert "/admin/reports/BH" in page.url


def test_columns_are_chosen_and_ordered_by_keyboard(visit: Visit, backstage: Flask) -> None:
    new_report(backstage, assigned=True)
    watched = visit("shift1")
    page = watched.open("/admin/?tab=open")
    page.focus(".columns summary")
    page.keyboard.press("Enter")
    page.focus(".columns-list [value=number]")
    page.keyboard.press("Space")
    for _ in range(30):
        page.keyboard.press("Alt+ArrowUp")
    assert page.evaluate("document.activeElement.value") == "number"
    assert page.locator(".columns-list [value]").first.get_attribute("value") == "number"
    page.focus(".columns-list [value=unit]")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert "责任单位" in page.inner_text("[data-columns-said]")
    page.focus(".columns-box button[value=show]")
    page.keyboard.press("Enter")
    page.wait_for_url("**cols=number.**")
    heads = page.locator(".work th").all_inner_texts()
    assert heads.index("编号") < heads.index("责任单位") < heads.index("地点")


def test_a_row_and_its_dot_know_each_other_and_the_map_narrows_the_list(visit: Visit, backstage: Flask) -> None:
    number = new_report(backstage, assigned=True, latitude=50.4301, longitude=124.1402)
    far = new_report(backstage, assigned=True, latitude=50.4105, longitude=124.0901)
    watched = visit("shift1")
    page = watched.open("/admin/?tab=open&order=newest&view=map")
    page.wait_for_selector(".dm-dot")
    page.focus(f".work-link[href$='{number}']")
    page.wait_for_selector(".dm-dot.is-on")
    assert page.locator(".dm-dot.is-on").count() == 1
    page.locator(".dm-dot.is-on").dispatch_event("click")
    page.wait_for_selector(f".dm-popup a[href$='{number}']")
    page.keyboard.press("Escape")
    page.locator(".dm-dot").nth(1).focus()
    page.wait_for_selector(".work-row.is-on")
    there = "[50.4301, 124.1402], 16, {animate: false}"
    page.evaluate(f"() => {{ document.querySelector('#list-map').districtMap.map.setView({there}); }}")
    page.click("[data-box-address]")
    page.wait_for_url("**box=**")
    page.wait_for_selector(".dm-dot")
    links = [link.get_attribute("href") or "" for link in page.locator(".work-link").all()]
    assert any(link.endswith(number) for link in links)
    assert not any(link.endswith(far) for link in links)


def test_on_a_telephone_rows_are_ticked_and_the_map_is_a_switch(visit: Visit, backstage: Flask) -> None:
    numbers = [new_report(backstage), new_report(backstage)]
    watched = visit("shift1", **PHONE)
    page = watched.open("/admin/?tab=dispatch&order=newest")
    for number in numbers:
        page.locator(f"input.pick[value='{number}']").check()
    bar = page.locator("#bulk")
    assert "已选 2 件" in bar.inner_text()
    box, nav = bar.bounding_box(), page.locator(".bottom").bounding_box()
    assert box is not None
    assert nav is not None
    assert box["y"] + box["height"] <= nav["y"]
    bar.locator("select").select_option("comment")
    bar.locator("button[type=submit]").first.click()
    page.wait_for_selector(".bulk-row")
    assert page.locator(".bulk-row").count() == 2
    page.fill("[name=text]", "已经看到，马上派人")
    page.click(".bulk-do button[type=submit]")
    page.wait_for_selector(".bulk-mark")
    assert page.locator(".bulk-mark.bad").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 1
    page = watched.open("/admin/?tab=open")
    page.click(".view a >> nth=1")
    page.wait_for_selector(".dm-dot")
    assert not page.locator("#rows").is_visible()


def test_the_telephone_number_is_shown_in_its_place(visit: Visit, backstage: Flask) -> None:
    number = new_report(backstage)
    page = visit("dispatcher1").open(f"/admin/reports/{number}")
    assert "13845700001" not in page.content()
    page.click("#contact button")
    page.wait_for_selector(".contact-clear")
    assert page.inner_text(".contact-clear") == "13845700001"
    assert page.get_attribute("#contact a", "href") == "tel:13845700001"


def test_pictures_open_large_and_are_leafed_by_keys(visit: Visit, backstage: Flask) -> None:
    number = new_report(backstage)
    watched = visit("dispatcher1")
    page = watched.open(f"/admin/reports/{number}")
    page.click("[data-lightbox]")
    watched.until("document.querySelector('.lightbox').open")
    watched.until("document.querySelector('.lightbox-image').naturalWidth === 800")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    watched.until("!document.querySelector('.lightbox').open")


def test_a_repair_is_compared_and_checked_on_the_spot(visit: Visit, backstage: Flask, database: Path) -> None:
    number = new_report(backstage, assigned=True)
    repairer = visit("sz-ld")
    page = repairer.open(f"/admin/reports/{number}/do/resolve")
    page.set_input_files(
        "#sheet input[type=file]", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": jpeg(colour="red")}
    )
    page.fill("#f-note", "换了灯泡")
    page.click("#sheet button[type=submit]")
    page.wait_for_selector("[data-toast]")
    here = {"latitude": 50.4276, "longitude": 124.1273}
    watched = visit("shift1", **PHONE, geolocation=here, permissions=["geolocation"])
    page = watched.open(f"/admin/reports/{number}")
    page.locator(".compare").scroll_into_view_if_needed()
    page.locator(".compare input").press("ArrowLeft")
    watched.until("document.querySelector('.compare-frame').style.getPropertyValue('--at') === '49%'")
    # A tap shows a picture in its own size, another one fits it again.
    page.locator(".strip-list a").first.tap()
    watched.until("document.querySelector('.lightbox').open")
    watched.until("document.querySelector('.lightbox-image').naturalWidth > 0")
    page.locator(".lightbox-image").tap()
    watched.until("document.querySelector('.lightbox.is-zoomed') !== null")
    # All of it can be reached.
    page.evaluate("document.querySelector('.lightbox').scrollTo(0, 0)")
    watched.until("document.querySelector('.lightbox-image').getBoundingClientRect().left === 0")
    page.locator(".lightbox-image").tap(position={"x": 100, "y": 150})
    watched.until("document.querySelector('.lightbox.is-zoomed') === null")
    page.keyboard.press("Escape")
    watched.open(f"/admin/reports/{number}/do/verify")
    page.locator("[data-spot-ask]").tap()
    page.wait_for_selector("[data-spot-said]:not(:empty)")
    watched.until("document.querySelector('[name=at_latitude]').value === '50.427600'")
    assert page.inner_text("[data-spot-said]") == "在现场，相距 21 米"
    page.locator("#sheet button[type=submit]").tap()
    page.wait_for_selector("[data-toast]")
    assert status_of(database, number) == "closed"


def test_a_report_is_assigned_without_scripts(visit: Visit, backstage: Flask, database: Path) -> None:
    number = new_report(backstage)
    page = visit("dispatcher1", java_script_enabled=False).open(f"/admin/reports/{number}")
    page.click(".case-do a >> nth=0")
    unit_id = ask(database, f"select id from unit where code = '{LAMPS}'")[0][0]
    page.check(f".picker input[value='{unit_id}']", force=True)
    page.click(".sheet button[type=submit]")
    assert status_of(database, number) == "assigned"


@pytest.mark.parametrize(("size", "scheme"), [("phone", "light"), ("phone", "dark"), ("desktop", "light")])
def test_pages_pass_the_accessibility_checker(
    browser: Browser, address: str, backstage: Flask, database: Path, size: str, scheme: str
) -> None:
    sync = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not reachable (make check)")
    waiting, working = new_report(backstage), new_report(backstage, assigned=True)
    facility = ask(database, "select code17 from facility limit 1")[0][0]
    pages = {
        "shift1": [
            "/admin/", "/admin/?tab=open", "/admin/?tab=open&view=map", "/admin/export?tab=open",
            "/admin/?tab=open&cols=photo.number.due.co_units.facility.stars",
            "/admin/?tab=open&urgency=critical&q=没有的", "/admin/reports/new",
            f"/admin/reports/{waiting}", f"/admin/reports/{waiting}/do/assign", f"/admin/reports/{waiting}/do/correct",
            f"/admin/reports/{waiting}/do/reject", f"/admin/reports/{waiting}/do/comment",
            f"/admin/reports/{waiting}/print", "/admin/messages", "/admin/no-such-page",
        ],
        "sz-ld": [f"/admin/reports/{working}", f"/admin/reports/{working}/do/resolve",
                  f"/admin/reports/{working}/do/hand_back"],
        "leader": ["/admin/", "/admin/staff", "/admin/audit", "/admin/units", "/admin/facilities",
                   "/admin/district", "/admin/wall", f"/admin/facilities/{facility}"],
    }  # fmt: skip
    wrong: list[str] = []
    for username, addresses in pages.items():
        context = browser.new_context(
            **(PHONE if size == "phone" else DESKTOP), locale="zh-CN", bypass_csp=True, color_scheme=scheme,
            # A sheet that is still sliding in is half transparent.
            reduced_motion="reduce",
        )  # fmt: skip
        try:
            page = context.new_page()
            for path in ["/admin/login", *addresses]:
                page.goto(address + path, wait_until="load")
                found = sync.Axe().run(page).response["violations"]
                wrong += [
                    f"{path}: {v['id']}: {v['nodes'][0]['html'][:200]}"
                    for v in found
                    if v["impact"] in ("serious", "critical")
                ]
                wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                wrong += [f"{path}: scrolls sideways by {wide} px"] * (wide > 1)
                if path == "/admin/login":
                    log_in(page, username)
        finally:
            context.close()
    assert wrong == []
