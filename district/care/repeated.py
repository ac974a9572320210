"""Facilities that are repaired again and again: a lamp on a bad cable, a cover on a road that sinks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, case, exists, func, literal, select, union_all
from sqlalchemy.orm import joinedload

from district.care.models import MaintenanceReport
from district.care.rates import FAULT_INTENTS, within
from district.extensions import db
from district.facilities.models import Facility, MaintenanceEntry
from district.reports.models import EventKind, Report, ReportEvent
from district.reports.sight import Sight
from district.reports.states import Status

OFTEN, FEWEST, MOST = 3, 2, 50
_NOT_COUNTED = (Status.REJECTED, Status.WITHDRAWN, Status.MERGED)


@dataclass(frozen=True)
class Often:
    """One facility with what happened to it. repairs: those that resolved no report."""

    facility: Facility
    reports: int
    reopened: int
    repairs: int

    @property
    def total(self) -> int:
        return self.reports + self.reopened + self.repairs


def often_repaired(
    since: datetime, until: datetime, seen: Sight, *, times: int = OFTEN, skip: int = 0, limit: int = 50
) -> list[Often]:
    """The facilities to which at least `times` things happened from `since` to before `until`, most first.

    Counted are reports of faults (without rejected, withdrawn and merged ones), cases that were reopened, and repairs
    that resolved no report: those are counted with their report.
    """
    parts = union_all(_reports(since, until), _reopened(since, until), _repairs(since, until)).subquery()
    counted = [func.sum(case((parts.c.what == what, 1), else_=0)) for what in ("report", "reopened", "repair")]
    query = (
        select(Facility.id, *counted)
        .join(parts, parts.c.facility_id == Facility.id)
        .where(Facility.retired_at.is_(None), *within(seen))
        .group_by(Facility.id)
        .having(func.count() >= times)
        .order_by(func.count().desc(), Facility.id)
        .offset(skip)
        .limit(limit)
    )
    rows = db.session.execute(query).all()
    ids = [row[0] for row in rows]
    found = db.session.scalars(select(Facility).where(Facility.id.in_(ids)).options(joinedload(Facility.maintainer)))
    by_id = {one.id: one for one in found}
    return [Often(by_id[number], *(int(value) for value in values)) for number, *values in rows]


def _reports(since: datetime, until: datetime) -> Select[*tuple[Any, ...]]:
    return select(Report.facility_id.label("facility_id"), literal("report").label("what")).where(
        Report.facility_id.is_not(None),
        Report.submitted_at >= since,
        Report.submitted_at < until,
        Report.status.not_in(_NOT_COUNTED),
        Report.intent.in_(FAULT_INTENTS),
    )


def _reopened(since: datetime, until: datetime) -> Select[*tuple[Any, ...]]:
    return (
        select(Report.facility_id, literal("reopened"))
        .join(ReportEvent, ReportEvent.report_id == Report.id)
        .where(
            Report.facility_id.is_not(None),
            Report.reopen_count > 0,
            ReportEvent.kind == EventKind.REOPENED,
            ReportEvent.at >= since,
            ReportEvent.at < until,
        )
    )


def _repairs(since: datetime, until: datetime) -> Select[*tuple[Any, ...]]:
    resolved = exists().where(MaintenanceReport.entry_id == MaintenanceEntry.id, MaintenanceReport.how == "resolved")
    return select(MaintenanceEntry.facility_id, literal("repair")).where(
        MaintenanceEntry.kind == "repair", MaintenanceEntry.at >= since, MaintenanceEntry.at < until, ~resolved
    )
