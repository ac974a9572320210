"""Handed back once, ruled for good, kept as a precedent, counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from district import clock, settings
from district.errors import BadInput, NotAllowed, WrongState
from district.extensions import db
from district.messages import ENGLISH, speaking
from district.reports import guards, hand_backs, precedents
from district.reports import service as reports
from district.reports.models import EventKind, HandBack, Report, ReportEvent
from district.reports.states import Action, Status
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.factories import SmallDistrict, forget_reference, make_report, make_unit

# A Tuesday, 10:00 in the district.
TUESDAY = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    return SmallDistrict()


def back(district: SmallDistrict, report: Report, who: str = "handler", **given: Any) -> HandBack:
    with unit_of_work():
        return reports.hand_back(
            reports.lock(report.id), by=district.staff[who], **({"reason_code": "not_our_duty"} | given)
        )


def uphold(district: SmallDistrict, report: Report, unit_id: int) -> None:
    with unit_of_work():
        reports.uphold_hand_back(
            reports.lock(report.id), by=district.staff["dispatcher"], unit_id=unit_id, ruling="街道的路灯"
        )


def refuse(district: SmallDistrict, report: Report) -> None:
    with unit_of_work():
        reports.refuse_hand_back(reports.lock(report.id), by=district.staff["dispatcher"], ruling="灯杆归你们养护")


def test_a_ruling_is_final_for_the_unit_the_next_unit_and_the_dispatcher(district: SmallDistrict) -> None:
    report = make_report(district, Status.ASSIGNED)
    back(district, report)
    uphold(district, report, district.street.id)
    db.session.refresh(report)
    assert report.unit_id == district.street.id
    # The unit that has it by the ruling cannot hand it on, nor can the dispatcher move it.
    with pytest.raises(WrongState) as refused:
        back(district, report, "street")
    assert refused.value.key == "handback.ruling_is_final"
    db.session.refresh(report)
    dispatcher, lead = district.staff["dispatcher"], district.staff["shift_lead"]
    assert Action.HAND_BACK not in guards.possible(district.staff["street"], report)
    assert Action.ASSIGN not in guards.possible(dispatcher, report)
    assert Action.ASSIGN in guards.possible(lead, report)
    with pytest.raises(WrongState) as refused, unit_of_work():
        reports.assign(reports.lock(report.id), district.lamps.id, by=dispatcher)
    assert refused.value.key == "handback.settled"
    # Only the shift lead begins it anew, and even then the first unit had its one hand-back.
    with unit_of_work():
        reports.assign(reports.lock(report.id), district.lamps.id, by=lead)
    with pytest.raises(WrongState) as refused:
        back(district, report)
    assert refused.value.key == "errors.handed_back_already"


def test_a_reason_comes_from_the_list_and_something_else_needs_words(district: SmallDistrict) -> None:
    report = make_report(district, Status.ASSIGNED)
    for given, field in (
        ({"reason_code": ""}, "reason_code"),
        ({"reason_code": "bored"}, "reason_code"),
        ({"reason_code": "other", "reason": " "}, "reason"),
    ):
        with pytest.raises(BadInput) as refused:
            back(district, report, **given)
        assert set(refused.value.fields) == {field}
    row = back(district, report, reason_code="wrong_place")
    assert (row.reason_code, row.reason) == ("wrong_place", "")
    db.session.refresh(report)
    assert report.first_seen_at == row.asked_at  # whoever hands it back has looked
    assert hand_backs.reason_words("wrong_place") == "地点不对"


def test_the_districts_own_reasons_replace_ours(district: SmallDistrict) -> None:
    with unit_of_work():
        own = [{"code": "by_law", "name": {"zh-Hans": "三定方案不归我们", "en": "Not ours by law"}}]
        settings.put("hand_backs", {"reasons": own})
        settings.changed("settings")
    forget_reference()
    assert [code for code, _ in hand_backs.reasons()] == ["by_law", "other"]
    with speaking(ENGLISH):
        assert hand_backs.reason_words("by_law") == "Not ours by law"
    with pytest.raises(BadInput):
        back(district, make_report(district, Status.ASSIGNED), reason_code="wrong_place")


@pytest.mark.parametrize(("later", "late"), [(timedelta(hours=24), False), (timedelta(hours=25, minutes=40), True)])
def test_late_is_counted_in_working_time_from_the_assignment(
    district: SmallDistrict, later: timedelta, late: bool
) -> None:
    # Eight working hours are a whole day and half an hour: from Tuesday 10:00 to Wednesday 10:30.
    with unit_of_work():
        settings.put("hours", {"days": [1, 2, 3, 4, 5], "work": [["08:30", "12:00"], ["13:30", "17:30"]]})
        settings.changed("settings")
    forget_reference()
    with clock.frozen_at(TUESDAY):
        report = make_report(district, Status.ASSIGNED)
    with clock.frozen_at(TUESDAY + later):
        assert back(district, report).is_late is late


@both_databases
def test_a_ruling_is_offered_the_next_time_and_who_ignores_it_repeats(district: SmallDistrict) -> None:
    first = make_report(district, Status.ASSIGNED)
    back(district, first)
    refuse(district, first)
    second = make_report(district, Status.ASSIGNED)
    (match,) = precedents.like(second)
    assert match.same_area
    assert (match.precedent.from_unit_id, match.precedent.to_unit_id) == (district.lamps.id, district.lamps.id)
    assert match.precedent.why == "灯杆归你们养护"
    assert precedents.deciding(second) is not None
    assert not db.session.scalars(select(HandBack.is_repeated)).one()
    assert back(district, second).is_repeated
    event = db.session.scalars(select(ReportEvent).where(ReportEvent.kind == EventKind.HANDED_BACK)).all()[-1]
    assert event.data == {"reason_code": "not_our_duty", "late": False, "repeated": True}
    # Another kind of case has no precedent, and one without a place only from another area.
    other = make_report(district, Status.SUBMITTED, category_code="", description="别的事")
    elsewhere = make_report(district, Status.ASSIGNED, latitude=None, longitude=None, address="某处")
    assert precedents.like(other) == []
    assert [found.same_area for found in precedents.like(elsewhere)] == [False]
    assert precedents.deciding(elsewhere) is None


@both_databases
def test_the_rate_counts_each_bad_hand_back_once_and_keeps_silent_about_few(district: SmallDistrict) -> None:
    with unit_of_work():
        make_unit("NEVER")
    given = [make_report(district, Status.ASSIGNED) for _ in range(5)]
    begun = clock.now() - timedelta(days=1)
    back(district, given[0])
    refuse(district, given[0])  # refused
    back(district, given[1])
    uphold(district, given[1], district.street.id)  # right after all, whatever the ruling before said
    with clock.frozen_at(clock.now() + timedelta(days=20)):
        back(district, given[2])  # late
        end = clock.now() + timedelta(seconds=1)
        (row,) = hand_backs.rates(begun, end)
    assert row.unit_id == district.lamps.id
    assert (row.dispatched, row.asked, row.upheld, row.refused, row.late, row.repeated) == (5, 3, 1, 1, 1, 1)
    assert (row.shirked, row.rate) == (2, 2 / 5)
    assert hand_backs.rates(begun, end, units=[district.street.id]) == []
    assert hand_backs.rates(begun - timedelta(days=2), begun) == []
    with unit_of_work():
        settings.put("limits", {"hand_back_rate_least": 6})
        settings.changed("settings")
    forget_reference()
    assert hand_backs.rates(begun, end)[0].rate is None


def test_who_takes_on_an_unclear_case_keeps_it_until_a_ruling(district: SmallDistrict) -> None:
    report = make_report(district)
    with unit_of_work():
        reports.send_to_triage(
            reports.lock(report.id), reason={"key": "routing.reason.backstop", "params": {}}, is_unclear=True
        )
    dispatcher = district.staff["dispatcher"]
    with unit_of_work():
        reports.assign(reports.lock(report.id), district.lamps.id, by=dispatcher)
    db.session.refresh(report)
    assert report.reason == {"key": "handback.reason.first_taker", "params": {"unit": "路灯班组"}}
    assert Action.ASSIGN in guards.possible(dispatcher, report)  # nobody has taken it on yet
    with unit_of_work():
        reports.accept(reports.lock(report.id), by=district.staff["handler"])
    db.session.refresh(report)
    assert report.events[-1].data == {"first_taker": True}
    assert Action.ASSIGN not in guards.possible(dispatcher, report)
    assert Action.ASSIGN in guards.possible(district.staff["shift_lead"], report)
    back(district, report)
    uphold(district, report, district.street.id)
    db.session.refresh(report)
    assert (report.unit_id, report.is_unclear) == (district.street.id, False)


def test_only_whoever_may_assign_leaves_it_where_it_is(district: SmallDistrict) -> None:
    report = make_report(district, Status.IN_PROGRESS)
    with unit_of_work():
        reports.propose_unit(reports.lock(report.id), district.street.id)
    with pytest.raises(NotAllowed), unit_of_work():
        reports.keep_unit(reports.lock(report.id), by=district.staff["handler"])
    with unit_of_work():
        reports.keep_unit(reports.lock(report.id), by=district.staff["dispatcher"])
    with pytest.raises(WrongState), unit_of_work():
        reports.keep_unit(reports.lock(report.id), by=district.staff["dispatcher"])
