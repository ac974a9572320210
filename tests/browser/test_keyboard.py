"""The main journeys with nothing but a keyboard: Tab and Shift, Enter, Space, arrows, letters, Escape."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import Visit
from tests.support.browser import DESKTOP, Watched
from tests.support.filled import Residents
from tests.support.pictures import jpeg

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

# Whether the focus can be seen: on the thing itself, on what lies over it, or on the line it is drawn in.
IS_SEEN = """() => {
  const drawn = (style) => (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== 'none';
  for (let one = document.activeElement; one && one !== document.body; one = one.parentElement) {
    if ([null, '::before', '::after'].some((part) => drawn(getComputedStyle(one, part)))) return true;
  }
  return false;
}"""  # noqa: E501
MOST_STEPS = 160


def reach(page: Page, selector: str, *, back: bool = False) -> None:
    """Press Tab until the focus is on what the selector names; it must be seen there."""
    for _ in range(MOST_STEPS):
        page.keyboard.press("Shift+Tab" if back else "Tab")
        if page.evaluate("which => document.activeElement.matches(which)", selector):
            assert page.evaluate(IS_SEEN), f"nobody sees the focus on {selector}"
            return
    raise AssertionError(f"no key leads to {selector}")


def log_in(watched: Watched, username: str) -> Page:
    page = watched.open("/admin/login")
    if not page.evaluate("document.activeElement.matches('[name=username]')"):
        reach(page, "[name=username]")
    page.keyboard.type(username)
    reach(page, "[name=password]")
    page.keyboard.type("bihuan-demo")
    # The keys are there when the scripts are.
    watched.leads_on(lambda: page.keyboard.press("Enter"))
    page.wait_for_selector(".tabs")
    return page


def look_up(page: Page, number: str) -> None:
    page.keyboard.press("/")
    page.keyboard.type(number)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/admin/reports/{number}")


def open_sheet(page: Page, action: str) -> None:
    reach(page, f"[data-sheet={action}]")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"#sheet[open] form[data-action={action}]")


def enter(page: Page) -> None:
    """Press Enter on what leads on; told that it was done, and not by the toast of what was done before."""
    with page.expect_navigation(wait_until="load"):
        page.keyboard.press("Enter")
    page.wait_for_selector("[data-toast]")


def send(page: Page) -> None:
    reach(page, "#sheet button[type=submit]")
    enter(page)


def choose(page: Page, selector: str, words: str) -> None:
    """With the focus on a list that unfolds: arrows until it shows these words."""
    page.keyboard.press("Home")
    shown = ""
    for _ in range(MOST_STEPS):
        shown = page.eval_on_selector(selector, "one => one.selectedOptions[0].textContent.trim()")
        if shown == words:
            return
        page.keyboard.press("ArrowDown")
    raise AssertionError(f"{selector} never shows {words}, last {shown}")


def test_a_report_goes_its_way_without_a_mouse(visit: Visit, address: str) -> None:
    residents = Residents(address)
    number = residents.file("这里不对劲，请来人看看键盘走的这一件")
    residents.settled(number)

    page = log_in(visit(**DESKTOP), "shift1")
    # The first key leads past the doors.
    page.goto(f"{address}/admin/?tab=dispatch&order=newest")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip-link"
    page.keyboard.press("Enter")
    reach(page, f".work-link[href$='{number}']")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/admin/reports/{number}")

    # Escape closes what was opened, and the focus is where it was.
    open_sheet(page, "assign")
    page.keyboard.press("Escape")
    page.wait_for_selector("#sheet:not([open])", state="attached")
    assert page.evaluate("document.activeElement.dataset.sheet") == "assign"
    page.keyboard.press("Enter")
    page.wait_for_selector("#sheet[open]")
    if not page.evaluate("document.activeElement.matches('[data-picker-find]')"):
        reach(page, "[data-picker-find]", back=True)
    page.keyboard.type("sz-ld")
    page.keyboard.press("Enter")
    send(page)
    assert residents.read(number)["unit"]["code"] == "SZ-LD"

    page = log_in(visit(**DESKTOP), "sz-ld")
    look_up(page, number)
    reach(page, "form[action$='/do/accept'] button")
    enter(page)
    open_sheet(page, "resolve")
    # The window for choosing a file is the system's; the way to it is ours.
    reach(page, "#sheet input[type=file]", back=True)
    page.set_input_files("#sheet input[type=file]", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": jpeg()})
    page.wait_for_selector("#sheet .photo-item")
    reach(page, "#f-note")
    page.keyboard.type("换好了")
    send(page)
    assert residents.read(number)["status"] == "resolved"

    page = log_in(visit(**DESKTOP), "verifier1")
    look_up(page, number)
    open_sheet(page, "verify")
    send(page)
    assert residents.read(number)["status"] == "closed"


def test_many_reports_are_assigned_without_a_mouse(visit: Visit, address: str) -> None:
    residents = Residents(address)
    numbers = [residents.file(f"{word}，请来人看看键盘") for word in ("又堵了", "又坏了")]
    for number in numbers:
        residents.settled(number)
    page = log_in(visit(**DESKTOP), "desk")
    page.goto(f"{address}/admin/?tab=dispatch&order=newest")
    # The newest stands first.
    for number in reversed(numbers):
        reach(page, f"input.pick[value='{number}']")
        page.keyboard.press("Space")
    reach(page, "#bulk [name=do]")
    choose(page, "#bulk [name=do]", "批量派遣")
    reach(page, "#bulk button[type=submit]")
    page.keyboard.press("Enter")
    page.wait_for_selector(".bulk-rows")
    reach(page, ".bulk-form [name=unit]")
    choose(page, ".bulk-form [name=unit]", "市政中心路灯班组")
    reach(page, ".bulk-do button[type=submit]")
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/bulk/*")
    assert {residents.read(number)["unit"]["code"] for number in numbers} == {"SZ-LD"}


def test_menus_filters_and_help_open_and_close_by_keys(visit: Visit, address: str) -> None:
    page = log_in(visit(**DESKTOP), "desk")
    page.keyboard.press("?")
    page.wait_for_selector("#keys[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("#keys:not([open])", state="attached")
    page.goto(f"{address}/admin/?tab=all")
    reach(page, "[data-door-group=district] > summary")
    page.keyboard.press("Enter")
    reach(page, "[data-door-group=district] .door[href$='/district']")
    page.goto(f"{address}/admin/?tab=all")
    # As it was left.
    page.wait_for_selector(".side [data-door-group=district][open]")
    reach(page, "#filters > summary")
    page.keyboard.press("Enter")
    reach(page, "#filters select")
    page.keyboard.press("Escape")
    page.wait_for_selector("#filters:not([open])")
    assert page.evaluate("document.activeElement.matches('#filters > summary')")
