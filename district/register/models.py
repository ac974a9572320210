"""What the register remembers beside each facility: its edits, its pictures, its words on SQLite."""

from __future__ import annotations

from typing import Any

from sqlalchemy import DDL, CheckConstraint, ForeignKey, Index, String, event
from sqlalchemy.orm import Mapped, mapped_column, relationship

from district.columns import JsonDict, Key, Moment, Words, one_of
from district.extensions import Model
from district.facilities.models import Facility
from district.people.models import Staff
from district.reports.models import Photo

EDIT_KINDS = ("added", "changed", "retired", "restored", "photo_added", "photo_removed")


class FacilityEdit(Model):
    """One change to a facility's record. changes: {field: [before, after]}, units and types by their codes.

    source: the file it came from, empty when somebody did it by hand. staff_id: null for the operator's commands.
    """

    __tablename__ = "facility_edit"
    __table_args__ = (
        CheckConstraint(one_of("kind", EDIT_KINDS), name="kind_known"),
        Index("ix_facility_edit_facility", "facility_id", "id"),
    )

    id: Mapped[Key]
    facility_id: Mapped[int] = mapped_column(ForeignKey("facility.id", ondelete="CASCADE"))
    at: Mapped[Moment]
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    kind: Mapped[str] = mapped_column(String(20))
    source: Mapped[str] = mapped_column(String(200), default="")
    changes: Mapped[JsonDict]
    note: Mapped[Words] = mapped_column(default="")

    staff: Mapped[Staff | None] = relationship()


class FacilityPhoto(Model):
    """A picture of a facility, shown on its page. The picture itself is kept as those of reports are."""

    __tablename__ = "facility_photo"

    photo_id: Mapped[int] = mapped_column(ForeignKey("photo.id"), primary_key=True, autoincrement=False)
    facility_id: Mapped[int] = mapped_column(ForeignKey("facility.id", ondelete="CASCADE"), index=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    added_at: Mapped[Moment]

    photo: Mapped[Photo] = relationship(lazy="joined")


# SQLite's own full-text index over `facility.words`, kept in step by the database itself.
SQLITE_INDEX = "facility_words"
_ADD = f"insert into {SQLITE_INDEX}(rowid, words) values (new.id, new.words)"  # noqa: S608 - a name of our own
_ADD_SOME = f"insert into {SQLITE_INDEX}(rowid, words) select new.id, new.words where new.words is not null"
_TAKE = f"insert into {SQLITE_INDEX}({SQLITE_INDEX}, rowid, words) values ('delete', old.id, old.words)"  # noqa: S608 - a name of our own
_MADE = (
    f"create virtual table {SQLITE_INDEX} using fts5(words, content='facility', content_rowid='id', tokenize='ascii')",
    f"create trigger facility_words_added after insert on facility when new.words is not null begin {_ADD}; end",
    f"create trigger facility_words_gone after delete on facility when old.words is not null begin {_TAKE}; end",
    # One trigger takes the old words before it adds the new ones: two would run in an order that nobody promises.
    f"create trigger facility_words_changed after update of words on facility when old.words is not null "
    f"begin {_TAKE}; {_ADD_SOME}; end",
    f"create trigger facility_words_given after update of words on facility when old.words is null "
    f"and new.words is not null begin {_ADD}; end",
)


def _on_sqlite(moment: str, statement: str) -> None:
    ddl = DDL(statement).execute_if(dialect="sqlite")  # type: ignore[no-untyped-call]
    event.listen(Facility.__table__, moment, ddl)


for _statement in _MADE:
    _on_sqlite("after_create", _statement)
_on_sqlite("before_drop", f"drop table if exists {SQLITE_INDEX}")


def plain(value: Any) -> Any:
    """A value as the history keeps it: what JSON can hold, days as `2026-11-22`."""
    return value.isoformat() if hasattr(value, "isoformat") else value
