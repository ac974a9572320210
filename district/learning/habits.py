"""Where reports really go: the unit that those like one another ended with, beside the one the rules meant.

Rules decide; a habit is shown to whoever dispatches, and to whoever keeps the rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, exists, func, insert, or_, select
from sqlalchemy.orm import aliased

from district import clock
from district.extensions import db
from district.facilities.models import Facility
from district.learning.models import UnitHabit
from district.reference import Reference
from district.reports.models import EventKind, Report, ReportEvent
from district.reports.states import HAS_UNIT, Status
from district.routing.models import RoutingDecision

# What is looked at: reports filed in these days, at most so many of the newest.
_DAYS, _MOST = 180, 20_000
# Of reports that are alike, the last so many; fewer than the least tell nothing.
_LAST, _LEAST = 20, 5
# From which part on it is a habit, and from which part of decisions against the rules on a hint to change one.
_HABIT, _HINT = 0.7, 0.6

Likeness = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class _Case:
    """One decided report, filed `at`. rules_unit_id: whom the rules meant for this very category; None for nobody.

    was_ruled: whether the rules decided about this category at all.
    """

    at: datetime
    unit_id: int
    rules_unit_id: int | None
    was_ruled: bool

    @property
    def was_moved(self) -> bool:
        return self.was_ruled and self.rules_unit_id != self.unit_id


def count(ref: Reference) -> list[dict[str, Any]]:
    """The habits of the decided reports, as rows of `UnitHabit`. Reads only: it looks at thousands of reports."""
    alike: dict[Likeness, list[_Case]] = {}
    for likenesses, case in _cases(ref):
        for likeness in likenesses:
            cases = alike.setdefault(likeness, [])
            if len(cases) < _LAST:
                cases.append(case)
    return [_row(likeness, cases) for likeness, cases in alike.items() if len(cases) >= _LEAST]


def keep(rows: Sequence[dict[str, Any]]) -> None:
    """These are the habits now; older ones go. Writes at once, does not commit."""
    db.session.execute(delete(UnitHabit))
    if rows:
        db.session.execute(insert(UnitHabit), rows)


def habit_for(report: Report, ref: Reference) -> UnitHabit | None:
    """Where reports like this one usually go, by the closest likeness that is known; None without a habit."""
    category = ref.categories_by_id.get(report.category_id) if report.category_id is not None else None
    if category is None:
        return None
    facility = report.facility
    likenesses = _likenesses(
        ref, category.code, report.area_code, facility.type_id if facility else None,
        facility.owner_unit_id if facility else None,
    )  # fmt: skip
    found = {
        (row.category_code, row.area_code, row.facility_type, row.owner_code): row
        for row in db.session.scalars(select(UnitHabit).where(UnitHabit.category_code == category.code))
    }
    closest = next((found[likeness] for likeness in likenesses if likeness in found), None)
    return closest if closest is not None and closest.times >= _HABIT * closest.last else None


def hints(limit: int = 50) -> Sequence[UnitHabit]:
    """Where a rule should change, most decisions against it first.

    What holds for a whole category is not said again for each of its streets.
    """
    rows = db.session.scalars(
        select(UnitHabit).where(UnitHabit.is_hint).order_by(UnitHabit.moved.desc(), UnitHabit.category_code)
    ).all()
    wide = {(row.category_code, row.unit_id) for row in rows if not row.area_code}
    streets = {
        (row.category_code, row.area_code, row.unit_id) for row in rows if row.area_code and not row.facility_type
    }
    found = []
    for row in rows:
        if row.area_code and (row.category_code, row.unit_id) in wide:
            continue
        if row.facility_type and (row.category_code, row.area_code, row.unit_id) in streets:
            continue
        found.append(row)
    return found[:limit]


def _cases(ref: Reference) -> Iterator[tuple[list[Likeness], _Case]]:
    """Decided reports with what they are like, newest first."""
    by_staff = exists().where(
        ReportEvent.report_id == Report.id,
        ReportEvent.kind.in_((EventKind.ASSIGNED, EventKind.REASSIGNED)),
        ReportEvent.actor == "staff",
    )
    other = aliased(RoutingDecision)
    last_decision = select(func.max(other.id)).where(other.report_id == Report.id).correlate(Report).scalar_subquery()
    rows = db.session.execute(
        select(
            Report.submitted_at, Report.category_id, Report.area_code, Report.unit_id, Facility.type_id,
            Facility.owner_unit_id, RoutingDecision.unit_id, RoutingDecision.inputs["category"].as_string(),
        )
        .outerjoin(Facility, Facility.id == Report.facility_id)
        .outerjoin(RoutingDecision, RoutingDecision.id == last_decision)
        .where(
            Report.submitted_at >= clock.now() - timedelta(days=_DAYS),
            Report.category_id.is_not(None),
            Report.status.in_(HAS_UNIT),
            or_(Report.status == Status.CLOSED, by_staff),
        )
        .order_by(Report.id.desc())
        .limit(_MOST)
    )  # fmt: skip
    for at, category_id, area_code, unit_id, type_id, owner_id, rules_unit_id, ruled_category in rows:
        category = ref.categories_by_id.get(category_id)
        if category is not None:
            # Rules that decided about another category were not wrong about this one.
            case = _Case(at, unit_id, rules_unit_id, ruled_category == category.code)
            yield _likenesses(ref, category.code, area_code, type_id, owner_id), case


def _likenesses(
    ref: Reference, category_code: str, area_code: str, type_id: int | None, owner_id: int | None
) -> list[Likeness]:
    """What a report is like, closest first."""
    found: list[Likeness] = []
    kind = ref.facility_types_by_id.get(type_id) if type_id is not None else None
    if kind is not None:
        owner = ref.units_by_id.get(owner_id) if owner_id is not None else None
        found.append((category_code, area_code, kind.code, owner.code if owner else ""))
    if area_code:
        found.append((category_code, area_code, "", ""))
    found.append((category_code, "", "", ""))
    return found


def _row(likeness: Likeness, cases: Sequence[_Case]) -> dict[str, Any]:
    """One habit, of cases that are alike, newest first."""
    category_code, area_code, facility_type, owner_code = likeness
    unit_id, times = Counter(case.unit_id for case in cases).most_common(1)[0]
    moved = [case for case in cases if case.unit_id == unit_id and case.was_moved]
    # Once a rule was mended the next report goes right by itself: the newest case says whether it still stands.
    stands = cases[0].unit_id == unit_id and cases[0].was_moved
    return {
        "category_code": category_code, "area_code": area_code, "facility_type": facility_type,
        "owner_code": owner_code, "unit_id": unit_id, "times": times, "last": len(cases), "moved": len(moved),
        "rules_unit_id": Counter(case.rules_unit_id for case in moved).most_common(1)[0][0] if moved else None,
        "is_hint": stands and len(moved) >= max(_LEAST, _HINT * len(cases)), "newest_at": cases[0].at,
    }  # fmt: skip
