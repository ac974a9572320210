"""replies: prepared words for residents, and new kinds of history

Adds a table and kinds of history: replies, helping units that come and go, reports split in two.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
NEW_KINDS = ("replied", "co_added", "co_removed", "split")
KINDS = "kind_known"


def upgrade() -> None:
    op.create_table(
        "reply_template",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("title", sa.String(length=60), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("words_en", sa.Text(), server_default="", nullable=False),
        sa.Column("category_codes", JSON, nullable=False),
        sa.Column("statuses", JSON, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_by_id", BIG, nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("words <> ''", name="words_written"),
        sa.CheckConstraint("title <> ''", name="title_written"),
        sa.ForeignKeyConstraint(["changed_by_id"], ["staff.id"], name=op.f("fk_reply_template_changed_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reply_template")),
        sa.UniqueConstraint("code", name=op.f("uq_reply_template_code")),
    )
    known = _kinds()
    _replace_kinds([*known, *(kind for kind in NEW_KINDS if kind not in known)])


def downgrade() -> None:
    # The table of before cannot name these lines; that somebody of the staff spoke is what it can say.
    left = [kind for kind in _kinds() if kind not in NEW_KINDS]
    names = ", ".join(f"'{kind}'" for kind in NEW_KINDS)
    op.execute(f"update report_event set kind = 'commented' where kind in ({names})")
    _replace_kinds(left)
    op.drop_table("reply_template")


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
