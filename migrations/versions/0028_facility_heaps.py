"""facility heaps: how many facilities stand on each small square of the ground, kept by the database itself

The map of a whole district adds up some ten thousand squares instead of reading every facility. A row is written for
each facility that comes, goes or is moved, so that no writer waits for another; the scheduler makes one of those of a
square. What is there already is counted here.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WHOLE = {"sqlite": "cast({} as integer)", "postgresql": "cast(floor({}) as bigint)"}
# Squares of a 2048th of a degree, places in ten-millionths of one, both from the south pole and 180 degrees west.
PLACES = (
    "({row}latitude + 90) * 2048", "({row}longitude + 180) * 2048",
    "({row}latitude + 90) * 10000000", "({row}longitude + 180) * 10000000",
)  # fmt: skip
MOVED = "old.latitude {0} new.latitude or old.longitude {0} new.longitude or old.retired_at {0} new.retired_at"
INTO = "insert into facility_heap (north, east, amount, latitude_sum, longitude_sum)"
TRIGGERS = ("added", "gone", "moved")


def upgrade() -> None:
    kind = op.get_bind().dialect.name
    op.create_table(
        "facility_heap",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("north", sa.Integer(), nullable=False),
        sa.Column("east", sa.Integer(), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("latitude_sum", sa.BigInteger(), nullable=False),
        sa.Column("longitude_sum", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_facility_heap")),
    )
    north, east, latitude, longitude = (WHOLE[kind].format(place.format(row="")) for place in PLACES)
    op.execute(
        f"{INTO} select {north}, {east}, count(*), sum({latitude}), sum({longitude}) from facility "
        f"where retired_at is null group by {north}, {east}"
    )
    op.create_index("ix_facility_heap_square", "facility_heap", ["north", "east"])
    take, add = _line("old", "-", kind), _line("new", "", kind)
    if kind == "sqlite":
        # A table that is copied later loses its triggers, and must be given them again.
        op.execute(f"create trigger facility_heap_added after insert on facility begin {add}end")
        op.execute(f"create trigger facility_heap_gone after delete on facility begin {take}end")
        op.execute(
            "create trigger facility_heap_moved after update of latitude, longitude, retired_at on facility "
            f"when {MOVED.format('is not')} begin {take}{add}end"
        )
        return
    op.execute(
        "create function keep_facility_heap() returns trigger language plpgsql as $$ begin "
        f"if tg_op <> 'INSERT' then {take}end if; if tg_op <> 'DELETE' then {add}end if; return null; end $$"
    )
    for name, when in (("added", "insert"), ("gone", "delete"), ("moved", "update of latitude, longitude, retired_at")):
        only = f"when ({MOVED.format('is distinct from')}) " if name == "moved" else ""
        op.execute(
            f"create trigger facility_heap_{name} after {when} on facility for each row {only}"
            "execute function keep_facility_heap()"
        )


def downgrade() -> None:
    for name in TRIGGERS:
        if op.get_bind().dialect.name == "sqlite":
            op.execute(f"drop trigger facility_heap_{name}")
        else:
            op.execute(f"drop trigger facility_heap_{name} on facility")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("drop function keep_facility_heap()")
    op.drop_table("facility_heap")


def _line(row: str, sign: str, kind: str) -> str:
    north, east, latitude, longitude = (WHOLE[kind].format(place.format(row=f"{row}.")) for place in PLACES)
    return (
        f"{INTO} select {north}, {east}, {sign}1, {sign}{latitude}, {sign}{longitude} where {row}.retired_at is null; "
    )
