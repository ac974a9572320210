"""Channels told apart: which way a step travels, what a consent is worth, what WeChat says later, what is said next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import select, update

from district import clock, jobs, links, settings
from district.categories.models import Urgency
from district.config import NoticeTemplate
from district.extensions import db
from district.notifications import service as notifications
from district.notifications.models import Delivery, EarlyVerdict, Notification, SubscriptionGrant
from district.people import service as people
from district.people.models import Resident
from district.reports import service as reports
from district.reports.models import Report
from district.reports.states import Status
from district.work import unit_of_work
from tests.conftest import both_databases, settings_for
from tests.factories import SmallDistrict, forget_reference, give_window, make_report
from tests.support.wechat_platform import Remote

BIZSEND, TEMPLATE = "/cgi-bin/message/subscribe/bizsend", "/cgi-bin/message/template/send"
CUSTOM = "/cgi-bin/message/custom/send"


@pytest.fixture
def env(env: dict[str, str], wechat: Remote) -> dict[str, str]:
    return env | {
        **settings_for(wechat),
        "WECHAT_TEMPLATE_PROGRESS": "T1",
        "WECHAT_TEMPLATE_QUESTION": "T2 number=character_string5 step=thing9",
        "WECHAT_SUBSCRIBE_PROGRESS": "S1",
    }


@dataclass
class Filed:
    """A report's plain facts: a job ends its session, and rows do not last longer."""

    id: int
    number: str
    access_key: str
    resident_id: int


@pytest.fixture
def report(app: Flask) -> Filed:
    """A report of somebody who may not be written to just now."""
    made = make_report(SmallDistrict())
    assert made.resident_id is not None
    return Filed(made.id, made.number, made.access_key, made.resident_id)


def tell(report: Filed, kind: str = "assigned", **params: Any) -> int:
    given = {"unit": "路灯班组", "due": "11-24 17:30", "note": "换了灯泡", "reason": "等材料", "question": "哪根杆子？"}
    with unit_of_work():
        row = reports.lock(report.id)
        row.waiting_for_resident |= kind == "question"
        notifications.tell(row, kind, **(given | params))
    return db.session.scalars(select(Notification.id).order_by(Notification.id.desc())).first() or 0


def claim() -> list[notifications.Outgoing]:
    with unit_of_work():
        return notifications.claim_due()


def row(notification_id: int) -> Notification:
    db.session.expire_all()
    return db.session.get_one(Notification, notification_id)


def agree(report: Filed, template_id: str = "S1", times: int = 1) -> None:
    for _ in range(times):
        with unit_of_work():
            notifications.consented(report.resident_id, template_id)


def consents(report: Filed) -> dict[str, int]:
    db.session.expire_all()
    query = select(SubscriptionGrant).where(SubscriptionGrant.resident_id == report.resident_id)
    return {one.template_id: one.left_over for one in db.session.scalars(query)}


def open_window(report: Filed, *, tap: bool = False) -> None:
    with unit_of_work():
        people.grant_sending(db.session.get_one(Resident, report.resident_id), tap=tap)


def put_setting(name: str, value: Any) -> None:
    with unit_of_work():
        settings.put(name, value)
    forget_reference()


def openid_of(report: Filed) -> str:
    return db.session.scalars(select(Resident.openid).where(Resident.id == report.resident_id)).one() or ""


# Which way


@both_databases
def test_a_grant_comes_before_a_consent_and_a_consent_before_a_template(report: Filed) -> None:
    open_window(report)
    agree(report, times=2)
    for _ in range(8):
        tell(report)
    assert [one.channel for one in claim()] == ["custom"] * 5 + ["subscription"] * 2 + ["template"]
    assert consents(report) == {"S1": 0}


def test_a_taps_grant_is_used_before_the_messages_and_ends_with_its_minute(report: Filed) -> None:
    open_window(report, tap=True)
    for _ in range(4):
        tell(report)
    assert [(one.channel, one.by_tap) for one in claim()] == [("custom", True)] * 3 + [("template", False)]
    open_window(report, tap=True)
    tell(report)
    with clock.frozen_at(clock.now() + timedelta(seconds=56)):
        assert [one.channel for one in claim()] == ["template"]


def test_a_step_of_little_weight_spends_neither_the_last_grants_nor_a_consent(report: Filed) -> None:
    open_window(report)
    agree(report)
    for _ in range(4):
        tell(report, "accepted")
    assert [one.channel for one in claim()] == ["custom"] * 3 + ["template"]
    for kind in ("extended", "question", "closed"):
        tell(report, kind)
    assert [one.channel for one in claim()] == ["custom", "custom", "subscription"]
    assert consents(report) == {"S1": 0}


def test_a_step_with_a_template_of_its_own_uses_it_with_its_keywords(report: Filed) -> None:
    tell(report, "question")
    tell(report, "closed")
    question, closed = claim()
    assert (question.template_id, set(question.template_data)) == ("T2", {"character_string5", "thing9"})
    assert (closed.template_id, set(closed.template_data)) == ("T1", {"character_string1", "thing2", "time3"})


def test_whoever_does_not_follow_gets_notices_and_no_template(report: Filed) -> None:
    with unit_of_work():
        db.session.execute(update(Resident).values(is_follower=False))
    agree(report)
    tell(report)
    second = tell(report)
    assert [one.channel for one in claim()] == ["subscription"]
    assert row(second).delivery == Delivery.NOT_POSSIBLE


def test_a_lasting_consent_is_not_used_up(app: Flask, report: Filed) -> None:
    app.config["WECHAT_SUBSCRIPTIONS"] = {"progress": "S1 lasting"}
    agree(report)
    for kind in ("assigned", "accepted", "closed"):
        tell(report, kind)
    assert [one.channel for one in claim()] == ["subscription"] * 3
    assert consents(report) == {"S1": 1}


def test_a_notice_of_another_template_is_no_consent_to_this_one(report: Filed) -> None:
    agree(report, "S-other")
    tell(report)
    assert [one.channel for one in claim()] == ["template"]


@pytest.mark.parametrize("text", ["", "a b", "T number=", "T colour=thing1", "T!", "T number=Thing1", "T lasting=1"])
def test_a_template_setting_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        NoticeTemplate.read(text or "!")


# Through the network


def test_a_notice_arrives_and_the_template_takes_over_when_wechat_knows_of_no_consent(
    wechat: Remote, report: Filed
) -> None:
    openid = openid_of(report)
    wechat.control("interaction", {"openid": openid, "kind": "message"})
    wechat.control("consent", {"openid": openid, "template_id": "S1"})
    agree(report, times=2)
    first, second = tell(report), tell(report)
    jobs.deliver_notifications()
    jobs.deliver_notifications()
    # Both go out at once: which of them WeChat takes the one consent for is its own affair.
    told = {row(one).channel: row(one) for one in (first, second)}
    assert {channel: one.delivery for channel, one in told.items()} == {"subscription": "sent", "template": "sent"}
    assert consents(report) == {"S1": 0}
    arrived = {one["path"]: one for one in wechat.sent(openid)}
    assert arrived[BIZSEND]["body"]["template_id"] == "S1"
    assert arrived[TEMPLATE]["body"]["template_id"] == "T1"
    assert told["subscription"].message_id == str(arrived[BIZSEND]["id"])
    assert told["template"].message_id == str(arrived[TEMPLATE]["id"])


def test_who_no_longer_follows_is_told_in_the_page_after_one_try(wechat: Remote, report: Filed) -> None:
    openid = openid_of(report)
    wechat.control("interaction", {"openid": openid, "kind": "message"})
    wechat.control("interaction", {"openid": openid, "kind": "unsubscribe"})
    told = tell(report)
    jobs.deliver_notifications()
    jobs.deliver_notifications()
    assert (row(told).delivery, wechat.calls(TEMPLATE)) == (Delivery.NOT_POSSIBLE, 1)
    tell(report)
    jobs.deliver_notifications()
    assert wechat.calls(TEMPLATE) == 1


def test_without_an_answer_the_grant_counts_as_used(
    wechat: Remote, report: Filed, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    from district.wechat import client

    monkeypatch.setattr(client, "TIMEOUT_S", (3.0, 0.3))
    wechat.control("interaction", {"openid": openid_of(report), "kind": "message"})
    open_window(report)
    tell(report)
    wechat.fault(CUSTOM, delay=1.5)
    jobs.deliver_notifications()
    db.session.expire_all()
    assert db.session.get_one(Resident, report.resident_id).window_left == 4


# What WeChat says later


def failed(report: Filed, message_id: str, reason: str = "failed:user block") -> None:
    openid = openid_of(report)
    with unit_of_work():
        notifications.delivery_failed(openid, message_id, reason)


def sent(notification_id: int, message_id: str) -> None:
    with unit_of_work():
        notifications.sent(notification_id, message_id)


@both_databases
@pytest.mark.parametrize("early", [False, True])
def test_a_delivery_that_comes_to_nothing_is_failed_with_wechats_reason(report: Filed, early: bool) -> None:
    told = tell(report)
    claim()
    acts = [lambda: sent(told, "900"), lambda: failed(report, "900")]
    for act in reversed(acts) if early else acts:
        act()
    found = row(told)
    assert (found.delivery, found.sent_at, found.last_error) == (Delivery.FAILED, None, "failed:user block")
    assert db.session.get_one(Resident, report.resident_id).has_unheard
    assert db.session.scalars(select(EarlyVerdict)).all() == []


def test_a_verdict_is_believed_only_for_the_one_it_was_sent_to(report: Filed) -> None:
    told = tell(report)
    claim()
    sent(told, "900")
    with unit_of_work():
        notifications.delivery_failed("oSomebodyElse", "900", "failed")
    failed(report, "901")
    assert row(told).delivery == Delivery.SENT


def test_verdicts_that_belong_to_nobody_go_after_a_day(report: Filed) -> None:
    failed(report, "901")
    with clock.frozen_at(clock.now() + timedelta(hours=25)):
        failed(report, "902")
    assert list(db.session.scalars(select(EarlyVerdict.message_id))) == ["902"]


# At the next contact


def test_what_could_not_be_delivered_is_said_once_the_newest_of_each_report(app: Flask, report: Filed) -> None:
    app.config["WECHAT_TEMPLATES"] = {}
    first, second = tell(report, unit="旧单位"), tell(report, "closed")
    assert claim() == []
    assert db.session.get_one(Resident, report.resident_id).has_unheard
    with unit_of_work():
        (said,) = notifications.say_unheard(report.resident_id)
    assert report.number in said
    assert "换了灯泡" in said
    assert links.report_page(report.number, report.access_key) in said
    assert row(first).read_at == row(second).read_at is not None
    assert not db.session.get_one(Resident, report.resident_id).has_unheard
    with unit_of_work():
        assert notifications.say_unheard(report.resident_id) == []


def test_much_that_was_not_delivered_leaves_room_for_the_answer(app: Flask, report: Filed) -> None:
    app.config["WECHAT_TEMPLATES"] = {}
    writer = Resident(id=report.resident_id)
    for number in range(5):
        with unit_of_work():
            other = reports.submit(reports.NewReport(source="bot", description=f"坑{number}"), by=writer)
        tell(other, "closed", note="补好了" * 200)
    claim()
    with unit_of_work():
        said = notifications.say_unheard(writer.id)
    assert 1 <= len(said) <= notifications.MOST_UNHEARD
    assert len("\n".join(said).encode()) <= notifications.UNHEARD_BYTES


# When


NIGHT = datetime(2027, 3, 10, 23, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
MORNING = datetime(2027, 3, 11, 7, 30, tzinfo=ZoneInfo("Asia/Shanghai"))


@pytest.mark.parametrize("kind", ["assigned", "accepted", "question", "extended", "resolved", "closed", "rejected"])
def test_nobody_is_woken_for_what_can_wait(report: Filed, kind: str) -> None:
    # Where the district says nothing: from ten in the evening to half past seven.
    put_setting("notifications", {})
    with clock.frozen_at(NIGHT):
        told = tell(report, kind)
        assert claim() == []
        assert (row(told).delivery, row(told).next_try_at, row(told).tries) == (Delivery.QUEUED, MORNING, 0)
    with clock.frozen_at(MORNING - timedelta(seconds=1)):
        assert claim() == []
    with clock.frozen_at(MORNING):
        assert [one.id for one in claim()] == [told]


def test_what_is_critical_is_told_at_night(report: Filed) -> None:
    put_setting("notifications", {})
    with unit_of_work():
        db.session.execute(update(Report).values(urgency=Urgency.CRITICAL))
    with clock.frozen_at(NIGHT):
        tell(report)
        assert len(claim()) == 1


def test_whoever_wrote_a_moment_ago_is_awake(report: Filed) -> None:
    put_setting("notifications", {})
    with clock.frozen_at(NIGHT):
        with unit_of_work():
            resident = db.session.get_one(Resident, report.resident_id)
            resident.last_seen_at = clock.now() - timedelta(minutes=9)
            give_window(resident)
        tell(report)
        assert [one.channel for one in claim()] == ["custom"]


def test_the_district_sets_its_own_quiet_hours(report: Filed) -> None:
    put_setting("notifications", {"quiet_from": "12:00", "quiet_to": "12:00"})
    with clock.frozen_at(NIGHT):
        tell(report)
        assert len(claim()) == 1


# What


def kinds() -> list[str]:
    return list(db.session.scalars(select(Notification.kind).order_by(Notification.id)))


def test_each_step_that_matters_is_told_and_no_other(app: Flask) -> None:
    district = SmallDistrict()
    report = make_report(district, Status.CLOSED)
    assert kinds() == ["assigned", "accepted", "resolved", "closed"]
    with unit_of_work():
        reports.rate(reports.lock(report.id), by=district.resident, solved=False)
    # They reopened it themselves and have read so.
    assert kinds()[4:] == []
    with unit_of_work():
        reports.comment(reports.lock(report.id), by=district.staff["handler"], text="明天去")
    assert kinds()[4:] == []


def test_the_end_leads_to_the_photos_after_the_work(app: Flask) -> None:
    made = make_report(SmallDistrict(), Status.IN_PROGRESS)
    report = Filed(made.id, made.number, made.access_key, made.resident_id or 0)
    tell(report, "resolved", photos=True)
    tell(report, "resolved")
    with_photos, without = claim()[-2:]
    assert with_photos.address == f"{links.report_page(report.number, report.access_key)}#result"
    assert without.address == links.report_page(report.number, report.access_key)
