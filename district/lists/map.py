"""Where the reports of a list lie: counted in cells for a map of any size, never all of them at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sqlalchemy import Integer, Subquery, cast, func, select

from district.extensions import db
from district.reports import queries
from district.reports.models import Report
from district.reports.queries import Box, Filters

# Of a longer list the newest are looked at: the answer takes as long for ten thousand reports as for a million.
MOST_REPORTS = 20_000
MOST_SPOTS = 400
# How many cells go side by side into what the map shows.
_ACROSS = 14
_SMALLEST = 0.0004


@dataclass(frozen=True)
class Spot:
    """Some reports of the list close together: their middle (WGS-84), how many, how many of them are what.

    number, category_id: of the one report, where it is only one; else "" and None.
    """

    latitude: float
    longitude: float
    count: int
    critical: int
    urgent: int
    number: str
    category_id: int | None


@dataclass(frozen=True)
class Spots:
    """What a map shows of a list. extent: the smallest box around all of it, None when nothing has a place.

    is_part: the list is longer than MOST_REPORTS, and these are its newest.
    """

    spots: list[Spot]
    extent: Box | None
    is_part: bool


def spots(filters: Filters, window: Box | None) -> Spots:
    """The list under these filters as far as the map's window shows it; without a window, all of it."""
    near = _newest(filters)
    counted, west, south, east, north = db.session.execute(
        select(
            func.count(), func.min(near.c.longitude), func.min(near.c.latitude), func.max(near.c.longitude),
            func.max(near.c.latitude),
        )
    ).one()  # fmt: skip
    if not counted:
        return Spots([], None, False)
    extent = Box(west, south, east, north)
    return Spots(_cells(near, window or extent, None if window is None else window), extent, counted >= MOST_REPORTS)


def _newest(filters: Filters) -> Subquery:
    query = select(
        Report.id, Report.number, Report.category_id, Report.latitude, Report.longitude, Report.urgency
    ).where(Report.latitude.is_not(None))
    narrowed = queries.narrowed(query, filters).order_by(Report.id.desc()).limit(MOST_REPORTS)
    found: Subquery = narrowed.subquery("near")
    return found


def _cells(near: Subquery, scale: Box, window: Box | None) -> list[Spot]:
    # A power of two, so that cells stay where they are while the map is moved.
    wide = 2.0 ** math.ceil(math.log2(max(scale.east - scale.west, _SMALLEST * _ACROSS) / _ACROSS))
    high = wide * max(0.2, math.cos(math.radians(round((scale.north + scale.south) / 2))))
    cell = (cast(near.c.longitude / wide, Integer), cast(near.c.latitude / high, Integer))
    query = select(
        func.avg(near.c.latitude), func.avg(near.c.longitude), func.count(),
        func.count().filter(near.c.urgency == "critical"), func.count().filter(near.c.urgency == "urgent"),
        func.min(near.c.number), func.min(near.c.category_id),
    )  # fmt: skip
    if window is not None:
        query = query.where(
            near.c.latitude.between(window.south, window.north), near.c.longitude.between(window.west, window.east)
        )
    rows = db.session.execute(query.group_by(*cell).order_by(func.count().desc()).limit(MOST_SPOTS))
    return [
        Spot(latitude, longitude, count, critical, urgent, *((number, category) if count == 1 else ("", None)))
        for latitude, longitude, count, critical, urgent, number, category in rows
    ]
