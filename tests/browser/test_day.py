"""A whole day at the panel: thirty mixed reports, three parts at once; and one with telephones only."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.browser.conftest import Visit
from tests.journeys.test_report import handler_of
from tests.support.browser import DESKTOP, PHONE, Watched
from tests.support.pictures import jpeg
from tests.support.running import Bihuan, eventually

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

# What comes in, and a category where whoever files it chose one. Words alone, without a place, wait for people.
LAMPS = [
    f"路灯不亮了，{place}晚上黑得看不见路" for place in ("南门", "北门", "东口", "西口", "桥头", "站前", "巷里", "坡上")
]
KINDS = [
    ("污水井盖丢了，敞着口", "01002"), ("雨水井盖一压就响", "01003"), ("自来水井盖缺了一角", "01001"),
    ("污水井盖歪了，露着缝", "01002"), ("雨水井盖塌下去半边", "01003"), ("自来水井盖裂成两半", "01001"),
    ("路灯灯罩掉了一半", "01037"), ("路灯白天也亮着", "01037"), ("路灯一闪一闪", "01037"), ("路灯杆歪了", "01037"),
]  # fmt: skip
VAGUE = [f"{what}，你们来看看" for what in ("这里不对劲", "又那样了", "没人管", "还是老问题", "真不方便", "一直这样",
                                           "有点危险", "坏了", "太乱了", "影响走路", "堵上了", "出事了")]  # fmt: skip


class Day:
    """The district's database and its residents' door."""

    def __init__(self, bihuan: Bihuan, address: str) -> None:
        self.path = bihuan.var_dir / "bihuan.db"
        self.address = address
        self.keys: dict[str, str] = {}

    def ask(self, question: str, *values: Any) -> list[Any]:
        with closing(sqlite3.connect(self.path, timeout=60)) as connection, connection:
            return connection.execute(question, values).fetchall()

    def file(
        self, description: str, index: int, category: str = "", *, has_place: bool = True, longitude: float = 124.1262
    ) -> str:
        body: dict[str, Any] = {"description": description, "contact": "13800138000"}
        if has_place:
            # Farther apart than one incident reaches.
            body |= {"latitude": 50.3900 + index * 0.0040, "longitude": longitude}
        if category:
            body["category"] = category
        answer = requests.post(f"{self.address}/api/v1/reports", json=body, timeout=60)
        assert answer.status_code == 201, answer.text
        number: str = answer.json()["number"]
        self.keys[number] = answer.json()["key"]
        return number

    def status(self, number: str) -> str:
        return str(self.ask("select status from report where number = ?", number)[0][0])

    def unit(self, number: str) -> str:
        found = self.ask("select code from unit join report on unit.id = unit_id where number = ?", number)
        return str(found[0][0]) if found else ""

    def steps(self, number: str) -> list[str]:
        return [row[0] for row in self.ask(
            "select kind from report_event join report on report.id = report_id where number = ? order by "
            "report_event.id", number)]  # fmt: skip


def _form(watched: Watched, number: str, action: str) -> Page:
    page = watched.open(f"/admin/reports/{number}/do/{action}")
    page.wait_for_selector(f"form[data-action={action}]")
    return page


def _send(page: Page) -> None:
    """By keyboard, as every form can be sent."""
    with page.expect_navigation(wait_until="load"):
        page.locator("form.sheet-form textarea").first.press("Control+Enter")
    page.wait_for_selector("[data-toast]")


def _choose_unit(page: Page, code: str) -> None:
    page.focus("[data-picker-find]")
    page.keyboard.type(code.lower())
    page.keyboard.press("Enter")


def _accept(watched: Watched, number: str) -> None:
    page = watched.open(f"/admin/reports/{number}")
    page.locator("form[action$='/do/accept'] button:visible").first.tap()
    page.wait_for_selector("[data-toast]")


def _resolve(watched: Watched, number: str, note: str) -> None:
    page = _form(watched, number, "resolve")
    page.set_input_files("#sheet input[type=file]", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": jpeg()})
    watched.until("document.querySelectorAll('#sheet .photo-item').length === 1")
    page.fill("#f-note", note)
    _send(page)


def test_a_whole_day(visit: Visit, bihuan: Bihuan, address: str) -> None:
    day = Day(bihuan, address)
    lamps = [day.file(words, index, "01037") for index, words in enumerate(LAMPS)]
    kinds = [day.file(words, 10 + index, category) for index, (words, category) in enumerate(KINDS)]
    vague = [day.file(words, 0, has_place=False) for words in VAGUE]
    everything = [*lamps, *kinds, *vague]
    assert len(everything) == 30
    eventually(lambda: all(day.status(number) != "submitted" for number in everything), "all are routed")
    assert {day.status(number) for number in vague} == {"triage"}
    assert {day.status(number) for number in lamps} == {"assigned"}

    lead, desk = visit("shift1", **DESKTOP), visit("desk", **DESKTOP)
    # One by keyboard, from its place in the list.
    page = lead.open(f"/admin/?tab=dispatch&q={VAGUE[0]}")
    page.keyboard.press("j")
    page.keyboard.press("a")
    page.wait_for_selector("form[data-action=assign]")
    assert vague[0] in page.url
    _choose_unit(page, "SZ-LD")
    _send(page)
    assert day.unit(vague[0]) == "SZ-LD"
    # Six at once; three are nobody's to mend.
    _bulk(desk, vague[1:7], "assign", unit=str(day.ask("select id from unit where code = 'HW'")[0][0]))
    assert {day.unit(number) for number in vague[1:7]} == {"HW"}
    _bulk(lead, vague[7:10], "reject", reason="没有说清是什么事")
    assert {day.status(number) for number in vague[7:10]} == {"rejected"}
    # Two speak of one thing.
    page = lead.open(f"/admin/reports/{vague[10]}")
    page.locator("details.at-together summary").press("Enter")
    page.fill(".together-form [name=into]", vague[11])
    page.press(".together-form [name=into]", "Enter")
    page.wait_for_selector("[data-toast]")
    assert day.status(vague[10]) == "merged"

    # What is left is asked about, and the resident answers.
    page = _form(desk, vague[11], "ask")
    page.fill("#f-text", "请问具体在什么位置？")
    _send(page)
    asked = requests.get(f"{address}/api/v1/reports/{vague[11]}", params={"key": day.keys[vague[11]]}, timeout=60)
    assert asked.json()["question"]["text"] == "请问具体在什么位置？"
    answer = requests.post(f"{address}/api/v1/reports/{vague[11]}/answer", params={"key": day.keys[vague[11]]},
                           json={"text": "在南门公交站旁边"}, timeout=60)  # fmt: skip
    assert answer.ok, answer.text
    assert "在南门公交站旁边" in desk.open(f"/admin/reports/{vague[11]}").inner_text("#main")

    # A unit in the street: not ours, says one; more time, says the next.
    unit = visit(handler_of("HW"), **PHONE)
    page = _form(unit, vague[1], "hand_back")
    page.locator("[name=reason_code][value=not_our_duty]").check()
    page.fill("#f-reason", "这是路灯所的")
    _send(page)
    _accept(unit, vague[2])
    page = _form(unit, vague[2], "ask_extension")
    page.fill("#f-reason", "配件明天才到")
    page.fill("#f-more", "2")
    _send(page)
    # The desk rules on both.
    page = _form(desk, vague[1], "uphold_hand_back")
    _choose_unit(page, "SZ-LD")
    _send(page)
    assert (day.unit(vague[1]), day.status(vague[1])) == ("SZ-LD", "assigned")
    due = "select handling_due_at from report where number = ?"
    before = day.ask(due, vague[2])[0][0]
    _send(_form(desk, vague[2], "grant_extension"))
    assert day.ask(due, vague[2])[0][0] > before

    # Mended, not believed, mended again, believed.
    _accept(unit, vague[3])
    _resolve(unit, vague[3], "清理过了")
    verifier = visit("verifier1", **PHONE)
    page = _form(verifier, vague[3], "refuse_verification")
    page.fill("#f-note", "还有一半没清")
    _send(page)
    assert day.status(vague[3]) == "in_progress"
    _resolve(unit, vague[3], "全部清完了")
    _send(_form(verifier, vague[3], "verify"))
    assert day.status(vague[3]) == "closed"
    seen = [step for step in day.steps(vague[3]) if step in ("resolved", "verification_refused", "verified")]
    assert seen == ["resolved", "verification_refused", "resolved", "verified"]

    _escalates(day, vague[4], lead)
    _agrees(day, everything, lead)


def _bulk(watched: Watched, numbers: list[str], action: str, **fields: str) -> None:
    """From the list: tick each by keyboard, look at what would happen, do it."""
    page = watched.open("/admin/?tab=dispatch&order=newest")
    for number in numbers:
        page.locator(f"input.pick[value='{number}']").press("Space")
    page.select_option("#bulk [name=do]", action)
    page.locator("#bulk button[type=submit]").press("Enter")
    page.wait_for_selector(".bulk-rows")
    assert page.locator("[name=row]:checked").count() == len(numbers)
    for name, value in fields.items():
        field = page.locator(f".bulk-form [name={name}]")
        if field.evaluate("one => one.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)
    page.locator(".bulk-do button[type=submit]").press("Enter")
    page.wait_for_url("**/admin/bulk/*")


def _escalates(day: Day, number: str, lead: Watched) -> None:
    """Its time has passed long ago: the scheduler finds it, the history and the list say so."""
    long_ago = f"{datetime.now(UTC) - timedelta(days=60):%Y-%m-%d %H:%M:%S.%f}"
    day.ask("update report set alarm_at = ?, handling_due_at = ?, submitted_at = ? where number = ?",
            long_ago, long_ago, long_ago, number)  # fmt: skip
    noted = "select overdue_noted_at from report where number = ?"
    eventually(lambda: bool(day.ask(noted, number)[0][0]), "it is noted as overdue")
    assert "reminded" in day.steps(number)
    # Past every step: those above the unit are told.
    told = day.ask(
        "select distinct username from staff_notice as notice join staff on staff.id = staff_id "
        "join report on report.id = report_id where report.number = ? and notice.kind = 'supervision'",
        number,
    )
    assert {name for (name,) in told} == {"inspector1", "inspector2"}
    page = lead.open("/admin/?tab=overdue")
    assert page.locator(f".work-link[href$='{number}']").count() == 1


def _agrees(day: Day, everything: list[str], lead: Watched) -> None:
    """Every report is where it should be, and the panel counts what the database holds."""
    at = Counter(day.status(number) for number in everything)
    assert (at["closed"], at["rejected"], at["merged"], at["in_progress"], at["triage"]) == (1, 3, 1, 1, 1)
    assert at["assigned"] == 30 - 7
    open_ones = ["submitted", "triage", "assigned", "in_progress", "resolved", "suspended"]
    marks = ",".join("?" * len(open_ones))
    lead.open("/admin/?tab=open")
    for tab, condition, values in (
        ("open", f"status in ({marks})", open_ones),
        ("verify", "status = 'resolved'", []),
        ("hand_backs", "hand_back_pending", []),
        ("extensions", "extension_pending", []),
        ("waiting", "waiting_for_resident", []),
    ):
        shown = int(lead.page.inner_text(f".tab-{tab} .tab-count"))
        held = day.ask(f"select count(*) from report where {condition}", *values)[0][0]
        assert shown == held, tab


# ---------------------------------------------------------------- the same with thumbs


def _tap(page: Page, action: str) -> None:
    """The action from the bar under the report, or from what it has more of."""
    button = page.locator(f".bar [data-sheet={action}], .bar form[action$='/do/{action}'] button")
    if not button.locator("visible=true").count():
        page.locator(".bar-more > summary").tap()
    button.locator("visible=true").first.tap()
    if action != "accept":
        page.wait_for_selector(f"#sheet[open] form[data-action={action}]")


def _tap_send(page: Page) -> None:
    with page.expect_navigation(wait_until="load"):
        page.locator("#sheet button[type=submit]").tap()
    page.wait_for_selector("[data-toast]")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 1


def _tap_unit(page: Page, words: str, code: str) -> None:
    page.fill("#sheet [data-picker-find]", words)
    page.locator(f"#sheet .picker-item[data-find$='{code.lower()}']").tap()


def test_a_day_with_telephones_only(visit: Visit, bihuan: Bihuan, address: str) -> None:
    """Ten reports; everybody at 390 x 844, and everything tapped."""
    day = Day(bihuan, address)
    lamps = [day.file(words.replace("晚上", "夜里"), 3 + index, "01037", longitude=124.1350)
             for index, words in enumerate(LAMPS[:2])]  # fmt: skip
    vague = [day.file(f"{words}（手机）", 0, has_place=False) for words in VAGUE[:8]]
    eventually(lambda: all(day.status(number) != "submitted" for number in [*lamps, *vague]), "all are routed")
    assert {day.status(number) for number in vague} == {"triage"}
    lead, unit, verifier = (visit(who, **PHONE) for who in ("shift1", handler_of("HW"), "verifier1"))

    # Triage, from the list: four are given to a unit, one is nobody's, two are one thing, one is asked about.
    page = lead.open("/admin/?tab=dispatch&order=newest")
    page.locator(f".work-link[href$='{vague[0]}']").tap()
    page.wait_for_url(f"**/{vague[0]}")
    for number in vague[:4]:
        lead.open(f"/admin/reports/{number}")
        _tap(page, "assign")
        _tap_unit(page, "环境卫生", "HW")
        _tap_send(page)
        assert day.unit(number) == "HW"
    lead.open(f"/admin/reports/{vague[4]}")
    _tap(page, "reject")
    page.locator("#sheet [name=reason_code]").first.check()
    _tap_send(page)
    lead.open(f"/admin/reports/{vague[5]}")
    page.locator("details.at-together summary").tap()
    page.fill(".together-form [name=into]", vague[6])
    page.locator(".together-form button").tap()
    page.wait_for_selector("[data-toast]")
    lead.open(f"/admin/reports/{vague[7]}")
    _tap(page, "ask")
    page.locator("#sheet .phrase").first.tap()
    # A touch becomes a click in its own time.
    lead.until("document.querySelector('#f-text').value !== ''")
    _tap_send(page)
    assert [day.status(number) for number in vague[4:8]] == ["rejected", "merged", "triage", "triage"]
    answer = requests.post(f"{address}/api/v1/reports/{vague[7]}/answer", params={"key": day.keys[vague[7]]},
                           json={"text": "在南门公交站旁边"}, timeout=60)  # fmt: skip
    assert answer.ok, answer.text
    assert "在南门公交站旁边" in lead.open(f"/admin/reports/{vague[7]}").inner_text("#main")

    # The unit: one back, one that takes longer, one mended.
    street = unit.open(f"/admin/reports/{vague[0]}")
    _tap(street, "hand_back")
    street.locator("#sheet [name=reason_code]").first.check()
    street.fill("#f-reason", "不是我们的")
    _tap_send(street)
    for number in vague[1:3]:
        unit.open(f"/admin/reports/{number}")
        _tap(street, "accept")
        street.wait_for_selector("[data-toast]")
    unit.open(f"/admin/reports/{vague[1]}")
    _tap(street, "ask_extension")
    street.locator("#sheet .phrase").first.tap()
    unit.until("document.querySelector('#sheet textarea').value !== ''")
    street.fill("#f-more", "2")
    _tap_send(street)
    _mend(unit, vague[2], "清理过了")

    # Two rulings by one, a check by the other, at the same time.
    lead.open(f"/admin/reports/{vague[0]}")
    _tap(page, "uphold_hand_back")
    _tap_unit(page, "路灯", "SZ-LD")
    _tap_send(page)
    looks = verifier.open(f"/admin/reports/{vague[2]}")
    _tap(looks, "refuse_verification")
    looks.fill("#f-note", "还有一半没清")
    _tap_send(looks)
    due = "select handling_due_at from report where number = ?"
    before = day.ask(due, vague[1])[0][0]
    lead.open(f"/admin/reports/{vague[1]}")
    _tap(page, "grant_extension")
    _tap_send(page)
    assert day.ask(due, vague[1])[0][0] > before
    assert (day.unit(vague[0]), day.status(vague[0])) == ("SZ-LD", "assigned")
    _mend(unit, vague[2], "全部清完了")
    verifier.open(f"/admin/reports/{vague[2]}")
    _tap(looks, "verify")
    _tap_send(looks)
    assert day.status(vague[2]) == "closed"
    seen = [step for step in day.steps(vague[2]) if step in ("resolved", "verification_refused", "verified")]
    assert seen == ["resolved", "verification_refused", "resolved", "verified"]
    _escalates(day, vague[3], lead)


def _mend(watched: Watched, number: str, note: str) -> None:
    page = watched.open(f"/admin/reports/{number}")
    _tap(page, "resolve")
    page.set_input_files("#sheet input[type=file]", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": jpeg()})
    watched.until("document.querySelectorAll('#sheet .photo-item').length === 1")
    page.fill("#f-note", note)
    _tap_send(page)
