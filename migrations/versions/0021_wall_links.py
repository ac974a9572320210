"""wall links: a screen shows the wall display without a login, by a link with an end

Adds one table and changes none.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "wall_link",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("made_by_id", BIG, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("ended_by_id", BIG, nullable=True),
        sa.Column("seen_at", MOMENT, nullable=True),
        sa.CheckConstraint("expires_at > made_at", name="ends_after_it_began"),
        sa.CheckConstraint("(ended_at is null) = (ended_by_id is null)", name="ended_by_somebody"),
        sa.ForeignKeyConstraint(["made_by_id"], ["staff.id"], name=op.f("fk_wall_link_made_by_id")),
        sa.ForeignKeyConstraint(["ended_by_id"], ["staff.id"], name=op.f("fk_wall_link_ended_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wall_link")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_wall_link_token_hash")),
    )


def downgrade() -> None:
    op.drop_table("wall_link")
