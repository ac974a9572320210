"""speed: sums of years, the list behind a number in its order, and indexes that cost a filing less

A year by category is then read from a row for each figure and not from twelve. The sums of years are made from those of
months, so that nothing is counted anew. An index by street finds nothing that the newest reports do not hold anyway;
when a message came is asked once a night.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# (name, columns, which rows now; before: all rows where it was there).
PARTIAL = (
    ("ix_report_unit_status", ["unit_id", "status", "id"], "unit_id is not null"),
    ("ix_report_facility", ["facility_id", "id"], "facility_id is not null"),
)
NEW = (
    ("ix_report_parent", ["parent_id"], "parent_id is not null"),
    ("ix_report_unplaced", ["id"], "latitude is null"),
    ("ix_report_refused", ["status", "id"], "status in ('rejected','merged','withdrawn')"),
)
GONE = (
    ("ix_report_parent_id", "report", "parent_id"),
    ("ix_report_area_code", "report", "area_code"),
    ("ix_inbound_message_received_at", "inbound_message", "received_at"),
)
FIRST_OF_YEAR = {"postgresql": "date_trunc('year', day)::date", "sqlite": "date(day, 'start of year')"}


def upgrade() -> None:
    _grains("'d', 'm', 'y'")
    year = FIRST_OF_YEAR[op.get_bind().dialect.name]
    op.execute(
        "insert into number_cell (grain, dimension, day, key, measure, bucket, amount) "
        f"select 'y', dimension, {year}, key, measure, bucket, sum(amount) from number_cell where grain = 'm' "
        f"group by dimension, {year}, key, measure, bucket"
    )
    op.drop_index("ix_number_fact_list", "number_fact")
    op.create_index("ix_number_fact_list", "number_fact", ["measure", "day", "id"])
    for name, table, _column in GONE:
        op.drop_index(name, table)
    for name, _columns, _which in PARTIAL:
        op.drop_index(name, "report")
    for name, columns, which in (*PARTIAL, *NEW):
        op.create_index(name, "report", columns, sqlite_where=sa.text(which), postgresql_where=sa.text(which))


def downgrade() -> None:
    for name, _columns, _which in (*PARTIAL, *NEW):
        op.drop_index(name, "report")
    for name, columns, _which in PARTIAL:
        op.create_index(name, "report", columns)
    for name, table, column in GONE:
        op.create_index(name, table, [column])
    op.drop_index("ix_number_fact_list", "number_fact")
    op.create_index("ix_number_fact_list", "number_fact", ["measure", "day"])
    op.execute("delete from number_cell where grain = 'y'")
    _grains("'d', 'm'")


def _grains(known: str) -> None:
    with op.batch_alter_table("number_cell") as cell:
        cell.drop_constraint(op.f("ck_number_cell_grain_known"), type_="check")
        cell.create_check_constraint(op.f("ck_number_cell_grain_known"), f"grain in ({known})")
