"""What somebody has to do at the spot: to fix, or to check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from district.extensions import db
from district.people.models import Staff
from district.people.roles import Role
from district.reports import queries
from district.reports.guards import may
from district.reports.models import EventKind, Report, ReportEvent, ReportUnit
from district.reports.queries import Filters, Queue, events_since, pressing
from district.reports.sight import OF_A_UNIT, sight_of
from district.reports.states import Action

# More cards than this nobody walks in a day; the most pressing ones are shown.
MOST = 60
FIXES = (Queue.ACCEPT, Queue.HANDLE)
CHECKS = (Queue.VERIFY,)


@dataclass(frozen=True)
class Errand:
    """One report to go to. seen: the id of the newest line of its history."""

    report: Report
    action: Action
    seen: int


def errands_of(staff: Staff, *, limit: int = MOST) -> list[Errand]:
    """What this person can fix or check now, the most pressing first; in a number of queries that does not grow."""
    sight = sight_of(staff)
    found: list[tuple[Report, Action]] = []
    if staff.roles & OF_A_UNIT:
        filters = Filters(units=sight.units, areas=sight.areas, queues=FIXES)
        fixes = pressing(filters, limit=limit).reports
        found += [(report, Action.RESOLVE) for report in fixes if may(staff, Action.RESOLVE, report)]
    if Role.VERIFIER in staff.roles or Role.INSPECTOR in staff.roles:
        filters = Filters(units=sight.units, areas=sight.areas, queues=CHECKS, verifier_unit_id=staff.unit_id)
        checks = pressing(filters, limit=limit).reports
        own = _helped_with(staff, [report.id for report in checks])
        found += [
            (report, Action.VERIFY) for report in checks if report.id not in own and report.resolved_by_id != staff.id
        ]
    # Somebody may fix and check: one list, as urgent as it is.
    found.sort(key=lambda errand: queries.pressing_order(errand[0]))
    seen = _newest_lines([report.id for report, _ in found])
    return [Errand(report, action, seen.get(report.id, 0)) for report, action in found]


def has_moved(report: Report, seen: int) -> bool:
    """Whether the report's status was changed after the line `seen`; words and being accepted are no hindrance.

    An act that waited for the network is judged by this: it was meant for the work as its doer saw it.
    """
    return any(
        event.to_status is not None and event.kind != EventKind.ACCEPTED for event in events_since(report.id, seen)
    )


def _helped_with(staff: Staff, ids: Sequence[int]) -> set[int]:
    """Those of the reports in which this person's unit has a part of the work."""
    query = select(ReportUnit.report_id).where(
        ReportUnit.report_id.in_(ids), ReportUnit.role == "co", ReportUnit.unit_id == staff.unit_id
    )
    return set(db.session.scalars(query))


def _newest_lines(ids: Sequence[int]) -> dict[int, int]:
    query = (
        select(ReportEvent.report_id, func.max(ReportEvent.id))
        .where(ReportEvent.report_id.in_(ids))
        .group_by(ReportEvent.report_id)
    )
    return dict(db.session.execute(query).all())
