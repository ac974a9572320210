"""responsible once: final rulings and precedents, own parts of co-units, the roster, who has looked, routed again

Columns are added empty or with a default: the application of before goes on writing rows without them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
OLD_KINDS = (
    "'submitted', 'routed', 'sent_to_triage', 'assigned', 'reassigned', 'accepted', 'handed_back', "
    "'hand_back_upheld', 'hand_back_refused', 'resolved', 'verified', 'verification_refused', 'rejected', "
    "'reopened', 'rated', 'withdrawn', 'corrected', 'commented', 'photo_added', 'supported', 'reminded', "
    "'asked', 'answered', 'question_withdrawn', 'question_expired'"
)
NEW_KINDS = "'unseen', 'part_done', 'rerouted', 'reroute_proposed'"


def upgrade() -> None:
    with op.batch_alter_table("report") as report:
        report.add_column(sa.Column("first_seen_at", MOMENT, nullable=True))
        report.add_column(sa.Column("look_due_at", MOMENT, nullable=True))
        report.add_column(sa.Column("look_level", sa.Integer(), nullable=False, server_default=sa.text("0")))
        report.add_column(sa.Column("ruled_at", MOMENT, nullable=True))
        report.add_column(sa.Column("is_unclear", sa.Boolean(), nullable=False, server_default=sa.false()))
        report.add_column(sa.Column("proposed_unit_id", BIG, nullable=True))
        report.add_column(sa.Column("route_again_at", MOMENT, nullable=True))
        report.create_foreign_key(op.f("fk_report_proposed_unit_id"), "unit", ["proposed_unit_id"], ["id"])
    _index("ix_report_look", "report", ["look_due_at"], "look_due_at is not null")
    _index("ix_report_again", "report", ["route_again_at", "id"], "route_again_at is not null")
    # A ruling that was given before this counts like one that is given after it.
    op.execute(
        "update report set ruled_at = (select max(ruled_at) from hand_back where hand_back.report_id = report.id) "
        "where id in (select report_id from hand_back where ruled_at is not null)"
    )
    with op.batch_alter_table("report_unit") as part:
        part.add_column(sa.Column("done_at", MOMENT, nullable=True))
        part.add_column(sa.Column("done_by_id", BIG, nullable=True))
        part.add_column(sa.Column("note", sa.Text(), nullable=False, server_default=""))
        part.create_foreign_key(op.f("fk_report_unit_done_by_id"), "staff", ["done_by_id"], ["id"])
        part.create_check_constraint(op.f("ck_report_unit_done_whole"), "(done_at is null) = (done_by_id is null)")
    with op.batch_alter_table("hand_back") as back:
        back.add_column(sa.Column("reason_code", sa.String(length=40), nullable=False, server_default="other"))
        back.add_column(sa.Column("is_late", sa.Boolean(), nullable=False, server_default=sa.false()))
        back.add_column(sa.Column("is_repeated", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "precedent",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("hand_back_id", BIG, nullable=False),
        sa.Column("report_id", BIG, nullable=False),
        sa.Column("category_id", BIG, nullable=True),
        sa.Column("facility_type_id", BIG, nullable=True),
        sa.Column("area_code", sa.String(length=40), nullable=False),
        sa.Column("in_compound", sa.Boolean(), nullable=False),
        sa.Column("reason_code", sa.String(length=40), nullable=False),
        sa.Column("from_unit_id", BIG, nullable=False),
        sa.Column("to_unit_id", BIG, nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("ruled_at", MOMENT, nullable=False),
        sa.Column("ruled_by_id", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["hand_back_id"], ["hand_back.id"], name=op.f("fk_precedent_hand_back_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], name=op.f("fk_precedent_report_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["category_id"], ["category.id"], name=op.f("fk_precedent_category_id")),
        sa.ForeignKeyConstraint(["facility_type_id"], ["facility_type.id"], name=op.f("fk_precedent_facility_type_id")),
        sa.ForeignKeyConstraint(["from_unit_id"], ["unit.id"], name=op.f("fk_precedent_from_unit_id")),
        sa.ForeignKeyConstraint(["to_unit_id"], ["unit.id"], name=op.f("fk_precedent_to_unit_id")),
        sa.ForeignKeyConstraint(["ruled_by_id"], ["staff.id"], name=op.f("fk_precedent_ruled_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_precedent")),
        sa.UniqueConstraint("hand_back_id", name=op.f("uq_precedent_hand_back_id")),
    )
    op.create_index("ix_precedent_case", "precedent", ["category_id", "facility_type_id", "id"])
    op.create_index(op.f("ix_precedent_report_id"), "precedent", ["report_id"])
    op.create_table(
        "duty_shift",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("unit_id", BIG, nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=False),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("from_file", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.CheckConstraint("ends_at > starts_at", name="ends_after_it_began"),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_duty_shift_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duty_shift")),
    )
    op.create_index("ix_duty_shift_unit", "duty_shift", ["unit_id", "ends_at"])
    op.create_table(
        "unit_absence",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("unit_id", BIG, nullable=False),
        sa.Column("stand_in_id", BIG, nullable=False),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=True),
        sa.Column("from_file", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.CheckConstraint("ends_at is null or ends_at > starts_at", name="ends_after_it_began"),
        sa.CheckConstraint("stand_in_id <> unit_id", name="somebody_else"),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_unit_absence_unit_id")),
        sa.ForeignKeyConstraint(["stand_in_id"], ["unit.id"], name=op.f("fk_unit_absence_stand_in_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit_absence")),
    )
    op.create_index("ix_unit_absence_unit", "unit_absence", ["unit_id", "ends_at"])
    _replace_kinds(f"{OLD_KINDS}, {NEW_KINDS}")


def downgrade() -> None:
    # The table of before cannot name these lines; that somebody spoke is what it can say.
    op.execute(f"update report_event set kind = 'commented' where kind in ({NEW_KINDS})")
    _replace_kinds(OLD_KINDS)
    for table in ("unit_absence", "duty_shift", "precedent"):
        op.drop_table(table)
    with op.batch_alter_table("hand_back") as back:
        for column in ("is_repeated", "is_late", "reason_code"):
            back.drop_column(column)
    with op.batch_alter_table("report_unit") as part:
        part.drop_constraint(op.f("ck_report_unit_done_whole"), type_="check")
        part.drop_constraint(op.f("fk_report_unit_done_by_id"), type_="foreignkey")
        for column in ("note", "done_by_id", "done_at"):
            part.drop_column(column)
    op.drop_index("ix_report_again", table_name="report")
    op.drop_index("ix_report_look", table_name="report")
    with op.batch_alter_table("report") as report:
        report.drop_constraint(op.f("fk_report_proposed_unit_id"), type_="foreignkey")
        for column in (
            "route_again_at", "proposed_unit_id", "is_unclear", "ruled_at", "look_level", "look_due_at",
            "first_seen_at",
        ):  # fmt: skip
            report.drop_column(column)


def _index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _replace_kinds(kinds: str) -> None:
    with op.batch_alter_table("report_event") as event:
        event.drop_constraint(op.f("ck_report_event_kind_known"), type_="check")
        event.create_check_constraint(op.f("ck_report_event_kind_known"), f"kind in ({kinds})")
