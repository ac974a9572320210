"""The search documents' table."""

from __future__ import annotations

from sqlalchemy import DDL, ForeignKey, Index, Text, event
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from district.columns import BigId
from district.extensions import Model

WORDS_INDEX = "ix_report_search_words"


class ReportSearch(Model):
    """What a report is found by. words: its tokens in order, e.g. `路灯 灯不 不亮 亮` (on PostgreSQL with positions).

    event_id: the report's newest history line when this was written; a newer line means that this is old.
    """

    __tablename__ = "report_search"
    __table_args__ = (Index(WORDS_INDEX, "words", postgresql_using="gin").ddl_if(dialect="postgresql"),)

    report_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("report.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    event_id: Mapped[int] = mapped_column(BigId)
    words: Mapped[str] = mapped_column(Text().with_variant(TSVECTOR(), "postgresql"))


# SQLite's own full-text index over the table, kept in step by the database. Its tokenizer cuts at blanks only.
SQLITE_INDEX = "report_words"
_ADD = f"insert into {SQLITE_INDEX}(rowid, words) values (new.report_id, new.words)"  # noqa: S608 - a name of our own
_TAKE = f"insert into {SQLITE_INDEX}({SQLITE_INDEX}, rowid, words) values ('delete', old.report_id, old.words)"  # noqa: S608 - a name of our own
_MADE = (
    f"create virtual table {SQLITE_INDEX} using fts5(words, content='report_search', content_rowid='report_id', "
    "tokenize='ascii')",
    f"create trigger report_search_added after insert on report_search begin {_ADD}; end",
    f"create trigger report_search_gone after delete on report_search begin {_TAKE}; end",
    f"create trigger report_search_changed after update on report_search begin {_TAKE}; {_ADD}; end",
)


def _on_sqlite(moment: str, statement: str) -> None:
    ddl = DDL(statement).execute_if(dialect="sqlite")  # type: ignore[no-untyped-call]
    event.listen(ReportSearch.__table__, moment, ddl)


for _statement in _MADE:
    _on_sqlite("after_create", _statement)
_on_sqlite("before_drop", f"drop table if exists {SQLITE_INDEX}")
