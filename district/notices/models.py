"""Notices to staff."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from district.columns import JsonDict, Key, Moment, one_of
from district.extensions import Model
from district.people.models import Staff
from district.people.roles import Role
from district.units.models import Unit


class StaffNotice(Model):
    """Something that people of a role should look at. kind: names the sentence `handback.notice.<kind>`.

    unit_id: whose it is; a unit manager sees those of their own unit and the units under it, other roles see all.
    read_at: when the first of them has seen it.
    """

    __tablename__ = "staff_notice"
    __table_args__ = (
        CheckConstraint(one_of("role", tuple(Role)), name="role_known"),
        CheckConstraint("(read_at is null) = (read_by_id is null)", name="reading_whole"),
        Index(
            "ix_staff_notice_unread", "role", "unit_id",
            sqlite_where=text("read_at is null"), postgresql_where=text("read_at is null"),
        ),
    )  # fmt: skip

    id: Mapped[Key]
    role: Mapped[str] = mapped_column(String(20))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    report_id: Mapped[int] = mapped_column(ForeignKey("report.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    params: Mapped[JsonDict]
    created_at: Mapped[Moment]
    read_at: Mapped[Moment | None]
    read_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))

    unit: Mapped[Unit | None] = relationship()
    read_by: Mapped[Staff | None] = relationship()
