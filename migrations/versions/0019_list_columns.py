"""lists: everybody's own columns"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "list_columns",
        sa.Column("staff_id", BIG, autoincrement=False, nullable=False),
        sa.Column("names", sa.String(length=600), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_list_columns_staff_id")),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_list_columns")),
    )


def downgrade() -> None:
    op.drop_table("list_columns")
