"""numbers: facts about reports and their sums

Four new tables, empty: the scheduler fills them from the history of the reports.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "number_fact",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("report_id", BIG, nullable=False),
        sa.Column("measure", sa.String(length=20), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("unit_id", BIG, nullable=True),
        sa.Column("area_code", sa.String(length=40), nullable=False),
        sa.Column("category_id", BIG, nullable=True),
        sa.Column("seconds", sa.Integer(), nullable=True),
        sa.CheckConstraint("seconds is null or seconds >= 0", name="seconds_not_negative"),
        sa.ForeignKeyConstraint(
            ["report_id"], ["report.id"], name=op.f("fk_number_fact_report_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_number_fact_unit_id")),
        sa.ForeignKeyConstraint(["category_id"], ["category.id"], name=op.f("fk_number_fact_category_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_number_fact")),
    )
    op.create_index("ix_number_fact_report", "number_fact", ["report_id"])
    op.create_index("ix_number_fact_list", "number_fact", ["measure", "day"])
    op.create_table(
        "number_cell",
        sa.Column("grain", sa.String(length=1), nullable=False),
        sa.Column("dimension", sa.String(length=10), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("measure", sa.String(length=20), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.CheckConstraint("grain in ('d', 'm')", name="grain_known"),
        sa.CheckConstraint("dimension in ('district', 'unit', 'street', 'category')", name="dimension_known"),
        sa.CheckConstraint("amount >= 0", name="amount_not_negative"),
        sa.PrimaryKeyConstraint("grain", "dimension", "day", "key", "measure", "bucket", name=op.f("pk_number_cell")),
    )
    op.create_table(
        "number_report",
        sa.Column("report_id", BIG, nullable=False),
        sa.Column("event_id", BIG, nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["report_id"], ["report.id"], name=op.f("fk_number_report_report_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_number_report")),
    )
    waits = sa.text("next_at is not null")
    op.create_index("ix_number_report_next", "number_report", ["next_at"], sqlite_where=waits, postgresql_where=waits)
    op.create_table(
        "number_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cursor", BIG, nullable=False),
        sa.Column("terms", sa.String(length=200), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("id = 1", name="one_row"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_number_state")),
    )


def downgrade() -> None:
    for table in ("number_state", "number_report", "number_cell", "number_fact"):
        op.drop_table(table)
