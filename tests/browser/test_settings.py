"""An outline drawn on the map with taps and keys, saved, and taken back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.conftest import Visit
from tests.support.browser import DESKTOP, PHONE, Watched

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

MAP = "document.querySelector('[data-district-map]').districtMap"


def ring(watched: Watched) -> list[list[float]]:
    """The corners in the form's text, the first repeated at the end."""
    text = watched.page.input_value("#geometry")
    outline: dict[str, Any] = json.loads(text)
    corners: list[list[float]] = outline["coordinates"][0]
    return corners


def ready(watched: Watched) -> None:
    watched.until(f"{MAP} && {MAP}.model !== null && document.querySelector('[data-outline]').dataset.ready === ''")


def tap(watched: Watched, x: float, y: float) -> None:
    """Tap the map at these parts of its width and height."""
    box = watched.page.locator(".outline-map").bounding_box()
    assert box is not None
    before = watched.page.input_value("#geometry")
    watched.page.mouse.click(box["x"] + box["width"] * x, box["y"] + box["height"] * y)
    watched.until(f"document.getElementById('geometry').value !== {json.dumps(before)}")


def test_a_street_is_drawn_with_taps_on_a_phone_and_taken_back(visit: Visit) -> None:
    watched = visit("admin", **PHONE)
    page = watched.open("/admin/settings/areas/new")
    page.fill("#name", "新城街道")
    page.fill("#code", "232761990")
    ready(watched)
    page.locator(".outline-map").scroll_into_view_if_needed()
    for x, y in ((0.3, 0.3), (0.7, 0.3), (0.7, 0.6), (0.3, 0.6)):
        tap(watched, x, y)
    page.click("[data-outline-close]")
    watched.until("document.querySelectorAll('.outline-between').length === 4")
    page.locator(".outline-between").first.click()
    watched.until("document.querySelectorAll('.outline-corner').length === 5")
    assert len(ring(watched)) == 6
    page.click("[data-outline-delete]")
    watched.until("document.querySelectorAll('.outline-corner').length === 4")
    page.click("[data-outline-back]")
    watched.until("document.querySelectorAll('.outline-corner').length === 5")
    page.click(".setting-do button[type=submit]")
    # It lies over streets that are there: asked about, and meant.
    page.wait_for_selector("button[name=sure]")
    # The browser itself notes that the form came back with a question.
    assert [trouble for trouble in watched.troubles if "422" not in trouble] == []
    del watched.troubles[:]
    assert page.input_value("#name") == "新城街道"
    drawn = ring(watched)
    page.click("button[name=sure]")
    page.wait_for_selector(".change-line")
    assert ring(watched) == drawn
    assert "5 个角" in page.inner_text("[data-outline-size]")
    page.once("dialog", lambda dialog: dialog.accept())
    page.click(".change-line form button")
    watched.until("document.querySelectorAll('.change-line').length === 2")
    assert "已停用" in page.inner_text("h1")


def test_a_corner_is_moved_by_hand_and_by_keys_at_a_desk(visit: Visit) -> None:
    watched = visit("admin", **DESKTOP)
    page = watched.open("/admin/settings/areas/one/232761001")
    ready(watched)
    watched.until("document.querySelectorAll('.outline-corner').length > 3")
    page.locator(".outline-map").scroll_into_view_if_needed()
    before = ring(watched)
    corner = page.locator(".outline-corner").first
    corner.focus()
    corner.press("ArrowUp")
    watched.until("document.querySelector('.outline-corner.is-chosen') !== null")
    moved = ring(watched)
    assert len(moved) == len(before)
    assert moved[0][1] > before[0][1], "north is up"
    box = page.locator(".outline-corner.is-chosen").bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 30, middle[1], steps=4)
    page.mouse.up()
    watched.until(f"JSON.parse(document.getElementById('geometry').value).coordinates[0][0][0] > {moved[0][0]}")
    page.locator(".outline-corner.is-chosen").press("Delete")
    watched.until(f"JSON.parse(document.getElementById('geometry').value).coordinates[0].length === {len(before) - 1}")
    # Nothing of it is kept.
    page.evaluate("document.getElementById('geometry').value = document.getElementById('geometry').defaultValue")
