"""Lists of units. None commits."""

from __future__ import annotations

from sqlalchemy import func, select

from district.extensions import db
from district.people.models import Staff
from district.units.models import Unit


def all_open() -> list[Unit]:
    """Every unit that is not closed, by code."""
    return list(db.session.scalars(select(Unit).where(Unit.closed_at.is_(None)).order_by(Unit.code)))


def staff_counts() -> dict[int, int]:
    """How many people work for each unit, by its id."""
    rows = db.session.execute(
        select(Staff.unit_id, func.count()).where(Staff.left_at.is_(None)).group_by(Staff.unit_id)
    )
    return dict(rows.all())
