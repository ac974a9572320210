"""Staff in WeChat: bound once by a code that is sent to the account, told of new work, let in by the link."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

import pytest
import requests
from flask import Flask
from sqlalchemy import func, select

from district import clock, jobs, settings
from district.categories.models import Urgency
from district.extensions import db
from district.notices import service as notices
from district.people.models import Staff
from district.reports import service as reports
from district.reports.models import Report
from district.reports.states import Status
from district.staff_wechat.models import StaffMessage, StaffWeChat
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person
from tests.bot.conftest import TestPhone, phones_of
from tests.conftest import both_databases, settings_for
from tests.factories import SmallDistrict, forget_reference, make_report
from tests.support.wechat_platform import Remote

WECHAT = "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 MicroMessenger/8.0.50 Language/zh_CN"
Phones = Callable[..., TestPhone]


@pytest.fixture
def env(env: dict[str, str], wechat: Remote) -> dict[str, str]:
    return env | {
        **settings_for(wechat),
        "WECHAT_OAUTH_BASE_URL": wechat.base,
        "WECHAT_TEMPLATE_STAFF": "TS",
        "PUBLIC_BASE_URL": "http://localhost",
    }


@pytest.fixture
def new_phone(app: Flask, wechat: Remote) -> Phones:
    return partial(phones_of(app), platform=wechat.base)


@pytest.fixture
def phone(new_phone: Phones) -> TestPhone:
    return new_phone()


@pytest.fixture
def at_noon(district: SmallDistrict) -> None:
    """Nobody sleeps: quiet hours are for the tests about them."""
    put("notifications", {"quiet_from": "03:00", "quiet_to": "03:00"})


def put(name: str, value: object) -> None:
    with unit_of_work():
        settings.put(name, value)
    forget_reference()


def code_of(person: Person) -> str:
    answer = person.post("/admin/wechat/code")
    found = re.search(r'id="bind-words">绑定 ([0-9A-Z]{4}-[0-9A-Z]{4})<', answer.text)
    assert found, answer.text
    return found[1]


def bind(log_in: LogIn, phone: TestPhone, who: str = "handler") -> None:
    answer = phone.says(f"绑定 {code_of(log_in(who))}")
    assert "绑定好了" in answer.text


def deliver() -> None:
    jobs.gather_for_staff()
    jobs.tell_staff()


def outbox() -> list[tuple[str, str, str | None]]:
    db.session.expire_all()
    rows = db.session.scalars(select(StaffMessage).order_by(StaffMessage.id))
    return [(row.kind, row.delivery, row.channel) for row in rows]


@both_databases
@pytest.mark.usefixtures("at_noon")
def test_new_work_reaches_whoever_has_bound_their_wechat_once(
    district: SmallDistrict, log_in: LogIn, phone: TestPhone, wechat: Remote
) -> None:
    make_report(district, Status.ASSIGNED)
    handler = log_in("handler")
    bind(log_in, phone)
    deliver()
    assert outbox() == [], "what was assigned before they bound it is no news"
    words = "我叫王五，电话13800138000，路灯不亮"
    number = make_report(district, Status.ASSIGNED, address="人民路3号", description=words).number
    for _ in range(3):
        deliver()
    assert outbox() == [("assigned", "sent", "custom")]
    (told,) = wechat.sent(phone.openid)
    words = told["body"]["text"]["content"]
    assert number in words
    assert "人民路3号" in words
    assert f"/admin/reports/{number}" in words
    assert "13800138000" not in words
    assert "已送达微信" in handler.get("/admin/wechat").text


@pytest.mark.usefixtures("at_noon")
def test_reassigned_work_is_new_work_and_what_is_in_hand_is_none(
    district: SmallDistrict, log_in: LogIn, phone: TestPhone
) -> None:
    bind(log_in, phone)
    report = make_report(district, Status.ASSIGNED)
    jobs.gather_for_staff()
    with unit_of_work():
        reports.accept(reports.lock(report.id), by=district.staff["handler"])
    jobs.tell_staff()
    assert outbox() == [("assigned", "not_possible", None)]


@pytest.mark.usefixtures("at_noon")
def test_the_bell_rings_in_wechat_too_unless_it_was_heard(
    district: SmallDistrict, log_in: LogIn, phone: TestPhone, wechat: Remote
) -> None:
    bind(log_in, phone, "unit_manager")
    report = make_report(district, Status.IN_PROGRESS)
    manager = district.staff["unit_manager"].id
    with unit_of_work():
        notices.tell("head", [manager], report_id=report.id)
        notices.tell("overdue", [manager], report_id=report.id)
        heard = notices.listed(manager)[0]
        notices.mark_read(db.session.get_one(Staff, manager), up_to=0, only=heard.id)
    deliver()
    assert outbox() == [("head", "sent", "custom")]
    assert "超时" in wechat.sent(phone.openid)[-1]["body"]["text"]["content"]


@pytest.mark.usefixtures("at_noon")
def test_after_48_hours_a_template_brings_it_and_whoever_left_is_said_not_to_be_reached(
    district: SmallDistrict, log_in: LogIn, phone: TestPhone, wechat: Remote
) -> None:
    bind(log_in, phone)
    handler = log_in("handler")
    with clock.frozen_at(clock.now() + timedelta(hours=49)):
        make_report(district, Status.ASSIGNED)
        make_report(district, Status.ASSIGNED)
        wechat.fault("/cgi-bin/message/template/send", errcode=43004, times=1)
        deliver()
        assert sorted(outbox()) == [("assigned", "failed", "template"), ("assigned", "sent", "template")]
        handler.sit_down(db.session.merge(district.staff["handler"]))
        assert "没送到" in handler.get("/admin/wechat").text


@pytest.mark.usefixtures("at_noon")
def test_a_failing_wechat_is_tried_again_and_never_called_sent(
    district: SmallDistrict, log_in: LogIn, phone: TestPhone, wechat: Remote
) -> None:
    bind(log_in, phone)
    wechat.fault("/cgi-bin/message/custom/send", errcode=-1, times=1)
    make_report(district, Status.ASSIGNED)
    deliver()
    assert outbox() == [("assigned", "queued", "custom")]
    assert "tell_staff" not in jobs.waiting_work()
    with clock.frozen_at(clock.now() + timedelta(seconds=30)):
        assert "tell_staff" in jobs.waiting_work()
        jobs.tell_staff()
        assert outbox() == [("assigned", "sent", "custom")]


def test_at_night_only_danger_and_units_on_duty_are_woken(
    district: SmallDistrict, log_in: LogIn, phone: TestPhone
) -> None:
    bind(log_in, phone)
    put("notifications", {"quiet_from": "00:00", "quiet_to": "23:59"})
    quiet = make_report(district, Status.ASSIGNED).id
    urgent = make_report(district, Status.ASSIGNED).id
    with unit_of_work():
        db.session.get_one(Report, urgent).urgency = Urgency.CRITICAL
    deliver()
    rows = {row.report_id: row.delivery for row in db.session.scalars(select(StaffMessage))}
    assert rows == {quiet: "queued", urgent: "sent"}


# The code


def test_a_code_binds_once_and_the_last_wechat_counts(
    district: SmallDistrict, log_in: LogIn, new_phone: Phones
) -> None:
    first, second = new_phone(), new_phone()
    code = code_of(log_in("handler"))
    assert "不对" in first.says("绑定 ABCD-EFGH").text
    assert "绑定好了" in first.says(f"绑定：{code.lower()}").text
    assert "不对" in second.says(f"绑定{code}").text
    assert "Bound" in second.says(f"bind {code_of(log_in('handler'))}").text
    assert db.session.scalar(select(func.count()).select_from(StaffWeChat)) == 1
    assert db.session.scalars(select(StaffWeChat.openid)).one() == second.openid


def test_a_code_ends_with_its_quarter_of_an_hour_and_with_the_next_one(
    district: SmallDistrict, log_in: LogIn, phone: TestPhone
) -> None:
    old = code_of(log_in("handler"))
    new = code_of(log_in("handler"))
    assert "不对" in phone.says(f"绑定 {old}").text
    with clock.frozen_at(clock.now() + timedelta(minutes=16)):
        assert "不对" in phone.says(f"绑定 {new}").text
    assert db.session.scalar(select(func.count()).select_from(StaffWeChat)) == 0


@pytest.mark.usefixtures("at_noon")
def test_unbound_means_silent(district: SmallDistrict, log_in: LogIn, phone: TestPhone, wechat: Remote) -> None:
    bind(log_in, phone)
    make_report(district, Status.ASSIGNED)
    jobs.gather_for_staff()
    handler = log_in("handler")
    assert handler.post("/admin/wechat/unbind").status_code == 302
    jobs.tell_staff()
    make_report(district, Status.ASSIGNED)
    deliver()
    assert wechat.sent(phone.openid) == []
    assert handler.post("/admin/wechat/unbind").status_code == 404


# The link


class Browser(Person):
    """WeChat's browser, which follows redirects, also those to WeChat's own server."""

    def __init__(self, app: Flask, wechat: Remote, openid: str) -> None:
        super().__init__(app)
        self.wechat = wechat
        wechat.control("login", {"openid": openid})

    def open(self, address: str) -> tuple[str, int, str]:
        """(where it ended, status, words)."""
        for _ in range(9):
            parts = urlsplit(address)
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
            answer = self.get(path, headers={"User-Agent": WECHAT})
            if answer.status_code not in (302, 303):
                return path, answer.status_code, answer.text
            address = answer.headers["Location"]
            if address.startswith(self.wechat.base):
                address = requests.get(address, allow_redirects=False, timeout=30).headers["Location"]
        raise AssertionError("round and round")


def test_the_link_opens_the_report_logged_in(
    app: Flask, district: SmallDistrict, log_in: LogIn, phone: TestPhone, wechat: Remote
) -> None:
    bind(log_in, phone)
    report = make_report(district, Status.ASSIGNED)
    browser = Browser(app, wechat, phone.openid)
    path, status, words = browser.open(f"/admin/reports/{report.number}")
    assert (path, status) == (f"/admin/reports/{report.number}", 200)
    assert report.number in words
    # Whoever leaves stays out.
    browser.post("/admin/logout")
    assert browser.open("/admin/")[0].startswith("/admin/login")


def test_a_stranger_and_somebody_who_left_find_the_usual_login(
    app: Flask, district: SmallDistrict, log_in: LogIn, phone: TestPhone, wechat: Remote
) -> None:
    report = make_report(district, Status.ASSIGNED)
    wanted = f"/admin/reports/{report.number}"
    path, status, _ = Browser(app, wechat, "o-stranger").open(wanted)
    assert (path.split("?")[0], status) == ("/admin/login", 200)
    bind(log_in, phone)
    with unit_of_work():
        db.session.get_one(Staff, district.staff["handler"].id).left_at = clock.now()
    assert Browser(app, wechat, phone.openid).open(wanted)[0].startswith("/admin/login")


def test_a_state_of_somebody_else_logs_nobody_in(
    app: Flask, district: SmallDistrict, log_in: LogIn, phone: TestPhone, wechat: Remote
) -> None:
    bind(log_in, phone)
    browser = Browser(app, wechat, phone.openid)
    away = browser.get("/admin/wechat-login?next=/admin/units", headers={"User-Agent": WECHAT})
    back = requests.get(away.headers["Location"], allow_redirects=False, timeout=30).headers["Location"]
    other = Browser(app, wechat, phone.openid)
    answer = other.get(back.removeprefix("http://localhost"), headers={"User-Agent": WECHAT})
    assert answer.headers["Location"].startswith("/admin/login")
    assert other.get("/admin/units").status_code == 302


def test_the_way_back_leads_nowhere_else(
    app: Flask, district: SmallDistrict, log_in: LogIn, phone: TestPhone, wechat: Remote
) -> None:
    bind(log_in, phone)
    path, status, _ = Browser(app, wechat, phone.openid).open("/admin/wechat-login?next=//evil.example/")
    assert (path, status) == ("/admin/", 200)
