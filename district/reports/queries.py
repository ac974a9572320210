"""Lists and counts of reports for panel and pages. Each takes its limit; none commits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import joinedload, selectinload

from district import clock
from district.extensions import db
from district.reports import numbers
from district.reports.models import HandBack, Photo, PhotoState, Report, ReportEvent, ReportFollower, ReportUnit
from district.reports.states import OPEN, WAITING_FOR_DISPATCH, WITH_UNIT, Status

PAGE_SIZE = 25


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What a list is narrowed to; empty means everything.

    words: a report number, or words of the description or address. overdue: only those past their handling due.
    units: ids, for people who see only their own unit's work.
    """

    statuses: Collection[Status] = ()
    units: Collection[int] = ()
    category_id: int | None = None
    area_code: str = ""
    urgency: str = ""
    source: str = ""
    words: str = ""
    overdue: bool = False
    hand_back_pending: bool = False
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Page:
    """One page of a list, newest first. next_before: the id to ask for the next page with, None at the end."""

    reports: list[Report]
    next_before: int | None


def newest(filters: Filters, *, before: int | None = None, limit: int = PAGE_SIZE) -> Page:
    """Reports newest first, by keyset: the cost does not grow with the page."""
    query = _narrowed(select(Report), filters)
    if before is not None:
        query = query.where(Report.id < before)
    rows = list(db.session.scalars(_with_parts(query).order_by(Report.id.desc()).limit(limit + 1)))
    more = len(rows) > limit
    return Page(rows[:limit], rows[limit - 1].id if more else None)


def most_pressing(filters: Filters, *, limit: int = PAGE_SIZE) -> list[Report]:
    """Open reports, critical first, then by the time left on their clock."""
    due = func.coalesce(Report.handling_due_at, Report.dispatch_due_at)
    weight = case({"critical": 0, "urgent": 1}, value=Report.urgency, else_=2)
    query = _narrowed(select(Report).where(Report.status.in_(OPEN)), filters)
    return list(db.session.scalars(_with_parts(query).order_by(weight, due, Report.id).limit(limit)))


def counts(filters: Filters) -> dict[Status, int]:
    """How many open reports there are by status, under the other filters."""
    query = _narrowed(select(Report.status, func.count()).where(Report.status.in_(OPEN)), filters)
    return {Status(name): count for name, count in db.session.execute(query.group_by(Report.status))}


def count_overdue(filters: Filters) -> int:
    """How many open reports are past their clock."""
    query = _narrowed(select(func.count()).select_from(Report), filters).where(_overdue())
    return db.session.scalar(query) or 0


def whole(report_id: int) -> Report | None:
    """One report with everything its page shows."""
    found: Report | None = db.session.scalar(
        _with_parts(select(Report).where(Report.id == report_id)).options(
            selectinload(Report.events).joinedload(ReportEvent.staff),
            selectinload(Report.events).joinedload(ReportEvent.unit),
            selectinload(Report.photos),
            selectinload(Report.other_units).joinedload(ReportUnit.unit),
        )
    )
    return found


def of_resident(resident_id: int, *, limit: int = 50) -> list[Report]:
    """A resident's own reports and those they follow, newest first."""
    followed = select(ReportFollower.report_id).where(ReportFollower.resident_id == resident_id)
    query = select(Report).where(or_(Report.resident_id == resident_id, Report.id.in_(followed)))
    return list(db.session.scalars(_with_parts(query).order_by(Report.id.desc()).limit(limit)))


def open_at_facility(facility_id: int, *, limit: int = 10) -> list[Report]:
    """What is already reported about a facility and not yet ended."""
    query = select(Report).where(Report.facility_id == facility_id, Report.status.in_(OPEN))
    return list(db.session.scalars(_with_parts(query).order_by(Report.id.desc()).limit(limit)))


def open_near(latitude: float, longitude: float, *, degrees: float = 0.02, limit: int = 200) -> list[Report]:
    """Open reports in a box of `degrees` around a point, newest first."""
    query = select(Report).where(
        Report.status.in_(OPEN),
        Report.latitude.between(latitude - degrees, latitude + degrees),
        Report.longitude.between(longitude - degrees * 1.6, longitude + degrees * 1.6),
    )
    return list(db.session.scalars(_with_parts(query).order_by(Report.id.desc()).limit(limit)))


def public_events(report: Report) -> list[ReportEvent]:
    """The part of the history that residents read."""
    return [event for event in report.events if event.is_public]


def kept_photos(report: Report, *purposes: str) -> list[Photo]:
    """The report's pictures that can be shown, of these purposes (all when none is named)."""
    return [
        photo
        for photo in report.photos
        if photo.state == PhotoState.KEPT and (not purposes or photo.purpose in purposes)
    ]


def pending_hand_back(report_id: int) -> HandBack | None:
    """The hand-back that awaits its ruling, if any."""
    return db.session.scalar(
        select(HandBack)
        .where(HandBack.report_id == report_id, HandBack.ruled_at.is_(None))
        .options(joinedload(HandBack.unit), joinedload(HandBack.suggested_unit))
    )


def _overdue() -> ColumnElement[bool]:
    now = clock.now()
    return or_(
        and_(Report.status.in_(WITH_UNIT), Report.handling_due_at < now),
        and_(Report.status.in_(WAITING_FOR_DISPATCH), Report.dispatch_due_at < now),
    )


def _narrowed(query: Any, filters: Filters) -> Any:
    if filters.statuses:
        query = query.where(Report.status.in_(list(filters.statuses)))
    if filters.units:
        parts = select(ReportUnit.report_id).where(ReportUnit.unit_id.in_(list(filters.units)))
        query = query.where(or_(Report.unit_id.in_(list(filters.units)), Report.id.in_(parts)))
    if filters.category_id is not None:
        query = query.where(Report.category_id == filters.category_id)
    if filters.area_code:
        query = query.where(Report.area_code == filters.area_code)
    if filters.urgency:
        query = query.where(Report.urgency == filters.urgency)
    if filters.source:
        query = query.where(Report.source == filters.source)
    if filters.since is not None:
        query = query.where(Report.submitted_at >= filters.since)
    if filters.until is not None:
        query = query.where(Report.submitted_at < filters.until)
    if filters.hand_back_pending:
        query = query.where(Report.hand_back_pending.is_(True))
    if filters.overdue:
        query = query.where(_overdue())
    if filters.words:
        number = numbers.read(filters.words)
        if number is not None:
            query = query.where(Report.number == number)
        else:
            for word in filters.words.split()[:5]:
                query = query.where(
                    or_(
                        Report.description.contains(word, autoescape=True),
                        Report.address.contains(word, autoescape=True),
                        Report.number.contains(word.upper(), autoescape=True),
                    )
                )
    return query


def _with_parts(query: Any) -> Any:
    return query.options(joinedload(Report.category), joinedload(Report.unit), joinedload(Report.facility))


def thumbs(reports: Sequence[Report]) -> dict[int, str]:
    """The first shown picture's token of each of these reports, in one query."""
    ids = [report.id for report in reports]
    rows = db.session.execute(
        select(Photo.report_id, Photo.token)
        .where(Photo.report_id.in_(ids), Photo.state == PhotoState.KEPT)
        .order_by(Photo.id.desc())
    )
    return {int(report_id): token for report_id, token in rows if report_id is not None}
