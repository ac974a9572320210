"""More time (延期): asked by the unit before its time is over, granted or refused by the command centre.

An asked extension is a flag, not a status; the clock runs on until it is granted. None of these commits.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from district import audit, clock
from district.categories.models import LimitUnit
from district.deadlines import service as deadlines
from district.errors import BadInput, WrongState
from district.extensions import db
from district.notices import service as notices
from district.notifications import service as notifications
from district.people.models import Staff
from district.people.roles import Role
from district.reference import reference
from district.reports import clocks
from district.reports.guards import require
from district.reports.history import record
from district.reports.models import EventKind, Report, ReportExtension, Ruling
from district.reports.states import Action
from district.words import clean

# How often one clock may be given more time where the district says nothing (setting `limits.extensions`).
DEFAULT_EXTENSIONS = 1
LONGEST_REASON = 300
MOST_MORE = 365
LONGEST_WAIT = timedelta(days=366)


def ask(
    report: Report, *, by: Staff, reason: str, more: int | None = None, unit: LimitUnit | None = None,
    until: date | None = None,
) -> ReportExtension:  # fmt: skip
    """The unit asks for more time, before it is over: so many `unit`s more, or until the end of a day.

    report: locked. reason: read by the resident when it is granted. until: a day of the district's calendar.
    Raises NotAllowed; WrongState when the time is over or was extended as often as it may be; BadInput.
    """  # fmt: skip
    require(by, Action.ASK_EXTENSION, report)
    now = clock.now()
    due = report.handling_due_at
    if due is None or report.unit_id is None:
        raise WrongState()
    if due <= (report.clock_paused_at or now):
        raise WrongState("deadlines.problem.extension_late")
    most = int(reference().setting("limits.extensions", DEFAULT_EXTENSIONS))
    if granted(report) >= most:
        raise WrongState("deadlines.problem.extension_often" if most else "deadlines.problem.extension_never", n=most)
    reason = clean(reason)
    fields: dict[str, str] = {}
    if not reason:
        fields["reason"] = "errors.reason_missing"
    elif len(reason) > LONGEST_REASON:
        fields["reason"] = "deadlines.problem.reason_long"
    ends_at = _end_of(until) if until is not None else None
    if (more is None) == (until is None) or (more is not None and unit is None):
        fields["more"] = "deadlines.problem.extension_how_long"
    elif more is not None and not 1 <= more <= MOST_MORE:
        fields["more"] = "deadlines.problem.extension_range"
    elif ends_at is not None and not due < ends_at <= now + LONGEST_WAIT:
        fields["until"] = "deadlines.problem.extension_until"
    if fields:
        raise BadInput(fields=fields)
    row = ReportExtension(
        report_id=report.id, unit_id=report.unit_id, asked_by_id=by.id, asked_at=now, reason=reason,
        more_value=more, more_unit=unit if more is not None else None, until=ends_at, ruling="",
    )  # fmt: skip
    db.session.add(row)
    report.extension_pending = True
    record(
        report, EventKind.EXTENSION_ASKED, by, unit_id=report.unit_id, note=reason, is_public=False,
        data={"more": [more, unit] if more is not None else [], "until": ends_at.isoformat() if ends_at else ""},
    )  # fmt: skip
    audit.record(by, "report.ask_extension", f"report:{report.id}")
    notices.tell(
        "extension_asked", notices.with_role(Role.DISPATCHER, Role.SHIFT_LEAD), report_id=report.id, but=by.id
    )  # fmt: skip
    return row


def grant(report: Report, *, by: Staff, ruling: str = "") -> ReportExtension:
    """More time is given, and the resident told with the unit's reason. What is asked in time may be granted late."""
    require(by, Action.GRANT_EXTENSION, report)
    row, due_before = _pending(report), report.handling_due_at
    _end(report, row, Ruling.GRANTED, by, ruling)
    clocks.settle(report, steps_again=True)
    due = report.handling_due_at
    assert due is not None
    record(
        report, EventKind.EXTENSION_GRANTED, by, unit_id=report.unit_id, note=row.reason,
        data={"due_before": due_before.isoformat() if due_before else "", "due": due.isoformat()},
    )  # fmt: skip
    audit.record(by, "report.grant_extension", f"report:{report.id}")
    words = f"{due.astimezone(_zone()):%m-%d %H:%M}"
    notices.tell("extension_granted", notices.people_of(report.unit_id), report_id=report.id, but=by.id, due=words)
    notifications.tell(report, "extended", due=words, reason=row.reason)
    return row


def refuse(report: Report, *, by: Staff, ruling: str) -> ReportExtension:
    """No more time. ruling: why, read by the unit."""
    require(by, Action.REFUSE_EXTENSION, report)
    if not clean(ruling):
        raise BadInput(fields={"ruling": "errors.reason_missing"})
    if len(clean(ruling)) > LONGEST_REASON:
        raise BadInput(fields={"ruling": "deadlines.problem.reason_long"})
    row = _pending(report)
    _end(report, row, Ruling.REFUSED, by, ruling)
    record(
        report, EventKind.EXTENSION_REFUSED, by, unit_id=report.unit_id, note=row.ruling, is_public=False
    )  # fmt: skip
    audit.record(by, "report.refuse_extension", f"report:{report.id}")
    notices.tell("extension_refused", notices.people_of(report.unit_id), report_id=report.id, but=by.id)
    return row


def drop(report: Report) -> None:
    """The report moves on to where more time means nothing. Does nothing when none was asked for."""
    if report.extension_pending:
        _end(report, _pending(report), Ruling.DROPPED, None, "")


def granted(report: Report) -> int:
    """How often the present clock was given more time."""
    query = select(func.count()).where(
        ReportExtension.report_id == report.id,
        ReportExtension.outcome == Ruling.GRANTED,
        ReportExtension.asked_at >= report.assigned_at,
    )
    return db.session.scalar(query) or 0


def of_report(report_id: int, limit: int = 20) -> list[ReportExtension]:
    """A report's extensions, newest first, with who asked."""
    return list(
        db.session.scalars(
            select(ReportExtension)
            .where(ReportExtension.report_id == report_id)
            .options(joinedload(ReportExtension.asked_by), joinedload(ReportExtension.unit))
            .order_by(ReportExtension.id.desc())
            .limit(limit)
        )
    )


def _pending(report: Report) -> ReportExtension:
    row = db.session.scalar(
        select(ReportExtension).where(ReportExtension.report_id == report.id, ReportExtension.ended_at.is_(None))
    )
    if row is None:
        raise WrongState()
    return row


def _end(report: Report, row: ReportExtension, outcome: Ruling, by: Staff | None, ruling: str) -> None:
    row.ended_at, row.outcome, row.ended_by_id = clock.now(), outcome, by.id if by else None
    row.ruling = clean(ruling)[:LONGEST_REASON]
    report.extension_pending = False
    # The unique index allows one that waits: it must be gone before another is asked.
    db.session.flush()


def _end_of(day: date) -> datetime:
    """When people stop working on that day; its midnight where the day is worked to the end."""
    closes = datetime.combine(day, time()) + deadlines.working_calendar().spans[-1][1]
    return closes.replace(tzinfo=_zone()).astimezone(UTC)


def _zone() -> ZoneInfo:
    return ZoneInfo(current_app.config["DISTRICT_TIMEZONE"])
