"""search: what each report is found by, indexes for what lists are narrowed to, acts on many, saved lists

A table of its own, filled by a job from the history's lines: filing a report writes nothing here.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# Few of very many: (name, table, columns, which rows).
INDEXES = (
    ("ix_report_reopened", "report", ["id"], "reopen_count > 0"),
    ("ix_report_low", "report", ["id"], "stars <= 2"),
    ("ix_report_closed", "report", ["closed_at"], "closed_at is not null"),
    ("ix_report_event_staff", "report_event", ["staff_id", "report_id"], "staff_id is not null"),
)
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FTS5 = (
    "create virtual table report_words using fts5(words, content='report_search', content_rowid='report_id', "
    "tokenize='ascii')",
    "create trigger report_search_added after insert on report_search begin insert into report_words(rowid, words) "
    "values (new.report_id, new.words); end",
    "create trigger report_search_gone after delete on report_search begin insert into report_words"
    "(report_words, rowid, words) values ('delete', old.report_id, old.words); end",
    "create trigger report_search_changed after update on report_search begin insert into report_words"
    "(report_words, rowid, words) values ('delete', old.report_id, old.words); insert into report_words"
    "(rowid, words) values (new.report_id, new.words); end",
)


def upgrade() -> None:
    op.create_table(
        "report_search",
        sa.Column("report_id", BIG, autoincrement=False, nullable=False),
        sa.Column("event_id", BIG, nullable=False),
        sa.Column("words", sa.Text().with_variant(postgresql.TSVECTOR(), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(
            ["report_id"], ["report.id"], name=op.f("fk_report_search_report_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_report_search")),
    )
    if op.get_bind().dialect.name == "sqlite":
        for statement in FTS5:
            op.execute(statement)
    else:
        op.create_index("ix_report_search_words", "report_search", ["words"], postgresql_using="gin")
    op.create_table(
        "bulk_run",
        sa.Column("token", sa.String(length=40), nullable=False),
        sa.Column("staff_id", BIG, nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("results", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_bulk_run_staff_id")),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_bulk_run")),
    )
    op.create_index(op.f("ix_bulk_run_started_at"), "bulk_run", ["started_at"])
    op.create_table(
        "saved_list",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("staff_id", BIG, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("query", sa.String(length=1000), nullable=False),
        sa.Column("is_shared", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_saved_list_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_list")),
    )
    op.create_index(op.f("ix_saved_list_staff_id"), "saved_list", ["staff_id"])
    for name, table, columns, which in INDEXES:
        op.create_index(name, table, columns, sqlite_where=sa.text(which), postgresql_where=sa.text(which))


def downgrade() -> None:
    for name, table, _columns, _which in reversed(INDEXES):
        op.drop_index(name, table)
    op.drop_table("saved_list")
    op.drop_table("bulk_run")
    if op.get_bind().dialect.name == "sqlite":
        op.execute("drop table report_words")
    op.drop_table("report_search")
    op.execute("delete from district_setting where name = 'search.done'")
