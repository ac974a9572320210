"""scans: how often codes are scanned and guessed, by day, and when each was scanned last

Additions only: the version before goes on working with this schema.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_PLACED = sa.text("state = 'placed'")


def upgrade() -> None:
    op.create_table(
        "facility_scan_day",
        sa.Column("facility_id", BIG, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.CheckConstraint("scans > 0", name="scans_positive"),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_facility_scan_day_facility_id")),
        sa.PrimaryKeyConstraint("facility_id", "day", name=op.f("pk_facility_scan_day")),
    )
    op.create_index("ix_facility_scan_day_day", "facility_scan_day", ["day"])
    op.create_table(
        "code_guess_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("door", sa.String(length=20), nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.CheckConstraint("wrong > 0", name="wrong_positive"),
        sa.PrimaryKeyConstraint("day", "door", name=op.f("pk_code_guess_day")),
    )
    op.add_column("facility_token", sa.Column("last_scanned_on", sa.Date(), nullable=True))
    op.create_index(
        "ix_facility_token_placed", "facility_token", ["facility_id", "token"], sqlite_where=_PLACED,
        postgresql_where=_PLACED,
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("ix_facility_token_placed", table_name="facility_token")
    op.drop_column("facility_token", "last_scanned_on")
    op.drop_table("code_guess_day")
    op.drop_table("facility_scan_day")
