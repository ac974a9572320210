"""chat questions: find open reports around a point, and conversations that stopped at a question

Both are partial: open work and unanswered questions are few, whatever is stored.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

OPEN = "status not in ('closed','rejected','merged','withdrawn')"
UNFINISHED = "step in ('choose_parts','choose_similar','danger_place')"


def upgrade() -> None:
    _index("ix_report_open_place", "report", ["latitude", "longitude"], OPEN)
    _index("ix_conversation_unfinished", "conversation", ["step", "resident_id"], UNFINISHED)


def downgrade() -> None:
    op.drop_index("ix_conversation_unfinished", table_name="conversation")
    op.drop_index("ix_report_open_place", table_name="report")


def _index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
