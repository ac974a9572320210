"""A report's clock through its life: conditions, pauses, more time, reminders, a calendar that changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import select

from district import clock, jobs, settings
from district.categories.models import CaseStandard, LimitUnit
from district.deadlines import table
from district.deadlines.models import CalendarDay
from district.doctor import examine
from district.errors import BadInput, NotAllowed, WrongState
from district.extensions import db
from district.notices.models import StaffNotice
from district.notifications.models import Notification
from district.people.models import AuditEntry, Staff
from district.reports import clocks, extensions, questions, recompute, standards
from district.reports import service as reports
from district.reports.guards import KEY_HOLDER
from district.reports.models import EventKind, Report, ReportEvent, ReportExtension, Source
from district.reports.states import Status
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.factories import SmallDistrict, forget_reference, make_category, make_report, set_limit

ZONE = ZoneInfo("Asia/Shanghai")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


MONDAY = at("2026-09-14T10:00")


@pytest.fixture
def district(app: object) -> SmallDistrict:
    """Street lights: two working days; a leaning pole two hours day and night; National Day is known."""
    made = SmallDistrict()
    with unit_of_work():
        for code, value, unit, condition in (
            ("01037-01", 2, "hours", "灯杆倾斜，有危险"), ("01037-02", 5, "working_days", "整条路不亮"),
        ):  # fmt: skip
            db.session.add(
                CaseStandard(code=code, category_id=made.category.id, condition=condition, limit_value=value,
                             limit_unit=unit, close_condition="修好")
            )  # fmt: skip
        for day in range(1, 8):
            db.session.add(CalendarDay(day=date(2026, 10, day), kind="holiday", name="国庆节"))
        settings.changed("categories", "settings")
    forget_reference()
    return made


def given(district: SmallDistrict, status: Status = Status.ASSIGNED, when: datetime = MONDAY) -> int:
    with clock.frozen_at(when):
        return make_report(district, status).id


def then(when: datetime | str, report_id: int, act: Callable[..., Any], **how: Any) -> Any:
    with clock.frozen_at(at(when) if isinstance(when, str) else when), unit_of_work():
        return act(reports.lock(report_id), **how)


def of(report_id: int) -> Report:
    db.session.expire_all()
    return db.session.get_one(Report, report_id)


def due(report_id: int) -> datetime:
    found = of(report_id).handling_due_at
    assert found is not None
    return found


def events(report_id: int, kind: EventKind) -> list[ReportEvent]:
    query = select(ReportEvent).where(ReportEvent.report_id == report_id, ReportEvent.kind == kind)
    return list(db.session.scalars(query.order_by(ReportEvent.id)))


def notices(report_id: int) -> list[tuple[str, str]]:
    """What was told, and to whom by user name."""
    query = (
        select(StaffNotice.kind, Staff.username)
        .join(Staff, Staff.id == StaffNotice.staff_id)
        .where(StaffNotice.report_id == report_id)
        .order_by(StaffNotice.id)
    )
    return [(kind, username) for kind, username in db.session.execute(query)]


def work(when: datetime | str) -> None:
    with clock.frozen_at(at(when) if isinstance(when, str) else when):
        jobs.remind_overdue()
    db.session.expire_all()


class TestConditions:
    @both_databases
    def test_the_condition_decides_from_the_assignment_on(self, district: SmallDistrict) -> None:
        report_id = given(district, Status.TRIAGE)
        dispatcher = district.staff["dispatcher"]
        then(MONDAY, report_id, reports.assign, unit_id=district.lamps.id, by=dispatcher, standard_code="01037-02")
        assert due(report_id) == at("2026-09-21T10:00")
        # Chosen anew an hour later, it still counts from the assignment.
        then("2026-09-14T11:00", report_id, standards.choose, by=dispatcher, standard_code="01037-01")
        assert due(report_id) == at("2026-09-14T12:00")
        then("2026-09-14T11:30", report_id, standards.choose, by=district.staff["acceptor"], standard_code="")
        assert due(report_id) == at("2026-09-16T10:00")
        first = events(report_id, EventKind.STANDARD_CHOSEN)[0]
        assert not first.is_public
        assert (first.data["limit_before"], first.data["limit"]) == ([5, "working_days"], [2, "hours"])
        assert datetime.fromisoformat(first.data["due_before"]) == at("2026-09-21T10:00")
        assert datetime.fromisoformat(first.data["due"]) == at("2026-09-14T12:00")
        assert db.session.scalar(select(AuditEntry.id).where(AuditEntry.action == "report.choose_standard"))

    def test_nobody_is_late_at_a_stroke(self, district: SmallDistrict) -> None:
        report_id = given(district)
        then("2026-09-15T10:00", report_id, standards.choose, by=district.staff["dispatcher"], standard_code="01037-01")
        assert due(report_id) == at("2026-09-15T12:00")
        # Pauses go on counting from there.
        then("2026-09-15T11:00", report_id, questions.ask, by=district.staff["handler"], text="哪一根？")
        then("2026-09-15T15:00", report_id, questions.answer, by=KEY_HOLDER, text="门口那根")
        assert due(report_id) == at("2026-09-15T16:00")

    def test_when_it_is_over_nothing_is_chosen_any_more(self, district: SmallDistrict) -> None:
        report_id = given(district)
        with pytest.raises(WrongState) as refused:
            then("2026-09-17T10:00", report_id, standards.choose, by=district.staff["dispatcher"], standard_code="")
        assert refused.value.key == "deadlines.problem.over"

    def test_a_condition_of_another_category_is_refused_and_one_of_an_old_category_forgotten(
        self, district: SmallDistrict
    ) -> None:
        with unit_of_work():
            make_category("06010", limit_value=4, limit_unit="working_hours")
        forget_reference()
        report_id = given(district, Status.TRIAGE)
        dispatcher = district.staff["dispatcher"]
        with pytest.raises(BadInput):
            then(MONDAY, report_id, standards.choose, by=dispatcher, standard_code="06010-01")
        then(MONDAY, report_id, standards.choose, by=dispatcher, standard_code="01037-01")
        then(MONDAY, report_id, reports.correct, by=dispatcher, category_code="06010")
        assert of(report_id).standard_code == ""
        then(MONDAY, report_id, reports.assign, unit_id=district.lamps.id, by=dispatcher)
        assert due(report_id) == at("2026-09-14T15:30")


class TestPauses:
    @both_databases
    def test_put_aside_over_the_holiday_it_goes_on_with_what_was_left(self, district: SmallDistrict) -> None:
        report_id = given(district, when=at("2026-09-29T10:00"))
        assert due(report_id) == at("2026-10-08T10:00")
        # Two hours and a half of the first day, and the morning of the second are gone at 12:00.
        then("2026-09-30T12:00", report_id, reports.suspend, by=district.staff["shift_lead"], reason="等配件",
             until=at("2026-10-12T00:00"))  # fmt: skip
        report = of(report_id)
        assert (report.status, report.clock_paused_at) == (Status.SUSPENDED, at("2026-09-30T12:00"))
        assert report.alarm_at is None
        told = db.session.scalars(select(Notification).where(Notification.kind == "suspended")).one()
        assert told.params == {"reason": "等配件", "until": "2026-10-12"}
        state = clocks.deadline_state(report, at("2026-10-05T12:00"))
        assert state is not None
        # 2 x 7.5 hours less 2 + 4 of the first day and 3.5 of the second.
        assert (state.tone, state.left) == (clocks.Tone.PAUSED, 5.5 * HOUR)
        # Before its date nothing happens; the job takes it up once.
        work("2026-10-11T23:59")
        assert of(report_id).status == Status.SUSPENDED
        work("2026-10-12T00:01")
        work("2026-10-12T00:02")
        report = of(report_id)
        assert (report.status, report.clock_paused_at) == (Status.ASSIGNED, None)
        assert due(report_id) == at("2026-10-12T15:30")
        assert len(events(report_id, EventKind.RESUMED)) == 1
        assert ("resumed", "lamps") in notices(report_id)

    def test_by_hand_it_comes_back_to_where_it_was(self, district: SmallDistrict) -> None:
        report_id = given(district, Status.IN_PROGRESS)
        then("2026-09-14T17:00", report_id, reports.suspend, by=district.staff["dispatcher"], reason="等配件",
             until=MONDAY + 60 * DAY)  # fmt: skip
        with pytest.raises(NotAllowed):
            then("2026-09-15T09:00", report_id, reports.resume, by=district.staff["street"])
        then("2026-09-15T09:00", report_id, reports.resume, by=district.staff["handler"])
        assert of(report_id).status == Status.IN_PROGRESS
        # Half an hour of the evening and half an hour of the morning stood still.
        assert due(report_id) == at("2026-09-16T11:00")

    @pytest.mark.parametrize("until", [MONDAY, MONDAY - DAY, MONDAY + 366 * DAY])
    def test_a_date_that_is_over_or_too_far_is_refused(self, district: SmallDistrict, until: datetime) -> None:
        report_id = given(district)
        with pytest.raises(BadInput):
            then(MONDAY, report_id, reports.suspend, by=district.staff["dispatcher"], reason="等", until=until)

    @both_databases
    def test_a_question_and_a_hand_back_over_night_take_working_time_alone(self, district: SmallDistrict) -> None:
        report_id = given(district)
        then("2026-09-14T17:00", report_id, questions.ask, by=district.staff["handler"], text="哪一盏？")
        then("2026-09-14T17:15", report_id, reports.hand_back, by=district.staff["handler"], reason="不归我们")
        then("2026-09-15T08:45", report_id, questions.answer, by=KEY_HOLDER, text="门口那盏")
        assert of(report_id).clock_paused_at == at("2026-09-14T17:00")
        then("2026-09-15T09:00", report_id, reports.refuse_hand_back, by=district.staff["dispatcher"], ruling="归你们")
        assert of(report_id).clock_paused_at is None
        assert due(report_id) == at("2026-09-16T11:00")

    def test_the_time_of_a_verification_that_was_refused_is_given_back(self, district: SmallDistrict) -> None:
        report_id = given(district)
        then("2026-09-15T10:00", report_id, reports.resolve, by=district.staff["handler"], note="换了灯泡")
        then("2026-09-17T10:00", report_id, reports.refuse_verification, by=district.staff["verifier"], note="不亮")
        assert due(report_id) == at("2026-09-18T10:00")
        assert of(report_id).alarm_at == at("2026-09-17T10:00")

    def test_reopened_it_has_a_new_clock(self, district: SmallDistrict) -> None:
        report_id = given(district, Status.CLOSED)
        then("2026-09-20T12:00", report_id, reports.reopen, by=KEY_HOLDER, text="又不亮了")
        report = of(report_id)
        assert due(report_id) == at("2026-09-22T17:30")
        assert (report.alarm_step, report.overdue_noted_at, report.clock_paused_at) == (0, None, None)


class TestMoreTime:
    def ask(self, district: SmallDistrict, report_id: int, when: str, **how: Any) -> None:
        how = how or {"more": 1, "unit": LimitUnit.WORKING_DAYS}
        then(when, report_id, extensions.ask, by=district.staff["handler"], reason="等配件，周四到货", **how)

    @both_databases
    def test_granted_it_moves_what_is_due_and_the_resident_reads_why(self, district: SmallDistrict) -> None:
        report_id = given(district)
        self.ask(district, report_id, "2026-09-15T09:00")
        assert of(report_id).extension_pending
        assert of(report_id).status == Status.ASSIGNED
        assert due(report_id) == at("2026-09-16T10:00")
        assert [who for kind, who in notices(report_id) if kind == "extension_asked"] == ["dispatcher", "shift-lead"]
        # Asked in time, granted when it was over already.
        then("2026-09-16T10:30", report_id, extensions.grant, by=district.staff["shift_lead"], ruling="同意")
        assert due(report_id) == at("2026-09-17T10:00")
        assert not of(report_id).extension_pending
        told = db.session.scalars(select(Notification).where(Notification.kind == "extended")).one()
        assert told.params == {"due": "09-17 10:00", "reason": "等配件，周四到货"}
        (line,) = events(report_id, EventKind.EXTENSION_GRANTED)
        assert (line.is_public, line.note) == (True, "等配件，周四到货")
        assert not events(report_id, EventKind.EXTENSION_ASKED)[0].is_public
        actions = set(db.session.scalars(select(AuditEntry.action)))
        assert {"report.ask_extension", "report.grant_extension"} <= actions
        # Once is what the district allows where it says nothing.
        with pytest.raises(WrongState) as refused:
            self.ask(district, report_id, "2026-09-16T11:00")
        assert refused.value.key == "deadlines.problem.extension_often"

    def test_a_date_means_the_end_of_that_days_work(self, district: SmallDistrict) -> None:
        report_id = given(district)
        self.ask(district, report_id, "2026-09-15T09:00", until=date(2026, 9, 18))
        then("2026-09-15T10:00", report_id, extensions.grant, by=district.staff["dispatcher"])
        assert due(report_id) == at("2026-09-18T17:30")

    @both_databases
    def test_refused_nothing_moves_and_the_unit_reads_why(self, district: SmallDistrict) -> None:
        report_id = given(district)
        self.ask(district, report_id, "2026-09-15T09:00")
        with pytest.raises(BadInput):
            then("2026-09-15T10:00", report_id, extensions.refuse, by=district.staff["dispatcher"], ruling=" ")
        then("2026-09-15T10:00", report_id, extensions.refuse, by=district.staff["dispatcher"], ruling="有备件")
        assert due(report_id) == at("2026-09-16T10:00")
        assert db.session.scalars(select(ReportExtension.ruling)).one() == "有备件"
        assert db.session.scalar(select(Notification.id).where(Notification.kind == "extended")) is None
        assert ("extension_refused", "lamps") in notices(report_id)
        # A refusal takes nothing of what may be granted.
        self.ask(district, report_id, "2026-09-15T11:00")

    def test_after_it_is_over_nobody_asks(self, district: SmallDistrict) -> None:
        report_id = given(district)
        with pytest.raises(WrongState) as refused:
            self.ask(district, report_id, "2026-09-16T10:00")
        assert refused.value.key == "deadlines.problem.extension_late"

    @pytest.mark.parametrize(
        "how, field",
        [
            ({"more": 0, "unit": LimitUnit.WORKING_DAYS}, "more"),
            ({"more": 400, "unit": LimitUnit.WORKING_DAYS}, "more"),
            ({"more": 1}, "more"),
            ({"more": 1, "unit": LimitUnit.WORKING_DAYS, "until": date(2026, 9, 30)}, "more"),
            ({"until": date(2026, 9, 15)}, "until"),
            ({"until": date(2028, 9, 15)}, "until"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, district: SmallDistrict, how: dict[str, Any], field: str) -> None:
        report_id = given(district)
        with pytest.raises(BadInput) as refused:
            self.ask(district, report_id, "2026-09-14T11:00", **how)
        assert set(refused.value.fields) == {field}

    def test_where_the_work_is_done_or_moves_on_there_is_nothing_to_rule_on(self, district: SmallDistrict) -> None:
        done, moved = given(district), given(district)
        for report_id in (done, moved):
            self.ask(district, report_id, "2026-09-15T09:00")
        then("2026-09-15T10:00", done, reports.resolve, by=district.staff["handler"], note="修好了")
        then("2026-09-15T10:00", moved, reports.assign, unit_id=district.street.id, by=district.staff["dispatcher"])
        assert list(db.session.scalars(select(ReportExtension.outcome))) == ["dropped", "dropped"]
        assert not of(done).extension_pending
        assert not of(moved).extension_pending


class TestReminders:
    @both_databases
    def test_each_step_is_taken_once_by_those_whom_it_is_for(self, district: SmallDistrict) -> None:
        report_id = given(district)
        version = of(report_id).version
        for when in ("2026-09-15T09:59", "2026-09-15T10:01", "2026-09-15T16:01", "2026-09-16T10:01", "2026-09-16T15:31",
                     "2026-09-17T10:31", "2026-09-20T10:00"):  # fmt: skip
            work(when)
            work(when)
        assert notices(report_id) == [
            ("soon", "lamps"), ("soon", "lamps-m"),
            ("pressing", "lamps"), ("pressing", "lamps-m"),
            ("overdue", "lamps"), ("overdue", "lamps-m"),
            ("head", "lamps-m"),
            ("supervision", "inspector"),
        ]  # fmt: skip
        lines = events(report_id, EventKind.REMINDED)
        assert [line.data["what"] for line in lines] == ["soon", "pressing", "overdue", "head", "supervision"]
        assert not any(line.is_public or line.data["passed"] for line in lines)
        # A form that somebody fills in meanwhile is not stale for it.
        assert of(report_id).version == version
        assert of(report_id).alarm_at is None
        assert of(report_id).overdue_noted_at == at("2026-09-16T10:01")

    @both_databases
    def test_a_late_run_tells_the_newest_alone_and_writes_down_what_it_passed(self, district: SmallDistrict) -> None:
        report_id = given(district)
        work("2026-09-16T15:31")
        assert notices(report_id) == [("head", "lamps-m")]
        (line,) = events(report_id, EventKind.REMINDED)
        assert line.data == {"what": "head", "clock": "handling", "passed": ["soon", "pressing", "overdue"]}

    def test_a_new_clock_is_reminded_of_anew_and_an_old_one_never_again(self, district: SmallDistrict) -> None:
        report_id = given(district)
        work("2026-09-16T10:01")
        then("2026-09-16T11:00", report_id, reports.assign, unit_id=district.street.id, by=district.staff["dispatcher"])
        work("2026-09-16T12:00")
        assert len(events(report_id, EventKind.REMINDED)) == 1
        work("2026-09-18T11:30")
        assert events(report_id, EventKind.REMINDED)[-1].data["passed"] == ["soon", "pressing"]
        assert notices(report_id)[-1] == ("overdue", "street")

    def test_a_clock_that_stands_still_is_reminded_of_when_it_runs_again(self, district: SmallDistrict) -> None:
        report_id = given(district)
        then("2026-09-14T11:00", report_id, questions.ask, by=district.staff["handler"], text="哪一盏？")
        work("2026-11-14T11:00")
        assert events(report_id, EventKind.REMINDED) == []
        then("2026-09-21T11:00", report_id, questions.answer, by=KEY_HOLDER, text="门口那盏")
        work("2026-09-22T09:59")
        assert events(report_id, EventKind.REMINDED) == []
        work("2026-09-22T10:01")
        assert len(events(report_id, EventKind.REMINDED)) == 1

    def test_what_is_done_or_ended_is_not_reminded_of(self, district: SmallDistrict) -> None:
        ended = [given(district, status) for status in (Status.RESOLVED, Status.CLOSED, Status.REJECTED)]
        work("2027-01-14T11:00")
        assert [events(report_id, EventKind.REMINDED) for report_id in ended] == [[], [], []]
        assert [of(report_id).alarm_at for report_id in ended] == [None, None, None]

    def test_more_time_is_another_promise(self, district: SmallDistrict) -> None:
        report_id = given(district)
        work("2026-09-15T16:01")
        TestMoreTime().ask(district, report_id, "2026-09-16T09:00", more=4, unit=LimitUnit.WORKING_DAYS)
        then("2026-09-16T09:30", report_id, extensions.grant, by=district.staff["dispatcher"])
        # Due on the 22nd: half of the two days is left on the 21st.
        work("2026-09-21T09:59")
        assert len(events(report_id, EventKind.REMINDED)) == 1
        work("2026-09-21T10:01")
        assert events(report_id, EventKind.REMINDED)[-1].data["what"] == "soon"

    @both_databases
    def test_who_dispatches_is_reminded_too(self, district: SmallDistrict) -> None:
        report_id = given(district, Status.TRIAGE)
        for minutes in (61, 121, 241):
            work(MONDAY + timedelta(minutes=minutes))
        assert notices(report_id) == [
            ("dispatch_soon", "shift-lead"), ("dispatch_overdue", "shift-lead"), ("dispatch_supervision", "inspector"),
        ]  # fmt: skip
        assert [line.data["clock"] for line in events(report_id, EventKind.REMINDED)] == ["dispatch"] * 3

    @both_databases
    def test_two_who_remind_at_once_take_each_step_once(self, app: Flask, district: SmallDistrict) -> None:
        ids = [given(district) for _ in range(6)]
        troubles: list[Exception] = []

        def remind() -> None:
            with app.app_context(), clock.frozen_at(at("2026-09-16T10:01")):
                try:
                    jobs.remind_overdue()
                except Exception as error:
                    troubles.append(error)
                finally:
                    db.session.remove()

        threads = [threading.Thread(target=remind) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert troubles == []
        work("2026-09-16T10:02")
        assert [len(events(report_id, EventKind.REMINDED)) for report_id in ids] == [1] * 6

    def test_what_turns_out_to_be_more_urgent_is_reminded_of_earlier(self, district: SmallDistrict) -> None:
        with clock.frozen_at(MONDAY), unit_of_work():
            report = reports.submit(reports.NewReport(source=Source.BOT, description="灯杆要倒了"), by=None)
            report_id, first = report.id, report.alarm_at
            report.urgency, report.dispatch_due_at = "critical", MONDAY + timedelta(minutes=10)
            reports.send_to_triage(report, reason={"key": "routing.reason.backstop", "params": {}})
        assert first == MONDAY + HOUR
        assert of(report_id).alarm_at == MONDAY + timedelta(minutes=5)

    def test_without_a_manager_the_unit_above_is_told_and_in_the_end_the_shift_lead(
        self, district: SmallDistrict
    ) -> None:
        report_id = given(district)
        then(MONDAY, report_id, reports.assign, unit_id=district.street.id, by=district.staff["dispatcher"])
        work("2026-09-16T15:31")
        assert notices(report_id) == [("head", "shift-lead")]


class TestState:
    def test_its_colour_follows_the_time_that_is_left(self, district: SmallDistrict) -> None:
        report = of(given(district))
        for when, tone, left in (
            ("2026-09-14T10:30", "green", 14.5), ("2026-09-15T10:00", "yellow", 7.5), ("2026-09-15T16:00", "red", 3),
            ("2026-09-16T09:59:59", "red", 1 / 3600), ("2026-09-16T10:00", "overdue", 0),
        ):  # fmt: skip
            state = clocks.deadline_state(report, at(when))
            assert state is not None
            assert (state.tone, state.left) == (tone, pytest.approx(left * HOUR, abs=timedelta(seconds=1)))
        # Late by working time: the night in between is nobody's fault.
        late = clocks.deadline_state(report, at("2026-09-17T09:00"))
        assert late is not None
        assert (late.late, late.words) == (6.5 * HOUR, "已超时 6 工作时")
        first = clocks.deadline_state(report, at("2026-09-14T10:30"))
        assert first is not None
        assert first.words == "还剩 1 工作日 7 小时"

    def test_what_is_done_says_how_late(self, district: SmallDistrict) -> None:
        in_time, late = given(district), given(district)
        then("2026-09-16T09:00", in_time, reports.resolve, by=district.staff["handler"], note="修好了")
        then("2026-09-17T09:00", late, reports.resolve, by=district.staff["handler"], note="修好了")
        states = [clocks.deadline_state(of(report_id), clock.now()) for report_id in (in_time, late)]
        assert [state.words for state in states if state] == ["按时办完", "超时 6 工作时 办完"]


def recomputed() -> None:
    forget_reference()
    jobs.recompute_deadlines()
    db.session.expire_all()


class TestRecomputing:
    @both_databases
    def test_a_holiday_that_is_announced_moves_what_is_open_and_not_what_is_over(self, district: SmallDistrict) -> None:
        administrator = district.staff["administrator"]
        with clock.frozen_at(at("2026-09-15T08:00")):
            recomputed()  # the first look: what there is was made of what holds now
        late = given(district, when=MONDAY - 7 * DAY)
        closed = given(district, Status.CLOSED)
        moved = given(district)
        paused = given(district)
        then("2026-09-14T11:00", paused, questions.ask, by=district.staff["handler"], text="哪一盏？")
        before = {report_id: due(report_id) for report_id in (late, closed, moved, paused)}
        with clock.frozen_at(at("2026-09-15T09:00")):
            with unit_of_work():
                table.add(
                    db.session.get_one(Staff, administrator.id), first=date(2026, 9, 16), kind="holiday", name="中秋节"
                )  # fmt: skip
            recomputed()
            recomputed()
        assert due(moved) == at("2026-09-17T10:00")
        assert due(paused) == at("2026-09-17T10:00")
        assert (due(late), due(closed)) == (before[late], before[closed])
        (line,) = events(moved, EventKind.DEADLINE_MOVED)
        assert not line.is_public
        assert datetime.fromisoformat(line.data["due_before"]) == before[moved]
        assert datetime.fromisoformat(line.data["due"]) == at("2026-09-17T10:00")
        assert of(moved).alarm_at == at("2026-09-15T10:00")
        # What was taken back moves back; the question's end then gives what it should.
        with clock.frozen_at(at("2026-09-15T11:00")):
            with unit_of_work():
                table.remove(db.session.get_one(Staff, administrator.id), date(2026, 9, 16))
            recomputed()
        assert due(moved) == before[moved]
        then("2026-09-15T11:00", paused, questions.answer, by=KEY_HOLDER, text="门口")
        assert due(paused) == at("2026-09-17T10:00")
        assert events(late, EventKind.DEADLINE_MOVED) == events(closed, EventKind.DEADLINE_MOVED) == []

    def test_a_limit_that_changes_counts_for_open_work_but_makes_nobody_late(self, district: SmallDistrict) -> None:
        recomputed()
        old, young, chosen = given(district), given(district, when=MONDAY + DAY), given(district)
        then(MONDAY, chosen, standards.choose, by=district.staff["dispatcher"], standard_code="01037-02")
        set_limit(district, 4, "working_hours")
        with clock.frozen_at(at("2026-09-15T11:00")):
            recomputed()
        # By the new limit it would have been over yesterday.
        assert due(old) == at("2026-09-16T10:00")
        assert due(young) == at("2026-09-15T15:30")
        assert due(chosen) == at("2026-09-21T10:00")
        with unit_of_work():
            standard = db.session.scalars(select(CaseStandard).where(CaseStandard.code == "01037-02")).one()
            standard.retired_at = clock.now()
            settings.changed("categories")
        with clock.frozen_at(at("2026-09-15T11:30")):
            recomputed()
        assert due(chosen) == at("2026-09-21T10:00"), "what is no longer in use keeps its limit"

    @both_databases
    def test_it_works_in_batches_and_goes_on_where_it_stopped(self, district: SmallDistrict) -> None:
        recomputed()
        ids = [given(district) for _ in range(5)]
        set_limit(district, 3, "working_days")
        with clock.frozen_at(at("2026-09-14T11:00")):
            with unit_of_work():
                assert recompute.recompute(2)
            assert [due(report_id) for report_id in ids].count(at("2026-09-17T10:00")) == 2
            # Somebody ends the process here; the next run does the rest, and a third one nothing.
            while True:
                with unit_of_work():
                    if not recompute.recompute(2):
                        break
            with unit_of_work():
                assert not recompute.recompute(2)
        assert {due(report_id) for report_id in ids} == {at("2026-09-17T10:00")}
        assert [len(events(report_id, EventKind.DEADLINE_MOVED)) for report_id in ids] == [1] * 5

    def test_extensions_and_pauses_are_not_lost_when_a_deadline_is_worked_out_anew(
        self, district: SmallDistrict
    ) -> None:
        recomputed()
        report_id = given(district)
        TestMoreTime().ask(district, report_id, "2026-09-14T14:00")
        then("2026-09-14T15:00", report_id, extensions.grant, by=district.staff["dispatcher"])
        then("2026-09-15T09:00", report_id, questions.ask, by=district.staff["handler"], text="哪一盏？")
        then("2026-09-15T11:00", report_id, questions.answer, by=KEY_HOLDER, text="门口")
        assert due(report_id) == at("2026-09-17T12:00")
        set_limit(district, 3, "working_days")
        with clock.frozen_at(at("2026-09-15T12:00")):
            recomputed()
        assert due(report_id) == at("2026-09-18T12:00")


class TestCalendar:
    def test_over_new_year_into_a_year_nobody_entered(self, district: SmallDistrict) -> None:
        """Deadlines go on by the weekday, and whoever operates it is told in time."""
        report_id = given(district, when=at("2026-12-31T10:00"))
        # Friday 1 January counts as worked until somebody says otherwise.
        assert due(report_id) == at("2027-01-04T10:00")

        def said(when: str) -> tuple[bool, str]:
            forget_reference()
            with clock.frozen_at(at(when)):
                return next((one.is_well, one.text) for one in examine() if one.name == "calendar")

        assert said("2026-11-30T12:00")[0]
        well, text = said("2026-12-03T12:00")
        assert not well
        assert "2027" in text
        with clock.frozen_at(at("2026-12-31T11:00")):
            recomputed()
            with unit_of_work():
                table.bring(
                    db.session.get_one(Staff, district.staff["administrator"].id),
                    table.read("date,kind,name\n2027-01-01,holiday,元旦\n"),
                )
            recomputed()
        assert said("2026-12-31T12:00")[0]
        assert due(report_id) == at("2027-01-05T10:00")

    def test_a_file_replaces_its_years_and_no_others(self, district: SmallDistrict) -> None:
        administrator = district.staff["administrator"]
        with unit_of_work():
            by = db.session.get_one(Staff, administrator.id)
            years = table.bring(
                by, table.read("\ufeffdate,kind,name\n\n2027-01-01,holiday,元旦\n2027-01-02,workday,调休\n")
            )
            assert years == [2027]
            table.bring(by, table.read("date,kind,name\n2027-05-01,holiday,劳动节\n"))
        assert [str(row.day) for row in table.of_year(2027)] == ["2027-05-01"]
        assert len(table.of_year(2026)) == 7
        assert {"calendar.import"} == set(db.session.scalars(select(AuditEntry.action)))

    @pytest.mark.parametrize(
        "text, key, line",
        [
            ("day,kind\n", "file_columns", 1),
            ("", "file_columns", 1),
            ("date,kind,name\n", "file_empty", 1),
            ("date,kind,name\n2027-13-01,holiday,x\n", "file_row", 2),
            ("date,kind,name\n2027-01-01,birthday,x\n", "file_row", 2),
            ("date,kind,name\n2027-01-01,holiday\n", "file_row", 2),
            ("date,kind,name\n2027-01-01,holiday,\n", "file_row", 2),
            ("date,kind,name\n2027-01-01,holiday,x\n2027-01-01,workday,y\n", "file_twice", 3),
        ],
    )
    def test_a_file_that_cannot_be_read_names_the_line(self, text: str, key: str, line: int) -> None:
        with pytest.raises(table.FileRefused) as refused:
            table.read(text)
        assert (refused.value.problem.key, refused.value.problem.line) == (f"deadlines.problem.{key}", line)
