"""accounts: what somebody is limited to, where they are logged in, wrong tries, codes of an app

Adds columns to staff that are empty for everybody: nobody sees less than before or is asked for a code. Whoever was
logged in logs in once again, since from now on each login is a row that can be ended.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    with op.batch_alter_table("staff") as staff:
        # Code of before goes on adding people without these.
        staff.add_column(sa.Column("unit_scope", JSON, nullable=False, server_default=sa.text("'[]'")))
        staff.add_column(sa.Column("area_scope", JSON, nullable=False, server_default=sa.text("'[]'")))
        staff.add_column(sa.Column("failed_logins", sa.Integer(), nullable=False, server_default=sa.text("0")))
        staff.add_column(sa.Column("locked_until", MOMENT, nullable=True))
        staff.add_column(sa.Column("totp_sealed", sa.String(length=300), nullable=False, server_default=""))
        staff.add_column(sa.Column("totp_since", MOMENT, nullable=True))
        staff.add_column(sa.Column("totp_step", BIG, nullable=False, server_default=sa.text("0")))
        staff.create_check_constraint(op.f("ck_staff_codes_have_a_secret"), "totp_since is null or totp_sealed <> ''")
    op.create_table(
        "staff_login",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("staff_id", BIG, nullable=False),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("device", sa.String(length=40), nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_login_staff_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_login")),
    )
    op.create_index("ix_staff_login_open", "staff_login", ["staff_id", "ended_at"])
    op.create_table(
        "recovery_code",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("staff_id", BIG, nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_recovery_code_staff_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_code")),
        sa.UniqueConstraint("staff_id", "code_hash", name=op.f("uq_recovery_code_staff_id")),
    )


def downgrade() -> None:
    op.drop_table("recovery_code")
    op.drop_table("staff_login")
    with op.batch_alter_table("staff") as staff:
        staff.drop_constraint(op.f("ck_staff_codes_have_a_secret"), type_="check")
        for name in (
            "totp_step", "totp_since", "totp_sealed", "locked_until", "failed_logins", "area_scope", "unit_scope",
        ):  # fmt: skip
            staff.drop_column(name)
