"""Events without an answer, through the signed callback: consents, deliveries, leaving and coming back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from bot.models import Conversation, InboundMessage
from district.extensions import db
from district.notifications import service as notifications
from district.notifications.models import Delivery, Notification, SubscriptionGrant
from district.people.models import Resident
from district.reports import service as reports
from district.reports.models import Photo, Report
from district.work import unit_of_work
from tests.bot.conftest import TestPhone
from tests.conftest import both_databases
from tests.factories import MIDDLE, SmallDistrict
from tests.support.wechat_platform import Answer


def popup(phone: TestPhone, *pairs: tuple[str, str]) -> str:
    rows = [{"TemplateId": name, "SubscribeStatusString": said, "PopupScene": 1} for name, said in pairs]
    return phone.event("subscribe_msg_popup_event", None, SubscribeMsgPopupEvent={"List": rows})


def consents() -> dict[str, int]:
    return {row.template_id: row.left_over for row in db.session.scalars(select(SubscriptionGrant))}


def acknowledged(answer: Answer) -> bool:
    return (answer.status, answer.body) == (200, "success")


@both_databases
def test_each_acceptance_is_good_for_one_notice_however_often_it_is_delivered(
    phone: TestPhone, district: SmallDistrict
) -> None:
    message = popup(phone, ("S1", "accept"), ("S2", "reject"), ("S3", "accept"))
    assert all(acknowledged(phone.deliver(message)) for _ in range(3))
    assert consents() == {"S1": 1, "S3": 1}
    phone.deliver(popup(phone, ("S1", "accept")))
    assert consents() == {"S1": 2, "S3": 1}


def test_switching_off_ends_what_was_agreed_to(phone: TestPhone, district: SmallDistrict) -> None:
    phone.deliver(popup(phone, ("S1", "accept")))
    change = {"List": {"TemplateId": "S1", "SubscribeStatusString": "reject"}}
    assert acknowledged(phone.does("subscribe_msg_change_event", None, SubscribeMsgChangeEvent=change))
    assert consents() == {"S1": 0}
    change = {"List": {"TemplateId": "S1", "SubscribeStatusString": "accept"}}
    assert acknowledged(phone.does("subscribe_msg_change_event", None, SubscribeMsgChangeEvent=change))
    assert consents() == {"S1": 0}


def sent_notice(phone: TestPhone, message_id: str) -> int:
    """A report of this phone's, whose step WeChat accepted under this id."""
    phone.says("民悦园门口的路灯坏了")
    report_id = db.session.scalars(select(Report.id)).one()
    with unit_of_work():
        notifications.tell(reports.lock(report_id), "closed", note="换了灯泡")
        notifications.claim_due()
        told = db.session.scalars(select(Notification.id)).one()
        notifications.sent(told, message_id)
    return told


LATER: dict[str, tuple[str, dict[str, Any], str]] = {
    "a template message blocked": (
        "TEMPLATESENDJOBFINISH", {"MsgID": 77, "Status": "failed:user block"}, "failed:user block"
    ),
    "a template message lost": (
        "TEMPLATESENDJOBFINISH", {"MsgID": 77, "Status": "failed: system failed"}, "failed: system failed"
    ),
    "a template message delivered": ("TEMPLATESENDJOBFINISH", {"MsgID": 77, "Status": "success"}, ""),
    "somebody else's": ("TEMPLATESENDJOBFINISH", {"MsgID": 78, "Status": "failed:user block"}, ""),
    "a notice refused": (
        "subscribe_msg_sent_event",
        {"SubscribeMsgSentEvent": {"List": {"TemplateId": "S1", "MsgID": 77, "ErrorCode": 43101,
                                            "ErrorStatus": "user refuse"}}},
        "43101: user refuse",
    ),
    "a notice delivered": (
        "subscribe_msg_sent_event",
        {"SubscribeMsgSentEvent": {"List": {"TemplateId": "S1", "MsgID": 77, "ErrorCode": 0,
                                            "ErrorStatus": "success"}}},
        "",
    ),
}  # fmt: skip


@both_databases
@pytest.mark.parametrize("name", LATER)
def test_what_wechat_says_later_becomes_the_truth_of_the_delivery(
    phone: TestPhone, district: SmallDistrict, name: str
) -> None:
    event, fields, reason = LATER[name]
    told = sent_notice(phone, "77")
    assert acknowledged(phone.does(event, None, **fields))
    row = db.session.get_one(Notification, told)
    assert (row.delivery, row.last_error) == (Delivery.FAILED if reason else Delivery.SENT, reason)


@both_databases
def test_the_next_answer_begins_with_what_could_not_be_delivered(phone: TestPhone, district: SmallDistrict) -> None:
    sent_notice(phone, "77")
    phone.does("TEMPLATESENDJOBFINISH", None, MsgID=77, Status="failed:user block")
    message = phone.message("text", Content="在吗")
    first, repeat = phone.deliver(message), phone.deliver(message)
    assert first.problems == []
    assert first.text.index("换了灯泡") < first.text.index("您好")
    assert repeat.xml == first.xml
    assert "换了灯泡" not in phone.says("在吗").text


@both_databases
def test_leaving_takes_the_person_away_and_leaves_the_case(phone: TestPhone, district: SmallDistrict) -> None:
    phone.says("民悦园门口的路灯坏了")
    phone.deliver(popup(phone, ("S1", "accept")))
    number = db.session.scalars(select(Report.number)).one()
    with unit_of_work():
        notifications.tell(reports.lock(db.session.scalars(select(Report.id)).one()), "closed", note="好了")
    # A second one that never gets as far as a report.
    phone.says("上报")
    phone.shows("M-loose")
    assert db.session.scalar(select(func.count(Photo.id)).where(Photo.report_id.is_(None))) == 1
    for _ in range(2):
        assert acknowledged(phone.does("unsubscribe"))
    assert db.session.scalars(select(Resident.openid).where(Resident.openid == phone.openid)).all() == []
    for model in (Conversation, SubscriptionGrant):
        assert db.session.scalar(select(func.count()).select_from(model)) == 0
    assert list(db.session.scalars(select(InboundMessage.kind))) == ["event:unsubscribe"]
    assert db.session.scalar(select(func.count(Photo.id)).where(Photo.report_id.is_(None))) == 0
    assert db.session.scalars(select(Report.number)).one() == number
    assert set(db.session.scalars(select(Notification.delivery))) == {Delivery.NOT_POSSIBLE}
    with unit_of_work():
        notifications.tell(reports.lock(db.session.scalars(select(Report.id)).one()), "assigned", unit="x", due="")
        assert notifications.claim_due() == []


@both_databases
def test_whoever_follows_anew_finds_their_reports_again(
    new_phone: Callable[..., TestPhone], district: SmallDistrict
) -> None:
    phone = new_phone()
    phone.says("民悦园门口的路灯坏了")
    number = db.session.scalars(select(Report.number)).one()
    left = phone.event("unsubscribe")
    phone.deliver(left)
    stranger = new_phone()
    stranger.does("subscribe", "")
    assert number not in stranger.says("我的上报").text
    assert phone.does("subscribe", "").text
    assert number in phone.says("我的上报").text
    assert db.session.scalar(select(func.count(Resident.id)).where(Resident.left_digest.is_not(None))) == 0
    # The leave is delivered again, late.
    assert acknowledged(phone.deliver(left))
    assert number in phone.says("我的上报").text


def test_whoever_wrote_as_somebody_new_stays_so(phone: TestPhone, district: SmallDistrict) -> None:
    """The event of their coming back was lost; a second one must not break."""
    phone.says("民悦园门口的路灯坏了")
    phone.does("unsubscribe")
    phone.says("在吗")
    assert phone.does("subscribe", "").text


def test_an_event_about_somebody_unknown_makes_nobody(phone: TestPhone, district: SmallDistrict) -> None:
    before = db.session.scalar(select(func.count(Resident.id)))
    for event, fields in (
        ("unsubscribe", {}),
        ("user_authorization_revoke", {"OpenID": "oNobody", "RevokeInfo": "1"}),
        ("TEMPLATESENDJOBFINISH", {"MsgID": 1, "Status": "failed"}),
        ("subscribe_msg_change_event", {"SubscribeMsgChangeEvent": {"List": {"TemplateId": "S1"}}}),
    ):
        assert acknowledged(phone.does(event, None, **fields))
    assert db.session.scalar(select(func.count(Resident.id))) == before


@pytest.mark.parametrize(
    "box",
    ["", "text", {"List": ""}, {"List": [{"TemplateId": ""}, "x"]}, {"List": {"TemplateId": {"a": "b"}}},
     {"List": [{"TemplateId": "S" * 999, "SubscribeStatusString": "accept"}]}],
)  # fmt: skip
def test_an_odd_subscription_event_is_acknowledged(phone: TestPhone, district: SmallDistrict, box: Any) -> None:
    assert acknowledged(phone.does("subscribe_msg_popup_event", None, SubscribeMsgPopupEvent=box))
    assert all(len(name) <= 64 for name in consents())


def grants(phone: TestPhone) -> tuple[int, int]:
    row = db.session.scalars(select(Resident).where(Resident.openid == phone.openid)).one()
    return row.window_left, row.tap_left


@both_databases
def test_a_message_and_a_tap_give_each_their_own_grant(phone: TestPhone, app: Flask, district: SmallDistrict) -> None:
    phone.does("subscribe", "")
    assert grants(phone) == (0, 3)
    phone.says("在吗")
    assert grants(phone) == (5, 3)
    with unit_of_work():
        row = db.session.scalars(select(Resident).where(Resident.openid == phone.openid)).one()
        row.window_left = row.tap_left = 0
    phone.does("CLICK", "HELP")
    assert grants(phone) == (0, 3)
    phone.does("SCAN", "fac:nothing1")
    phone.is_at(*MIDDLE)
    assert grants(phone) == (5, 3)


def test_a_message_that_came_late_gives_what_is_left_of_its_grant(phone: TestPhone, district: SmallDistrict) -> None:
    phone.says("在吗")
    with unit_of_work():
        row = db.session.scalars(select(Resident).where(Resident.openid == phone.openid)).one()
        row.window_left, until = 2, row.window_until
    late = phone.message("text", Content="在吗").replace(
        f"<CreateTime>{int(phone.now())}", f"<CreateTime>{int(phone.now()) - 3600}"
    )
    assert phone.deliver(late).text
    row = db.session.scalars(select(Resident).where(Resident.openid == phone.openid)).one()
    assert (row.window_left, row.window_until) == (2, until)
