"""Prepared replies (回复模板)."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from district.columns import Code, JsonList, Key, Moment, Words
from district.extensions import Model


class ReplyTemplate(Model):
    """A reply that is ready to be sent. Nothing refers to it: what was sent keeps its own words.

    words, words_en: the text in each language with placeholders such as `{编号}` or `{number}`; words_en may be empty.
    category_codes, statuses: which reports it is offered for, e.g. `["01037"]`, `["assigned", "in_progress"]`; an
    empty list means all of them.
    """

    __tablename__ = "reply_template"
    __table_args__ = (
        UniqueConstraint("code"),
        CheckConstraint("words <> ''", name="words_written"),
        CheckConstraint("title <> ''", name="title_written"),
    )

    id: Mapped[Key]
    code: Mapped[Code]
    title: Mapped[str] = mapped_column(String(60))
    words: Mapped[Words]
    words_en: Mapped[Words] = mapped_column(default="", server_default="")
    category_codes: Mapped[JsonList]
    statuses: Mapped[JsonList]
    changed_at: Mapped[Moment | None]
    changed_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    ended_at: Mapped[Moment | None]
