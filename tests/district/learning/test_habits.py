"""Where reports really go, told beside the rules and never instead of them."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Flask

from district.extensions import db
from district.learning import habits
from district.reference import reference
from district.reports import service as reports
from district.reports.models import Report
from district.reports.states import Status
from district.routing import choices
from district.routing import service as routing
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.factories import SmallDistrict, forget_reference, make_facility, make_report, make_rule, make_unit


def send(district: SmallDistrict, unit_ids: Sequence[int], **given: object) -> list[Report]:
    """Reports that the rules route, and that dispatchers then move to these units where they are elsewhere."""
    made = [make_report(district, **given) for _ in unit_ids]
    with unit_of_work():
        routing.route_waiting()
    for report, unit_id in zip(made, unit_ids, strict=True):
        with unit_of_work():
            locked = reports.lock(report.id)
            if locked.unit_id != unit_id:
                reports.assign(locked, unit_id, by=district.staff["dispatcher"])
    return made


def renew() -> int:
    found = habits.count(reference())
    with unit_of_work():
        habits.keep(found)
    return len(found)


@both_databases
def test_what_dispatchers_do_again_and_again_is_a_habit_and_a_hint(app: Flask) -> None:
    district = SmallDistrict()
    lamps, street = district.lamps.id, district.street.id
    send(district, [street] * 6)
    # One for the street and one for the whole category; the page says it once.
    assert renew() == 2
    (hint,) = habits.hints()
    assert (hint.category_code, hint.area_code) == ("01037", "")
    assert (hint.unit_id, hint.times, hint.last, hint.moved, hint.rules_unit_id) == (street, 6, 6, 6, lamps)
    waiting = make_report(district, Status.TRIAGE)
    offered = choices.help_with(waiting)
    assert offered is not None
    assert offered.habit is not None
    assert (offered.habit.unit.id, offered.habit.times, offered.habit.last) == (street, 6, 6)
    # It is told, never done: the rules decide as before.
    (next_one,) = send(district, [lamps])
    assert (db.session.get_one(Report, next_one.id).reason or {})["key"] != "routing.reason.dispatcher"


def test_a_few_or_divided_decisions_are_no_habit(app: Flask) -> None:
    district = SmallDistrict()
    lamps, street = district.lamps.id, district.street.id
    send(district, [street] * 4)
    assert renew() == 0
    send(district, [lamps, street, street])
    renew()
    assert len(habits.hints()) == 1
    with unit_of_work():
        third = make_unit("U9").id
    forget_reference()
    send(district, [third] * 4)
    renew()
    assert habits.hints() == []
    report = make_report(district, Status.TRIAGE)
    assert habits.habit_for(report, reference()) is None


def test_the_closest_likeness_speaks_first(app: Flask) -> None:
    district = SmallDistrict()
    street = district.street.id
    with unit_of_work():
        facility_id = make_facility(district.lamps).id
        other = make_unit("U8").id
    forget_reference()
    send(district, [other] * 5, facility_id=facility_id)
    send(district, [street] * 20)
    renew()
    with_facility = make_report(district, Status.TRIAGE, facility_id=facility_id)
    habit = habits.habit_for(with_facility, reference())
    assert habit is not None
    assert (habit.unit_id, habit.facility_type, habit.owner_code) == (other, "01037", "SZ-LD")
    without = habits.habit_for(make_report(district, Status.TRIAGE), reference())
    assert without is not None
    assert (without.unit_id, without.facility_type, without.area_code) == (street, "", "990000001")


def test_a_mended_rule_is_no_hint_any_more(app: Flask) -> None:
    district = SmallDistrict()
    street = district.street.id
    send(district, [street] * 8)
    renew()
    assert habits.hints()
    with unit_of_work():
        make_rule("R0", "J001", category_codes=["01037"], priority=900)
    forget_reference()
    (right,) = send(district, [street])
    with unit_of_work():
        reports.resolve(reports.lock(right.id), by=district.staff["street"], note="修好了")
    with unit_of_work():
        reports.verify(reports.lock(right.id), by=district.staff["verifier"])
    renew()
    assert habits.hints() == []
    # It is what the rules say now: nothing to tell.
    offered = choices.help_with(make_report(district, Status.TRIAGE))
    assert offered is not None
    assert offered.habit is None


def test_rules_are_not_blamed_for_a_wrong_category(app: Flask) -> None:
    from tests.factories import make_category

    district = SmallDistrict()
    with unit_of_work():
        make_category("01001", name="井盖异常", name_en="manhole cover", keywords=["井盖"])
        make_rule("R4", "J001", category_codes=["01001"])
    forget_reference()
    made = [make_report(district, category_code="01001", description="怪声") for _ in range(6)]
    with unit_of_work():
        routing.route_waiting()
    lamps = district.lamps.id
    for report in made:
        with unit_of_work():
            locked = reports.lock(report.id)
            locked.category_id = district.category.id
            reports.assign(locked, lamps, by=district.staff["dispatcher"])
    renew()
    assert habits.hints() == []
