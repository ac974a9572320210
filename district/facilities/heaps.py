"""Where the register's facilities stand, counted by small squares of the ground: how the map shows a whole district.

The database itself writes a row for each that comes, goes or is moved (`FacilityHeap`); here a square's rows are made
one, added up for a part of the map, and compared with the facilities themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

from sqlalchemy import BigInteger, Select, cast, delete, func, insert, select, text, tuple_

from district.extensions import db
from district.facilities.models import PARTS_A_DEGREE, STEPS_A_DEGREE, Facility, FacilityHeap

# Squares made one in one unit of work.
AT_ONCE = 500


@dataclass(frozen=True)
class Heap:
    """Many facilities close together: their middle and how many they are."""

    latitude: float
    longitude: float
    count: int


def among(south: float, west: float, north: float, east: float, tall: float, wide: float) -> list[Heap] | None:
    """The heaps of a part of the map, about `tall` by `wide` degrees each; None where squares are too large for that.

    They are cut at squares' edges, so they stay what they are while the map is moved, and reach a square over its edge.
    """
    rows, columns = ceil(tall * STEPS_A_DEGREE), ceil(wide * STEPS_A_DEGREE)
    if min(rows, columns) < _LEAST:
        return None
    square = FacilityHeap
    found = db.session.execute(
        select(func.sum(square.amount), func.sum(square.latitude_sum), func.sum(square.longitude_sum))
        .where(
            square.north.between(_step(south + 90), _step(north + 90)),
            square.east.between(_step(west + 180), _step(east + 180)),
        )
        # One number for both: the databases sort by it much faster than by two.
        .group_by(cast(square.north // rows, BigInteger) * (360 * STEPS_A_DEGREE) + square.east // columns)
        .having(func.sum(square.amount) > 0)
    )
    return [_heap(int(amount), int(latitude), int(longitude)) for amount, latitude, longitude in found]


# A heap of fewer squares a side would show their edges rather than where facilities are.
_LEAST = 4


def _step(degrees: float) -> int:
    return floor(degrees * STEPS_A_DEGREE)


def _heap(amount: int, latitude_sum: int, longitude_sum: int) -> Heap:
    middle = (one / amount / PARTS_A_DEGREE for one in (latitude_sum, longitude_sum))
    return Heap(next(middle) - 90, next(middle) - 180, amount)


def settle() -> bool:
    """Make one row of those of each square, for some squares; whether there was any to do. Needs a unit of work."""
    square = FacilityHeap
    place = tuple_(square.north, square.east)
    crowded = (
        select(square.north, square.east).group_by(square.north, square.east).having(func.count() > 1).limit(AT_ONCE)
    )
    places = [tuple(row) for row in db.session.execute(crowded)]
    # Rows that somebody else makes one at this moment are theirs; those written meanwhile wait for the next time.
    rows = (
        db.session.execute(
            select(square.id, square.north, square.east, square.amount, square.latitude_sum, square.longitude_sum)
            .where(place.in_(places))
            .with_for_update(skip_locked=True)
        ).all()
        if places
        else []
    )
    sums: dict[tuple[int, int], list[int]] = {}
    for _, north, east, *values in rows:
        before = sums.get((north, east), [0, 0, 0])
        sums[north, east] = [one + more for one, more in zip(before, values, strict=True)]
    for some in _in_turns([row.id for row in rows]):
        db.session.execute(delete(square).where(square.id.in_(some)))
    _write(sums)
    return len(rows) > len(sums)


def rebuild() -> None:
    """Throw away what is counted and count the facilities anew. Needs a unit of work; no facility may change in it."""
    if db.engine.dialect.name == "postgresql":
        db.session.execute(text("lock table facility in share row exclusive mode"))
    db.session.execute(delete(FacilityHeap))
    counted = {(row.north, row.east): list(row[2:]) for row in db.session.execute(_counted())}
    _write(counted)


def differences() -> list[tuple[int, int, int, int]]:
    """Where the squares are not what the facilities say: (north, east, kept, counted), none where all is right."""
    square = FacilityHeap
    kept = select(
        square.north, square.east, func.sum(square.amount), func.sum(square.latitude_sum),
        func.sum(square.longitude_sum),
    ).group_by(square.north, square.east)  # fmt: skip
    db.session.rollback()
    if db.engine.dialect.name == "postgresql":
        db.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    found, there = (
        {(row[0], row[1]): tuple(map(int, row[2:])) for row in db.session.execute(query)}
        for query in (kept, _counted())
    )
    db.session.rollback()
    nothing = (0, 0, 0)
    return [
        (*place, found.get(place, nothing)[0], there.get(place, nothing)[0])
        for place in sorted(found.keys() | there.keys())
        if found.get(place, nothing) != there.get(place, nothing)
    ]


def _counted() -> Select[Any]:
    """(north, east, amount, latitude_sum, longitude_sum) of every square, counted from the facilities."""

    def whole(column: Any, turn: int, parts: int) -> Any:
        place = (column + turn) * parts
        return cast(func.floor(place) if db.engine.dialect.name == "postgresql" else place, FacilityHeap.id.type)

    latitude, longitude = Facility.latitude, Facility.longitude
    places = select(
        whole(latitude, 90, STEPS_A_DEGREE).label("north"), whole(longitude, 180, STEPS_A_DEGREE).label("east"),
        whole(latitude, 90, PARTS_A_DEGREE).label("latitude"), whole(longitude, 180, PARTS_A_DEGREE).label("longitude"),
    ).where(Facility.retired_at.is_(None)).subquery()  # fmt: skip
    one = places.c
    sums = (func.count(), func.sum(one.latitude), func.sum(one.longitude))
    return select(one.north, one.east, *sums).group_by(one.north, one.east)


def _write(sums: dict[tuple[int, int], list[int]]) -> None:
    rows = [
        {"north": north, "east": east, "amount": amount, "latitude_sum": latitude, "longitude_sum": longitude}
        for (north, east), (amount, latitude, longitude) in sums.items()
        if amount
    ]
    if rows:
        db.session.connection().execute(insert(FacilityHeap), rows)


def _in_turns(ids: list[int]) -> Iterator[list[int]]:
    # Both databases take only so many values in one statement.
    for start in range(0, len(ids), 10_000):
        yield ids[start : start + 10_000]
