"""Two people at two desks with one report open, as the whole of it runs."""

from __future__ import annotations

import pytest
import requests

from tests.browser.conftest import Visit
from tests.support.browser import DESKTOP, PHONE

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def test_two_people_on_one_report_see_each_other_and_what_changed(visit: Visit, address: str) -> None:
    body = {"description": "树倒了压在长椅上", "latitude": 50.4193, "longitude": 124.1179, "contact": "13800138000"}
    number = requests.post(f"{address}/api/v1/reports", json=body, timeout=60).json()["number"]
    first, second = visit("desk", **DESKTOP), visit("shift1", **PHONE)
    first.open(f"/admin/reports/{number}")
    page = second.open(f"/admin/reports/{number}")
    page.wait_for_selector("#here .here-line")
    # A form lies over the page: the other is named there, too.
    page = first.page
    page.click(".case-do [data-sheet=comment], .case-more [data-sheet=comment]")
    page.wait_for_selector("#sheet[open] #here-sheet .here-line")
    page.fill("#f-text", "写了一半")
    second.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    second.until("document.querySelector('#here').textContent.includes('写备注')")
    second.page.goto(f"{address}/admin/reports/{number}/do/comment")
    second.page.fill("#f-text", "我来办")
    second.page.click("#sheet button[type=submit]")
    second.page.wait_for_selector("[data-toast]")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    first.until("document.querySelector('#here-sheet .here-news') !== null")
    assert page.input_value("#f-text") == "写了一半"
    page.fill("#f-text", "")
