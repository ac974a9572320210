"""The bell of the panel."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from district.columns import BigId, JsonDict, Key, Moment
from district.extensions import Model


class StaffNotice(Model):
    """Something one member of staff should know. Kept for a time, then deleted.

    kind: names the sentence `deadlines.notice.<kind>`; params fill it and hold no resident's personal data.
    """

    __tablename__ = "staff_notice"
    __table_args__ = (
        Index("ix_staff_notice_staff", "staff_id", "id"),
        Index(
            "ix_staff_notice_unread", "staff_id",
            sqlite_where=text("read_at is null"), postgresql_where=text("read_at is null"),
        ),
    )  # fmt: skip

    id: Mapped[Key]
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    report_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("report.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    params: Mapped[JsonDict]
    at: Mapped[Moment] = mapped_column(index=True)
    read_at: Mapped[Moment | None]
