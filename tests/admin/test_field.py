"""Field mode: whose errands, ways there, fixing and checking on the spot, and that a repeat changes nothing."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from district import clock
from district.extensions import db
from district.geo.datum import wgs84_to_gcj02
from district.people.roles import Role
from district.reports import service as reports
from district.reports.models import Photo, Report
from district.reports.states import Status
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person
from tests.conftest import both_databases
from tests.factories import MIDDLE, SmallDistrict, make_report, make_staff
from tests.support.pictures import jpeg

ID = "phone-made-this-0001"
JSON = {"Accept": "application/json"}


def send(person: Person, report: Report, action: str = "resolve", *, seen: int | None = None, **fields: Any) -> int:
    db.session.refresh(report)
    with person.client.session_transaction() as session:
        staff_id = session["_user_id"].partition(":")[0]
    data = {
        "staff": staff_id, "client_id": ID,
        "seen": str(report.events[-1].id if seen is None else seen), "phrase": "fixed",
        "photos": (io.BytesIO(jpeg()), "a.jpg"),
    } | fields  # fmt: skip
    answer = person._ask(person.client.post, f"/admin/field/{report.number}/{action}", data=data, headers=JSON)
    db.session.expire_all()
    return answer.status_code


def test_the_map_links_speak_the_maps_datum(district: SmallDistrict, log_in: LogIn) -> None:
    report = make_report(district, Status.ASSIGNED)
    page = log_in("handler").get("/admin/field").text
    latitude, longitude = wgs84_to_gcj02(*MIDDLE)
    assert f"to={longitude:.6f}%2C{latitude:.6f}%2C" in page
    assert f"geo:{MIDDLE[0]:.6f},{MIDDLE[1]:.6f}" in page
    assert report.description not in "".join(re.findall(r'href="(?:https|geo):[^"]*"', page))
    assert report.number not in log_in("street").get("/admin/field").text


@both_databases
def test_fixed_on_the_spot_once_however_often_it_is_sent(district: SmallDistrict, log_in: LogIn) -> None:
    report, handler = make_report(district, Status.ASSIGNED), log_in("handler")
    db.session.refresh(report)
    seen = report.events[-1].id
    assert [send(handler, report, seen=seen) for _ in range(2)] == [200, 200]
    assert report.status == Status.RESOLVED
    assert report.resolution == "已修好，现在可以正常使用。"
    assert db.session.query(Photo).filter_by(report_id=report.id, purpose="after").count() == 1
    assert db.session.query(Photo).filter_by(report_id=None).count() == 0


def test_what_waited_too_long_is_refused_kindly(district: SmallDistrict, log_in: LogIn) -> None:
    report = make_report(district, Status.IN_PROGRESS)
    db.session.refresh(report)
    seen = report.events[-1].id
    with unit_of_work():
        reports.resolve(reports.lock(report.id), by=district.staff["handler"], note="好了")
    with unit_of_work():
        reports.refuse_verification(reports.lock(report.id), by=district.staff["verifier"], note="没好")
    assert send(log_in("handler"), report, seen=seen) == 409
    assert report.status == Status.IN_PROGRESS
    assert send(log_in("street"), report) == 404


def test_a_check_on_the_spot_keeps_the_distance_only(district: SmallDistrict, log_in: LogIn) -> None:
    report, verifier = make_report(district, Status.RESOLVED), log_in("verifier")
    assert report.number in verifier.get("/admin/field").text
    at: dict[str, Any] = {"at_latitude": str(MIDDLE[0] + 0.01), "at_longitude": str(MIDDLE[1])}
    assert send(verifier, report, "verify", phrase="good", **at) == 200
    assert report.status == Status.CLOSED
    assert report.events[-1].data == {"metres": pytest.approx(1112, abs=5), "far": True}


def test_a_check_may_send_it_back(district: SmallDistrict, log_in: LogIn) -> None:
    report = make_report(district, Status.RESOLVED)
    assert send(log_in("verifier"), report, "refuse_verification", phrase="half") == 200
    assert (report.status, report.rework_count) == (Status.IN_PROGRESS, 1)


def test_work_of_somebody_else_is_not_taken_under_this_name(district: SmallDistrict, log_in: LogIn) -> None:
    """Done by a colleague on the same phone, sent after another login."""
    report = make_report(district, Status.ASSIGNED)
    assert send(log_in("handler"), report, staff=str(district.staff["verifier"].id)) == 401
    assert report.status == Status.ASSIGNED
    assert send(log_in("handler"), report) == 200


def test_without_a_position_the_most_urgent_comes_first(app: Flask, district: SmallDistrict, log_in: LogIn) -> None:
    """The phone sorts the list by distance, and only when it may know where it is."""
    calm, late, pressing = (make_report(district, Status.ASSIGNED) for _ in range(3))
    with unit_of_work():
        db.session.get_one(Report, late.id).handling_due_at = clock.now() - timedelta(hours=2)
        db.session.get_one(Report, pressing.id).urgency = "critical"
    assert listed(log_in("handler")) == [pressing.number, late.number, calm.number]


def test_who_fixes_and_checks_has_one_list(app: Flask, district: SmallDistrict) -> None:
    to_check, to_fix, also_to_check = (
        make_report(district, Status.RESOLVED),
        make_report(district),
        make_report(district, Status.RESOLVED),
    )
    with unit_of_work():
        reports.assign(reports.lock(to_fix.id), district.command.id, by=reports.SYSTEM)
        for report, urgency in ((to_check, "critical"), (to_fix, "urgent")):
            db.session.get_one(Report, report.id).urgency = urgency
        both = make_staff("both", district.command, Role.INSPECTOR, Role.HANDLER)
    assert listed(Person(app).sit_down(both)) == [to_check.number, to_fix.number, also_to_check.number]


def listed(person: Person) -> list[str]:
    return re.findall(r'data-number="([^"]+)"', person.get("/admin/field").text)
