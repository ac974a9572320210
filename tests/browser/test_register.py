"""The register of facilities as people use it: its map, a file taken over with the bar moving, a record changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.conftest import Visit
from tests.support.browser import DESKTOP, PHONE
from tests.support.pictures import photo_of_a_phone

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

HEADINGS = "部件编码,部件类型,部件名称,经度,纬度,养护单位,状态"


def test_a_file_is_taken_over_and_its_facilities_are_on_the_map(visit: Visit, tmp_path: Path) -> None:
    rows = [f"2327610103790{number:04d},01037,浏览器灯 {number},124.1262,50.4260,SZ-LD,完好" for number in range(20)]
    path = tmp_path / "lamps.csv"
    path.write_text("\n".join([HEADINGS, *rows, "12,01037,坏的,124.1262,50.4260,SZ-LD,完好"]), encoding="gb18030")
    admin = visit("admin", **DESKTOP)
    page = admin.open("/admin/facilities/import")
    page.set_input_files("#file", str(path))
    page.click("main form button[type=submit]")
    # Nothing is reloaded by hand: the page tells by itself when it has been looked through, and then taken over.
    page.wait_for_selector("#import-state .count-refused")
    assert page.locator("#column-code").input_value() == "部件编码"
    assert "“12”不是 16 位或 17 位数字" in page.inner_text(".problem-list")
    # The next page has an address of the same kind.
    admin.leads_on(lambda: page.click("button[value=import]"))
    page.wait_for_selector("#import-state a.btn-primary")
    assert page.inner_text(".count-created dd") == "20"
    with page.expect_download() as download:
        page.click("#import-state a[download]")
    assert "坏的" in Path(download.value.path()).read_text(encoding="utf-8-sig")

    page = admin.open("/admin/facilities?view=map&q=浏览器灯")
    admin.until("document.querySelector('[data-register]').dataset.drawn === '20'")
    assert "地图上有 20 个" in page.inner_text("[data-register-count]")
    page = admin.open("/admin/facilities?view=map")
    page.wait_for_selector(".register-heap")
    page.locator(".register-heap").first.click()
    admin.until("document.querySelector('[data-register]').dataset.drawn < 2150")


def test_a_pin_that_is_moved_moves_the_facility(visit: Visit) -> None:
    admin = visit("admin", **DESKTOP)
    page = admin.open("/admin/facilities?q=供水井盖200-0001")
    page.click("a.work-link")
    page.click(".record-acts a.btn-primary")
    page.wait_for_selector(".dm-crosshair")
    # The map has written its place down, as exactly as it knows it.
    admin.until("document.querySelector('.map-pick').districtMap.model !== null")
    admin.settled()
    before = page.input_value("#latitude")
    page.locator(".map-pick").focus()
    page.keyboard.press("ArrowUp")
    admin.until(f"document.querySelector('#latitude').value !== '{before}'")
    page.click(".record-do button")
    page.wait_for_selector("[data-toast]")
    assert "纬度" in page.inner_text(".change-list")


def test_a_crew_looks_at_a_cover_on_its_plan(visit: Visit) -> None:
    crew = visit("ps", **PHONE)
    page = crew.open("/admin/care/due")
    page.locator("a.work-link").first.click()
    page.locator("details.staff-act summary").first.click()
    page.locator("form[data-where] input[value=faulty]").check()
    page.click("form[data-where] button[type=submit]")
    # Asked for before anything is sent: a page that came back would have lost the pictures.
    assert page.evaluate("document.querySelector('input[name=problem]').validity.valueMissing")
    page.locator("form[data-where] input[name=problem]").first.check(force=True)
    page.click("form[data-where] button[type=submit]")
    page.wait_for_selector(".notice.good")
    assert "/admin/reports/BH" in page.content()


def test_what_is_refused_or_not_sent_keeps_its_pictures(visit: Visit, tmp_path: Path) -> None:
    crew = visit("ps", **PHONE)
    page = crew.open("/admin/care/due")
    page.locator("a.work-link").nth(1).click()
    page.locator("details.staff-act summary", has_text="已修好").click()
    form = page.locator("form[action$='/log']")
    picture = tmp_path / "after.jpg"
    picture.write_bytes(photo_of_a_phone())
    form.locator("input[name=after]").set_input_files(picture)
    page.wait_for_selector("#after-list img")
    # A blank passes the browser's own check, and not the server's.
    form.locator("[name=note]").fill("  ")
    form.locator("[type=submit]").click()
    alert = form.locator("[data-said]")
    alert.wait_for()
    assert alert.inner_text().strip()
    form.locator("[name=note]").fill("换了井盖")
    page.context.set_offline(True)
    form.locator("[type=submit]").click()
    crew.until("document.querySelector('form[action$=\"/log\"] [data-said]').textContent.includes('网络')")
    page.context.set_offline(False)
    assert page.locator("#after-list img").count() == 1
    form.locator("[type=submit]").click()
    page.wait_for_url("**done=*")
    assert "换了井盖" in page.inner_text(".story")
    assert page.locator(".story .staff-photos img").count() == 1
    # The server's refusal and the missing network are in the browser's log, as they should be.
    assert len(crew.troubles) == 2
    crew.troubles.clear()
