"""Inspection plans, and what belongs to an entry of the maintenance log: pictures and reports."""

from __future__ import annotations

from datetime import date

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from district.columns import Code, JsonList, Key, Moment, Name, one_of
from district.extensions import Model
from district.reports.models import Photo, Report
from district.units.models import Unit

# Who goes: each facility's own unit; one unit to what it or a unit below it looks after; one unit to all there are.
CREWS = ("maintainer", "own", "all")
EVERY_UNITS = ("days", "weeks", "months")
MOMENTS = ("before", "after")
LINKS = ("resolved", "filed", "joined", "left_open")


class InspectionPlan(Model):
    """Which facilities are looked at, how often and by whom: once in each period.

    Periods follow each other from `starts_on` (a day of the district), each `every` `every_unit` long. type_codes: of
    these facility types. area_codes: in these streets, [] for everywhere. months: 1 to 12, only periods that begin in
    these, [] for all year. crew: see CREWS; unit_id: whose, where it is one unit. version: counts up by each edit.
    created_at: nobody has missed a period that was over by then.
    ended_at: when it was ended; what was checked by it stays.
    """

    __tablename__ = "inspection_plan"
    __table_args__ = (
        UniqueConstraint("code"),
        CheckConstraint(one_of("crew", CREWS), name="crew_known"),
        CheckConstraint("(unit_id is null) = (crew = 'maintainer')", name="unit_when_one_goes"),
        CheckConstraint(one_of("every_unit", EVERY_UNITS), name="every_unit_known"),
        CheckConstraint("every > 0", name="every_positive"),
    )

    id: Mapped[Key]
    code: Mapped[Code]
    name: Mapped[Name]
    type_codes: Mapped[JsonList]
    area_codes: Mapped[JsonList]
    crew: Mapped[str] = mapped_column(String(20))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    every: Mapped[int]
    every_unit: Mapped[str] = mapped_column(String(20))
    months: Mapped[JsonList]
    starts_on: Mapped[date]
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    created_at: Mapped[Moment]
    ended_at: Mapped[Moment | None]

    unit: Mapped[Unit | None] = relationship()


class MaintenancePhoto(Model):
    """A picture of an entry of the maintenance log; staff see it, residents never. moment: see MOMENTS."""

    __tablename__ = "maintenance_photo"
    __table_args__ = (
        CheckConstraint(one_of("moment", MOMENTS), name="moment_known"),
        Index("ix_maintenance_photo_entry", "entry_id", "photo_id"),
    )

    photo_id: Mapped[int] = mapped_column(ForeignKey("photo.id"), primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(ForeignKey("maintenance_entry.id", ondelete="CASCADE"))
    moment: Mapped[str] = mapped_column(String(20))

    photo: Mapped[Photo] = relationship(lazy="joined")


class MaintenanceReport(Model):
    """A report that an entry of the log has to do with. how: it was resolved by this repair, filed or joined by this
    inspection, or should have been resolved and could not be (`left_open`).
    """

    __tablename__ = "maintenance_report"
    __table_args__ = (
        CheckConstraint(one_of("how", LINKS), name="how_known"),
        Index("ix_maintenance_report_report", "report_id"),
    )

    entry_id: Mapped[int] = mapped_column(
        ForeignKey("maintenance_entry.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    report_id: Mapped[int] = mapped_column(
        ForeignKey("report.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    how: Mapped[str] = mapped_column(String(20))

    report: Mapped[Report] = relationship()
