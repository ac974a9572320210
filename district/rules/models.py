"""Every version of the routing rules, kept whole."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from district.columns import JsonList, Moment, one_of
from district.extensions import Model
from district.people.models import Staff

# How a version came about: what was there before versions were kept, a folder, the panel, an older version again.
ORIGINS = ("before", "folder", "panel", "restored")


class RulesVersion(Model):
    """The rules in force from one moment on.

    number: that of the reference data's kind `rules` at that moment, which counts up for other reasons too: numbers
    grow but leave gaps, and a decision made under number n was made under the latest version up to n.
    rules: all rules in force, first tried first. changes: one entry a rule, `{code, before, after}`, null for none.
    restored_from: the version that was brought back.
    """

    __tablename__ = "rules_version"
    __table_args__ = (
        CheckConstraint(one_of("origin", ORIGINS), name="origin_known"),
        CheckConstraint("(origin = 'restored') = (restored_from is not null)", name="restored_whole"),
    )

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[Moment]
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    origin: Mapped[str] = mapped_column(String(20))
    restored_from: Mapped[int | None] = mapped_column(Integer)
    rules: Mapped[JsonList]
    changes: Mapped[JsonList]

    staff: Mapped[Staff | None] = relationship()
