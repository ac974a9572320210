"""The frame around every page is drawn once for many: nobody gets another's, and its words are those of now."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask

from admin import kept_parts
from district import messages
from district.messages import CHINESE, ENGLISH
from district.notices import service as notices
from district.reports.states import Status
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person
from tests.factories import SmallDistrict, make_report


@pytest.fixture(autouse=True)
def _words_as_they_are() -> Iterator[None]:
    yield
    messages.use_wording({})


def menu_of(person: Person, path: str = "/admin/account") -> list[str]:
    """The names of the doors beside a page."""
    beside = person.get(path).text.partition('<nav class="doors">')[2].partition("</nav>")[0]
    return re.findall(r"<span>([^<]+)</span>", beside)


def test_everybody_has_their_own_menu_whoever_came_before(log_in: LogIn) -> None:
    lead, handler = log_in("shift_lead"), log_in("handler")
    of_the_lead, of_the_handler = menu_of(lead), menu_of(handler)
    assert "值班与代办" in of_the_lead
    assert "值班与代办" not in of_the_handler
    assert 5 < len(of_the_handler) < len(of_the_lead)
    # And again, from what was kept.
    assert (menu_of(lead), menu_of(handler)) == (of_the_lead, of_the_handler)


def test_the_door_one_stands_in_and_what_is_unread_are_those_of_now(district: SmallDistrict, log_in: LogIn) -> None:
    lead = log_in("shift_lead")
    for path in ("/admin/units", "/admin/calendar", "/admin/units"):
        assert f'<a class="door is-here" href="{path}" aria-current="page">' in lead.get(path).text
    report = make_report(district, Status.ASSIGNED)
    unread = 'class="door-count number" title='
    assert unread not in lead.get("/admin/units").text
    with unit_of_work():
        notices.tell("overdue", [district.staff["shift_lead"].id], report_id=report.id, number=report.number)
    assert unread in lead.get("/admin/units").text
    assert unread not in log_in("dispatcher").get("/admin/units").text


def test_the_frame_speaks_the_language_and_the_words_of_now(log_in: LogIn) -> None:
    lead = log_in("shift_lead")
    assert "责任单位" in menu_of(lead)
    assert "Units" in menu_of(lead, "/admin/account?lang=en")
    assert "责任单位" in menu_of(lead, "/admin/account?lang=zh-Hans")
    messages.use_wording({(CHINESE, "admin.nav.units"): "我们的单位", (ENGLISH, "reportpage.keys.title"): "Quick keys"})
    assert "我们的单位" in menu_of(lead)
    assert ">Quick keys</h2>" in lead.get("/admin/account?lang=en").text


def test_not_more_parts_are_kept_than_there_is_room_for(
    app: Flask, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_parts, "_MOST_KEPT", 3)
    lead = log_in("shift_lead")
    for path in ("/admin/units", "/admin/calendar", "/admin/notices", "/admin/units"):
        assert len(menu_of(lead, path)) > 5
        assert 1 <= len(app.extensions["kept_parts"].parts) <= 3
