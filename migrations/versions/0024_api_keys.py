"""api keys: machines that speak to us, which report came from which, and what retention has taken away

No key to the machine on `report`: rows of `api_key` are never deleted, and the large table stays as it is on disk.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("unit_id", BIG, nullable=False),
        sa.Column("scopes", JSON, nullable=False),
        sa.Column("prefix", sa.String(length=20), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("per_minute", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by_id", BIG, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.Column("revoked_by_id", BIG, nullable=True),
        sa.CheckConstraint("(revoked_at is null) = (revoked_by_id is null)", name="revoking_whole"),
        sa.CheckConstraint("per_minute > 0", name="per_minute_positive"),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_api_key_unit_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["staff.id"], name=op.f("fk_api_key_created_by_id")),
        sa.ForeignKeyConstraint(["revoked_by_id"], ["staff.id"], name=op.f("fk_api_key_revoked_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_key_prefix")),
    )
    op.add_column("report", sa.Column("client_id", BIG, nullable=True))
    op.add_column("report", sa.Column("nameless_since", MOMENT, nullable=True))
    op.add_column("photo", sa.Column("reduced_at", MOMENT, nullable=True))
    _index("ix_report_client", "report", ["client_id", "id"], "client_id is not null")
    _index("ix_report_contact", "report", ["submitted_at"], "contact_sealed <> ''")
    _index("ix_photo_large", "photo", ["created_at"], "state = 'kept' and reduced_at is null")


def downgrade() -> None:
    op.drop_index("ix_photo_large", table_name="photo")
    op.drop_index("ix_report_contact", table_name="report")
    op.drop_index("ix_report_client", table_name="report")
    op.drop_column("photo", "reduced_at")
    op.drop_column("report", "nameless_since")
    op.drop_column("report", "client_id")
    op.drop_table("api_key")


def _index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
