"""What earlier rulings say about a case like this one. None commits."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from district.extensions import db
from district.facilities.models import Facility
from district.people.models import Staff
from district.reports.models import HandBack, Precedent, Report
from district.rows import put


@dataclass(frozen=True)
class Match:
    """A ruling on the same category and kind of facility. same_area: it was in the same street or township, too."""

    precedent: Precedent
    same_area: bool


def keep(report: Report, ruled: HandBack, *, to_unit_id: int, by: Staff) -> None:
    """Keep a ruling for the next time. ruled: with its ruling; to_unit_id: whose the case is by it."""
    if ruled.ruled_at is None:
        raise ValueError("a hand-back becomes a precedent when it is ruled on")
    put(
        Precedent,
        hand_back_id=ruled.id,
        report_id=report.id,
        category_id=report.category_id,
        facility_type_id=_facility_type(report),
        area_code=report.area_code,
        in_compound=report.compound_id is not None,
        reason_code=ruled.reason_code,
        from_unit_id=ruled.unit_id,
        to_unit_id=to_unit_id,
        why=ruled.ruling,
        ruled_at=ruled.ruled_at,
        ruled_by_id=by.id,
    )


def like(report: Report, *, limit: int = 3) -> list[Match]:
    """Earlier rulings on the same case: category, kind of facility, inside a compound or not.

    Those of the same area come first, each group newest first. A report without a category has none.
    """
    if report.category_id is None:
        return []
    kind = _facility_type(report)
    rows = db.session.scalars(
        select(Precedent)
        .where(
            Precedent.category_id == report.category_id,
            Precedent.facility_type_id.is_(None) if kind is None else Precedent.facility_type_id == kind,
            Precedent.in_compound.is_(report.compound_id is not None),
            Precedent.report_id != report.id,
        )
        .options(joinedload(Precedent.from_unit), joinedload(Precedent.to_unit), joinedload(Precedent.report))
        .order_by((Precedent.area_code == report.area_code).desc(), Precedent.id.desc())
        .limit(limit)
    ).all()
    return [Match(row, row.area_code == report.area_code) for row in rows]


def deciding(report: Report) -> Precedent | None:
    """The newest ruling on just this case in just this area: what the unit should have known."""
    first = next(iter(like(report, limit=1)), None)
    return first.precedent if first is not None and first.same_area else None


def _facility_type(report: Report) -> int | None:
    if report.facility_id is None:
        return None
    return db.session.scalar(select(Facility.type_id).where(Facility.id == report.facility_id))
