"""The tables of tags."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from district.columns import Code, JsonList, Key, Moment, one_of
from district.extensions import Model

# Each is a pair of letters and ground in the panel's style sheet that reads at 4.5 : 1 or better, light and dark.
COLOURS = ("grey", "blue", "teal", "green", "amber", "red", "pink", "purple")


class Tag(Model):
    """A short word that staff put on reports, e.g. `creation of a civilised city`. Residents do not see it.

    roles: who may put it on and take it off, e.g. `["dispatcher"]`; an empty list means whoever may act on a report.
    """

    __tablename__ = "tag"
    __table_args__ = (
        UniqueConstraint("code"),
        CheckConstraint(one_of("colour", COLOURS), name="colour_known"),
        CheckConstraint("name <> ''", name="name_written"),
    )

    id: Mapped[Key]
    code: Mapped[Code]
    name: Mapped[str] = mapped_column(String(20))
    colour: Mapped[str] = mapped_column(String(20))
    roles: Mapped[JsonList]
    retired_at: Mapped[Moment | None]


class ReportTag(Model):
    """A tag on a report, and who put it there."""

    __tablename__ = "report_tag"

    report_id: Mapped[int] = mapped_column(ForeignKey("report.id", ondelete="CASCADE"), primary_key=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tag.id"), primary_key=True, index=True)
    at: Mapped[Moment]
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
