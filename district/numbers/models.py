"""What the figures are made of: facts, each of one report and one day, and their sums.

All of it can be made again from the reports and their history (`flask district numbers rebuild`).
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from district.columns import BigId, Key, Moment
from district.extensions import Model


class NumberFact(Model):
    """One thing that counts: on this day, for this unit, street and category. What a number's list shows.

    measure: e.g. `received`, `overdue` (`district.numbers.counting.Measure`). day: in the district's zone.
    unit_id: null where no unit had the report. seconds: how long it took, for measures that are times.
    """

    __tablename__ = "number_fact"
    __table_args__ = (
        CheckConstraint("seconds is null or seconds >= 0", name="seconds_not_negative"),
        Index("ix_number_fact_report", "report_id"),
        # In the order of the list behind a number, newest last.
        Index("ix_number_fact_list", "measure", "day", "id"),
    )

    id: Mapped[Key]
    report_id: Mapped[int] = mapped_column(ForeignKey("report.id", ondelete="CASCADE"))
    measure: Mapped[str] = mapped_column(String(20))
    day: Mapped[date]
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    area_code: Mapped[str] = mapped_column(String(40), default="")
    category_id: Mapped[int | None] = mapped_column(ForeignKey("category.id"))
    seconds: Mapped[int | None] = mapped_column(Integer)


class NumberCell(Model):
    """A sum of facts: of a day (grain `d`), month or year (`m`, `y`; day is its first), for a unit, street or category.

    dimension: `district`, `unit`, `street`, `category`. key: the unit's or category's id, the area's code, "" for the
    whole district and for facts without one. bucket: for times, which step of the scale; else 0
    (`district.numbers.scale`). amount may be 0 where there was something before.
    """

    __tablename__ = "number_cell"
    __table_args__ = (
        CheckConstraint("grain in ('d', 'm', 'y')", name="grain_known"),
        CheckConstraint("dimension in ('district', 'unit', 'street', 'category')", name="dimension_known"),
        CheckConstraint("amount >= 0", name="amount_not_negative"),
    )

    grain: Mapped[str] = mapped_column(String(1), primary_key=True)
    dimension: Mapped[str] = mapped_column(String(10), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    measure: Mapped[str] = mapped_column(String(20), primary_key=True)
    bucket: Mapped[int] = mapped_column(Integer, primary_key=True)
    amount: Mapped[int] = mapped_column(Integer)


class NumberReport(Model):
    """How far a report is counted. event_id: the last line of its history that was looked at.

    next_at: when something counts without anything happening (a deadline passes), null when nothing will.
    """

    __tablename__ = "number_report"
    __table_args__ = (
        Index(
            "ix_number_report_next", "next_at",
            sqlite_where=text("next_at is not null"), postgresql_where=text("next_at is not null"),
        ),
    )  # fmt: skip

    report_id: Mapped[int] = mapped_column(ForeignKey("report.id", ondelete="CASCADE"), primary_key=True)
    event_id: Mapped[int] = mapped_column(BigId)
    next_at: Mapped[Moment | None]


class NumberState(Model):
    """The one row (id 1) that whoever counts holds. cursor: all history up to this id is counted.

    terms: what the counting depends on beside the reports, as one string; when it changes, all is counted anew.
    counted_at: when it was last brought up to date.
    """

    __tablename__ = "number_state"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    cursor: Mapped[int] = mapped_column(BigId, default=0)
    terms: Mapped[str] = mapped_column(String(200), default="")
    counted_at: Mapped[Moment | None]
