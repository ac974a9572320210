"""A question's whole life: who is told, what stands still meanwhile, and what its end gives back."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from district import clock, jobs
from district.errors import BadInput, WrongState
from district.extensions import db
from district.notifications.models import Notification
from district.people.models import AuditEntry
from district.reports import queries, questions
from district.reports import service as reports
from district.reports.guards import KEY_HOLDER
from district.reports.models import EventKind, Outcome, Report, ReportEvent, ReportQuestion
from district.reports.queries import Filters, Queue
from district.reports.states import Status
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.factories import SmallDistrict, make_report, make_resident, set_limit

HOUR = timedelta(hours=1)
ENDS = {
    "answered": lambda report, d: questions.answer(report, by=KEY_HOLDER, text="门口那盏"),
    "taken back": lambda report, d: questions.withdraw_question(report, by=d.staff["handler"]),
}


@pytest.fixture
def district(app: object) -> SmallDistrict:
    """Its limits run day and night, so that what is given back is what a watch would say."""
    made = SmallDistrict()
    set_limit(made, 48, "hours")
    return made


def ask(district: SmallDistrict, report_id: int, who: str = "dispatcher") -> None:
    with unit_of_work():
        questions.ask(reports.lock(report_id), by=district.staff[who], text="具体在哪里？")


def of(report_id: int) -> Report:
    db.session.expire_all()
    return db.session.get_one(Report, report_id)


def due(report_id: int) -> datetime:
    found = of(report_id).handling_due_at
    assert found is not None
    return found


def kinds(report_id: int) -> list[str]:
    query = select(ReportEvent.kind).where(ReportEvent.report_id == report_id).order_by(ReportEvent.id)
    return list(db.session.scalars(query))


@both_databases
def test_asking_tells_the_resident_and_nobody_who_follows(district: SmallDistrict) -> None:
    report = make_report(district, Status.ASSIGNED)
    with unit_of_work():
        reports.support(reports.lock(report.id), by=make_resident())
    ask(district, report.id, "handler")
    told = db.session.scalars(select(Notification).where(Notification.kind == "question")).all()
    assert [row.resident_id for row in told] == [district.resident.id]
    assert told[0].params == {"question": "具体在哪里？"}
    assert of(report.id).waiting_for_resident
    assert of(report.id).status == Status.ASSIGNED
    assert kinds(report.id)[-1] == EventKind.ASKED
    assert db.session.scalar(select(AuditEntry.id).where(AuditEntry.action == "report.ask")) is not None


@both_databases
@pytest.mark.parametrize("end", ENDS)
def test_however_it_ends_what_is_due_moves_by_the_time_it_waited(district: SmallDistrict, end: str) -> None:
    now = clock.now()
    report_id = make_report(district, Status.IN_PROGRESS).id
    before = due(report_id)
    with clock.frozen_at(now + HOUR):
        ask(district, report_id)
    with clock.frozen_at(now + 6 * HOUR), unit_of_work():
        ENDS[end](reports.lock(report_id), district)
    assert due(report_id) - before == 5 * HOUR
    assert not of(report_id).waiting_for_resident


@both_databases
def test_after_the_districts_days_it_is_given_up_and_staff_see_it(district: SmallDistrict) -> None:
    report_id = make_report(district, Status.IN_PROGRESS).id
    now, before = clock.now(), due(report_id)
    with clock.frozen_at(now):
        ask(district, report_id)
    with clock.frozen_at(now + timedelta(days=6, hours=23)):
        jobs.give_up_questions()
        assert of(report_id).waiting_for_resident
    with clock.frozen_at(now + timedelta(days=7, minutes=1)):
        jobs.give_up_questions()
        jobs.give_up_questions()
    assert not of(report_id).waiting_for_resident
    assert db.session.scalars(select(ReportQuestion)).one().outcome == Outcome.EXPIRED
    assert due(report_id) - before == timedelta(days=7, minutes=1)
    assert kinds(report_id).count(EventKind.QUESTION_EXPIRED) == 1


def test_before_dispatch_the_other_clock_stands_still(district: SmallDistrict) -> None:
    now = clock.now()
    report_id = make_report(district, Status.TRIAGE).id
    before = of(report_id).dispatch_due_at
    with clock.frozen_at(now):
        ask(district, report_id, "acceptor")
    with clock.frozen_at(now + 3 * HOUR), unit_of_work():
        questions.answer(reports.lock(report_id), by=KEY_HOLDER, text="门口那盏")
    assert of(report_id).dispatch_due_at - before == 3 * HOUR


def test_a_new_units_clock_is_given_only_its_own_waiting_back(district: SmallDistrict) -> None:
    now = clock.now()
    report_id = make_report(district, Status.TRIAGE).id
    with clock.frozen_at(now):
        ask(district, report_id)
    with clock.frozen_at(now + 2 * HOUR), unit_of_work():
        reports.assign(reports.lock(report_id), district.lamps.id, by=district.staff["dispatcher"])
    before = due(report_id)
    with clock.frozen_at(now + 5 * HOUR), unit_of_work():
        questions.answer(reports.lock(report_id), by=KEY_HOLDER, text="门口那盏")
    assert due(report_id) - before == 3 * HOUR


@pytest.mark.parametrize("answered_first", [True, False])
def test_a_hand_back_and_a_question_give_the_same_hour_back_once(district: SmallDistrict, answered_first: bool) -> None:
    """Asked at 0, handed back at 2, both over at 4 and 7, in either order: seven hours in all, never more."""
    report_id = make_report(district, Status.ASSIGNED).id
    now, before = clock.now(), due(report_id)

    def at(hours: int, act: object) -> None:
        with clock.frozen_at(now + hours * HOUR), unit_of_work():
            act(reports.lock(report_id))  # type: ignore[operator]

    def answer(report: Report) -> None:
        questions.answer(report, by=KEY_HOLDER, text="门口那盏")

    def refuse(report: Report) -> None:
        reports.refuse_hand_back(report, by=district.staff["dispatcher"], ruling="还是你们办")

    at(0, lambda report: questions.ask(report, by=district.staff["handler"], text="哪一盏？"))
    at(2, lambda report: reports.hand_back(report, by=district.staff["handler"], reason="不归我们"))
    first, second = (answer, refuse) if answered_first else (refuse, answer)
    at(4, first)
    at(7, second)
    assert due(report_id) - before == 7 * HOUR


def test_whoever_waits_is_not_overdue(district: SmallDistrict) -> None:
    report_id = make_report(district, Status.ASSIGNED).id
    ask(district, report_id)
    with clock.frozen_at(due(report_id) + HOUR):
        assert queries.count(Filters(overdue=True)) == 0
        assert queries.queue_counts(Filters(), [Queue.WAITING, Queue.OVERDUE]) == {Queue.WAITING: 1, Queue.OVERDUE: 0}
        jobs.remind_overdue()
        assert EventKind.REMINDED not in kinds(report_id)


def test_a_report_that_moves_on_takes_its_question_with_it(district: SmallDistrict) -> None:
    report_id = make_report(district, Status.IN_PROGRESS).id
    ask(district, report_id)
    with unit_of_work():
        reports.resolve(reports.lock(report_id), by=district.staff["handler"], note="修好了")
    assert not of(report_id).waiting_for_resident
    assert db.session.scalars(select(ReportQuestion)).one().outcome == Outcome.WITHDRAWN
    with pytest.raises(WrongState), unit_of_work():
        questions.answer(reports.lock(report_id), by=KEY_HOLDER, text="门口那盏")


def test_another_may_be_asked_once_the_first_is_answered(district: SmallDistrict) -> None:
    report_id = make_report(district, Status.IN_PROGRESS).id
    ask(district, report_id)
    with pytest.raises(WrongState):
        ask(district, report_id)
    with unit_of_work():
        report = reports.lock(report_id)
        questions.answer(report, by=KEY_HOLDER, text="门口那盏")
        questions.ask(report, by=district.staff["handler"], text="几点？")
    assert [row.text for row in questions.of_report(report_id)] == ["几点？", "具体在哪里？"]


@pytest.mark.parametrize(
    "text, key",
    [("", "errors.question_missing"), ("  ", "errors.question_missing"), ("问" * 301, "errors.question_long")],
)
def test_a_question_has_words_and_is_short(district: SmallDistrict, text: str, key: str) -> None:
    report_id = make_report(district, Status.ASSIGNED).id
    with pytest.raises(BadInput) as wrong, unit_of_work():
        questions.ask(reports.lock(report_id), by=district.staff["handler"], text=text)
    assert wrong.value.fields == {"text": key}


def test_an_answer_has_words_or_a_picture(district: SmallDistrict) -> None:
    report_id = make_report(district, Status.ASSIGNED).id
    ask(district, report_id)
    with pytest.raises(BadInput) as wrong, unit_of_work():
        questions.answer(reports.lock(report_id), by=KEY_HOLDER, text=" ")
    assert wrong.value.fields == {"text": "errors.answer_missing"}
    assert of(report_id).waiting_for_resident
