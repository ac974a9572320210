"""Categories (部件 component, 事项 matter) and their case standards (立案条件)."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from district.columns import Code, JsonList, Key, Moment, Name, Words, one_of
from district.extensions import Model


class Urgency(StrEnum):
    NORMAL = "normal"
    URGENT = "urgent"
    CRITICAL = "critical"


class LimitUnit(StrEnum):
    """How a limit is counted: `hours` run day and night, `working_*` only in the district's working time."""

    HOURS = "hours"
    WORKING_HOURS = "working_hours"
    WORKING_DAYS = "working_days"
    CALENDAR_DAYS = "calendar_days"


class Category(Model):
    """A kind of problem. code is text of 5 digits in the demo's scheme; unique by (scheme, kind, code)."""

    __tablename__ = "category"
    __table_args__ = (
        UniqueConstraint("scheme", "kind", "code"),
        CheckConstraint("kind in ('component', 'matter')", name="kind_known"),
        CheckConstraint(one_of("urgency", tuple(Urgency)), name="urgency_known"),
        CheckConstraint(one_of("limit_unit", tuple(LimitUnit)), name="limit_unit_known"),
        CheckConstraint("limit_value > 0", name="limit_positive"),
    )

    id: Mapped[Key]
    scheme: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(20))
    code: Mapped[Code] = mapped_column(index=True)
    major: Mapped[Name]
    name: Mapped[Name]
    name_en: Mapped[Name]
    keywords: Mapped[JsonList]
    default_unit_kind: Mapped[str] = mapped_column(String(40))
    limit_value: Mapped[int] = mapped_column(Integer)
    limit_unit: Mapped[str] = mapped_column(String(20))
    urgency: Mapped[str] = mapped_column(String(20))
    facility_type_code: Mapped[str] = mapped_column(String(40), default="")
    topic: Mapped[str] = mapped_column(String(100), default="")
    close_without_verification: Mapped[bool] = mapped_column(default=False)
    retired_at: Mapped[Moment | None]

    standards: Mapped[list[CaseStandard]] = relationship(order_by="CaseStandard.code")


class CaseStandard(Model):
    """One condition under which a case of a category is opened, its limit and its closing condition."""

    __tablename__ = "case_standard"
    __table_args__ = (
        UniqueConstraint("code"),
        CheckConstraint(one_of("limit_unit", tuple(LimitUnit)), name="limit_unit_known"),
        CheckConstraint("limit_value > 0", name="limit_positive"),
    )

    id: Mapped[Key]
    code: Mapped[Code]
    category_id: Mapped[int] = mapped_column(ForeignKey("category.id"), index=True)
    condition: Mapped[Words]
    limit_value: Mapped[int] = mapped_column(Integer)
    limit_unit: Mapped[str] = mapped_column(String(20))
    close_condition: Mapped[Words]
    retired_at: Mapped[Moment | None]
