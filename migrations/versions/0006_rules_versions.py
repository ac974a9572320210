"""rules versions: every version of the routing rules is kept whole

The rules in force become the first version. The application of before changes rules without keeping a version; the next
change shows what it did.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
COLUMNS = (
    "priority", "category_codes", "major", "facility_types", "area_codes", "condition", "units", "role", "mode", "note",
)  # fmt: skip
LISTS = ("category_codes", "facility_types", "area_codes", "units")


def upgrade() -> None:
    versions = op.create_table(
        "rules_version",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("staff_id", BIG, nullable=True),
        sa.Column("origin", sa.String(length=20), nullable=False),
        sa.Column("restored_from", sa.Integer(), nullable=True),
        sa.Column("rules", JSON, nullable=False),
        sa.Column("changes", JSON, nullable=False),
        sa.CheckConstraint("origin in ('before', 'folder', 'panel', 'restored')", name="origin_known"),
        sa.CheckConstraint("(origin = 'restored') = (restored_from is not null)", name="restored_whole"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_rules_version_staff_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_rules_version")),
    )
    rule = sa.table(
        "routing_rule", sa.column("id", sa.Integer), sa.column("code", sa.String), sa.column("retired_at", sa.String),
        *(sa.column(name, JSON if name in LISTS else sa.Integer if name == "priority" else sa.String) for name in COLUMNS),
    )  # fmt: skip
    connection = op.get_bind()
    rows = connection.execute(
        sa.select(rule.c.code, *(rule.c[name] for name in COLUMNS))
        .where(rule.c.retired_at.is_(None))
        .order_by(rule.c.priority.desc(), rule.c.id)
    ).mappings()
    rules = [dict(row) for row in rows]
    if rules:
        number = connection.scalar(sa.text("select number from reference_version where name = 'rules'")) or 0
        connection.execute(
            versions.insert().values(
                number=number, at=sa.func.current_timestamp(), origin="before", rules=rules, changes=[]
            )
        )


def downgrade() -> None:
    op.drop_table("rules_version")
