"""incidents: many reports of one thing are one, and pictures know how they look

Adds a table, an empty column and new kinds of history. The kinds are added to whatever the table knows by then.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NEW_KINDS = ("merged", "unmerged", "incident_opened", "incident_ended", "announced")
KINDS = "kind_known"


def upgrade() -> None:
    op.create_table(
        "incident",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("report_id", BIG, nullable=False),
        sa.Column("category_id", BIG, nullable=False),
        sa.Column("latitude", sa.Float(), nullable=False),
        sa.Column("longitude", sa.Float(), nullable=False),
        sa.Column("radius_m", sa.Float(), nullable=False),
        sa.Column("members", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by_id", BIG, nullable=True),
        sa.CheckConstraint("members >= 1", name="members_counted"),
        sa.CheckConstraint("radius_m > 0", name="radius_positive"),
        sa.CheckConstraint("ended_by_id is null or ended_at is not null", name="ending_whole"),
        sa.CheckConstraint("latitude between -90 and 90 and longitude between -180 and 180", name="place_on_earth"),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], name=op.f("fk_incident_report_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["category_id"], ["category.id"], name=op.f("fk_incident_category_id")),
        sa.ForeignKeyConstraint(["ended_by_id"], ["staff.id"], name=op.f("fk_incident_ended_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
    )
    going_on = sa.text("ended_at is null")
    op.create_index(
        "uq_incident_going_on", "incident", ["report_id"], unique=True, sqlite_where=going_on,
        postgresql_where=going_on,
    )  # fmt: skip
    op.create_index("ix_incident_report", "incident", ["report_id", "id"])
    op.add_column("photo", sa.Column("look", sa.String(length=16), nullable=True))
    known = _kinds()
    _replace_kinds([*known, *(kind for kind in NEW_KINDS if kind not in known)])


def downgrade() -> None:
    # The table of before cannot name these lines; that somebody of the staff spoke is what it can say.
    left = [kind for kind in _kinds() if kind not in NEW_KINDS]
    names = ", ".join(f"'{kind}'" for kind in NEW_KINDS)
    op.execute(f"update report_event set kind = 'commented' where kind in ({names})")
    _replace_kinds(left)
    with op.batch_alter_table("photo") as photo:
        photo.drop_column("look")
    op.drop_table("incident")


def _kinds() -> list[str]:
    """What the table knows now, in its order."""
    found = sa.inspect(op.get_bind()).get_check_constraints("report_event")
    (text,) = [one["sqltext"] for one in found if str(one["name"]).endswith(KINDS)]
    # Both databases write each value in quotes, the one with its type behind it.
    return str(text).split("'")[1::2]


def _replace_kinds(kinds: list[str]) -> None:
    names = ", ".join(f"'{kind}'" for kind in kinds)
    with op.batch_alter_table("report_event") as event:
        event.drop_constraint(op.f("ck_report_event_kind_known"), type_="check")
        event.create_check_constraint(op.f("ck_report_event_kind_known"), f"kind in ({names})")
