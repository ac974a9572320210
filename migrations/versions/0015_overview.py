"""overview: closings and ratings are found without reading the whole history

Two partial indexes, small beside the table: one line in eight is a closing, fewer are ratings.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    closing, rating = sa.text("to_status = 'closed'"), sa.text("kind = 'rated'")
    op.create_index(
        "ix_report_event_closed", "report_event", ["at"], sqlite_where=closing, postgresql_where=closing
    )  # fmt: skip
    op.create_index("ix_report_event_rated", "report_event", ["at"], sqlite_where=rating, postgresql_where=rating)


def downgrade() -> None:
    op.drop_index("ix_report_event_rated", "report_event")
    op.drop_index("ix_report_event_closed", "report_event")
