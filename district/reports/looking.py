"""Whether the responsible unit has looked at what it was given, and whatever else stands still unnoticed.

A report that nobody has opened or accepted in time is told to the unit's managers, and after as long again to the
shift leads; each once for each assignment. None of these commits.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Table, func, or_, select, update
from sqlalchemy.orm import joinedload

from district import clock, work
from district.categories.models import LimitUnit, Urgency
from district.deadlines import service as deadlines
from district.extensions import db
from district.notices import service as notices
from district.notifications.models import Delivery, Notification
from district.people.models import Staff
from district.people.roles import Role
from district.people.service import unit_and_below
from district.reference import reference
from district.reports import keys
from district.reports.guards import SYSTEM
from district.reports.history import record
from district.reports.models import EventKind, Report
from district.reports.states import Status

# Minutes, where the district says nothing: `limits.accept_minutes`, `limits.accept_minutes_by_category`.
_LOOK_MINUTES = {Urgency.CRITICAL: 15, Urgency.URGENT: 60, Urgency.NORMAL: 240}
# Minutes after which a report that has no unit, or a message that is still being sent, is stuck.
UNROUTED_MINUTES, SENDING_MINUTES = 5, 10
# Who is told that nobody looked, one after the other.
TOLD = (Role.UNIT_MANAGER, Role.SHIFT_LEAD)
_OF_A_UNIT = frozenset({Role.HANDLER, Role.UNIT_MANAGER})


def look_due_at(category_id: int | None, urgency: Urgency, start: datetime) -> datetime:
    """By when somebody of the unit must have looked at what was given to it at `start`.

    Minutes of working time; a critical report's run day and night.
    """
    ref = reference()
    category = ref.categories_by_id.get(category_id) if category_id is not None else None
    minutes = ref.setting("limits.accept_minutes", {}).get(urgency, _LOOK_MINUTES[urgency])
    if category is not None:
        minutes = ref.setting("limits.accept_minutes_by_category", {}).get(category.code, minutes)
    length = timedelta(minutes=int(minutes))
    if urgency is Urgency.CRITICAL:
        return start + length
    return deadlines.working_calendar().after(start, length, LimitUnit.WORKING_HOURS)


def is_first_look(staff: Staff, report: Report) -> bool:
    """Whether this person is the first of the responsible unit to see the report."""
    return (
        report.first_seen_at is None
        and report.status in (Status.ASSIGNED, Status.IN_PROGRESS)
        and bool(staff.roles & _OF_A_UNIT)
        and report.unit_id in unit_and_below(staff.unit_id)
    )


def note_first_look(report_id: int, unit_id: int) -> None:
    """The unit has looked. The report's version stays: nobody's opened form is the older for it.

    unit_id: whose staff looked; somebody may have given the report to another unit meanwhile.
    """
    table = cast(Table, Report.__table__)
    work.connection().execute(
        update(table)
        .where(table.c.id == report_id, table.c.unit_id == unit_id, table.c.first_seen_at.is_(None))
        .values(first_seen_at=clock.now(), look_due_at=None)
    )


def tell_unseen(limit: int = 200) -> int:
    """Tell of reports that nobody has looked at in time: an event and a notice. Returns how many."""
    now = clock.now()
    late = db.session.scalars(
        select(Report)
        .where(
            Report.look_due_at < now,
            Report.status == Status.ASSIGNED,
            Report.first_seen_at.is_(None),
            Report.hand_back_pending.is_(False),
        )
        .order_by(Report.look_due_at)
        .limit(limit)
        .with_for_update(of=Report, skip_locked=True)
    ).all()
    for report in late:
        role = TOLD[min(report.look_level, len(TOLD) - 1)]
        report.look_level += 1
        report.look_due_at = (
            look_due_at(report.category_id, Urgency(report.urgency), now) if report.look_level < len(TOLD) else None
        )
        record(report, EventKind.UNSEEN, SYSTEM, unit_id=report.unit_id, is_public=False, data={"told": role})
        unit = reference().units_by_id.get(report.unit_id or 0)
        told = notices.head_of(report.unit_id) if role is Role.UNIT_MANAGER else notices.with_role(role)
        notices.tell("unseen", told, report_id=report.id, unit=unit.name if unit else "")
    return len(late)


def unseen(
    units: Collection[int] | None, *, areas: Collection[str] | None = None, after: str = "", limit: int = 100
) -> list[Report]:
    """Reports that nobody of their unit has looked at in time, longest with it first.

    units, areas: whose and where; None for all. after: the key of the last one that was shown.
    """
    query = _unseen(select(Report), units)
    if areas is not None:
        query = query.where(Report.area_code.in_(list(areas)))
    behind = keys.behind(after, Report.assigned_at, Report.id)
    if behind is not None:
        query = query.where(behind)
    parts = (joinedload(Report.category), joinedload(Report.unit), joinedload(Report.facility))
    return list(db.session.scalars(query.options(*parts).order_by(Report.assigned_at, Report.id).limit(limit)))


def _unseen(query: Any, units: Collection[int] | None) -> Any:
    narrowed = query.where(
        Report.status == Status.ASSIGNED,
        Report.first_seen_at.is_(None),
        or_(Report.look_level > 0, Report.look_due_at < clock.now()),
    )
    return narrowed if units is None else narrowed.where(Report.unit_id.in_(list(units)))


@dataclass(frozen=True)
class Stuck:
    """How much stands still that should move by itself."""

    unseen: int
    unrouted: int
    sending: int


def stuck() -> Stuck:
    """What stands still now: looked at by nobody, still without a decision, still being sent."""
    unseen_count = db.session.scalar(_unseen(select(func.count()).select_from(Report), None)) or 0
    unrouted_count = db.session.scalar(_unrouted(select(func.count()).select_from(Report))) or 0
    sending_count = (
        db.session.scalar(
            select(func.count())
            .select_from(Notification)
            .where(
                Notification.delivery == Delivery.SENDING,
                Notification.next_try_at < clock.now() - timedelta(minutes=SENDING_MINUTES),
            )
        )
        or 0
    )
    return Stuck(unseen_count, unrouted_count, sending_count)


def unrouted(*, areas: Collection[str] | None = None, after: str = "", limit: int = 100) -> list[Report]:
    """Reports that have waited too long for the router, longest first (`limits.unrouted_minutes`).

    areas: codes of streets, None for all. after: the key of the last one that was shown.
    """
    query = _unrouted(select(Report)).options(joinedload(Report.category))
    behind = keys.behind(after, Report.submitted_at, Report.id)
    if behind is not None:
        query = query.where(behind)
    if areas is not None:
        query = query.where(Report.area_code.in_(list(areas)))
    return list(db.session.scalars(query.order_by(Report.submitted_at, Report.id).limit(limit)))


def _unrouted(query: Any) -> Any:
    minutes = int(reference().setting("limits.unrouted_minutes", UNROUTED_MINUTES))
    return query.where(
        Report.status == Status.SUBMITTED, Report.submitted_at < clock.now() - timedelta(minutes=minutes)
    )
