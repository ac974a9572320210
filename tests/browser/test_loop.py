"""What a newcomer does: a report in the chat window, its way over the panel, and five stars."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from tests.browser.conftest import Visit
from tests.journeys.test_report import handler_of
from tests.support.browser import PHONE, Watched
from tests.support.pictures import jpeg, photo_of_a_phone

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


class Chat:
    """A resident with the chat window open on a telephone."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.page: Page = watched.open("/chat")

    def words(self) -> str:
        said: str = self.page.inner_text("#log")
        return said

    def hears(self, words: str, *, after: int = 0) -> str:
        """Wait until the window shows these words, past the first `after` characters; what is new then."""
        self.watched.until(f"document.getElementById('log').innerText.slice({after}).includes({words!r})", 120)
        return self.words()[after:]

    def says(self, words: str) -> int:
        before = len(self.words())
        self.page.fill("#text", words)
        self.page.click("#send")
        self.hears(words, after=before)
        return before


def test_from_the_first_word_to_five_stars(visit: Visit, tmp_path: Path) -> None:
    chat = Chat(visit(**PHONE))
    chat.page.click("#follow")
    chat.hears("您好")
    chat.says("路灯不亮了，晚上黑得看不见路")
    chat.hears("什么地方")

    # The place: on our own map, which opens in the middle of the district.
    chat.page.click("#plus")
    chat.page.click("#place-tile")
    chat.page.wait_for_selector("#map canvas")
    before = len(chat.words())
    chat.page.click("#place-send")
    filed = chat.hears("编号", after=before)
    number = re.search(r"BH\d{8}-\d{4,}[A-Z]", filed)
    assert number, filed
    picture = tmp_path / "lamp.jpg"
    picture.write_bytes(photo_of_a_phone())
    chat.page.set_input_files("#photo", picture)
    chat.hears("照片加到")
    told = chat.hears("已派给", after=before)
    assert number[0] in told

    # The unit, at the panel.
    unit = requests.get(f"{chat.watched.address}/api/v1/reports/{number[0]}", timeout=60).json()["unit"]
    handler = visit(handler_of(unit["code"]), **PHONE)
    page = handler.open(f"/admin/reports/{number[0]}")
    _press(page, "accept")
    _press(page, "resolve")
    page.fill("[name=note]", "换了灯泡，已经亮了")
    after = tmp_path / "after.jpg"
    after.write_bytes(jpeg(size=(800, 600), colour=(20, 180, 20)))
    page.set_input_files("input[type=file]", after)
    handler.until("document.querySelectorAll('.photo-item').length === 1")
    _send(page)
    chat.hears("换了灯泡")

    # Somebody else verifies.
    page = visit("verifier1").open(f"/admin/reports/{number[0]}")
    _press(page, "verify")
    _send(page)
    chat.hears("核实办结")

    # The resident's page shows it, and they rate.
    link = chat.page.locator(f"#log a[href*='/r/{number[0]}']").last.get_attribute("href")
    assert link
    own = visit(**PHONE)
    assert "换了灯泡" in own.open(link.removeprefix(own.address)).inner_text("body")
    chat.says("5")
    chat.hears("谢谢您的评价")
    assert own.open(link.removeprefix(own.address)).locator(".stars-shown").count() == 1


def test_a_scan_in_the_chat_reports_the_facility(visit: Visit) -> None:
    chat = Chat(visit(**PHONE))
    chat.page.click("[data-scan]")
    chat.page.fill("#scan-search", "路灯")
    before = len(chat.words())
    # What is shown until the answer comes is gone between a finger's going down and up.
    chat.page.locator("#found button", has_text="路灯").first.click()
    chat.hears("回复数字", after=before)
    chat.says("1")
    assert re.search(r"BH\d{8}-\d{4,}[A-Z]", chat.hears("编号", after=before))
    chat.hears("已派给", after=before)


def test_a_late_answer_does_not_take_the_place_of_what_was_looked_for(visit: Visit) -> None:
    chat = Chat(visit(**PHONE))
    held: list[Route] = []
    chat.page.route(re.compile(r"/chat/facilities\?q=$"), lambda route: held.append(route))
    chat.page.click("[data-scan]")
    chat.page.fill("#scan-search", "路灯")
    found = chat.page.locator("#found button")
    chat.page.wait_for_selector("#found button")
    with chat.page.expect_response(re.compile(r"/chat/facilities\?q=$")) as late:
        held[0].continue_()
    late.value.finished()
    chat.watched.settled()
    assert all("路灯" in one for one in found.all_inner_texts())


def _press(page: Page, action: str) -> None:
    """The button of an action; one that needs words opens its form, one that needs none is done."""
    buttons = page.locator(f"[href$='/do/{action}'], form[action$='/do/{action}'] button[type=submit]")
    buttons.locator("visible=true").first.click()
    if action == "accept":
        page.wait_for_selector("[href$='/do/resolve']", state="attached")
    else:
        page.wait_for_selector(f"form[data-action='{action}']")


def _send(page: Page) -> None:
    with page.expect_navigation(wait_until="load"):
        page.locator("form.sheet-form button[type=submit]").click()
    page.wait_for_selector(".toast-line", state="attached")
