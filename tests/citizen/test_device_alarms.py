"""Alarms of devices through the API: what becomes of each, and what never becomes two reports."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from district import clock
from district.api_keys import service as api_keys
from district.api_keys.models import Scope
from district.devices.models import Device, DeviceAlarm, DeviceAlarmKind
from district.extensions import db
from district.notices.models import StaffNotice
from district.reports import service as reports
from district.reports.guards import SYSTEM
from district.reports.models import EventKind, Report, ReportEvent, Source
from district.reports.states import Status
from district.units.models import Unit
from district.work import unit_of_work
from tests.citizen.test_api import Call, call, document  # noqa: F401  fixtures
from tests.citizen.test_api_keys import bearer, make_key, refusal
from tests.conftest import both_databases
from tests.factories import SmallDistrict, make_facility, make_report, make_unit
from tests.support.devices import WAIT_S, Field, report_due, wait_over
from tests.support.limits import CountedTogether


@pytest.fixture
def field(district: SmallDistrict) -> Field:
    return Field(district)


class Sender:
    """A platform that sends what its devices say; every answer is held against the document."""

    def __init__(self, field: Field, call: Call) -> None:  # noqa: F811
        self.field, self.call = field, call

    def send(self, device: str = "L-1", alarm: str = "outage", **more: Any) -> TestResponse:
        body = {"alarm": alarm, "state": "raised"} | more
        return self.call("POST", f"/api/v1/devices/{device}/alarms", json=body, headers=self.field.headers)

    def many(self, entries: list[dict[str, Any]], path: str = "/api/v1/devices/alarms") -> TestResponse:
        return self.call("POST", path, json=entries, headers=self.field.headers)


@pytest.fixture
def platform(field: Field, call: Call) -> Sender:  # noqa: F811
    return Sender(field, call)


def all_reports() -> list[Report]:
    db.session.rollback()
    return list(db.session.scalars(select(Report).order_by(Report.id)))


def alarms() -> list[DeviceAlarm]:
    db.session.rollback()
    return list(db.session.scalars(select(DeviceAlarm).order_by(DeviceAlarm.id)))


def events(kind: EventKind) -> list[ReportEvent]:
    return list(db.session.scalars(select(ReportEvent).where(ReportEvent.kind == kind)))


def iso(moment: datetime) -> str:
    return moment.isoformat()


# What becomes of one alarm


@both_databases
def test_an_alarm_waits_and_then_is_a_report_on_its_facility(field: Field, platform: Sender) -> None:
    answer = platform.send(id="v1", message="回路断电", value=0)
    assert answer.status_code == 202
    due = datetime.fromisoformat(answer.json["due_at"])
    assert abs(due - clock.now() - timedelta(seconds=WAIT_S)) < timedelta(seconds=5)
    assert answer.json | {"due_at": None} == {
        "device": "L-1", "alarm": "outage", "state": "raised", "report": None, "joined": False, "duplicate": False,
        "due_at": None,
    }  # fmt: skip
    report_due()
    assert all_reports() == []
    with wait_over():
        report_due()
        report_due()
    (found,) = all_reports()
    assert (found.source, found.facility_id, found.category.code) == (Source.DEVICE, field.facility.id, "01037")
    assert field.facility.name in found.description
    assert "不亮" in found.description
    assert "回路断电 0" in found.description
    assert found.resident_id is None
    # The platform's key reads what it brought about.
    seen = platform.call("GET", f"/api/v1/reports/{found.number}", headers=field.headers).json
    assert seen["description"] == found.description
    assert platform.send(id="v1").json["report"] == found.number


@both_databases
def test_what_is_critical_does_not_wait(field: Field, platform: Sender) -> None:
    answer = platform.send(alarm="tilt", id="t1")
    (found,) = all_reports()
    assert (answer.status_code, answer.json["report"], answer.json["due_at"]) == (201, found.number, None)
    assert (found.urgency, found.category.code) == ("critical", "01001")


def test_what_needs_no_report_is_only_written_down(field: Field, platform: Sender) -> None:
    assert platform.send(alarm="low_battery").status_code == 202
    with wait_over(7200):
        report_due()
    assert all_reports() == []
    (alarm,) = alarms()
    assert (alarm.how, alarm.due_at) == ("", None)


def test_a_kind_may_mean_something_else_on_one_type_of_facility(field: Field, platform: Sender) -> None:
    with unit_of_work():
        db.session.add(
            DeviceAlarmKind(
                code="outage", facility_type_code="01037", name="灭灯", name_en="dark", category_code="01001",
                is_critical=False, wait_s=0, flood_threshold=0, flood_s=1,
            )
        )  # fmt: skip
    platform.send()
    report_due()
    assert [report.category.code for report in all_reports()] == ["01001"]


def test_a_facility_taken_out_of_the_register_still_leads_to_a_report(field: Field, platform: Sender) -> None:
    """What the register says may be older than what the street does."""
    with unit_of_work():
        db.session.get_one(type(field.facility), field.facility.id).retired_at = clock.now()
    assert platform.send(alarm="tilt").status_code == 201
    (found,) = all_reports()
    assert (found.facility_id, found.latitude) == (None, field.facility.latitude)


@both_databases
def test_a_category_that_is_gone_does_not_swallow_the_alarm_nor_hold_up_others(field: Field, platform: Sender) -> None:
    with unit_of_work():
        kind = db.session.scalars(select(DeviceAlarmKind).where(DeviceAlarmKind.code == "outage")).one()
        kind.category_code = "99999"
    platform.send()
    field.lamp("L-2")
    platform.send("L-2", alarm="tilt")
    with wait_over():
        report_due()
    assert [report.category_id is None for report in all_reports()] == [False, True]


def test_a_sign_of_life_is_no_alarm(field: Field, platform: Sender) -> None:
    answer = platform.call(
        "POST", "/api/v1/devices/L-1/alarms", json={"state": "alive"}, headers=field.headers
    )  # fmt: skip
    assert (answer.status_code, answer.json["alarm"]) == (200, None)
    assert alarms() == []
    device = db.session.scalars(select(Device)).one()
    assert device.last_seen_at is not None


# Never two


@both_databases
def test_the_same_number_twice_is_the_same_alarm(field: Field, platform: Sender) -> None:
    first = platform.send(id="v1")
    second = platform.send(id="v1")
    assert (first.json["duplicate"], second.json["duplicate"], second.status_code) == (False, True, 200)
    (alarm,) = alarms()
    assert alarm.repeats == 0


@both_databases
def test_the_same_trouble_said_again_only_counts(field: Field, platform: Sender) -> None:
    platform.send(id="v1")
    for n in range(3):
        assert platform.send(id=f"again{n}").json["duplicate"] is True
    (alarm,) = alarms()
    assert alarm.repeats == 3
    with wait_over():
        report_due()
        assert platform.send().json["duplicate"] is True
        report_due()
    assert len(all_reports()) == 1


@both_databases
@pytest.mark.parametrize("status", [Status.ASSIGNED, Status.IN_PROGRESS, Status.RESOLVED])
def test_it_joins_what_a_resident_reported_there(
    district: SmallDistrict, field: Field, platform: Sender, status: Status
) -> None:
    theirs = make_report(district, status, facility_id=field.facility.id)
    platform.send()
    with wait_over():
        report_due()
    assert len(all_reports()) == 1
    answer = platform.send()
    assert (answer.json["report"], answer.json["joined"]) == (theirs.number, True)
    (event,) = events(EventKind.DEVICE_ALARM)
    assert (event.report_id, event.is_public, event.actor) == (theirs.id, False, "system")


def test_it_does_not_join_another_trouble_of_the_facility_or_one_that_is_over(
    district: SmallDistrict, field: Field, platform: Sender
) -> None:
    make_report(district, Status.ASSIGNED, facility_id=field.facility.id, category_code="01001")
    make_report(district, Status.CLOSED, facility_id=field.facility.id)
    platform.send()
    with wait_over():
        report_due()
    assert [report.source for report in all_reports()] == ["bot", "bot", "device"]


def test_a_critical_alarm_makes_what_it_joins_critical(district: SmallDistrict, field: Field, platform: Sender) -> None:
    theirs = make_report(district, Status.SUBMITTED, facility_id=field.facility.id, category_code="01001")
    assert platform.send(alarm="tilt").json == {
        "device": "L-1", "alarm": "tilt", "state": "raised", "report": theirs.number, "joined": True,
        "duplicate": False, "due_at": None,
    }  # fmt: skip
    assert all_reports()[0].urgency == "critical"


@both_databases
def test_the_same_alarm_delivered_at_once_many_times_is_one_report(app: Flask, field: Field, platform: Sender) -> None:
    answers: list[Any] = []
    gate = threading.Barrier(8)

    def deliver(number: int) -> None:
        gate.wait()
        with app.app_context():
            for alarm in ("tilt", "outage"):
                body = {"alarm": alarm, "state": "raised", "id": f"{alarm}{number % 2}"}
                sent = app.test_client().post("/api/v1/devices/L-1/alarms", json=body, headers=field.headers)
                answers.append((sent.status_code, sent.json))
            db.session.remove()

    threads = [threading.Thread(target=deliver, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status for status, _ in answers) == [200] * 14 + [201, 202]
    assert sorted(alarm.kind.code for alarm in alarms()) == ["outage", "tilt"]
    with wait_over():
        turns = [threading.Thread(target=_turn, args=(app,)) for _ in range(4)]
        for thread in turns:
            thread.start()
        for thread in turns:
            thread.join()
        report_due()
    assert sorted(report.category.code for report in all_reports()) == ["01001", "01037"]


def _turn(app: Flask) -> None:
    from district import jobs

    with app.app_context():
        jobs.report_alarms()
        db.session.remove()


# It is over


@both_databases
def test_what_is_over_before_its_time_never_becomes_a_report(field: Field, platform: Sender) -> None:
    platform.send(id="v1")
    answer = platform.send(state="cleared", id="v1")
    assert (answer.status_code, answer.json["duplicate"], answer.json["due_at"]) == (200, False, None)
    with wait_over():
        report_due()
    assert all_reports() == []
    assert platform.send(state="cleared", id="v1").json["duplicate"] is True


@both_databases
def test_when_all_is_well_again_the_report_says_so_and_staff_hear_it_but_nothing_is_closed(
    district: SmallDistrict, field: Field, platform: Sender
) -> None:
    platform.send()
    with wait_over():
        report_due()
        (found,) = all_reports()
        with unit_of_work():
            reports.assign(reports.lock(found.id), district.lamps.id, by=SYSTEM)
        cleared = platform.send(state="cleared")
        platform.send(state="cleared")
    assert cleared.json["report"] == found.number
    (event,) = events(EventKind.DEVICE_CLEARED)
    assert (event.report_id, event.is_public, event.data["devices"]) == (found.id, False, 1)
    told = db.session.scalars(select(StaffNotice).where(StaffNotice.kind == "device_cleared")).all()
    assert {one.staff_id for one in told} == {district.staff["handler"].id, district.staff["unit_manager"].id}
    assert all_reports()[0].status == Status.ASSIGNED


def test_before_anybody_has_it_the_dispatchers_hear_it(district: SmallDistrict, field: Field, platform: Sender) -> None:
    platform.send(alarm="tilt")
    platform.send(alarm="tilt", state="cleared")
    told = db.session.scalars(select(StaffNotice).where(StaffNotice.kind == "device_cleared")).all()
    assert [one.staff_id for one in told] == [district.staff["dispatcher"].id]


@both_databases
def test_one_that_stammers_is_one_report_and_does_not_fill_its_history(field: Field, platform: Sender) -> None:
    start = clock.now()
    for n in range(20):
        with clock.frozen_at(start + timedelta(seconds=20 * n)):
            platform.send(id=f"r{n}")
            report_due()
        with clock.frozen_at(start + timedelta(seconds=20 * n + 10)):
            platform.send(state="cleared")
            report_due()
    assert len(all_reports()) == 1
    (alarm,) = alarms()
    assert alarm.again == 19
    assert len(events(EventKind.DEVICE_ALARM)) <= 1
    assert len(events(EventKind.DEVICE_CLEARED)) == 1


def test_just_closed_and_raised_again_waits_before_it_is_another_report(
    district: SmallDistrict, field: Field, platform: Sender
) -> None:
    platform.send()
    start = clock.now()
    with wait_over():
        report_due()
        platform.send(state="cleared")
        _close(district, all_reports()[0])
    with clock.frozen_at(start + timedelta(minutes=3)):
        again = platform.send()
        assert again.status_code == 202
        # Half an hour after the closing, where the district says nothing.
        assert datetime.fromisoformat(again.json["due_at"]) > start + timedelta(minutes=30)
        report_due()
        assert len(all_reports()) == 1
    with clock.frozen_at(start + timedelta(minutes=32)):
        report_due()
    assert [report.status for report in all_reports()] == ["closed", "submitted"]


def test_what_is_critical_is_reported_again_at_once(district: SmallDistrict, field: Field, platform: Sender) -> None:
    platform.send(alarm="tilt")
    platform.send(alarm="tilt", state="cleared")
    _close(district, all_reports()[0])
    assert platform.send(alarm="tilt").status_code == 201
    assert len(all_reports()) == 2


@both_databases
def test_a_device_that_never_says_it_is_over_is_heard_again_after_the_closing(
    district: SmallDistrict, field: Field, platform: Sender
) -> None:
    start = clock.now()
    platform.send()
    with wait_over():
        report_due()
        _close(district, all_reports()[0])
        assert platform.send().json["duplicate"] is True
    with clock.frozen_at(start + timedelta(minutes=40)):
        assert platform.send().json["duplicate"] is False
        report_due()
        assert len(all_reports()) == 1
        with wait_over():
            report_due()
    assert [report.status for report in all_reports()] == ["closed", "submitted"]
    platform.send(alarm="tilt")
    _close(district, all_reports()[2])
    assert platform.send(alarm="tilt").status_code == 201


def test_what_was_turned_down_is_not_reported_again_while_it_goes_on(
    district: SmallDistrict, field: Field, platform: Sender
) -> None:
    start = clock.now()
    platform.send(alarm="tilt")
    with unit_of_work():
        reports.reject(reports.lock(all_reports()[0].id), by=district.staff["dispatcher"], reason="施工中，已围护")
    for hours in (2, 20, 40):
        with clock.frozen_at(start + timedelta(hours=hours)):
            assert platform.send(alarm="tilt").json["duplicate"] is True
    assert len(all_reports()) == 1
    # Silent for days, and then again: that is another.
    with clock.frozen_at(start + timedelta(days=5)):
        assert platform.send(alarm="tilt").status_code == 201


def _close(district: SmallDistrict, report: Report) -> None:
    report_id = report.id
    handler = district.staff["handler"]
    steps = (
        lambda r: reports.assign(r, district.lamps.id, by=SYSTEM),
        lambda r: reports.accept(r, by=handler),
        lambda r: reports.resolve(r, by=handler, note="修好了"),
        lambda r: reports.verify(r, by=district.staff["verifier"]),
    )
    for step in steps:
        with unit_of_work():
            step(reports.lock(report_id))


# Times


def test_a_late_delivery_does_not_raise_what_is_over(field: Field, platform: Sender) -> None:
    now = clock.now()
    platform.send(at=iso(now - timedelta(minutes=10)))
    platform.send(state="cleared", at=iso(now - timedelta(minutes=5)))
    late = platform.send(id="late", at=iso(now - timedelta(minutes=7)))
    assert late.json["duplicate"] is True
    (alarm,) = alarms()
    assert alarm.cleared_at is not None


@both_databases
def test_an_alarm_whose_clearing_came_first_is_not_raised(field: Field, platform: Sender) -> None:
    now = clock.now()
    first = platform.send(alarm="tilt", state="cleared", id="t1", at=iso(now - timedelta(minutes=5)))
    assert (first.status_code, first.json["report"]) == (200, None)
    assert platform.send(alarm="tilt", state="cleared", id="t1", at=iso(now - timedelta(minutes=5))).json["duplicate"]
    late = platform.send(alarm="tilt", id="t1", at=iso(now - timedelta(minutes=8)))
    assert late.json["duplicate"] is True
    assert all_reports() == []
    (alarm,) = alarms()
    assert (alarm.raised_at, alarm.cleared_at) == (now - timedelta(minutes=8), now - timedelta(minutes=5))
    # Another one is another matter, however short the time between.
    platform.send(alarm="tilt", id="t2", at=iso(now - timedelta(minutes=4)))
    assert len(all_reports()) == 1


def test_an_unknown_clearing_says_nothing_of_the_next_alarm(field: Field, platform: Sender) -> None:
    """It is no moment of peace in a stammering alarm, and no alarm that anybody should read of."""
    platform.send(state="cleared", id="never-raised")
    again = platform.send()
    assert again.status_code == 202
    assert [alarm.again for alarm in alarms()] == [0, 0]
    platform.send(state="cleared")
    assert [alarm.again for alarm in alarms() if alarm.vendor_id is None] == [0]


def test_an_old_clearing_does_not_end_a_new_alarm(field: Field, platform: Sender) -> None:
    now = clock.now()
    platform.send(at=iso(now - timedelta(minutes=1)))
    assert platform.send(state="cleared", at=iso(now - timedelta(minutes=9))).json["duplicate"] is True
    assert alarms()[0].cleared_at is None


def test_a_clock_that_is_a_little_fast_is_set_right_and_others_are_refused(field: Field, platform: Sender) -> None:
    now = clock.now()
    assert platform.send(at=iso(now + timedelta(minutes=4))).status_code == 202
    assert alarms()[0].raised_at <= clock.now()
    for wrong in (iso(now + timedelta(minutes=6)), iso(now - timedelta(days=8)), "yesterday", "2026-11-26T10:00:00", 5):
        answer = platform.send(at=wrong)
        assert refusal(answer) == (422, "bad_input")
        assert set(answer.json["error"]["fields"]) == {"at"}


# Floods


@both_databases
def test_a_cabinets_flood_is_one_report_on_the_cabinet(field: Field, platform: Sender) -> None:
    cabinet = field.lamp("K-1")
    for n in range(60):
        field.lamp(f"F-{n}", cabinet="K-1")
    entries = [{"device": f"F-{n}", "alarm": "outage"} for n in range(60)]
    for part in (entries[:30], entries[30:]):
        answer = platform.many(part)
        assert answer.status_code == 200
        assert not any("error" in one for one in answer.json["alarms"])
    with wait_over():
        report_due()
        (found,) = all_reports()
        assert found.facility_id == cabinet.id
        assert "60" in found.description
        assert "K-1" in found.description
        counted = db.session.scalar(select(func.count()).where(DeviceAlarm.report_id == found.id))
        assert counted == 60
        # Further ones join, with one line of history for all that come together.
        for n in range(3):
            field.lamp(f"G-{n}", cabinet="K-1")
        platform.many([{"device": f"G-{n}", "alarm": "outage"} for n in range(3)])
        with wait_over():
            report_due()
    assert len(all_reports()) == 1
    (event,) = events(EventKind.DEVICE_ALARM)
    assert event.data["devices"] == 3
    assert platform.send("G-1").json["joined"] is True


def test_fewer_than_a_flood_are_each_their_own(field: Field, platform: Sender) -> None:
    for n in range(4):
        field.lamp(f"F-{n}", cabinet="K-1")
        platform.send(f"F-{n}")
    with wait_over():
        report_due()
    assert len(all_reports()) == 4


def test_so_many_over_a_longer_time_are_no_flood(field: Field, platform: Sender) -> None:
    start = clock.now()
    for n in range(6):
        field.lamp(f"F-{n}", cabinet="K-1")
        with clock.frozen_at(start + timedelta(seconds=100 * n)):
            platform.send(f"F-{n}")
            report_due()
    with clock.frozen_at(start + timedelta(hours=1)):
        report_due()
    assert len(all_reports()) == 6


@both_databases
def test_what_was_reported_before_the_flood_was_one_becomes_part_of_it(
    district: SmallDistrict, field: Field, platform: Sender
) -> None:
    start = clock.now()
    for n in range(6):
        field.lamp(f"F-{n}", cabinet="K-1")
    for n in range(2):
        platform.send(f"F-{n}")
    with clock.frozen_at(start + timedelta(seconds=WAIT_S + 5)):
        report_due()
        second = all_reports()[1]
        with unit_of_work():
            reports.assign(reports.lock(second.id), district.lamps.id, by=SYSTEM)
        with unit_of_work():
            reports.accept(reports.lock(second.id), by=district.staff["handler"])
        for n in range(2, 6):
            platform.send(f"F-{n}")
    with clock.frozen_at(start + timedelta(seconds=2 * WAIT_S + 10)):
        report_due()
    found = all_reports()
    assert len(found) == 3
    # One had nobody, one is being worked on: that is never taken away.
    assert [(one.status, one.parent_id) for one in found[:2]] == [("merged", found[2].id), ("in_progress", None)]
    assert found[2].facility_id is None
    assert found[2].latitude == pytest.approx(field.facility.latitude)
    assert platform.send("F-0").json == {
        "device": "F-0", "alarm": "outage", "state": "raised", "report": found[2].number, "joined": True,
        "duplicate": True, "due_at": None,
    }  # fmt: skip


def test_a_flood_that_is_critical_is_one_report_although_it_does_not_wait(field: Field, platform: Sender) -> None:
    for n in range(5):
        field.lamp(f"F-{n}", cabinet="K-1")
        assert platform.send(f"F-{n}", alarm="leak").status_code == 201
    open_ones = [report for report in all_reports() if report.status != "merged"]
    assert len(open_ones) == 1
    assert len(all_reports()) == 3


@both_databases
def test_only_when_all_of_a_flood_is_well_again_it_is_said(field: Field, platform: Sender) -> None:
    for n in range(5):
        field.lamp(f"F-{n}", cabinet="K-1")
    platform.many([{"device": f"F-{n}", "alarm": "outage"} for n in range(5)])
    with wait_over():
        report_due()
        platform.many([{"device": f"F-{n}", "alarm": "outage", "state": "cleared"} for n in range(4)])
        assert events(EventKind.DEVICE_CLEARED) == []
        platform.send("F-4", state="cleared")
    (event,) = events(EventKind.DEVICE_CLEARED)
    assert event.data["devices"] == 5


# Lists


@both_databases
def test_in_a_list_each_answers_for_itself_and_in_its_place(field: Field, platform: Sender) -> None:
    answer = platform.many(
        [
            {"device": "L-1", "alarm": "outage"}, {"device": "nobody", "alarm": "outage"}, "x",
            {"device": "L-1", "alarm": "none"}, {"alarm": "outage"}, {"device": "L-1", "alarm": "tilt"},
        ]
    )  # fmt: skip
    codes = [one.get("error", {}).get("code") for one in answer.json["alarms"]]
    assert codes == [None, "not_found", "bad_input", "bad_input", "bad_input", None]
    fields = [sorted(one.get("error", {}).get("fields", {})) for one in answer.json["alarms"]]
    assert fields == [[], [], ["alarms"], ["alarm"], ["device"], []]
    assert len(alarms()) == 2


def test_a_device_may_send_a_list_of_its_own(field: Field, platform: Sender) -> None:
    path = "/api/v1/devices/L-1/alarms"
    now = clock.now()
    story = [
        {"alarm": "outage", "at": iso(now - timedelta(minutes=3))},
        {"alarm": "outage", "state": "cleared", "at": iso(now - timedelta(minutes=2))},
        {"alarm": "outage", "device": "L-2"},
    ]
    answer = platform.many(story, path)
    assert [one.get("state") for one in answer.json["alarms"]] == ["raised", "cleared", None]
    assert platform.call("POST", path, json={"alarms": story[:1]}, headers=field.headers).status_code == 200
    for size in (0, 101):
        answer = platform.many([{"alarm": "outage"}] * size, path)
        assert refusal(answer) == (422, "bad_input")
        assert "100" in answer.json["error"]["fields"]["alarms"]


# Who may


def test_a_key_speaks_for_the_devices_of_its_own_unit_only(
    district: SmallDistrict, field: Field, platform: Sender
) -> None:
    with unit_of_work():
        other = make_unit("GS", name="供水")
        other_id = other.id
        _, key = api_keys.create(
            by=district.staff["administrator"], name="供水平台", unit_id=other_id,
            scopes=[Scope.DEVICES_ALARM.value], per_minute=60, expires_at=None,
        )  # fmt: skip
    body = {"alarm": "tilt"}
    answer = platform.call("POST", "/api/v1/devices/L-1/alarms", json=body, headers=bearer(key))
    assert refusal(answer) == (404, "not_found")
    # The same name on another platform is another device.
    with unit_of_work():
        place = make_facility(db.session.get_one(Unit, other_id))
        field.district.lamps = db.session.get_one(Unit, field.district.lamps.id)
        place_id = place.id
    field.lamp("L-1", facility=db.session.get_one(type(place), place_id), unit_id=other_id)
    assert platform.call("POST", "/api/v1/devices/L-1/alarms", json=body, headers=bearer(key)).status_code == 201
    assert [report.facility_id for report in all_reports()] == [place_id]


def test_without_a_good_key_for_it_nothing_is_taken(district: SmallDistrict, field: Field, platform: Sender) -> None:
    path, body = "/api/v1/devices/L-1/alarms", {"alarm": "tilt"}
    assert refusal(platform.call("POST", path, json=body)) == (401, "key_refused")
    assert refusal(platform.call("POST", path, json=body, headers=bearer("x"))) == (401, "key_refused")
    key_id, other = make_key(district, Scope.REPORTS_WRITE)
    assert refusal(platform.call("POST", path, json=body, headers=bearer(other))) == (403, "scope_missing")
    key_id, blocked = make_key(district, Scope.DEVICES_ALARM)
    with unit_of_work():
        api_keys.revoke(key_id, by=district.staff["administrator"])
    assert refusal(platform.call("POST", path, json=body, headers=bearer(blocked))) == (401, "key_refused")
    assert alarms() == []


def test_a_device_that_is_out_of_use_is_not_known_any_more(field: Field, platform: Sender) -> None:
    with unit_of_work():
        db.session.scalars(select(Device)).one().retired_at = clock.now()
    assert refusal(platform.send()) == (404, "not_found")


@pytest.mark.parametrize(
    "body, status, fields",
    [
        ({}, 422, {"alarm"}), ({"alarm": "nothing"}, 422, {"alarm"}), ({"alarm": 5}, 422, {"alarm"}),
        ({"alarm": "outage", "state": "burning"}, 422, {"state"}), ({"alarm": "outage", "id": "x" * 81}, 422, {"id"}),
        ({"alarm": "outage", "value": [1]}, 422, {"value"}), ({"alarm": "outage", "message": 7}, 422, {"message"}),
        ({"alarm": "outage", "device": "L-2"}, 422, {"device"}),
        (5, 400, set()), ("text", 400, set()), ({"alarm": "a\0b"}, 400, set()),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_which_field_it_is(
    field: Field, platform: Sender, body: Any, status: int, fields: set[str]
) -> None:
    answer = platform.call("POST", "/api/v1/devices/L-1/alarms", json=body, headers=field.headers)
    assert answer.status_code == status
    assert set(answer.json["error"]["fields"]) == fields
    assert alarms() == []


def test_only_json_is_read(field: Field, platform: Sender) -> None:
    path = "/api/v1/devices/L-1/alarms"
    assert platform.call("POST", path, data={"alarm": "tilt"}, headers=field.headers).status_code == 415
    broken = platform.call("POST", path, data="{", content_type="application/json", headers=field.headers)
    assert broken.status_code == 400
    one = platform.call("POST", "/api/v1/devices/alarms", json={"alarm": "tilt"}, headers=field.headers)
    assert one.status_code == 400


class TestLimits(CountedTogether):
    def test_a_platform_that_sends_too_fast_is_told(
        self, district: SmallDistrict, field: Field, client: FlaskClient
    ) -> None:
        _, key = make_key(district, Scope.DEVICES_ALARM, per_minute=2)
        sent = [
            client.post("/api/v1/devices/L-1/alarms", json={"state": "alive"}, headers=bearer(key)).status_code
            for _ in range(4)
        ]
        assert sent == [200, 200, 429, 429]
