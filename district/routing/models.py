"""Routing rules and the decisions made by them."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from district.columns import Code, JsonDict, JsonList, Key, Moment, Words, one_of
from district.extensions import Model

RULE_ROLES = ("primary", "co", "supervise", "broadcast", "none")
RULE_MODES = ("auto", "manual_confirm", "manual_queue", "reply_only", "transfer")


class RoutingRule(Model):
    """One rule as the district's folder writes it; the meaning of each column is in the folder's README.

    category_codes, area_codes, facility_types: lists, `["*"]` for any. units: codes or `@facility.maintainer_unit`,
    `@facility.owner_unit`, `@area.street`, `@compound.property`.
    """

    __tablename__ = "routing_rule"
    __table_args__ = (
        UniqueConstraint("code"),
        CheckConstraint(one_of("role", RULE_ROLES), name="role_known"),
        CheckConstraint(one_of("mode", RULE_MODES), name="mode_known"),
    )

    id: Mapped[Key]
    code: Mapped[Code]
    priority: Mapped[int] = mapped_column(Integer, index=True)
    category_codes: Mapped[JsonList]
    major: Mapped[str] = mapped_column(String(100), default="*")
    facility_types: Mapped[JsonList]
    area_codes: Mapped[JsonList]
    condition: Mapped[str] = mapped_column(String(500), default="")
    units: Mapped[JsonList]
    role: Mapped[str] = mapped_column(String(20))
    mode: Mapped[str] = mapped_column(String(20))
    note: Mapped[Words] = mapped_column(default="")
    retired_at: Mapped[Moment | None]


class RoutingDecision(Model):
    """What the router decided for a report, and why: kept for ever beside it.

    inputs: what was looked at. trace: one entry a rule considered: `{rule, outcome, why}`. took_us: microseconds.
    """

    __tablename__ = "routing_decision"

    id: Mapped[Key]
    report_id: Mapped[int] = mapped_column(ForeignKey("report.id", ondelete="CASCADE"), index=True)
    at: Mapped[Moment] = mapped_column(index=True)
    rules_version: Mapped[int] = mapped_column(Integer)
    rule_code: Mapped[str | None] = mapped_column(String(40))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    to_triage: Mapped[bool]
    reason: Mapped[JsonDict]
    inputs: Mapped[JsonDict]
    trace: Mapped[JsonList]
    took_us: Mapped[int] = mapped_column(Integer)
