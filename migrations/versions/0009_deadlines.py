"""deadlines: chosen conditions, pauses, extensions, reminders for staff

Columns are added with what they mean for the application of before, which goes on writing rows without them. Clocks
that run get their next reminder; those that stand still are marked with when they stopped.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
UNITS = "'hours', 'working_hours', 'working_days', 'calendar_days'"
OLD_KINDS = (
    "'submitted', 'routed', 'sent_to_triage', 'assigned', 'reassigned', 'accepted', 'handed_back', "
    "'hand_back_upheld', 'hand_back_refused', 'resolved', 'verified', 'verification_refused', 'rejected', "
    "'reopened', 'rated', 'withdrawn', 'corrected', 'commented', 'photo_added', 'supported', 'reminded', "
    "'asked', 'answered', 'question_withdrawn', 'question_expired', "
    "'unseen', 'part_done', 'rerouted', 'reroute_proposed'"
)
NEW_KINDS = (
    "'standard_chosen', 'extension_asked', 'extension_granted', 'extension_refused', 'suspended', 'resumed', "
    "'deadline_moved'"
)
CHECKS = {
    "extension_while_with_unit": "not extension_pending or status in ('assigned', 'in_progress')",
    "limit_whole": "(limit_value is null) = (limit_unit is null)",
    "limit_unit_known": f"limit_unit in ({UNITS})",
}
COLUMNS = (
    "alarm_step", "alarm_at", "extension_pending", "clock_paused_at", "clock_from", "limit_unit", "limit_value",
    "standard_code",
)  # fmt: skip


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    pending = sa.text("ended_at is null")
    op.create_table(
        "report_extension",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("report_id", BIG, nullable=False),
        sa.Column("unit_id", BIG, nullable=False),
        sa.Column("asked_by_id", BIG, nullable=False),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("more_value", sa.Integer(), nullable=True),
        sa.Column("more_unit", sa.String(length=20), nullable=True),
        sa.Column("until", moment, nullable=True),
        sa.Column("ended_at", moment, nullable=True),
        sa.Column("ended_by_id", BIG, nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("ruling", sa.Text(), nullable=False),
        sa.CheckConstraint("outcome in ('granted', 'refused', 'dropped')", name="outcome_known"),
        sa.CheckConstraint("(ended_at is null) = (outcome is null)", name="outcome_whole"),
        sa.CheckConstraint(f"more_unit in ({UNITS})", name="more_unit_known"),
        sa.CheckConstraint("(more_value is null) = (more_unit is null)", name="more_whole"),
        sa.CheckConstraint("(more_value is null) <> (until is null)", name="one_way"),
        sa.CheckConstraint("more_value is null or more_value > 0", name="more_positive"),
        sa.ForeignKeyConstraint(
            ["report_id"], ["report.id"], name=op.f("fk_report_extension_report_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_report_extension_unit_id")),
        sa.ForeignKeyConstraint(["asked_by_id"], ["staff.id"], name=op.f("fk_report_extension_asked_by_id")),
        sa.ForeignKeyConstraint(["ended_by_id"], ["staff.id"], name=op.f("fk_report_extension_ended_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_extension")),
    )
    op.create_index("ix_report_extension_report", "report_extension", ["report_id", "id"])
    op.create_index(
        "uq_report_extension_pending", "report_extension", ["report_id"], unique=True,
        sqlite_where=pending, postgresql_where=pending,
    )  # fmt: skip
    op.create_table(
        "report_suspension",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("report_id", BIG, nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("began_by_id", BIG, nullable=False),
        sa.Column("began_at", moment, nullable=False),
        sa.Column("until", moment, nullable=False),
        sa.Column("ended_at", moment, nullable=True),
        sa.Column("ended_by_id", BIG, nullable=True),
        sa.CheckConstraint("until > began_at", name="ends_after_it_began"),
        sa.CheckConstraint("ended_by_id is null or ended_at is not null", name="ended_by_when_ended"),
        sa.ForeignKeyConstraint(
            ["report_id"], ["report.id"], name=op.f("fk_report_suspension_report_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["began_by_id"], ["staff.id"], name=op.f("fk_report_suspension_began_by_id")),
        sa.ForeignKeyConstraint(["ended_by_id"], ["staff.id"], name=op.f("fk_report_suspension_ended_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_suspension")),
    )
    op.create_index("ix_report_suspension_report", "report_suspension", ["report_id", "id"])
    op.create_index(
        "uq_report_suspension_open", "report_suspension", ["report_id"], unique=True,
        sqlite_where=pending, postgresql_where=pending,
    )  # fmt: skip
    op.create_index(
        "ix_report_suspension_until", "report_suspension", ["until"],
        sqlite_where=pending, postgresql_where=pending,
    )  # fmt: skip
    op.create_table(
        "staff_notice",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("staff_id", BIG, nullable=False),
        sa.Column("report_id", BIG, nullable=True),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("params", JSON, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("read_at", moment, nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_notice_staff_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["report_id"], ["report.id"], name=op.f("fk_staff_notice_report_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_notice")),
    )
    op.create_index("ix_staff_notice_staff", "staff_notice", ["staff_id", "id"])
    op.create_index(op.f("ix_staff_notice_at"), "staff_notice", ["at"])
    op.create_index(op.f("ix_staff_notice_report_id"), "staff_notice", ["report_id"])
    unread = sa.text("read_at is null")
    op.create_index(
        "ix_staff_notice_unread", "staff_notice", ["staff_id"], sqlite_where=unread, postgresql_where=unread
    )

    op.add_column("report", sa.Column("standard_code", sa.String(length=40), server_default="", nullable=False))
    op.add_column("report", sa.Column("limit_value", sa.Integer(), nullable=True))
    op.add_column("report", sa.Column("limit_unit", sa.String(length=20), nullable=True))
    op.add_column("report", sa.Column("clock_from", moment, nullable=True))
    op.add_column("report", sa.Column("clock_paused_at", moment, nullable=True))
    op.add_column("report", sa.Column("extension_pending", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("report", sa.Column("alarm_at", moment, nullable=True))
    op.add_column("report", sa.Column("alarm_step", sa.Integer(), server_default=sa.text("0"), nullable=False))
    with op.batch_alter_table("report") as report:
        for name, rule in CHECKS.items():
            report.create_check_constraint(op.f(f"ck_report_{name}"), rule)
    alarmed = sa.text("alarm_at is not null")
    op.create_index("ix_report_alarm", "report", ["alarm_at"], sqlite_where=alarmed, postgresql_where=alarmed)
    _replace_kinds(f"{OLD_KINDS}, {NEW_KINDS}")

    op.execute(
        "update report set clock_paused_at = (select min(asked_at) from report_question"
        " where report_id = report.id and ended_at is null) where waiting_for_resident"
    )
    op.execute(
        "update report set clock_paused_at = (select min(asked_at) from hand_back"
        " where report_id = report.id and ruled_at is null) where hand_back_pending and clock_paused_at is null"
    )
    # A question that was asked before the unit had the report stops the unit's clock from its beginning.
    op.execute("update report set clock_paused_at = assigned_at where clock_paused_at < assigned_at")
    runs = "clock_paused_at is null and status in"
    op.execute(f"update report set alarm_at = dispatch_due_at where {runs} ('submitted', 'triage')")
    op.execute(f"update report set alarm_at = handling_due_at where {runs} ('assigned', 'in_progress')")
    # Whoever was reminded that it is overdue is not reminded of it again (step 3).
    op.execute(
        f"update report set alarm_step = 3 where overdue_noted_at is not null and {runs} ('assigned', 'in_progress')"
    )


def downgrade() -> None:
    # The tables of before cannot name these lines; that something was said is what they can keep. A report that was
    # put aside lies with its unit again.
    op.execute(f"update report_event set kind = 'commented' where kind in ({NEW_KINDS})")
    op.execute("update report set status = 'assigned' where status = 'suspended'")
    _replace_kinds(OLD_KINDS)
    op.drop_index("ix_report_alarm", table_name="report")
    with op.batch_alter_table("report") as report:
        for name in CHECKS:
            report.drop_constraint(op.f(f"ck_report_{name}"), type_="check")
        for column in COLUMNS:
            report.drop_column(column)
    op.drop_table("staff_notice")
    op.drop_table("report_suspension")
    op.drop_table("report_extension")


def _replace_kinds(kinds: str) -> None:
    with op.batch_alter_table("report_event") as event:
        event.drop_constraint(op.f("ck_report_event_kind_known"), type_="check")
        event.create_check_constraint(op.f("ck_report_event_kind_known"), f"kind in ({kinds})")
