"""codes: what has become of each printed code, and the runs of the printer

A code that was revoked stays revoked, one that was printed stays printed, the others are issued. A process of the
version before this one must not revoke codes on the new tables: their state would disagree, and the database says so.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
RULES = {
    "state_known": "state in ('issued', 'printed', 'placed', 'revoked', 'replaced')",
    "printed_at_when_printed": (
        "state not in ('issued', 'printed', 'placed') or (state = 'issued') = (printed_at is null)"
    ),
    "placed_at_when_placed": (
        "state not in ('issued', 'printed', 'placed') or (state = 'placed') = (placed_at is not null)"
    ),
    "revoked_at_when_revoked": "(state = 'revoked') = (revoked_at is not null)",
    "replaced_at_when_replaced": "(state = 'replaced') = (replaced_at is not null)",
    "replaced_by_when_replaced": "(state = 'replaced') = (replaced_by is not null)",
}
PEOPLE = ("issued_by_id", "placed_by_id", "ended_by_id")
MOMENTS = ("placed_at", "replaced_at")


def upgrade() -> None:
    with op.batch_alter_table("facility_token") as token:
        token.add_column(sa.Column("state", sa.String(length=20), nullable=False, server_default="issued"))
        for name in MOMENTS:
            token.add_column(sa.Column(name, sa.DateTime(timezone=True), nullable=True))
        token.add_column(sa.Column("replaced_by", sa.String(length=20), nullable=True))
        for name in PEOPLE:
            token.add_column(sa.Column(name, BIG, nullable=True))
        token.add_column(sa.Column("reason", sa.Text(), nullable=False, server_default=""))
    op.execute("update facility_token set state = 'printed' where printed_at is not null")
    op.execute("update facility_token set state = 'revoked' where revoked_at is not null")
    with op.batch_alter_table("facility_token") as token:
        token.create_foreign_key(op.f("fk_facility_token_replaced_by"), "facility_token", ["replaced_by"], ["token"])
        for name in PEOPLE:
            token.create_foreign_key(op.f(f"fk_facility_token_{name}"), "staff", [name], ["id"])
        for name, rule in RULES.items():
            token.create_check_constraint(op.f(f"ck_facility_token_{name}"), rule)
    op.create_table(
        "label_run",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("asked_by_id", BIG, nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("layout", sa.String(length=40), nullable=False),
        sa.Column("chosen", sa.JSON().with_variant(sa.dialects.postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("labels", sa.Integer(), nullable=False),
        sa.Column("sheets", sa.Integer(), nullable=False),
        sa.CheckConstraint("labels >= 0 and sheets >= 0", name="counts_not_negative"),
        sa.CheckConstraint("finished_at is null or labels > 0", name="something_when_finished"),
        sa.ForeignKeyConstraint(["asked_by_id"], ["staff.id"], name=op.f("fk_label_run_asked_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_run")),
    )
    op.create_table(
        "label_print",
        sa.Column("run_id", BIG, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("token", sa.String(length=20), nullable=False),
        sa.CheckConstraint("position > 0", name="position_from_one"),
        sa.ForeignKeyConstraint(["run_id"], ["label_run.id"], name=op.f("fk_label_print_run_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["token"], ["facility_token.token"], name=op.f("fk_label_print_token")),
        sa.PrimaryKeyConstraint("run_id", "position", name=op.f("pk_label_print")),
        sa.UniqueConstraint("run_id", "token", name=op.f("uq_label_print_run_id")),
    )
    op.create_index(op.f("ix_label_print_token"), "label_print", ["token"])


def downgrade() -> None:
    """A replaced code is refused afterwards as a revoked one."""
    op.drop_table("label_print")
    op.drop_table("label_run")
    with op.batch_alter_table("facility_token") as token:
        for name in RULES:
            token.drop_constraint(op.f(f"ck_facility_token_{name}"), type_="check")
        for name in ("replaced_by", *PEOPLE):
            token.drop_constraint(op.f(f"fk_facility_token_{name}"), type_="foreignkey")
    op.execute("update facility_token set revoked_at = replaced_at where state = 'replaced'")
    with op.batch_alter_table("facility_token") as token:
        for name in ("state", *MOMENTS, "replaced_by", *PEOPLE, "reason"):
            token.drop_column(name)
