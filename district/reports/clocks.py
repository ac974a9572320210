"""The clock of a report: started, stopped, moved on, and how it stands now. Verbs call it; none commits.

What has happened to a clock is read from the rows that say so (questions, hand-backs, suspensions, refused
verifications, granted extensions), never kept a second time: so its end can always be worked out anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import or_, select

from district import clock
from district.categories.models import LimitUnit, Urgency
from district.deadlines import running
from district.deadlines import service as deadlines
from district.deadlines.running import Extra, Limit, Step, Stop
from district.extensions import db
from district.messages import t
from district.reports.models import (
    EventKind,
    HandBack,
    Report,
    ReportEvent,
    ReportExtension,
    ReportQuestion,
    ReportSuspension,
    Ruling,
)
from district.reports.states import WAITING_FOR_DISPATCH, WITH_UNIT, Status

_HAS_CLOCK = WITH_UNIT | {Status.SUSPENDED}
# Steps of the dispatch clock: its people are one room, there is no head to go to in between.
_DISPATCH_STEPS = (Step.SOON, Step.OVERDUE, Step.SUPERVISION)


def start(report: Report, now: datetime) -> None:
    """A unit has just been given the report: its clock begins, and nothing of an earlier one counts any more."""
    if report.clock_paused_at is not None and report.handling_due_at is None:
        # The dispatch clock stood still to its end.
        report.dispatch_due_at += now - report.clock_paused_at
    limit = deadlines.handling_limit(report.category_id, Urgency(report.urgency), report.standard_code)
    report.limit_value, report.limit_unit, report.clock_from = limit.value, limit.unit, None
    report.handling_due_at = deadlines.working_calendar().due_at(now, limit.value, limit.unit)
    report.clock_paused_at = now if report.waiting_for_resident else None
    report.overdue_noted_at, report.alarm_step = None, 0
    report.alarm_at = next_alarm(report)


def settle(report: Report, *, steps_again: bool = False) -> None:
    """Bring the clock in line with what has just changed: call it when the change itself is written.

    steps_again: what is due has become another promise, of which people are reminded anew.
    """
    status, now = Status(report.status), clock.now()
    if status in WAITING_FOR_DISPATCH:
        if report.waiting_for_resident:
            report.clock_paused_at = report.clock_paused_at or now
        elif report.clock_paused_at is not None:
            report.dispatch_due_at += now - report.clock_paused_at
            report.clock_paused_at = None
    elif status in _HAS_CLOCK:
        db.session.flush()  # the rows of the change are read below
        found = worked_out(report, histories([report])[report.id])
        report.handling_due_at, report.clock_paused_at = found.due_at, found.paused_at
    else:
        report.clock_paused_at = None
    if steps_again:
        report.alarm_step = max((step for step, at in alarms(report) if at <= now), default=0)
    report.alarm_at = next_alarm(report)


def limit_of(report: Report) -> Limit:
    """The handling limit that the present clock runs by."""
    if report.limit_value is not None and report.limit_unit is not None:
        return Limit(report.limit_value, LimitUnit(report.limit_unit))
    # Assigned by the application of before, which kept no limit.
    return deadlines.handling_limit(report.category_id, Urgency(report.urgency), report.standard_code)


def began_at(report: Report) -> datetime | None:
    """When the present handling clock began; None before there is one."""
    return report.clock_from or report.assigned_at


@dataclass
class History:
    """What has happened to a report's clock, earlier ones included."""

    stops: list[Stop] = field(default_factory=list)
    extras: list[Extra] = field(default_factory=list)


def worked_out(report: Report, history: History, limit: Limit | None = None) -> running.Clock:
    """The handling clock by its whole history, under this limit or its own. The report has a unit."""
    begins = began_at(report)
    assert begins is not None
    return running.run(
        deadlines.working_calendar(), limit or limit_of(report), begins, history.stops, history.extras
    )  # fmt: skip


def histories(reports: Collection[Report]) -> dict[int, History]:
    """The history of each of these reports' clocks, in a handful of queries however many there are."""
    ids = [report.id for report in reports]
    found: dict[int, History] = defaultdict(History)
    for report_id in ids:
        found[report_id] = History()
    for query in (
        select(ReportQuestion.report_id, ReportQuestion.asked_at, ReportQuestion.ended_at).where(
            ReportQuestion.report_id.in_(ids)
        ),
        select(HandBack.report_id, HandBack.asked_at, HandBack.ruled_at).where(HandBack.report_id.in_(ids)),
        select(ReportSuspension.report_id, ReportSuspension.began_at, ReportSuspension.ended_at).where(
            ReportSuspension.report_id.in_(ids)
        ),
    ):
        for report_id, since, until in db.session.execute(query):
            found[report_id].stops.append(Stop(since, until))
    for report_id, stop in _verifications(ids):
        found[report_id].stops.append(stop)
    granted = select(ReportExtension).where(
        ReportExtension.report_id.in_(ids), ReportExtension.outcome == Ruling.GRANTED
    )
    for row in db.session.scalars(granted.order_by(ReportExtension.id)):
        assert row.ended_at is not None
        more = None
        if row.more_value is not None and row.more_unit is not None:
            more = Limit(row.more_value, LimitUnit(row.more_unit))
        found[row.report_id].extras.append(Extra(row.ended_at, more, row.until))
    return found


def _verifications(ids: Sequence[int]) -> list[tuple[int, Stop]]:
    """From each "done" that a verifier refused until the refusal: the unit had nothing to do meanwhile."""
    rows = db.session.execute(
        select(ReportEvent.report_id, ReportEvent.kind, ReportEvent.at)
        .where(
            ReportEvent.report_id.in_(ids),
            or_(ReportEvent.kind == EventKind.RESOLVED, ReportEvent.kind == EventKind.VERIFICATION_REFUSED),
        )
        .order_by(ReportEvent.id)
    )
    done: dict[int, datetime] = {}
    stops = []
    for report_id, kind, at in rows:
        if kind == EventKind.RESOLVED:
            done[report_id] = at
        elif report_id in done:
            stops.append((report_id, Stop(done.pop(report_id), at)))
    return stops


# Reminders


def alarms(report: Report) -> list[tuple[Step, datetime]]:
    """The steps of the clock that runs now with their moments, earliest first; none while it stands still."""
    status = Status(report.status)
    if report.clock_paused_at is not None:
        return []
    if status in WAITING_FOR_DISPATCH:
        due, length = report.dispatch_due_at, report.dispatch_due_at - report.submitted_at
        moments = (first_alarm(report.submitted_at, due), due, due + length)
        return list(zip(_DISPATCH_STEPS, moments, strict=True))
    if status in WITH_UNIT and report.handling_due_at is not None:
        return list(
            running.steps(
                deadlines.working_calendar(), limit_of(report), report.handling_due_at, deadlines.reminders()
            )
        )  # fmt: skip
    return []


def first_alarm(submitted_at: datetime, due: datetime) -> datetime:
    """When somebody is first reminded that a report waits for its unit."""
    return submitted_at + (due - submitted_at) * deadlines.reminders().yellow


def next_alarm(report: Report) -> datetime | None:
    """When the next step is due; None when none is."""
    return next((at for step, at in alarms(report) if step > report.alarm_step), None)


# How it stands


class Tone(StrEnum):
    """How pressing a clock is."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"
    OVERDUE = "overdue"
    PAUSED = "paused"
    DONE = "done"
    DONE_LATE = "done_late"


@dataclass(frozen=True)
class DeadlineState:
    """A clock as a chip shows it.

    left: the time left as this clock counts it; late: the time since it was due, counted the same way. One of them
    is nothing. words: one short sentence in the reader's language. started, due: None when nothing runs.
    """

    tone: Tone
    words: str
    unit: LimitUnit
    left: timedelta = timedelta()
    late: timedelta = timedelta()
    started: datetime | None = None
    due: datetime | None = None


def deadline_state(report: Report, now: datetime) -> DeadlineState | None:
    """The clock that matters for this report now; None when it has none. Asks the database nothing."""
    status = Status(report.status)
    if status in WAITING_FOR_DISPATCH:
        if report.clock_paused_at is not None or report.waiting_for_resident:
            return _paused(report, report.dispatch_due_at, LimitUnit.HOURS, now)
        return _running(report.submitted_at, report.dispatch_due_at, _dispatch_limit(report), LimitUnit.HOURS, now)
    begins, due = began_at(report), report.handling_due_at
    if begins is None or due is None:
        return None
    limit = limit_of(report)
    if status in _HAS_CLOCK:
        if status is Status.SUSPENDED or report.hand_back_pending or report.waiting_for_resident:
            return _paused(report, due, limit.unit, now)
        length = deadlines.working_calendar().length(limit.value, limit.unit)
        return _running(begins, due, length, limit.unit, now)
    if report.resolved_at is None:
        return None
    late = deadlines.working_calendar().between(due, report.resolved_at, limit.unit)
    if report.resolved_at > due:
        return DeadlineState(
            Tone.DONE_LATE, t("deadlines.chip.done_late", span=span(late, limit.unit)), limit.unit, late=late
        )  # fmt: skip
    return DeadlineState(Tone.DONE, t("deadlines.chip.done"), limit.unit)


def _dispatch_limit(report: Report) -> timedelta:
    return report.dispatch_due_at - report.submitted_at


def _running(started: datetime, due: datetime, length: timedelta, unit: LimitUnit, now: datetime) -> DeadlineState:
    calendar = deadlines.working_calendar()
    if due <= now:
        late = calendar.between(due, now, unit)
        words = t("deadlines.chip.late", span=span(late, unit))
        return DeadlineState(Tone.OVERDUE, words, unit, late=late, started=started, due=due)
    left = calendar.between(now, due, unit)
    when = deadlines.reminders()
    tone = Tone.GREEN
    if left <= length * (1 - when.red):
        tone = Tone.RED
    elif left <= length * (1 - when.yellow):
        tone = Tone.YELLOW
    words = t("deadlines.chip.left", span=span(left, unit))
    return DeadlineState(tone, words, unit, left=left, started=started, due=due)


def _paused(report: Report, due: datetime, unit: LimitUnit, now: datetime) -> DeadlineState:
    if report.status == Status.SUSPENDED:
        why = t("deadlines.chip.suspended")
    elif report.hand_back_pending:
        why = t("deadlines.chip.ruling")
    else:
        why = t("deadlines.chip.waiting")
    left = deadlines.working_calendar().between(report.clock_paused_at or now, due, unit)
    if left <= timedelta():
        return DeadlineState(Tone.PAUSED, why, unit)
    return DeadlineState(Tone.PAUSED, t("deadlines.chip.paused", why=why, span=span(left, unit)), unit, left=left)


_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def span(length: timedelta, unit: LimitUnit) -> str:
    """A length of time as this kind of clock counts it: minutes, then hours, then days with what is over in hours."""
    works = unit in (LimitUnit.WORKING_HOURS, LimitUnit.WORKING_DAYS)
    if length < _HOUR:
        return t("deadlines.span.minutes", n=max(1, length // _MINUTE))
    day = deadlines.working_calendar().working_day if works else _DAY
    hours_key = "deadlines.span.working_hours" if works else "deadlines.span.hours"
    if length < (day if works else 2 * _DAY):
        return t(hours_key, n=length // _HOUR)
    days, rest = divmod(length, day)
    key = "working_days" if works else "days"
    if rest < _HOUR or days >= 10:
        return t(f"deadlines.span.{key}", n=days)
    return t(f"deadlines.span.{key}_hours", n=days, hours=rest // _HOUR)
