"""questions and chats: staff ask residents, the chat's words are kept for a time, residents can be blocked

Columns are added empty: the application of before goes on writing rows without them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
WAITING = "not waiting_for_resident or status in ('submitted', 'triage', 'assigned', 'in_progress')"
OLD_KINDS = (
    "'submitted', 'routed', 'sent_to_triage', 'assigned', 'reassigned', 'accepted', 'handed_back', "
    "'hand_back_upheld', 'hand_back_refused', 'resolved', 'verified', 'verification_refused', 'rejected', "
    "'reopened', 'rated', 'withdrawn', 'corrected', 'commented', 'photo_added', 'supported', 'reminded'"
)
NEW_KINDS = "'asked', 'answered', 'question_withdrawn', 'question_expired'"


def upgrade() -> None:
    op.create_table(
        "report_question",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("report_id", BIG, nullable=False),
        sa.Column("resident_id", BIG, nullable=True),
        sa.Column("asked_by_id", BIG, nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text", sa.String(length=500), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.CheckConstraint("outcome in ('answered', 'withdrawn', 'expired')", name="outcome_known"),
        sa.CheckConstraint("(ended_at is null) = (outcome is null)", name="outcome_whole"),
        sa.CheckConstraint("answer = '' or (outcome is not null and outcome = 'answered')", name="answer_when_answered"),
        sa.ForeignKeyConstraint(
            ["report_id"], ["report.id"], name=op.f("fk_report_question_report_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["resident_id"], ["resident.id"], name=op.f("fk_report_question_resident_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["asked_by_id"], ["staff.id"], name=op.f("fk_report_question_asked_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_question")),
    )
    op.create_index("ix_report_question_report", "report_question", ["report_id", "id"])
    waits = sa.text("ended_at is null")
    op.create_index(
        "uq_report_question_pending", "report_question", ["report_id"], unique=True,
        sqlite_where=waits, postgresql_where=waits,
    )  # fmt: skip
    op.create_index(
        "ix_report_question_waiting", "report_question", ["resident_id", "id"],
        sqlite_where=waits, postgresql_where=waits,
    )  # fmt: skip
    op.create_table(
        "resident_block",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("resident_id", BIG, nullable=False),
        sa.Column("report_id", BIG, nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("blocked_by_id", BIG, nullable=False),
        sa.Column("blocked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_by_id", BIG, nullable=True),
        sa.CheckConstraint("(lifted_at is null) = (lifted_by_id is null)", name="lifting_whole"),
        sa.CheckConstraint("until > blocked_at", name="ends_after_it_began"),
        sa.ForeignKeyConstraint(
            ["resident_id"], ["resident.id"], name=op.f("fk_resident_block_resident_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["blocked_by_id"], ["staff.id"], name=op.f("fk_resident_block_blocked_by_id")),
        sa.ForeignKeyConstraint(["lifted_by_id"], ["staff.id"], name=op.f("fk_resident_block_lifted_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resident_block")),
    )
    op.create_index("ix_resident_block_resident", "resident_block", ["resident_id", "id"])
    op.create_index(op.f("ix_resident_block_until"), "resident_block", ["until"])
    op.add_column("resident", sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("conversation", sa.Column("pace", JSON, nullable=True))
    op.add_column("inbound_message", sa.Column("text", sa.Text(), nullable=True))
    op.add_column("inbound_message", sa.Column("media_id", sa.String(length=300), nullable=True))
    op.add_column("inbound_message", sa.Column("report_id", BIG, nullable=True))
    _replace_kinds(f"{OLD_KINDS}, {NEW_KINDS}")
    with op.batch_alter_table("report") as report:
        report.create_check_constraint(op.f("ck_report_waiting_while_a_clock_runs"), WAITING)


def downgrade() -> None:
    with op.batch_alter_table("report") as report:
        report.drop_constraint(op.f("ck_report_waiting_while_a_clock_runs"), type_="check")
    # The table of before cannot name these lines; that somebody spoke is what it can say.
    op.execute(f"update report_event set kind = 'commented' where kind in ({NEW_KINDS})")
    op.execute("update report set waiting_for_resident = false where waiting_for_resident")
    _replace_kinds(OLD_KINDS)
    for table, columns in (
        ("inbound_message", ("report_id", "media_id", "text")),
        ("conversation", ("pace",)),
        ("resident", ("blocked_until",)),
    ):
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.drop_column(column)
    op.drop_table("resident_block")
    op.drop_table("report_question")


def _replace_kinds(kinds: str) -> None:
    with op.batch_alter_table("report_event") as event:
        event.drop_constraint(op.f("ck_report_event_kind_known"), type_="check")
        event.create_check_constraint(op.f("ck_report_event_kind_known"), f"kind in ({kinds})")
