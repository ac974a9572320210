"""What comes late: answers out of order, lists that are replaced under a hand, pictures that are still being read."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.browser.conftest import Visit
from tests.support.browser import DESKTOP, PHONE, Watched
from tests.support.filled import Residents
from tests.support.pictures import jpeg
from tests.support.running import Bihuan

if TYPE_CHECKING:
    from playwright.sync_api import FilePayload, Page, Route

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

TICK = "document.body.dispatchEvent(new CustomEvent('panel:tick'))"
# The hand is away, and was for longer than anything waits for it.
AWAY_MS = 1500


def hold(page: Page, address: str) -> list[Route]:
    """Keep the answers of these addresses back; the questions so far."""
    held: list[Route] = []
    page.route(re.compile(address), lambda route: held.append(route))
    return held


def let_go(watched: Watched, route: Route) -> None:
    """Let it be answered, and the page do what it does with that."""
    with watched.page.expect_event("requestfinished", lambda request: request == route.request):
        route.continue_()
    watched.settled()


def is_there(element: Any) -> bool:
    return bool(element.evaluate("one => one.isConnected"))


def filed(address: str, words: str, **place: float) -> str:
    body = {"description": words, "contact": "13800138000"} | place
    answer = requests.post(f"{address}/api/v1/reports", json=body, timeout=60)
    assert answer.status_code == 201, answer.text
    residents = Residents(address)
    number = str(answer.json()["number"])
    residents.keys[number] = answer.json()["key"]
    residents.settled(number)
    return number


def test_the_form_that_was_pressed_last_is_shown_whichever_is_answered_first(visit: Visit, address: str) -> None:
    number = filed(address, "这里不对劲，先后不明")
    watched = visit("shift1", **DESKTOP)
    page = watched.open(f"/admin/reports/{number}")
    held = hold(page, r"/do/(assign|comment)$")
    page.locator("[data-sheet=assign]:visible").first.click()
    page.locator("[data-sheet=comment]:visible").first.click()
    while len(held) < 2:
        page.wait_for_timeout(20)
    held[1].continue_()
    page.wait_for_selector("#sheet[open] form[data-action=comment]")
    page.fill("#f-text", "写了一半")
    held[0].continue_()
    watched.settled()
    assert page.locator("#sheet form").get_attribute("data-action") == "comment"
    assert page.input_value("#f-text") == "写了一半"
    page.fill("#f-text", "")


def test_new_rows_wait_until_the_hand_is_off_the_list_and_can_be_picked_then(visit: Visit, address: str) -> None:
    filed(address, "这里不对劲，手下的一行")
    watched = visit("shift1", **DESKTOP)
    page = watched.open("/admin/?tab=dispatch&order=newest")
    row = page.locator(".work-link").first.element_handle()
    page.locator(".work-link").first.hover()
    page.mouse.down()
    number = filed(address, "这里不对劲，后来的一行")
    page.evaluate(TICK)
    page.wait_for_selector(".fresh-pill")
    watched.settled()
    assert is_there(row)
    # Pulled away, so that nothing is pressed.
    page.mouse.move(5, 5)
    page.mouse.up()
    page.wait_for_timeout(AWAY_MS)
    page.evaluate("window.getSelection().removeAllRanges()")
    page.evaluate(TICK)
    page.wait_for_selector(f".is-new .work-link[href$='{number}']")
    page.check(f"input.pick[value='{number}']")
    page.wait_for_selector("#bulk.is-on")
    assert "1" in page.inner_text("[data-picked]")
    page.check("#pick-all")
    assert page.locator("input.pick:not(:checked)").count() == 0
    page.click("[data-pick-none]")
    assert page.locator("input.pick:checked").count() == 0
    assert not page.locator("#bulk").is_visible()


def test_a_tab_under_a_finger_stays(visit: Visit, address: str) -> None:
    watched = visit("shift1", **DESKTOP)
    page = watched.open("/admin/?tab=dispatch")
    tab = page.locator(".tab-open").element_handle()
    page.hover(".tab-open")
    page.mouse.down()
    with page.expect_response(lambda answer: "/admin/live" in answer.url) as answer:
        page.evaluate(TICK)
    answer.value.finished()
    watched.settled()
    assert is_there(tab)
    page.mouse.up()
    page.wait_for_url("**tab=open*")


def test_rows_that_were_replaced_leave_no_dots_on_the_map(visit: Visit, address: str) -> None:
    filed(address, "路灯不亮了，图上的一个", latitude=50.4051, longitude=124.1401)
    watched = visit("shift1", **DESKTOP)
    page = watched.open("/admin/?tab=open&view=map&order=newest")
    page.wait_for_selector("#list-map .dm-dot")
    number = filed(address, "路灯不亮了，图上的又一个", latitude=50.4091, longitude=124.1441)
    page.evaluate(TICK)
    page.wait_for_selector(f".is-new .work-link[href$='{number}']")
    watched.settled()
    rows = page.locator(".work-row[data-at]").count()
    watched.until(f"document.querySelectorAll('#list-map .dm-dot').length === {rows}")


DOT = """
  const { map } = document.querySelector('[data-register]').districtMap;
  let dot;
  map.eachLayer((one) => { if (one.getRadius && one.getPopup()) dot = one; });
"""


def test_a_bubble_that_moves_the_register_s_map_stays_open(visit: Visit) -> None:
    watched = visit("admin", **DESKTOP)
    page = watched.open("/admin/facilities?view=map&q=供水井盖")
    watched.until("Number(document.querySelector('[data-register]').dataset.drawn) > 0")
    watched.settled()
    # A dot at the map's upper edge, where its bubble has no room: the map moves, and asks anew.
    up = "map.panBy([0, map.latLngToContainerPoint(dot.getLatLng()).y - 5], { animate: false });"
    page.evaluate(f"() => {{ {DOT} {up} }}")
    watched.settled()
    with page.expect_response(lambda answer: "box=" in answer.url):
        page.evaluate(f"() => {{ {DOT} dot.openPopup(); }}")
    watched.settled()
    assert page.locator(".leaflet-popup .dm-popup").count() == 1
    assert int(page.get_attribute("[data-register]", "data-drawn") or 0) > 0


def test_enter_takes_a_place_of_the_words_that_are_there_now(visit: Visit) -> None:
    watched = visit("desk", **DESKTOP)
    page = watched.open("/admin/reports/new")
    page.fill("#place", "人民路")
    page.wait_for_selector("[data-place]")
    earlier = page.locator("[data-place]").first.inner_text()
    held = hold(page, r"/admin/places\?")
    page.fill("#place", "政府")
    page.press("#place", "Enter")
    watched.until("document.querySelector('#call [name=place_source]').value === ''")
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()
    watched.until("document.querySelector('#call [name=place_source]').value === 'gazetteer'")
    assert "政府" in page.input_value("#address")
    assert "政府" not in earlier
    watched.settled()
    assert page.locator("[data-place]").count() == 0


def test_the_outlines_around_are_those_of_the_level_that_was_chosen_last(visit: Visit) -> None:
    watched = visit("admin", **DESKTOP)
    page = watched.open("/admin/settings/areas/new")
    streets = page.locator("path.outline-neighbour")
    page.select_option("[name=level]", "area")
    watched.until("document.querySelectorAll('path.outline-neighbour').length > 0")
    watched.settled()
    number = streets.count()
    held = hold(page, r"area-outlines")
    for level in ("grid", "area"):
        page.select_option("[name=level]", level)
    while len(held) < 2:
        page.wait_for_timeout(20)
    held[1].continue_()
    watched.until("document.querySelectorAll('path.outline-neighbour').length > 0")
    # The squares of the grid, asked for first and answered last, do not come over the streets.
    let_go(watched, held[0])
    assert streets.count() == number


def test_a_suggestion_under_a_finger_stays_and_late_ones_do_not_come(visit: Visit) -> None:
    watched = visit(**PHONE)
    page = watched.open("/report")
    page.fill("#description", "楼下的路灯不亮了")
    page.wait_for_selector("#suggestions .choice")
    held = hold(page, r"/suggest|categories")
    page.fill("#description", "楼下的路灯不亮了，井盖也丢了")
    while not held:
        page.wait_for_timeout(20)
    choice = page.locator("#suggestions .choice").first
    pressed = choice.element_handle()
    choice.hover()
    page.mouse.down()
    let_go(watched, held[0])
    assert is_there(pressed)
    page.mouse.up()
    watched.until("document.querySelector('#category').value === '01037'")


SLOW = """() => {
  const real = window.createImageBitmap.bind(window);
  window.go = [];
  window.createImageBitmap = async (...given) => {
    await new Promise((go) => window.go.push(go));
    return real(...given);
  };
}"""


def test_pictures_of_two_choices_are_all_sent_though_the_first_are_still_being_read(visit: Visit) -> None:
    watched = visit(**PHONE)
    page = watched.open("/report")
    page.evaluate(SLOW)
    photo: FilePayload = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": jpeg(size=(2000, 1500))}
    page.fill("#description", "两次选的照片都要")
    page.fill("#address", "鑫源小区3号楼东侧")
    page.set_input_files("[data-photo-upload]", [photo])
    page.set_input_files("[data-photo-upload]", [photo])
    watched.until("window.go.length > 0")
    page.click("button[type=submit].weui-btn_primary")
    page.evaluate("window.go.shift()()")
    # It is not sent with one of them.
    watched.until("window.go.length > 0 && document.querySelectorAll('.photo-item').length === 1")
    watched.settled()
    assert page.url.endswith("/report")
    page.evaluate("window.go.shift()()")
    # And nobody need press again.
    page.wait_for_selector(".sent")
    assert page.locator("a[href*='/photos/'], img[src*='/photos/']").count() >= 2


def test_the_button_that_stops_a_task_stays_under_a_finger_and_keeps_the_focus(visit: Visit, bihuan: Bihuan) -> None:
    with closing(sqlite3.connect(bihuan.var_dir / "bihuan.db", timeout=60)) as connection, connection:
        made = connection.execute(
            "insert into errand (kind, staff_id, language, parameters, given, state, done, total, attempts, asked_at, "
            "beat_at, outcome, problem, file_name, file_type, file_bytes) select 'export_reports', id, 'zh-Hans', "
            "'{}', '', 'running', 40, 100, 1, datetime('now'), datetime('now', '+1 hour'), '{}', '{}', '', '', 0 "
            "from staff where username = 'desk' returning id"
        ).fetchone()
    watched = visit("desk", **DESKTOP)
    page = watched.open(f"/admin/tasks/{made[0]}")
    button = page.locator("#errand form button")
    button.focus()
    page.evaluate("window.first = document.activeElement")
    watched.until("!window.first.isConnected")
    watched.until("document.activeElement.matches('#errand form button')")
    button.hover()
    page.mouse.down()
    pressed = button.element_handle()
    # It would have been replaced twice meanwhile.
    page.wait_for_timeout(2500)
    assert is_there(pressed)
    watched.leads_on(page.mouse.up)
    page.wait_for_selector(".errand-cancelled")
