"""The duty roster, and the times at which another unit stands in."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from district.columns import Key, Moment
from district.extensions import Model
from district.units.models import Unit


class DutyShift(Model):
    """Somebody answers for a unit from one moment to another. Shown to staff of the command centre, never to residents.

    from_file: brought by the district's folder, which takes it away again when it no longer has it.
    """

    __tablename__ = "duty_shift"
    __table_args__ = (
        CheckConstraint("ends_at > starts_at", name="ends_after_it_began"),
        Index("ix_duty_shift_unit", "unit_id", "ends_at"),
    )

    id: Mapped[Key]
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    name: Mapped[str] = mapped_column(String(60))
    phone: Mapped[str] = mapped_column(String(40))
    starts_at: Mapped[Moment]
    ends_at: Mapped[Moment]
    from_file: Mapped[bool] = mapped_column(default=False, server_default=false())

    unit: Mapped[Unit] = relationship()


class UnitAbsence(Model):
    """A unit is away and another one gets what would be its own.

    ends_at: null for a time without an end. A closed unit's stand-in counts at any time.
    """

    __tablename__ = "unit_absence"
    __table_args__ = (
        CheckConstraint("ends_at is null or ends_at > starts_at", name="ends_after_it_began"),
        CheckConstraint("stand_in_id <> unit_id", name="somebody_else"),
        Index("ix_unit_absence_unit", "unit_id", "ends_at"),
    )

    id: Mapped[Key]
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    stand_in_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    starts_at: Mapped[Moment]
    ends_at: Mapped[Moment | None]
    from_file: Mapped[bool] = mapped_column(default=False, server_default=false())

    unit: Mapped[Unit] = relationship(foreign_keys=[unit_id])
    stand_in: Mapped[Unit] = relationship(foreign_keys=[stand_in_id])
