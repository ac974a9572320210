"""The table of changes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from district.columns import BigId, Key, Moment
from district.extensions import Model
from district.people.models import Staff

# None is "there was nothing", not a document that says null.
_Record = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class Change(Model):
    """One change of one thing by a member of staff; kept for ever.

    kind, subject: which thing, e.g. `unit` and its code `SZ-LD`. before, after: what it said, whole, in the words of
    that kind; None where it was not there. undone_by_id: the change that took this one back.
    """

    __tablename__ = "change"
    __table_args__ = (
        CheckConstraint("before is not null or after is not null", name="about_something"),
        CheckConstraint("undone_by_id <> id", name="undone_by_another"),
        Index("ix_change_subject", "kind", "subject", "id"),
    )

    id: Mapped[Key]
    at: Mapped[Moment]
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    kind: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(80))
    before: Mapped[dict[str, Any] | None] = mapped_column(_Record)
    after: Mapped[dict[str, Any] | None] = mapped_column(_Record)
    undone_by_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("change.id"), index=True)

    staff: Mapped[Staff | None] = relationship()
