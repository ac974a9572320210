"""Inside WeChat and beside it: consent to notices, what never arrived, questions that ended, who is blocked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from sqlalchemy import select, update

from citizen import identity
from citizen.openapi import description
from district import clock, settings
from district.extensions import db
from district.messages import t
from district.notifications import service as notifications
from district.notifications.models import Delivery, Notification
from district.people.models import Resident
from district.reports import questions
from district.reports import service as reports
from district.reports.guards import KEY_HOLDER
from district.reports.models import Report
from district.reports.states import Status
from district.work import unit_of_work
from tests.citizen.schema import complaints
from tests.citizen.test_api import picture
from tests.citizen.test_pages import FORM, text_of
from tests.conftest import both_databases
from tests.factories import SmallDistrict, forget_reference, give_window, make_report

WECHAT = "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 MicroMessenger/8.0.50 Language/zh_CN"
SDK = "https://res.wx.qq.com/open/js/jweixin-1.6.0.js"


@pytest.fixture
def known(app: Flask, district: SmallDistrict, client: FlaskClient) -> FlaskClient:
    """The browser of the district's resident."""
    resident = db.session.get_one(Resident, district.resident.id)
    with app.test_request_context():
        response = app.make_response("")
        identity.log_in(response, resident)
    value = response.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
    client.set_cookie(identity.COOKIE, value)
    g.pop("resident_id", None)
    return client


def undelivered(report: Report, kind: str = "assigned") -> int:
    """A message that no channel could bring."""
    with unit_of_work():
        notifications.tell(reports.lock(report.id), kind, unit="路灯班组", due="11-24 17:30", question="哪一盏？")
        db.session.flush()
        db.session.execute(update(Notification).values(delivery=Delivery.NOT_POSSIBLE, next_try_at=None))
        db.session.execute(update(Resident).where(Resident.id == report.resident_id).values(has_unheard=True))
    return db.session.scalars(select(Notification.id).order_by(Notification.id.desc())).first() or 0


def row(notification_id: int) -> Notification:
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(Notification, notification_id)


# What never arrived


@both_databases
def test_what_never_arrived_is_on_the_list_once_and_not_said_again(known: FlaskClient, district: SmallDistrict) -> None:
    report = make_report(district, Status.ASSIGNED)
    missed = undelivered(report)
    page = text_of(known.get("/mine"))
    assert t("notices.missed.title") in page
    assert "路灯班组" in page
    found = row(missed)
    assert found.read_at is not None
    assert not db.session.get_one(Resident, found.resident_id).has_unheard
    assert t("notices.missed.title") not in text_of(known.get("/mine"))


def test_only_whoever_may_read_the_report_has_read_of_it(client: FlaskClient, district: SmallDistrict) -> None:
    report = make_report(district, Status.ASSIGNED)
    missed, number, key = undelivered(report), report.number, report.access_key
    client.get(f"/r/{number}")
    client.get("/mine")
    assert row(missed).read_at is None
    client.get(f"/r/{number}?key={key}")
    assert row(missed).read_at is not None


# Questions that end


def asked(district: SmallDistrict, report: Report, text: str = "哪一盏？") -> None:
    with unit_of_work():
        questions.ask(reports.lock(report.id), by=db.session.merge(district.staff["dispatcher"]), text=text)


def answer(district: SmallDistrict, report: Report) -> None:
    with unit_of_work():
        questions.answer(reports.lock(report.id), by=KEY_HOLDER, text="第二盏")


def withdraw(district: SmallDistrict, report: Report) -> None:
    with unit_of_work():
        questions.withdraw_question(reports.lock(report.id), by=db.session.merge(district.staff["dispatcher"]))


def expire(district: SmallDistrict, report: Report) -> None:
    with clock.frozen_at(clock.now() + timedelta(days=30)), unit_of_work():
        assert questions.give_up_old() == 1


@both_databases
@pytest.mark.parametrize("end", [answer, withdraw, expire])
def test_a_question_that_has_ended_is_no_longer_sent(
    app: Flask, district: SmallDistrict, end: Callable[[SmallDistrict, Report], None]
) -> None:
    report = make_report(district, Status.ASSIGNED)
    with unit_of_work():
        db.session.execute(update(Notification).values(delivery=Delivery.NOT_POSSIBLE, next_try_at=None))
        give_window(db.session.get_one(Resident, report.resident_id))
    asked(district, report)
    end(district, report)
    with unit_of_work():
        assert notifications.claim_due() == []
    told = db.session.scalars(select(Notification).where(Notification.kind == "question")).one()
    assert (told.delivery, told.sent_at, told.last_error) == ("not_possible", None, "question ended")
    asked(district, report, "现在呢？")
    with unit_of_work():
        assert ["现在呢？" in one.text for one in notifications.claim_due()] == [True]


def test_a_question_that_ended_while_a_sender_held_it_is_not_tried_again(app: Flask, district: SmallDistrict) -> None:
    report = make_report(district, Status.ASSIGNED)
    asked(district, report)
    with unit_of_work():
        db.session.execute(update(Report).values(waiting_for_resident=False))
        assert all(one.channel != "custom" or "哪一盏" not in one.text for one in notifications.claim_due())
    told = db.session.scalars(select(Notification).where(Notification.kind == "question")).one()
    assert told.read_at is not None


# An answer through the API


@both_databases
def test_a_question_is_read_and_answered_through_the_api(client: FlaskClient, district: SmallDistrict) -> None:
    report = make_report(district, Status.ASSIGNED)
    number, key = report.number, report.access_key
    asked(district, report)
    address = f"/api/v1/reports/{number}"
    told = client.get(f"{address}?key={key}").get_json()
    assert told["question"]["text"] == "哪一盏？"
    assert "answer" in told["actions"]
    assert "question" not in client.get(address).get_json()
    assert client.post(f"{address}/answer", json={"text": "第二盏"}).status_code == 403
    assert client.post(f"{address}/answer?key={key}", json={}).status_code == 422
    document = description("http://district.test")
    assert complaints(told, document["components"]["schemas"]["Report"], document) == []
    done = client.post(f"{address}/answer", json={"text": "第二盏"}, headers={"X-Report-Key": key})
    assert done.status_code == 200
    assert done.get_json()["question"] is None
    assert "answer" not in done.get_json()["actions"]
    assert complaints(done.get_json(), document["components"]["schemas"]["Report"], document) == []
    assert client.post(f"{address}/answer?key={key}", json={"text": "又"}).status_code == 409


def test_a_picture_is_an_answer_too(client: FlaskClient, district: SmallDistrict) -> None:
    report = make_report(district, Status.ASSIGNED)
    number, key = report.number, report.access_key
    asked(district, report)
    sent = client.post(f"/api/v1/reports/{number}/answer?key={key}", data={"photos": (picture(), "a.jpg")})
    assert sent.status_code == 200
    assert len(sent.get_json()["photos"]) == 1


# Blocks


@both_databases
def test_a_block_holds_on_the_pages_but_never_for_an_emergency(known: FlaskClient, district: SmallDistrict) -> None:
    report = make_report(district, Status.ASSIGNED)
    number, key, resident_id = report.number, report.access_key, report.resident_id
    before = db.session.query(Report).count()
    with unit_of_work():
        until = clock.now() + timedelta(days=3)
        db.session.execute(update(Resident).where(Resident.id == resident_id).values(blocked_until=until))
        settings.put("emergency", [{"code": "fire", "phone": "119", "name": {"zh-Hans": "火警"}, "words": ["着火"]}])
        settings.changed("settings")
    forget_reference()
    refused = known.post("/report", data=FORM)
    assert refused.status_code == 403
    assert t("notices.blocked.title") in text_of(refused)
    assert "12345" in text_of(refused)
    assert known.post("/api/v1/reports", json={"description": "路灯不亮"}).status_code == 403
    assert known.post(f"/r/{number}/more", data={"key": key, "text": "还是不亮"}).status_code == 403
    assert db.session.query(Report).count() == before
    assert known.post("/report", data=FORM | {"description": "着火了，有人被困在里面"}).status_code == 303
    assert db.session.query(Report).count() == before + 1
    with clock.frozen_at(until + timedelta(minutes=1)):
        assert known.post("/report", data=FORM).status_code == 303


def test_whoever_is_not_known_is_not_blocked_by_somebody_elses_block(
    client: FlaskClient, district: SmallDistrict
) -> None:
    with unit_of_work():
        db.session.execute(update(Resident).values(blocked_until=clock.now() + timedelta(days=3)))
    assert client.post("/report", data=FORM).status_code == 303


# WeChat's script


def test_wechats_script_is_on_the_form_inside_wechat_only(client: FlaskClient, district: SmallDistrict) -> None:
    outside, inside = client.get("/report"), client.get("/report", headers={"User-Agent": WECHAT})
    assert SDK not in outside.get_data(as_text=True)
    assert "res.wx.qq.com" not in outside.headers["Content-Security-Policy"]
    assert f'<script src="{SDK}" defer>' in inside.get_data(as_text=True)
    assert "script-src 'self' https://res.wx.qq.com;" in inside.headers["Content-Security-Policy"]
    work_chat = client.get("/report", headers={"User-Agent": WECHAT + " wxwork/4.1"})
    assert SDK not in work_chat.get_data(as_text=True)
    other = client.get("/nearby", headers={"User-Agent": WECHAT})
    assert "res.wx.qq.com" not in other.headers["Content-Security-Policy"]


def test_a_district_without_such_notices_says_so(app: Flask, client: FlaskClient, district: SmallDistrict) -> None:
    app.config["WECHAT_SUBSCRIPTIONS"] = {}
    inside = client.get("/notices", headers={"User-Agent": WECHAT})
    assert t("notices.none") in text_of(inside)
    assert SDK not in inside.get_data(as_text=True)


class TestWithNotices:
    """An account that has them."""

    @pytest.fixture
    def env(self, env: dict[str, str]) -> dict[str, str]:
        ids = {"PROGRESS": "Tpro-1", "DONE": "Tdone_2 lasting", "QUESTION": "Tpro-1"}
        return env | {f"WECHAT_SUBSCRIBE_{name}": value for name, value in ids.items()}

    def test_consent_is_asked_inside_wechat_and_explained_outside(
        self, client: FlaskClient, district: SmallDistrict
    ) -> None:
        outside = client.get("/notices")
        assert t("notices.outside") in text_of(outside)
        assert "data-consent" not in outside.get_data(as_text=True)
        inside = client.get("/notices", headers={"User-Agent": WECHAT})
        body = inside.get_data(as_text=True)
        assert 'data-templates="Tpro-1,Tdone_2"' in body
        assert f'data-label="{t("notices.agree")}"' in body
        assert SDK in body
        assert "res.wx.qq.com" in inside.headers["Content-Security-Policy"]
