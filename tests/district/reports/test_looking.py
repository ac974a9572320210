"""A unit where nobody looks is noticed, its manager is told, then the shift lead; nothing stands still unseen.

Peers' troubles that must not be ours: nobody nags a unit that never answers, unread reports lie in a mailbox that
nobody opens, and reports stay "sent" until somebody mends the table by hand.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from district import clock, jobs, settings
from district.extensions import db
from district.notices import service as notices
from district.notices.models import StaffNotice
from district.notifications import service as notifications
from district.notifications.models import Delivery, Notification
from district.people.models import Staff
from district.reports import looking
from district.reports import service as reports
from district.reports.models import EventKind, Report, ReportEvent
from district.reports.states import Status
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.factories import SmallDistrict, forget_reference, give_window, make_report

pytestmark = both_databases
# A Tuesday, 10:00 in the district: four working hours later it is 15:30.
TUESDAY = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
DUE = TUESDAY + timedelta(hours=5, minutes=30)


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    return SmallDistrict()


def tell_at(moment: datetime) -> None:
    with clock.frozen_at(moment):
        jobs.tell_unseen()
    db.session.expire_all()


def told() -> list[str]:
    query = select(Staff.username).join(StaffNotice, StaffNotice.staff_id == Staff.id).order_by(StaffNotice.id)
    return list(db.session.scalars(query.where(StaffNotice.kind == "unseen")))


def test_the_manager_is_told_then_the_shift_lead_each_once(district: SmallDistrict) -> None:
    with clock.frozen_at(TUESDAY):
        report = make_report(district, Status.ASSIGNED)
    assert report.look_due_at == DUE
    tell_at(DUE - timedelta(seconds=1))
    assert told() == []
    tell_at(DUE + timedelta(seconds=1))
    tell_at(DUE + timedelta(minutes=2))
    assert told() == ["lamps-m"]
    with clock.frozen_at(DUE + timedelta(minutes=3)):
        assert [row.id for row in looking.unseen(None)] == [report.id]
        assert looking.unseen([district.street.id]) == []
        assert looking.stuck().unseen == 1
    tell_at(DUE + timedelta(days=1))
    tell_at(DUE + timedelta(days=5))
    assert told() == ["lamps-m", "shift-lead"]
    unseen = select(ReportEvent).where(ReportEvent.kind == EventKind.UNSEEN)
    assert [event.data["told"] for event in db.session.scalars(unseen)] == ["unit_manager", "shift_lead"]
    manager, lead, street = (district.staff[who] for who in ("unit_manager", "shift_lead", "street"))
    assert [notices.unread(who.id) for who in (manager, lead, street)] == [1, 1, 0]
    with unit_of_work():
        notices.mark_read(manager, up_to=10**6)
    assert [notices.unread(who.id) for who in (manager, lead)] == [0, 1]


def test_whoever_looked_or_accepted_is_left_alone_until_it_is_given_to_another(district: SmallDistrict) -> None:
    with clock.frozen_at(TUESDAY):
        seen, accepted = make_report(district, Status.ASSIGNED), make_report(district, Status.IN_PROGRESS)
        assert looking.is_first_look(district.staff["handler"], seen)
        assert not looking.is_first_look(district.staff["street"], seen)
        assert not looking.is_first_look(district.staff["dispatcher"], seen)
        version = seen.version
        with unit_of_work():
            looking.note_first_look(seen.id, district.street.id)  # no longer theirs: nothing happens
            looking.note_first_look(seen.id, district.lamps.id)
    with clock.frozen_at(TUESDAY + timedelta(hours=1)), unit_of_work():
        looking.note_first_look(seen.id, district.lamps.id)
    db.session.expire_all()
    assert (seen.first_seen_at, seen.look_due_at, seen.version) == (TUESDAY, None, version)
    assert accepted.first_seen_at == TUESDAY
    tell_at(TUESDAY + timedelta(days=3))
    assert told() == []
    with clock.frozen_at(TUESDAY + timedelta(days=3)), unit_of_work():
        reports.assign(reports.lock(seen.id), district.street.id, by=district.staff["dispatcher"])
    db.session.refresh(seen)
    assert seen.first_seen_at is None
    tell_at(TUESDAY + timedelta(days=6))
    # The street has no manager of its own.
    assert told() == ["shift-lead"]


def test_danger_and_the_categorys_own_limit_are_sooner(district: SmallDistrict) -> None:
    from district.categories.models import Urgency

    night = datetime(2026, 11, 24, 18, 0, tzinfo=UTC)  # 02:00 in the district
    assert looking.look_due_at(None, Urgency.CRITICAL, night) == night + timedelta(minutes=15)
    with unit_of_work():
        settings.put("limits", {"accept_minutes_by_category": {"01037": 10}})
        settings.changed("settings")
    forget_reference()
    assert looking.look_due_at(district.category.id, Urgency.NORMAL, TUESDAY) == TUESDAY + timedelta(minutes=10)


def test_a_lost_bell_leaves_nothing_submitted_and_the_monitor_says_so_meanwhile(
    district: SmallDistrict, client: FlaskClient
) -> None:
    report = make_report(district)
    with clock.frozen_at(clock.now() + timedelta(minutes=6)):
        assert looking.stuck().unrouted == 1
        assert [row.id for row in looking.unrouted()] == [report.id]
        figures = client.get("/metrics").text
        assert "bihuan_reports_unrouted_too_long 1.0" in figures
        # No bell, no queue server: the sweep of the scheduler routes by itself.
        report_id = report.id
        jobs.sweep()
        assert looking.stuck().unrouted == 0
    assert db.session.get_one(Report, report_id).status == Status.ASSIGNED


def test_a_message_that_a_dead_worker_was_sending_is_sent_by_another(district: SmallDistrict) -> None:
    with unit_of_work():
        give_window(district.resident)
    make_report(district, Status.ASSIGNED)
    with unit_of_work():
        (first,) = notifications.claim_due()
    later = clock.now() + timedelta(minutes=20)
    with clock.frozen_at(later):
        assert looking.stuck().sending == 1
        with unit_of_work() as session:
            # Awake, so that the night makes no difference.
            session.execute(update(Report).values(urgency="critical"))
        with unit_of_work():
            (again,) = notifications.claim_due()
        assert again.id == first.id
        assert looking.stuck().sending == 0
    row = db.session.get_one(Notification, first.id)
    assert (row.delivery, row.tries) == (Delivery.SENDING, 2)
