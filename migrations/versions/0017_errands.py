"""errands: lengthy work that somebody asked for"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
STATES = "state in ('waiting', 'running', 'done', 'failed', 'cancelled')"
ENDED = "(state in ('done', 'failed', 'cancelled')) = (ended_at is not null)"
OPEN = sa.text("ended_at is null")


def upgrade() -> None:
    op.create_table(
        "errand",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("staff_id", BIG, nullable=False),
        sa.Column("language", sa.String(length=10), nullable=False),
        sa.Column("parameters", JSON, nullable=False),
        sa.Column("given", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", JSON, nullable=False),
        sa.Column("problem", JSON, nullable=False),
        sa.Column("file_name", sa.String(length=200), nullable=False),
        sa.Column("file_type", sa.String(length=100), nullable=False),
        sa.Column("file_bytes", BIG, nullable=False),
        sa.CheckConstraint(STATES, name=op.f("ck_errand_state")),
        sa.CheckConstraint(ENDED, name=op.f("ck_errand_ended")),
        sa.CheckConstraint("done >= 0 and (total is null or total >= 0)", name=op.f("ck_errand_progress")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_errand_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_errand")),
    )
    op.create_index(op.f("ix_errand_staff_id"), "errand", ["staff_id"])
    op.create_index(op.f("ix_errand_asked_at"), "errand", ["asked_at"])
    op.create_index("ix_errand_open", "errand", ["id"], sqlite_where=OPEN, postgresql_where=OPEN)


def downgrade() -> None:
    op.drop_table("errand")
