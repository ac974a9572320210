"""What was corrected is looked at again: once, by the router, and never behind the back of a unit at work.

Peers' troubles that must not be ours: routing runs only at creation; place and category in one call route twice; the
wrong first category cannot be sent on; routing fails when an attachment arrives at the same moment.
"""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from district import jobs
from district.extensions import db
from district.notices.models import StaffNotice
from district.notifications.models import Notification
from district.people.models import Staff
from district.reports import service as reports
from district.reports.models import EventKind, PlaceSource, Report, ReportEvent
from district.reports.states import Status
from district.routing import again
from district.routing import service as routing
from district.routing.models import RoutingDecision
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.factories import MIDDLE, SmallDistrict, forget_reference, make_category, make_report, make_rule, make_unit


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    small = SmallDistrict()
    with unit_of_work():
        small.litter = make_unit("HW", name="环卫队")  # type: ignore[attr-defined]
        make_category("06010", name="暴露垃圾", keywords=["垃圾"])
        make_rule("R4", "HW", category_codes=["06010"], priority=500)
        # A kind that the rules leave to people.
        make_category("21020", name="说不清", keywords=["说不清"])
    forget_reference()
    return small


def drain() -> None:
    """As the job does, in the session of the test."""
    with unit_of_work():
        routing.route_waiting()
    with unit_of_work():
        again.route_again()


def routed(district: SmallDistrict, status: Status = Status.ASSIGNED, **given: Any) -> Report:
    report = make_report(district, **given)
    drain()
    if status is Status.IN_PROGRESS:
        with unit_of_work():
            reports.accept(reports.lock(report.id), by=district.staff["handler"])
    db.session.refresh(report)
    assert report.status == status
    return report


def correct(report: Report, by: Any, **given: Any) -> None:
    with unit_of_work():
        reports.correct(reports.lock(report.id), by=by, **given)
    drain()
    db.session.refresh(report)


def decisions(report: Report) -> int:
    query = select(func.count()).select_from(RoutingDecision).where(RoutingDecision.report_id == report.id)
    return db.session.scalar(query) or 0


def kinds(report: Report) -> list[str]:
    events = select(ReportEvent.kind).where(ReportEvent.report_id == report.id).order_by(ReportEvent.id)
    return list(db.session.scalars(events))


def asked() -> list[str]:
    """Who was asked to decide."""
    query = select(Staff.username).join(StaffNotice, StaffNotice.staff_id == Staff.id)
    return list(db.session.scalars(query.where(StaffNotice.kind == "reroute")))


def told() -> list[str]:
    return list(db.session.scalars(select(Notification.kind).order_by(Notification.id)))


@both_databases
def test_another_category_and_place_in_one_call_are_decided_once_and_the_resident_hears_of_the_new_unit(
    district: SmallDistrict,
) -> None:
    report = routed(district)
    correct(report, district.staff["acceptor"], category_code="06010", latitude=MIDDLE[0] + 0.001, longitude=MIDDLE[1])
    assert (report.unit_id, report.status) == (district.litter.id, Status.ASSIGNED)  # type: ignore[attr-defined]
    assert decisions(report) == 2
    assert kinds(report)[-2:] == [EventKind.CORRECTED, EventKind.ROUTED]
    assert report.events[-1].data == {"rule": "R4", "again": True}
    assert told() == ["assigned", "assigned"]
    assert report.route_again_at is None
    # Nothing is left to look at: running it all again changes nothing.
    drain()
    assert decisions(report) == 2


def test_the_job_and_the_sweep_look_again_too(district: SmallDistrict) -> None:
    report_id = routed(district).id
    with unit_of_work():
        reports.correct(reports.lock(report_id), by=district.resident, category_code="06010")
    litter_id = district.litter.id  # type: ignore[attr-defined]
    assert "route_reports" in jobs.waiting_work()
    jobs.sweep()
    assert "route_reports" not in jobs.waiting_work()
    assert db.session.get_one(Report, report_id).unit_id == litter_id


@both_databases
def test_what_stays_with_its_unit_is_said_in_the_history_only(district: SmallDistrict) -> None:
    report = routed(district)
    correct(report, district.resident, latitude=MIDDLE[0] + 0.002, longitude=MIDDLE[1], place_source=PlaceSource.PICKED)
    assert report.unit_id == district.lamps.id
    assert kinds(report)[-1] == EventKind.REROUTED
    assert not report.events[-1].is_public
    assert (decisions(report), told()) == (2, ["assigned"])


@both_databases
def test_a_unit_at_work_keeps_it_and_the_dispatcher_is_asked(district: SmallDistrict) -> None:
    report = routed(district, Status.IN_PROGRESS)
    correct(report, district.staff["dispatcher"], category_code="06010")
    assert (report.unit_id, report.status) == (district.lamps.id, Status.IN_PROGRESS)
    assert report.proposed_unit_id == district.litter.id  # type: ignore[attr-defined]
    assert kinds(report)[-1] == EventKind.REROUTE_PROPOSED
    assert asked() == ["dispatcher"]
    assert told() == ["assigned", "accepted"]
    with unit_of_work():
        reports.assign(reports.lock(report.id), report.proposed_unit_id, by=district.staff["dispatcher"])
    db.session.refresh(report)
    assert (report.unit_id, report.proposed_unit_id) == (district.litter.id, None)  # type: ignore[attr-defined]


def test_in_triage_it_is_routed_or_stays_with_the_new_proposal(district: SmallDistrict) -> None:
    report = routed(district, Status.TRIAGE, category_code="21020", description="说不清的事")
    correct(report, district.staff["acceptor"], latitude=MIDDLE[0] + 0.001, longitude=MIDDLE[1])
    assert (report.status, kinds(report)[-1], decisions(report)) == (Status.TRIAGE, EventKind.REROUTED, 2)
    correct(report, district.resident, category_code="06010")
    assert report.unit_id == district.litter.id  # type: ignore[attr-defined]
    assert told() == ["assigned"]


def test_before_the_router_has_seen_it_a_correction_costs_no_second_decision(district: SmallDistrict) -> None:
    report = make_report(district)
    correct(report, district.resident, category_code="06010", latitude=MIDDLE[0] + 0.001, longitude=MIDDLE[1])
    assert (report.unit_id, decisions(report)) == (district.litter.id, 1)  # type: ignore[attr-defined]


def test_words_alone_and_a_ruling_make_nothing_move(district: SmallDistrict) -> None:
    report = routed(district)
    correct(report, district.staff["acceptor"], address="人民路 2 号")
    assert decisions(report) == 1
    with unit_of_work():
        reports.hand_back(reports.lock(report.id), by=district.staff["handler"], reason_code="not_our_duty")
    with unit_of_work():
        reports.refuse_hand_back(reports.lock(report.id), by=district.staff["dispatcher"], ruling="归你们")
    correct(report, district.staff["acceptor"], category_code="06010")
    # The ruling is final: what the rules would say now is a proposal.
    assert report.unit_id == district.lamps.id
    assert report.proposed_unit_id == district.litter.id  # type: ignore[attr-defined]
    # Told to whoever can still move it.
    assert asked() == ["shift-lead"]


@pytest.mark.parametrize("database_kind", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
def test_a_picture_that_arrives_at_the_same_moment_only_puts_routing_off(district: SmallDistrict) -> None:
    waiting, corrected = make_report(district), routed(district)
    with unit_of_work():
        reports.correct(reports.lock(corrected.id), by=district.resident, category_code="06010")
    fresh = make_report(district)
    ids = [waiting.id, corrected.id, fresh.id]
    litter_id, lamps_id = district.litter.id, district.lamps.id  # type: ignore[attr-defined]
    db.session.remove()
    with db.engine.begin() as other:
        # As `add_media` does in the process that takes the picture: it holds the rows of the reports.
        other.execute(text("select id from report where id = any(:ids) for update"), {"ids": ids[1:]})
        with unit_of_work():
            assert (routing.route_waiting(), again.route_again()) == (0, 0)
    with unit_of_work():
        assert (routing.route_waiting(), again.route_again()) == (1, 1)
    assert db.session.get_one(Report, ids[1]).unit_id == litter_id
    assert db.session.get_one(Report, ids[2]).unit_id == lamps_id
    assert db.session.scalar(select(func.count()).select_from(RoutingDecision)) == 4
