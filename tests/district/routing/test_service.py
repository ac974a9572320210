"""Waiting reports get their unit: in batches, once, whatever happens to one of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import event, select

from district import clock, settings
from district.errors import BadInput, NotFound
from district.extensions import db
from district.messages import ENGLISH, speaking, t
from district.reports.models import EventKind, Report, ReportEvent, ReportUnit
from district.reports.states import Status
from district.routing import service as routing
from district.routing import story
from district.routing.models import RoutingDecision, RoutingRule
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.factories import MIDDLE, SmallDistrict, forget_reference, make_facility, make_report, make_rule, make_unit

pytestmark = both_databases


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    return SmallDistrict()


def route(limit: int = 50, **given: object) -> int:
    with unit_of_work():
        return routing.route_waiting(limit, **given)  # type: ignore[arg-type]


def decision_of(report: Report) -> RoutingDecision:
    return db.session.scalars(select(RoutingDecision).where(RoutingDecision.report_id == report.id)).one()


def test_a_report_goes_to_the_unit_of_its_rule_with_the_reason_and_the_trace(district: SmallDistrict) -> None:
    report = make_report(district)
    assert route() == 1
    assert (report.status, report.unit_id) == (Status.ASSIGNED, district.lamps.id)
    assert t(report.reason["key"], **report.reason["params"]) == "“路灯异常”由路灯班组负责，所以派给他们。"
    decision = decision_of(report)
    assert (decision.rule_code, decision.unit_id, decision.to_triage) == ("R1", district.lamps.id, False)
    assert decision.reason == report.reason
    assert decision.inputs["category"] == "01037"
    assert decision.inputs["category_source"] == "given"
    assert decision.inputs["area"] == "990000001"
    assert [entry["outcome"] for entry in decision.trace] == ["won", "outranked", "outranked"]
    kinds = db.session.scalars(select(ReportEvent.kind).where(ReportEvent.report_id == report.id)).all()
    assert kinds == [EventKind.SUBMITTED, EventKind.ROUTED]


def test_the_residents_words_are_not_copied_into_the_decision(district: SmallDistrict) -> None:
    report = make_report(district, description="我叫张三，路灯不亮", category_code="")
    route()
    decision = decision_of(report)
    assert "张三" not in f"{decision.inputs}{decision.trace}{decision.reason}"


def test_words_that_are_sure_give_the_category(district: SmallDistrict) -> None:
    report = make_report(district, description="门口路灯不亮了", category_code="")
    route()
    assert (report.unit_id, report.category_id) == (district.lamps.id, district.category.id)
    decision = decision_of(report)
    assert decision.inputs["category_source"] == "understood"
    assert decision.inputs["candidates"][0][0] == "01037"


def test_words_that_are_not_sure_leave_it_to_people_with_the_street_proposed(district: SmallDistrict) -> None:
    report = make_report(district, description="这里很乱", category_code="")
    route()
    assert (report.status, report.category_id) == (Status.TRIAGE, None)
    assert report.reason["key"] == "routing.reason.confirm"
    assert decision_of(report).unit_id == district.street.id
    found = routing.proposal(report.id)
    assert found is not None
    assert (found.unit_id, found.rule_code, found.other_units) == (district.street.id, "R2", ())


def test_a_scanned_facility_goes_to_who_maintains_it(district: SmallDistrict) -> None:
    with unit_of_work():
        lighting = make_unit("LIGHT", name="灯杆养护队")
        facility = make_facility(lighting)
        make_rule("R0", "@facility.maintainer_unit", priority=950, condition="category.facility_type = facility.type")
        district.category.facility_type_code = "01037"
        settings.changed("categories")
    forget_reference()
    report = make_report(district, facility_id=facility.id, latitude=None, longitude=None)
    route()
    assert report.unit_id == lighting.id
    assert t(report.reason["key"], **report.reason["params"]) == "这处路灯由灯杆养护队养护，所以派给他们。"


def test_a_report_without_a_place_is_left_to_people_with_its_unit_proposed(district: SmallDistrict) -> None:
    report = make_report(district, latitude=None, longitude=None)
    route()
    assert (report.status, report.reason["key"]) == (Status.TRIAGE, "routing.reason.no_place")
    assert decision_of(report).unit_id == district.lamps.id


def test_words_for_a_place_are_enough_for_a_unit_that_serves_everywhere(district: SmallDistrict) -> None:
    report = make_report(district, latitude=None, longitude=None, address="胜利路东头")
    route()
    assert report.unit_id == district.lamps.id


def test_helpers_get_their_part(district: SmallDistrict) -> None:
    with unit_of_work():
        make_rule("C1", "@area.street", role="co", priority=10)
        make_rule("C2", "CMD", role="supervise", priority=990)
    forget_reference()
    report = make_report(district)
    route()
    parts = db.session.execute(select(ReportUnit.unit_id, ReportUnit.role).where(ReportUnit.report_id == report.id))
    assert {tuple(row) for row in parts} == {(district.street.id, "co"), (district.command.id, "supervise")}


def test_helpers_of_a_proposal_are_kept_for_the_dispatcher(district: SmallDistrict) -> None:
    with unit_of_work():
        make_rule("C1", "SZ-LD", role="co", priority=10)
    forget_reference()
    report = make_report(district, description="这里很乱", category_code="")
    route()
    found = routing.proposal(report.id)
    assert found is not None
    assert found.other_units == ((district.lamps.id, "co"),)


def test_a_report_nobody_routed_has_no_proposal(district: SmallDistrict) -> None:
    assert routing.proposal(make_report(district).id) is None


def test_danger_in_the_words_makes_it_critical_and_its_dispatch_due_sooner(district: SmallDistrict) -> None:
    with unit_of_work():
        settings.put("emergency", [{"code": "power", "unit": "SZ-LD", "words": ["漏电"], "categories": []}])
    forget_reference()
    report = make_report(district, description="路灯不亮，好像漏电", category_code="")
    due = report.dispatch_due_at
    route()
    assert report.urgency == "critical"
    assert report.dispatch_due_at < due


def test_routing_again_changes_nothing(district: SmallDistrict) -> None:
    report = make_report(district)
    assert route() == 1
    version = report.version
    assert route() == 0
    assert (report.version, report.unit_id) == (version, district.lamps.id)
    assert decision_of(report).rule_code == "R1"


@pytest.mark.parametrize("status", [Status.WITHDRAWN, Status.TRIAGE, Status.IN_PROGRESS, Status.CLOSED])
def test_what_is_no_longer_waiting_is_left_alone(district: SmallDistrict, status: Status) -> None:
    report = make_report(district, status)
    assert route() == 0
    assert report.status == status


def test_the_longest_waiting_come_first_and_no_more_than_asked_for(district: SmallDistrict) -> None:
    waiting = [make_report(district) for _ in range(3)]
    ids = [report.id for report in waiting]
    assert routing.waiting_ids() == ids
    assert route(2) == 2
    assert [report.status for report in waiting] == [Status.ASSIGNED, Status.ASSIGNED, Status.SUBMITTED]
    assert routing.waiting_ids() == ids[2:]


def test_only_the_ones_named_are_routed_when_some_are_named(district: SmallDistrict) -> None:
    first, second = make_report(district), make_report(district)
    assert route(only=[second.id]) == 1
    assert (first.status, second.status) == (Status.SUBMITTED, Status.ASSIGNED)


def test_a_rule_changed_since_then_counts_for_the_next_report(district: SmallDistrict) -> None:
    make_report(district)
    route()
    with unit_of_work():
        rule = db.session.scalars(select(RoutingRule).where(RoutingRule.code == "R1")).one()
        rule.units = ["J001"]
        settings.changed("rules")
    forget_reference()
    report = make_report(district)
    route()
    assert report.unit_id == district.street.id
    assert decision_of(report).rules_version == settings.versions()["rules"]


def break_the_understanding() -> None:
    """Settings that no folder could bring: every report that needs its words understood fails."""
    with unit_of_work():
        settings.put("emergency", ["not a table"])
    forget_reference()


def test_a_report_that_cannot_be_decided_does_not_hold_up_the_others(
    district: SmallDistrict, caplog: pytest.LogCaptureFixture
) -> None:
    broken = make_report(district, description="我叫张三，路灯不亮", category_code="")
    good = make_report(district)
    break_the_understanding()
    assert route() == 2
    assert (broken.status, broken.route_tries) == (Status.SUBMITTED, 1)
    assert broken.route_after > clock.now()
    assert good.status == Status.ASSIGNED
    assert routing.waiting_ids() == []
    assert [record.report for record in caplog.records if record.name == routing.__name__] == [broken.id]  # type: ignore[attr-defined]
    assert "张三" not in caplog.text


def test_after_the_last_try_people_decide_and_the_reason_is_honest(district: SmallDistrict) -> None:
    report = make_report(district, description="路灯不亮", category_code="")
    break_the_understanding()
    moment = clock.now()
    for _ in range(3):
        with clock.frozen_at(moment):
            assert route() == 1
        moment += timedelta(minutes=5)
    assert (report.status, report.reason["key"]) == (Status.TRIAGE, "routing.reason.failed")
    assert report.route_tries == 3


def test_what_was_put_off_is_routed_once_the_trouble_is_over(district: SmallDistrict) -> None:
    report = make_report(district, description="路灯不亮", category_code="")
    break_the_understanding()
    route()
    with unit_of_work():
        settings.put("emergency", [])
    forget_reference()
    with clock.frozen_at(clock.now() + timedelta(minutes=1)):
        assert route() == 1
    assert report.unit_id == district.lamps.id


def test_a_job_can_put_a_report_off_by_itself(district: SmallDistrict) -> None:
    report = make_report(district)
    with unit_of_work():
        routing.put_off(report.id)
    assert (report.status, report.route_tries) == (Status.SUBMITTED, 1)
    assert routing.waiting_ids() == []
    done = make_report(district, Status.ASSIGNED)
    with unit_of_work():
        routing.put_off(done.id)
    assert done.route_tries == 0


@contextmanager
def counted(kind: str) -> Iterator[list[str]]:
    """Every statement of one kind that the database is given meanwhile."""
    seen: list[str] = []

    def on_execute(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip().upper().startswith(kind):
            seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", on_execute)
    try:
        yield seen
    finally:
        event.remove(db.engine, "before_cursor_execute", on_execute)


def test_a_batch_reads_and_writes_in_few_statements_however_many_reports(district: SmallDistrict) -> None:
    for _ in range(12):
        make_report(district)
    route(1)
    with counted("SELECT") as few:
        route(2)
    with counted("SELECT") as many, counted("INSERT") as written:
        assert route() == 9
    assert len(many) == len(few)
    # History, notifications and decisions: one statement each where the database can give back many ids at once.
    assert len(set(written)) <= 3
    if db.engine.dialect.name == "postgresql":
        assert len(written) <= 3


def test_two_workers_share_the_waiting_reports_and_route_none_twice(district: SmallDistrict, app: Flask) -> None:
    ids = {make_report(district).id for _ in range(12)}
    db.session.remove()
    handled: list[int] = []

    def work() -> None:
        with app.app_context():
            while count := route(2):
                handled.append(count)
            db.session.remove()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=120)
    assert sum(handled) == 12
    decided = db.session.scalars(select(RoutingDecision.report_id)).all()
    assert sorted(decided) == sorted(ids)


def test_asking_where_a_report_would_go_files_nothing(district: SmallDistrict) -> None:
    answer = routing.decide_for("路灯不亮", *MIDDLE)
    assert answer["unit"] == {"code": "SZ-LD", "name": "路灯班组"}
    assert answer["category"]["code"] == "01037"
    assert answer["candidates"][0] == answer["category"]
    assert (answer["triage"], answer["intent"], answer["urgency"]) == (False, "report", "normal")
    assert answer["place"] == {
        "latitude": MIDDLE[0], "longitude": MIDDLE[1], "name": None, "kind": "given", "candidates": []
    }  # fmt: skip
    assert answer["reason"] == "“路灯异常”由路灯班组负责，所以派给他们。"
    assert answer["trace"][0]["rule"] == "R1"
    assert db.session.scalars(select(Report)).all() == []
    assert db.session.scalars(select(RoutingDecision)).all() == []


def test_asking_without_a_place_proposes_and_asks_for_one(district: SmallDistrict) -> None:
    answer = routing.decide_for("路灯不亮")
    assert (answer["unit"]["code"], answer["triage"], answer["place"]) == ("SZ-LD", True, None)


def test_asking_takes_a_facility_by_either_code_and_a_category_that_is_given(district: SmallDistrict) -> None:
    with unit_of_work():
        facility = make_facility(district.lamps)
    for code in (facility.code, facility.code17):
        answer = routing.decide_for("说不清楚", facility_code=code, category_code="01037")
        assert answer["category"] == {"code": "01037", "confidence": 1.0}
        assert (answer["unit"]["code"], answer["triage"]) == ("SZ-LD", False)


def test_asking_for_what_does_not_exist_is_refused(district: SmallDistrict) -> None:
    with pytest.raises(NotFound):
        routing.decide_for("路灯不亮", category_code="99999")
    with pytest.raises(NotFound):
        routing.decide_for("路灯不亮", facility_code="1")
    with pytest.raises(BadInput) as refused:
        routing.decide_for("路灯不亮", 39.9, 116.4)
    assert refused.value.fields == {"latitude": "errors.outside_district"}


@pytest.mark.parametrize("at", [datetime(2026, 11, 22, 9, 0), datetime(2026, 11, 22, 1, 0, tzinfo=UTC)])  # noqa: DTZ001
def test_asking_for_another_time_takes_the_districts_or_any_other_zone(district: SmallDistrict, at: datetime) -> None:
    assert routing.decide_for("路灯不亮", *MIDDLE, at=at)["unit"]["code"] == "SZ-LD"


def test_staff_read_the_trace_as_sentences(district: SmallDistrict) -> None:
    with unit_of_work():
        make_rule("R0", "@facility.maintainer_unit", priority=950)
        make_rule("RC", "CMD", role="co", condition="intent = emergency", priority=940)
        make_rule("RP", "J001", condition="facility is not null", priority=930)
        make_rule("RS", "CMD", role="supervise", priority=2)
    forget_reference()
    trace = routing.decide_for("路灯不亮", *MIDDLE)["trace"]
    assert story.tell(trace) == [
        "R0：没用上，查不到设施的养护单位是谁",
        "RP：没用上，条件不符：facility is not null",
        "R1：派给路灯班组",
        "R2：本来给中心街道办，但排在后面",
        "RS：指挥中心督办",
        "R3：本来给工作人员，但排在后面",
        "另有1条规则说的是别的类别、别的地方或别的设施",
    ]
    with speaking(ENGLISH):
        assert story.tell(trace)[0] == "R0: not used, no unit that maintains the facility is known"
