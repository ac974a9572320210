"""Days that differ from the plain week: public holidays and make-up working days."""

from __future__ import annotations

from datetime import date

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from district.columns import Name
from district.extensions import Model


class CalendarDay(Model):
    """A State Council holiday (放假) or a make-up working day (调休)."""

    __tablename__ = "calendar_day"
    __table_args__ = (CheckConstraint("kind in ('holiday', 'workday')", name="kind_known"),)

    day: Mapped[date] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[Name]
