"""Who is on duty, and who stands in: routing and staff alike, and the reason says so."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from district import clock, settings
from district.duty import service as duty
from district.errors import BadInput, NotAllowed
from district.extensions import db
from district.messages import t
from district.people.models import AuditEntry
from district.reports import service as reports
from district.reports.states import Status
from district.routing import service as routing
from district.routing import story
from district.routing.models import RoutingDecision
from district.units.models import Unit
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.factories import MIDDLE, SmallDistrict, forget_reference, make_report, make_unit

HOUR = timedelta(hours=1)


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    return SmallDistrict()


def away(district: SmallDistrict, unit_id: int, stand_in_id: int, *, hours: int = 1) -> None:
    now = clock.now()
    with unit_of_work():
        duty.set_away(unit_id, stand_in_id, now - HOUR, now + hours * HOUR, by=district.staff["administrator"])
    forget_reference()


@both_databases
def test_the_router_gives_it_to_the_stand_in_and_says_so(district: SmallDistrict) -> None:
    away(district, district.lamps.id, district.street.id)
    report = make_report(district)
    with unit_of_work():
        routing.route_waiting()
    db.session.refresh(report)
    assert (report.status, report.unit_id) == (Status.ASSIGNED, district.street.id)
    said = t(report.reason["key"], **report.reason["params"])
    assert said == "路灯班组现在没人值守，由中心街道办代办，所以派给他们。"
    decision = db.session.scalars(select(RoutingDecision)).one()
    assert (decision.rule_code, decision.unit_id) == ("R1", district.street.id)
    assert story.tell(decision.trace)[-1] == "路灯班组不在，由中心街道办代办"
    # The same is said where nothing is filed, for the moment that is asked about.
    asked = {"text": "路灯不亮", "latitude": MIDDLE[0], "longitude": MIDDLE[1], "category_code": "01037"}
    assert routing.decide_for(**asked)["unit"]["code"] == "J001"  # type: ignore[arg-type]
    later = clock.now() + timedelta(days=2)
    assert routing.decide_for(**asked, at=later)["unit"]["code"] == "SZ-LD"  # type: ignore[arg-type]


def test_a_dispatcher_gets_the_stand_in_too(district: SmallDistrict) -> None:
    away(district, district.lamps.id, district.street.id)
    report = make_report(district)
    with unit_of_work():
        reports.assign(reports.lock(report.id), district.lamps.id, by=district.staff["dispatcher"])
    db.session.refresh(report)
    assert report.unit_id == district.street.id
    assert report.reason["key"] == "handback.reason.stand_in"


def test_a_closed_unit_with_a_stand_in_still_answers_through_it(district: SmallDistrict) -> None:
    away(district, district.lamps.id, district.street.id, hours=0)
    with unit_of_work():
        db.session.get_one(Unit, district.lamps.id).closed_at = clock.now()
        settings.changed("units")
    forget_reference()
    report = make_report(district)
    with clock.frozen_at(clock.now() + timedelta(days=400)), unit_of_work():
        routing.route_waiting()
    db.session.refresh(report)
    assert (report.unit_id, report.reason["key"]) == (district.street.id, "handback.reason.stand_in")


def test_stand_ins_follow_one_another_and_never_in_a_circle(district: SmallDistrict) -> None:
    with unit_of_work():
        third = make_unit("HW")
    forget_reference()
    away(district, district.lamps.id, district.street.id)
    away(district, district.street.id, third.id)
    found = duty.stand_in_for(district.lamps.id)
    assert found is not None
    assert found.code == "HW"
    away(district, third.id, district.lamps.id)
    found = duty.stand_in_for(district.lamps.id)
    assert found is not None
    assert found.code == "HW"
    assert duty.stand_in_for(district.command.id) is None


def test_a_manager_keeps_the_roster_of_their_own_unit_only(district: SmallDistrict) -> None:
    now, manager = clock.now(), district.staff["unit_manager"]
    with unit_of_work():
        row = duty.add_shift(district.lamps.id, "金师傅", "0457-5550001", now - HOUR, now + HOUR, by=manager)
        shift_id = row.id
    assert [shift.name for shift in duty.on_duty(district.lamps.id)] == ["金师傅"]
    assert duty.on_duty(district.lamps.id, now + 2 * HOUR) == []
    with pytest.raises(NotAllowed), unit_of_work():
        duty.add_shift(district.street.id, "某人", "1", now, now + HOUR, by=manager)
    with pytest.raises(NotAllowed), unit_of_work():
        duty.set_away(district.street.id, district.lamps.id, now, None, by=manager)
    with pytest.raises(NotAllowed), unit_of_work():
        duty.end_shift(shift_id, by=district.staff["handler"])
    with pytest.raises(BadInput) as refused, unit_of_work():
        duty.add_shift(district.lamps.id, " ", "", now, now - HOUR, by=manager)
    assert set(refused.value.fields) == {"name", "phone", "ends_at"}
    with pytest.raises(BadInput) as refused, unit_of_work():
        duty.set_away(district.lamps.id, district.lamps.id, now, now - HOUR, by=manager)
    assert set(refused.value.fields) == {"stand_in", "ends_at"}
    with unit_of_work():
        duty.end_shift(shift_id, by=manager)
    assert duty.on_duty(district.lamps.id) == []
    assert db.session.scalars(select(AuditEntry.action)).all() == ["unit.add_shift", "unit.end_shift"]
