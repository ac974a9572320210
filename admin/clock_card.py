"""What the report's page says about its clock: the limit, the chosen condition, what stops it, more time asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from district import clock
from district.categories.models import LimitUnit
from district.deadlines import service as deadlines
from district.deadlines.running import Limit
from district.extensions import db
from district.reference import StandardRef
from district.reports import clocks, extensions, standards
from district.reports.models import Report, ReportExtension, ReportSuspension
from district.reports.states import Status


@dataclass(frozen=True)
class ClockCard:
    """limit: what the handling clock runs by, None before there is a unit. would_be: when it is due if the asked
    extension is granted.
    """

    standard: StandardRef | None
    limit: Limit | None
    suspension: ReportSuspension | None
    extensions: Sequence[ReportExtension]
    asked: ReportExtension | None
    would_be: datetime | None
    due: datetime | None
    is_over: bool
    units: tuple[LimitUnit, ...] = (LimitUnit.WORKING_DAYS, LimitUnit.CALENDAR_DAYS, LimitUnit.WORKING_HOURS)


def clock_card(report: Report) -> ClockCard:
    asked_for = extensions.of_report(report.id)
    asked = next((row for row in asked_for if row.ended_at is None), None) if report.extension_pending else None
    suspension = None
    if report.status == Status.SUSPENDED:
        suspension = db.session.scalar(
            select(ReportSuspension)
            .where(ReportSuspension.report_id == report.id, ReportSuspension.ended_at.is_(None))
            .options(joinedload(ReportSuspension.began_by))
        )
    return ClockCard(
        standard=standards.chosen_for(report),
        limit=clocks.limit_of(report) if report.handling_due_at is not None else None,
        suspension=suspension,
        extensions=asked_for,
        asked=asked,
        would_be=_would_be(report, asked),
        due=report.handling_due_at,
        is_over=report.handling_due_at is not None
        and report.handling_due_at <= (report.clock_paused_at or clock.now()),
    )


def _would_be(report: Report, asked: ReportExtension | None) -> datetime | None:
    due = report.handling_due_at
    if asked is None or due is None:
        return None
    if asked.more_value is not None and asked.more_unit is not None:
        return deadlines.working_calendar().due_at(due, asked.more_value, LimitUnit(asked.more_unit))
    return asked.until
