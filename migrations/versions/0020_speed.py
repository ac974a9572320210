"""speed: sums of years, and the list behind a number in its order

A year by category is then read from a row for each figure and not from twelve. The sums of years are made from those of
months, so that nothing is counted anew.
"""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0016"
branch_labels = None
depends_on = None

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


def downgrade() -> None:
    op.drop_index("ix_number_fact_list", "number_fact")
    op.create_index("ix_number_fact_list", "number_fact", ["measure", "day"])
    op.execute("delete from number_cell where grain = 'y'")
    _grains("'d', 'm'")


def _grains(known: str) -> None:
    with op.batch_alter_table("number_cell") as cell:
        cell.drop_constraint(op.f("ck_number_cell_grain_known"), type_="check")
        cell.create_check_constraint(op.f("ck_number_cell_grain_known"), f"grain in ({known})")
