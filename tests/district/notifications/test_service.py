"""The outbox: nothing is `sent` before WeChat said so, nothing is lost, nothing is tried for ever."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from district import clock, links, settings
from district.extensions import db
from district.messages import has
from district.notifications import service as notifications
from district.notifications.models import Delivery, Notification
from district.people.models import Resident
from district.reports import service as reports
from district.reports.models import Report
from district.work import unit_of_work
from tests import factories
from tests.conftest import both_databases
from tests.factories import SmallDistrict, forget_reference, give_window, make_report
from tests.support.threads import in_threads


@pytest.fixture
def env(env: dict[str, str]) -> dict[str, str]:
    return env | {"WECHAT_TEMPLATE_PROGRESS": "T1", "WECHAT_API_BASE_URL": "http://127.0.0.1:1"}


@pytest.fixture
def report(app: Flask) -> Report:
    """A report whose resident may be written to five times."""
    district = SmallDistrict()
    with unit_of_work():
        give_window(db.session.get_one(Resident, district.resident.id))
    return make_report(district)


def tell(report: Report, kind: str = "assigned") -> int:
    with unit_of_work():
        notifications.tell(reports.lock(report.id), kind, unit="路灯班组", due="11-24 17:30")
    return db.session.scalars(select(Notification.id).order_by(Notification.id.desc())).first() or 0


def claim(**given: Any) -> list[notifications.Outgoing]:
    with unit_of_work():
        return notifications.claim_due(**given)


def row(notification_id: int) -> Notification:
    db.session.expire_all()
    return db.session.get_one(Notification, notification_id)


def resident(report: Report) -> Resident:
    db.session.expire_all()
    return db.session.get_one(Resident, report.resident_id)


def note(act: Any, *args: Any, **given: Any) -> None:
    with unit_of_work():
        act(*args, **given)


# What is told


def test_a_message_says_its_step_and_opens_the_residents_own_page(report: Report) -> None:
    tell(report)
    (message,) = claim()
    assert report.number in message.text
    assert "路灯班组" in message.text
    assert message.address == links.private_report_page(report)
    assert message.address in message.text
    assert message.channel == notifications.CUSTOM


def test_a_follower_gets_no_key_to_anothers_report(report: Report) -> None:
    with unit_of_work():
        neighbour = factories.make_resident()
        give_window(neighbour)
        reports.support(reports.lock(report.id), by=neighbour)
        openid = neighbour.openid
    tell(report)
    (message,) = [message for message in claim() if message.openid == openid]
    assert message.address == links.report_page(report.number)
    assert report.access_key not in message.text


def test_everybody_is_told_in_their_language(report: Report) -> None:
    note(lambda: setattr(db.session.get_one(Resident, report.resident_id), "language", "en"))
    tell(report)
    (message,) = claim()
    assert "assigned" in message.text.lower() or "with" in message.text.lower()
    assert "已派给" not in message.text


@pytest.mark.parametrize("kind", ["assigned", "resolved", "closed", "rejected", "reopened"])
def test_each_step_has_its_sentence_long_and_short(kind: str) -> None:
    assert has(f"notifications.{kind}")
    assert has(f"notifications.short.{kind}")


# Which way


def test_the_grant_is_used_up_one_by_one_then_the_template(report: Report) -> None:
    for _ in range(7):
        tell(report)
    channels = [message.channel for message in claim()]
    assert channels == [notifications.CUSTOM] * 5 + [notifications.TEMPLATE] * 2
    assert resident(report).window_left == 0


def test_after_the_grants_end_the_template_is_used(report: Report) -> None:
    tell(report)
    with clock.frozen_at(clock.now() + timedelta(hours=48, seconds=1)):
        (message,) = claim()
    assert (message.channel, message.template_id) == (notifications.TEMPLATE, "T1")
    assert message.template_data["character_string1"] == report.number
    assert len(message.template_data["thing2"]) <= 20


def test_where_no_way_leads_the_message_waits_in_the_page(app: Flask, report: Report) -> None:
    app.config["WECHAT_TEMPLATES"] = {}
    note(lambda: db.session.execute(update(Resident).values(window_left=0)))
    told = tell(report)
    assert claim() == []
    assert (row(told).delivery, row(told).next_try_at, row(told).sent_at) == (Delivery.NOT_POSSIBLE, None, None)


def test_messages_that_cannot_be_sent_do_not_hide_those_that_can(app: Flask, report: Report) -> None:
    app.config["WECHAT_TEMPLATES"] = {}
    with unit_of_work():
        silent = factories.make_resident()
        other = reports.submit(reports.NewReport(source="api", description="井盖丢了"), by=silent)
    for _ in range(25):
        tell(other)
    tell(report)
    assert [message.openid for message in claim()] == [resident(report).openid]
    assert claim() == []


# What became of it


def test_sent_means_that_wechat_said_so(report: Report) -> None:
    told = tell(report)
    assert row(told).delivery == Delivery.QUEUED
    claim()
    assert (row(told).delivery, row(told).sent_at) == (Delivery.SENDING, None)
    note(notifications.sent, told)
    assert row(told).delivery == Delivery.SENT
    assert row(told).sent_at is not None
    assert claim() == []


def test_a_claimed_message_belongs_to_one_worker_until_its_lease_ends(report: Report) -> None:
    told = tell(report)
    assert len(claim()) == 1
    assert claim() == []
    with clock.frozen_at(clock.now() + notifications.LEASE + timedelta(seconds=1)):
        assert [message.id for message in claim()] == [told]


@both_databases
def test_workers_at_once_share_the_messages_among_them(app: Flask) -> None:
    district = SmallDistrict()
    filed = make_report(district)
    with unit_of_work():
        locked = reports.lock(filed.id)
        for _ in range(40):
            notifications.tell(locked, "assigned", unit="x", due="")
    db.session.remove()
    claimed: list[int] = []

    def work() -> None:
        with app.app_context():
            while batch := claim(limit=3):
                claimed.extend(message.id for message in batch)
            db.session.remove()

    in_threads([work] * 4)
    assert len(claimed) == len(set(claimed)) == 40


def test_a_failed_message_is_tried_again_ever_later_and_then_has_failed(report: Report) -> None:
    # The tries take hours: none of them may fall into the night.
    with unit_of_work():
        settings.put("notifications", {"quiet_from": "00:00", "quiet_to": "00:00"})
    forget_reference()
    told = tell(report)
    moment, waits = clock.now(), []
    while row(told).delivery == Delivery.QUEUED:
        with clock.frozen_at(moment):
            assert [message.id for message in claim()] == [told]
            note(notifications.not_sent, told, "busy")
        due = row(told).next_try_at
        if due is not None:
            waits.append((due - moment).total_seconds())
            moment = due
    assert waits == list(notifications.RETRY_AFTER_S)
    assert (row(told).delivery, row(told).last_error, row(told).sent_at) == (Delivery.FAILED, "busy", None)
    with clock.frozen_at(moment + timedelta(days=9)):
        assert claim() == []


def test_a_message_whose_workers_always_die_is_given_up_too(report: Report) -> None:
    told = tell(report)
    moment: datetime = clock.now()
    tries = 0
    while row(told).delivery in (Delivery.QUEUED, Delivery.SENDING):
        with clock.frozen_at(moment):
            claim()
        moment += notifications.LEASE + timedelta(seconds=1)
        tries += 1
        assert tries < 50
    assert (row(told).delivery, row(told).sent_at) == (Delivery.FAILED, None)


def test_a_failure_gives_the_grant_back(report: Report) -> None:
    told = tell(report)
    claim()
    assert resident(report).window_left == 4
    note(notifications.not_sent, told, "HTTP 500")
    assert resident(report).window_left == 5


def test_what_can_never_be_sent_is_not_tried_again(report: Report) -> None:
    told = tell(report)
    claim()
    note(notifications.not_sent, told, "错" * 500, final=True)
    assert (row(told).delivery, row(told).next_try_at) == (Delivery.FAILED, None)


def test_a_closed_window_makes_the_next_try_another_way_at_once(report: Report) -> None:
    told = tell(report)
    claim()
    note(notifications.window_closed, told, "45015")
    assert resident(report).window_left == 0
    (message,) = claim()
    assert (message.id, message.channel) == (told, notifications.TEMPLATE)


@pytest.mark.parametrize("late", ["not_sent", "window_closed", "sent"])
def test_a_late_word_about_a_finished_message_changes_nothing(report: Report, late: str) -> None:
    told = tell(report)
    claim()
    note(notifications.not_sent, told, "refused", final=True)
    before = resident(report).window_left
    note(getattr(notifications, late), told, *(() if late == "sent" else ("late",)))
    assert (row(told).delivery, row(told).last_error) == (Delivery.FAILED, "refused")
    assert resident(report).window_left == before


def test_counts_and_lists_tell_the_truth_of_each(report: Report) -> None:
    first, second, third = (tell(report) for _ in range(3))
    claim(limit=2)
    note(notifications.sent, first)
    note(notifications.not_sent, second, "x", final=True)
    assert notifications.counts() == {"sent": 1, "failed": 1, "queued": 1}
    assert [one.id for one in notifications.for_report(report.id)] == [third, second, first]
