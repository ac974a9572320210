"""learning: versions of the model, which was in use when, nightly runs, habits of dispatching

New tables stand empty and an index is added: the application of before goes on as it was.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "model_version",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("origin", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("trained_on", JSON, nullable=False),
        sa.Column("figures", JSON, nullable=False),
        sa.Column("why", JSON, nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("state in ('candidate', 'in_use', 'retired', 'refused')", name="state_known"),
        sa.CheckConstraint("origin in ('folder', 'learnt')", name="origin_known"),
        sa.CheckConstraint("state not in ('in_use', 'candidate') or packed is not null", name="usable_when_in_use"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_version")),
        sa.UniqueConstraint("digest", name=op.f("uq_model_version_digest")),
    )
    in_use = sa.text("state = 'in_use'")
    op.create_index(
        "uq_model_version_in_use", "model_version", ["state"], unique=True,
        sqlite_where=in_use, postgresql_where=in_use,
    )  # fmt: skip
    op.create_table(
        "model_use",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("version_id", BIG, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_id", BIG, nullable=True),
        sa.Column("is_step_back", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["version_id"], ["model_version.id"], name=op.f("fk_model_use_version_id")),
        sa.ForeignKeyConstraint(["by_id"], ["staff.id"], name=op.f("fk_model_use_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_use")),
    )
    op.create_index(op.f("ix_model_use_version_id"), "model_use", ["version_id"])
    op.create_index(op.f("ix_model_use_since"), "model_use", ["since"])
    op.create_table(
        "learning_run",
        sa.Column("night", sa.String(length=10), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", JSON, nullable=False),
        sa.PrimaryKeyConstraint("night", name=op.f("pk_learning_run")),
    )
    op.create_table(
        "unit_habit",
        sa.Column("category_code", sa.String(length=40), nullable=False),
        sa.Column("area_code", sa.String(length=40), nullable=False),
        sa.Column("facility_type", sa.String(length=40), nullable=False),
        sa.Column("owner_code", sa.String(length=40), nullable=False),
        sa.Column("unit_id", BIG, nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("moved", sa.Integer(), nullable=False),
        sa.Column("rules_unit_id", BIG, nullable=True),
        sa.Column("is_hint", sa.Boolean(), nullable=False),
        sa.Column("newest_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("times <= last and moved <= times", name="counts_fit"),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_unit_habit_unit_id")),
        sa.ForeignKeyConstraint(["rules_unit_id"], ["unit.id"], name=op.f("fk_unit_habit_rules_unit_id")),
        sa.PrimaryKeyConstraint(
            "category_code", "area_code", "facility_type", "owner_code", name=op.f("pk_unit_habit")
        ),
    )
    op.create_index(op.f("ix_routing_decision_at"), "routing_decision", ["at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_routing_decision_at"), table_name="routing_decision")
    for table in ("unit_habit", "learning_run", "model_use", "model_version"):
        op.drop_table(table)
