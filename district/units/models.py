"""Responsible units and the settings of the district they serve."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from district.columns import Code, JsonList, Key, Moment, Name, Words
from district.extensions import Model


class Unit(Model):
    """A body that answers for reports: a department, a street office, a company, a crew.

    code: the district's own, e.g. `SZ-LD`. kind: e.g. `municipal`, `street`, `property`.
    role: what it may be given (`handler`, `contractor`, `dispatcher`, `supervisor`, `leader`, `transfer`, `observer`).
    area_codes: 9-digit codes of the areas it serves, or `["*"]`.
    """

    __tablename__ = "unit"
    __table_args__ = (UniqueConstraint("code"),)

    id: Mapped[Key]
    code: Mapped[Code]
    name: Mapped[Name]
    kind: Mapped[str] = mapped_column(String(40), index=True)
    role: Mapped[str] = mapped_column(String(40))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"), index=True)
    area_codes: Mapped[JsonList]
    phone: Mapped[str] = mapped_column(String(40), default="")
    emergency_phone: Mapped[str] = mapped_column(String(40), default="")
    duty_hours: Mapped[str] = mapped_column(String(100), default="")
    note: Mapped[Words] = mapped_column(default="")
    closed_at: Mapped[Moment | None]

    parent: Mapped[Unit | None] = relationship(remote_side="Unit.id")
