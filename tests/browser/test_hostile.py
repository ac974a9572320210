"""Hostile words where scripts build what is shown: bubbles on maps, lists that come alone, the wall, the chat."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
import requests

from tests.browser.conftest import Visit
from tests.support.browser import DESKTOP, PHONE, Watched
from tests.support.filled import Residents
from tests.support.running import Bihuan, eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

HOSTILE = "\"'></script><img src=x onerror=bhx()><svg onload=bhx()><a href=javascript:bhx()>x</a>"
# The words would call it; the content policy would refuse and say so on the console, which is a trouble of its own.
COUNTS = "window.bhxed = 0; window.bhx = () => { window.bhxed += 1; };"
PLACE = (50.4128, 124.1262)


def calm(watched: Watched, *, shown: bool = True) -> None:
    """Nothing of the words ran or became a part of the page, and they are really there."""
    page = watched.page
    watched.settled()
    assert page.evaluate("window.bhxed") == 0
    assert page.locator("img[src='x'], svg[onload], a[href^='javascript:']").count() == 0
    if shown:
        assert "onerror=bhx()" in page.inner_text("body")


# A mark that is pressed may draw all of them anew: found and pressed in one go, and drawn before the next one.
PRESS = """async ([selector, index]) => {
  const mark = document.querySelectorAll(selector)[index];
  if (mark) mark.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }));
  for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
  return Boolean(mark);
}"""


def press_all(watched: Watched, selector: str, most: int = 6) -> None:
    """Open the bubbles of the map's marks, one after the other; what stands for many comes apart first."""
    page, single = watched.page, f"{selector}:not(.dm-cluster)"
    page.wait_for_selector(selector, state="attached")
    watched.settled()
    for _ in range(3):
        # The map draws nearer, and its marks are new ones.
        if page.locator(single).count() or not page.evaluate(PRESS, [".dm-cluster", 0]):
            break
        watched.settled()
    for index in range(most):
        if not page.evaluate(PRESS, [single, index]):
            break
        watched.settled()


def visiting(visit: Visit, username: str, size: dict[str, object]) -> Watched:
    # Maps jump instead of gliding: what has been pressed is where it will be.
    watched = visit(username, **size, reduced_motion="reduce")
    watched.page.add_init_script(COUNTS)
    return watched


def test_words_stay_words_where_scripts_show_them(visit: Visit, bihuan: Bihuan, address: str) -> None:
    body = {"description": HOSTILE, "address": HOSTILE, "latitude": PLACE[0], "longitude": PLACE[1],
            "contact": "13800138000", "category": "01002"}  # fmt: skip
    residents = Residents(address)
    made = [requests.post(f"{address}/api/v1/reports", json=body | {"latitude": PLACE[0] + shift}, timeout=60).json()
            for shift in (0, 0.0004)]  # fmt: skip
    for one in made:
        residents.keys[one["number"]] = one["key"]
        residents.settled(one["number"])
    number = made[0]["number"]
    database = bihuan.var_dir / "bihuan.db"
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        found = connection.execute(
            "select id, code17, name from facility order by abs(latitude - ?) + abs(longitude - ?) limit 1", PLACE
        ).fetchone()
        connection.execute("update facility set name = ? where id = ?", (HOSTILE, found[0]))
        token = connection.execute("select token from facility_token where facility_id = ?", found[:1]).fetchone()
    try:
        _staff_sees(visiting(visit, "shift1", DESKTOP), number, found[1])
        _wall_shows(visiting(visit, "leader", DESKTOP))
        resident = visiting(visit, "", PHONE)
        resident.open("/nearby")
        press_all(resident, ".leaflet-marker-icon")
        calm(resident, shown=False)
        resident.open(f"/f/{token[0]}")
        calm(resident)
        resident.open(f"/r/{number}?key={made[0]['key']}")
        calm(resident)
        _chat_shows(resident)
    finally:
        with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
            connection.execute("update facility set name = ? where id = ?", (found[2], found[0]))


def _staff_sees(lead: Watched, number: str, facility: str) -> None:
    page = lead.open("/admin/?tab=all&order=newest")
    calm(lead)
    lead.open(f"/admin/reports/{number}")
    # What is near comes when it is asked for, and its marks have bubbles.
    page.wait_for_selector(".leaflet-marker-icon, .leaflet-interactive")
    for fold in page.locator("#main details:not([open]) > summary").all():
        if fold.is_visible():
            fold.press("Enter")
    press_all(lead, ".map-box .leaflet-interactive", 10)
    calm(lead)
    for path in (
        f"/admin/reports/{number}/print",
        f"/admin/facilities/{facility}",
        f"/admin/reports/{number}/do/comment",
    ):
        lead.open(path)
        calm(lead)
    page = lead.open("/admin/reports/new")
    page.fill("[name=place], .places input[type=search], #place", "人民路")
    calm(lead, shown=False)
    lead.open("/admin/district")
    press_all(lead, ".ov-dot")
    calm(lead, shown=False)


def _wall_shows(wall: Watched) -> None:
    wall.open("/admin/wall")
    eventually(lambda: wall.page.locator(".ov-item, .ov-none").count() > 0, "the wall has its parts")
    calm(wall, shown=False)


def _chat_shows(resident: Watched) -> None:
    page = resident.open("/chat")
    page.click("#follow")
    page.wait_for_selector("#log .row")
    page.fill("#text", HOSTILE)
    page.click("#send")
    resident.until("document.querySelectorAll('#log .row.mine').length > 0")
    resident.until("document.querySelectorAll('#log .row:not(.mine)').length > 1")
    assert page.evaluate("window.bhxed") == 0
    assert page.locator("#log img[src='x'], #log svg[onload]").count() == 0
    assert "onerror=bhx()" in page.inner_text("#log")
