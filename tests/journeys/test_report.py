"""A report's whole way through the doors: from a resident's first word to their last."""

from __future__ import annotations

import csv
import re

import pytest
import requests

from tests.journeys.conftest import Filed, System, filed_by, somewhere
from tests.support.desk import forms_of
from tests.support.pictures import photo_of_a_phone
from tests.support.running import ROOT, eventually

pytestmark = [pytest.mark.journey, pytest.mark.timeout(600)]


def handler_of(unit_code: str) -> str:
    """The user name of somebody of this unit who does the work."""
    with (ROOT / "demo" / "staff.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            if row["unit_code"] == unit_code and "handler" in row["roles"].split(";"):
                return row["username"]
    raise AssertionError(f"nobody handles anything at {unit_code}")


def test_from_the_first_word_to_five_stars(system: System) -> None:
    # The resident: words, a place, a photo, all encrypted.
    phone = system.phone()
    assert "隐私" in phone.says("路灯不亮了，晚上黑得看不见路").text
    filed = filed_by(phone.is_at(*somewhere()))
    assert filed.number in phone.shows(system.wechat.add_media(photo_of_a_phone())).text

    # A worker gives it its unit, and the resident hears of it.
    report = system.wait_for(filed, "assigned")
    unit = report["unit"]
    assert unit["name"] in report["reason"]
    assert report["category"]
    assert report["handling_due_at"] > report["dispatch_due_at"]
    assert unit["name"] in system.wait_told(phone, filed.number)

    # The unit: sees it, takes it, mends it, shows it.
    handler = system.desk(handler_of(unit["code"]))
    found = handler.get(f"/admin/?q={filed.number}")
    assert found.status_code == 302, "a number leads to its report"
    assert found.headers["Location"].endswith(filed.number)
    page = handler.page(f"/admin/reports/{filed.number}")
    assert "路灯不亮了" in page
    assert phone.openid not in page
    handler.must(filed.number, "accept")
    assert system.status(filed) == "in_progress"
    handler.must(filed.number, "resolve", note="换了灯泡和镇流器，已经亮了", photo=True)
    assert system.status(filed) == "resolved"
    system.wait_told(phone, "换了灯泡和镇流器")

    # Not the one who did it, nor the colleague: somebody else verifies.
    assert "verify" not in handler.buttons(filed.number)
    assert handler.force(filed.number, "verify") == 403
    assert system.status(filed) == "resolved"
    verifier = system.desk("verifier1")
    assert "verify" in verifier.buttons(filed.number)
    verifier.must(filed.number, "verify", note="去看过，亮了")

    # The resident is told, looks, and rates.
    closed = system.wait_for(filed, "closed")
    system.wait_told(phone, "核实办结")
    own_page = system.browser().page(f"/r/{filed.number}?key={filed.key}")
    assert "换了灯泡和镇流器" in own_page
    photos = own_page.count("/thumb.jpg")
    assert photos == 2, "the resident's photo and the unit's"
    assert "换了灯泡和镇流器" not in system.browser().page(f"/r/{filed.number}")
    assert phone.says("5").text.startswith("谢谢您")
    assert 'role="img"' in system.browser().page(f"/r/{filed.number}?key={filed.key}").replace("'", '"')

    steps = ["submitted", "routed", "photo_added", "accepted", "resolved", "verified", "rated"]
    assert sorted(system.history(filed)[:3]) == sorted(steps[:3]), "photo and routing race each other"
    assert system.history(filed)[3:] == steps[3:]
    assert system.report(filed)["rating"]["stars"] == 5
    assert {photo["purpose"] for photo in closed["photos"]} == {"before", "after"}


def test_not_solved_goes_back_to_the_same_unit_and_is_told(system: System) -> None:
    phone = system.phone()
    phone.says("路灯不亮了，晚上黑得看不见路")
    filed = filed_by(phone.is_at(*somewhere()))
    unit = system.wait_for(filed, "assigned")["unit"]
    handler, verifier = system.desk(handler_of(unit["code"])), system.desk("verifier1")
    handler.must(filed.number, "accept")
    handler.must(filed.number, "resolve", note="看过了，线路正常")
    # The verifier does not believe it: once more.
    verifier.must(filed.number, "refuse_verification", note="还是不亮")
    assert system.status(filed) == "in_progress"
    handler.must(filed.number, "resolve", note="换了灯泡")
    verifier.must(filed.number, "verify")
    first_due = system.wait_for(filed, "closed")["handling_due_at"]
    system.wait_told(phone, "核实办结")

    # Whoever sends it back is answered at once, and not told a second time.
    assert "退回" in phone.says("没解决").text
    again = system.wait_for(filed, "assigned")
    assert again["unit"] == unit
    assert again["handling_due_at"] >= first_due
    assert "reopened" in system.history(filed)

    handler.must(filed.number, "accept")
    handler.must(filed.number, "resolve", note="换了整盏灯")
    verifier.must(filed.number, "verify")
    system.wait_for(filed, "closed")
    assert phone.says("4").text.startswith("谢谢您")


def test_a_unit_that_hands_back_and_a_dispatcher_who_agrees(system: System) -> None:
    phone = system.phone()
    phone.says("路灯不亮了，晚上黑得看不见路")
    filed = filed_by(phone.is_at(*somewhere()))
    unit = system.wait_for(filed, "assigned")["unit"]
    system.desk(handler_of(unit["code"])).must(
        filed.number, "hand_back", reason_code="not_our_duty", reason="这盏灯是小区物业的"
    )
    desk = system.desk("dispatcher1")
    page = desk.page(f"/admin/reports/{filed.number}/do/uphold_hand_back")
    desk.must(filed.number, "uphold_hand_back", unit=_choice(page, "HW"), ruling="先去看看")
    assert system.report(filed)["unit"]["code"] == "HW"
    system.wait_told(phone, system.report(filed)["unit"]["name"])
    assert "先去看看" not in str(system.report(filed))


def _choice(page: str, code: str) -> str:
    """The value that chooses the unit with this code."""
    found = re.search(rf'data-find="[^"]* {code.lower()}".{{0,200}}?value="(\d+)"', page, re.DOTALL)
    assert found, f"{code} cannot be chosen"
    return found[1]


def test_a_report_taken_by_telephone_waits_for_nobody(system: System) -> None:
    desk = system.desk("acceptor1")
    form = next(form for form in forms_of(desk.page("/admin/reports/new")) if form["method"] == "post")
    answer = desk.post(
        "/admin/reports/new",
        form["fields"]
        | {"description": "路灯不亮了", "latitude": "50.4260", "longitude": "124.1262", "contact": "13800138000"},
    )
    assert answer.status_code == 302, answer.text[:500]
    number = answer.headers["Location"].partition("filed=")[2]
    assert number in desk.page(answer.headers["Location"].removeprefix(system.base)), "it can be read out to the caller"
    path = f"/admin/reports/{number}"
    eventually(lambda: "已派遣" in desk.page(path), "it has its unit")
    assert "13800138000" not in desk.page(path), "a number is shown when it is asked for, and that is noted"
    public = requests.get(f"{system.base}/api/v1/reports/{number}", timeout=120).json()
    assert "accept" in system.desk(handler_of(public["unit"]["code"])).buttons(number)


def test_a_report_through_the_api_goes_the_same_way(system: System) -> None:
    answer = requests.post(
        f"{system.base}/api/v1/reports", timeout=120,
        json={"description": "路灯不亮了", "latitude": 50.4260, "longitude": 124.1262, "contact": "13800138000"},
    )  # fmt: skip
    assert answer.status_code == 201
    filed = Filed(answer.json()["number"], answer.json()["key"])
    report = system.wait_for(filed, "assigned")
    assert report["unit"]["code"]
    assert "13800138000" not in str(report)
