"""accounts: what somebody is limited to

Adds two lists to staff, empty for everybody: nobody sees less than before.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0010"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    with op.batch_alter_table("staff") as staff:
        # Code of before goes on adding people without these.
        staff.add_column(sa.Column("unit_scope", JSON, nullable=False, server_default=sa.text("'[]'")))
        staff.add_column(sa.Column("area_scope", JSON, nullable=False, server_default=sa.text("'[]'")))


def downgrade() -> None:
    with op.batch_alter_table("staff") as staff:
        staff.drop_column("area_scope")
        staff.drop_column("unit_scope")
