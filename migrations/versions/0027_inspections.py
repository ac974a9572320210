"""inspections: plans, what a check found and where from, pictures and reports of the maintenance log, types of light

Whether a facility is due follows from the plan and its last check: there is no row for a day that has not come.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
ENTRY_CHECKS = {
    "result_known": "result in ('fine', 'faulty', 'not_found', 'unreachable')",
    "result_of_inspection": "result is null or kind = 'inspection'",
    "plan_with_result": "plan_id is null or result is not null",
    "far_by_metres": "not is_far or metres is not null",
}
ENTRY_INDEXES = {
    "plan": (["plan_id", "facility_id", "at"], "plan_id is not null and result <> 'unreachable'"),
    "missing": (["facility_id", "at"], "result = 'not_found'"),
    "repair": (["at", "facility_id"], "kind = 'repair'"),
}


def upgrade() -> None:
    op.add_column("facility_type", sa.Column("gives_light", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "inspection_plan",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("type_codes", JSON, nullable=False),
        sa.Column("area_codes", JSON, nullable=False),
        sa.Column("crew", sa.String(length=20), nullable=False),
        sa.Column("unit_id", BIG, nullable=True),
        sa.Column("every", sa.Integer(), nullable=False),
        sa.Column("every_unit", sa.String(length=20), nullable=False),
        sa.Column("months", JSON, nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.CheckConstraint("crew in ('maintainer', 'own', 'all')", name=op.f("ck_inspection_plan_crew_known")),
        sa.CheckConstraint(
            "(unit_id is null) = (crew = 'maintainer')", name=op.f("ck_inspection_plan_unit_when_one_goes")
        ),
        sa.CheckConstraint(
            "every_unit in ('days', 'weeks', 'months')", name=op.f("ck_inspection_plan_every_unit_known")
        ),
        sa.CheckConstraint("every > 0", name=op.f("ck_inspection_plan_every_positive")),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_inspection_plan_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inspection_plan")),
        sa.UniqueConstraint("code", name=op.f("uq_inspection_plan_code")),
    )
    with op.batch_alter_table("maintenance_entry") as table:
        table.add_column(sa.Column("result", sa.String(length=20), nullable=True))
        table.add_column(sa.Column("problem", sa.String(length=200), server_default="", nullable=False))
        table.add_column(sa.Column("plan_id", BIG, nullable=True))
        table.add_column(sa.Column("metres", sa.Integer(), nullable=True))
        table.add_column(sa.Column("is_far", sa.Boolean(), server_default=sa.false(), nullable=False))
        table.create_foreign_key(op.f("fk_maintenance_entry_plan_id"), "inspection_plan", ["plan_id"], ["id"])
        for name, says in ENTRY_CHECKS.items():
            table.create_check_constraint(op.f(f"ck_maintenance_entry_{name}"), says)
    for name, (columns, where) in ENTRY_INDEXES.items():
        few = sa.text(where)
        op.create_index(
            f"ix_maintenance_entry_{name}", "maintenance_entry", columns, sqlite_where=few, postgresql_where=few
        )  # fmt: skip
    op.create_table(
        "maintenance_photo",
        sa.Column("photo_id", BIG, autoincrement=False, nullable=False),
        sa.Column("entry_id", BIG, nullable=False),
        sa.Column("moment", sa.String(length=20), nullable=False),
        sa.CheckConstraint("moment in ('before', 'after')", name=op.f("ck_maintenance_photo_moment_known")),
        sa.ForeignKeyConstraint(["photo_id"], ["photo.id"], name=op.f("fk_maintenance_photo_photo_id")),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["maintenance_entry.id"], name=op.f("fk_maintenance_photo_entry_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("photo_id", name=op.f("pk_maintenance_photo")),
    )
    op.create_index("ix_maintenance_photo_entry", "maintenance_photo", ["entry_id", "photo_id"])
    op.create_table(
        "maintenance_report",
        sa.Column("entry_id", BIG, autoincrement=False, nullable=False),
        sa.Column("report_id", BIG, autoincrement=False, nullable=False),
        sa.Column("how", sa.String(length=20), nullable=False),
        sa.CheckConstraint(
            "how in ('resolved', 'filed', 'joined', 'left_open')", name=op.f("ck_maintenance_report_how_known")
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["maintenance_entry.id"], name=op.f("fk_maintenance_report_entry_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["report_id"], ["report.id"], name=op.f("fk_maintenance_report_report_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("entry_id", "report_id", name=op.f("pk_maintenance_report")),
    )
    op.create_index("ix_maintenance_report_report", "maintenance_report", ["report_id"])


def downgrade() -> None:
    op.drop_table("maintenance_report")
    op.drop_table("maintenance_photo")
    for name in ENTRY_INDEXES:
        op.drop_index(f"ix_maintenance_entry_{name}", table_name="maintenance_entry")
    with op.batch_alter_table("maintenance_entry") as table:
        for name in ENTRY_CHECKS:
            table.drop_constraint(op.f(f"ck_maintenance_entry_{name}"), type_="check")
        table.drop_constraint(op.f("fk_maintenance_entry_plan_id"), type_="foreignkey")
        for name in ("is_far", "metres", "plan_id", "problem", "result"):
            table.drop_column(name)
    op.drop_table("inspection_plan")
    with op.batch_alter_table("facility_type") as table:
        table.drop_column("gives_light")
