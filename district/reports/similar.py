"""Open reports that may be about the same thing: asked before another is filed, by one query over an index.

The same facility is certain. Else category, distance, age and wording each count for a part; what is enough, and how
near and how old a report may be, is the district's to say (`similar.*` in district.toml).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from math import cos, radians
from typing import Any

from sqlalchemy import Select, bindparam, select, text

from district import work
from district.geo.gazetteer import plain
from district.geo.measure import METRES_A_DEGREE, metres_between
from district.reference import Reference
from district.reports.models import Report

# What the district leaves unsaid.
DEFAULT_METRES, DEFAULT_DAYS, DEFAULT_ENOUGH = 60, 30, 0.6
MOST = 3
# Read at most this many of the newest: where more is open around one point, three good ones are among them.
MOST_READ = 40
# Somebody's question or praise is not a thing that two people can report; nor is it anybody else's business.
PUBLIC_INTENTS = ("report", "emergency")

# How much each kind of evidence counts; they add up to one.
_CATEGORY, _NEAR, _NEW, _WORDING = 0.45, 0.25, 0.1, 0.2
# Not yet routed, or told too vaguely: then nearly all of the wording must agree, not the name of a place alone.
_CATEGORY_UNKNOWN = 0.1
# Written out as the index over open places is: with bound values SQLite cannot see that it applies.
_IS_OPEN = text("report.status not in ('closed','rejected','merged','withdrawn')")


@dataclass(frozen=True)
class Thing:
    """What is about to be reported. latitude, longitude: WGS-84, a facility's own; both None when none is known."""

    words: str
    category_id: int | None = None
    facility_id: int | None = None
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True)
class Similar:
    """An open report with how sure it is the same (0..1) and how far away, in whole metres."""

    id: int
    number: str
    status: str
    unit_id: int | None
    category_id: int | None
    resident_id: int | None
    metres: int
    score: float


def find(thing: Thing, ref: Reference, *, now: datetime, limit: int = MOST) -> list[Similar]:
    """Open reports likely to be about the same thing, likeliest first. Costs one query; none without a place."""
    if thing.facility_id is None and (thing.latitude is None or thing.longitude is None):
        return []
    metres = float(ref.setting("similar.metres", DEFAULT_METRES))
    days = float(ref.setting("similar.days", DEFAULT_DAYS))
    enough = float(ref.setting("similar.enough", DEFAULT_ENOUGH))
    since = now - timedelta(days=days)
    found = []
    for row in work.connection().execute(_query(thing.latitude is not None), _values(thing, metres, since)):
        away = _away(thing, row)
        score = _score(thing, row, away / metres if metres else 1.0, (now - row.submitted_at) / timedelta(days=days))
        if score >= enough:
            found.append(
                Similar(
                    row.id, row.number, row.status, row.unit_id, row.category_id, row.resident_id, round(away),
                    round(score, 3),
                )
            )  # fmt: skip
    return sorted(found, key=lambda one: (-one.score, one.metres, -one.id))[:limit]


def wording(one: str, other: str) -> float:
    """How much two texts say the same: the share of the shorter one's letter pairs that the longer has too, 0..1."""
    first, second = _pairs(one), _pairs(other)
    if not first or not second:
        return 0.0
    return len(first & second) / min(len(first), len(second))


def _pairs(words: str) -> set[str]:
    letters = plain(words)
    return {letters[at : at + 2] for at in range(len(letters) - 1)}


def _score(thing: Thing, row: Any, distance: float, age: float) -> float:
    """0..1; distance and age in parts of what is allowed."""
    if thing.facility_id is not None and row.facility_id is not None:
        # Two lamps side by side are two lamps.
        return 1.0 if thing.facility_id == row.facility_id else 0.0
    if distance > 1.0:
        return 0.0
    if thing.category_id is None or row.category_id is None:
        category = _CATEGORY_UNKNOWN
    elif thing.category_id == row.category_id:
        category = _CATEGORY
    else:
        return 0.0
    return (
        category
        + _NEAR * (1.0 - distance)
        + _NEW * max(0.0, 1.0 - age)
        + _WORDING * wording(thing.words, row.description)
    )


def _away(thing: Thing, row: Any) -> float:
    if thing.facility_id is not None and thing.facility_id == row.facility_id:
        return 0.0
    if thing.latitude is None or thing.longitude is None or row.latitude is None:
        return float("inf")
    return metres_between(thing.latitude, thing.longitude, row.latitude, row.longitude)


@cache
def _query(has_point: bool) -> Select[Any]:
    """Built once. A report about a facility lies where the facility does, so a box around it finds those, too."""
    in_box = Report.latitude.between(bindparam("south"), bindparam("north")) & Report.longitude.between(
        bindparam("west"), bindparam("east")
    )
    at_facility = Report.facility_id == bindparam("facility")
    columns: tuple[Any, ...] = (
        Report.id, Report.number, Report.status, Report.unit_id, Report.category_id, Report.resident_id,
        Report.facility_id, Report.latitude, Report.longitude, Report.description, Report.submitted_at,
    )  # fmt: skip
    return (
        select(*columns)
        .where(
            _IS_OPEN,
            in_box if has_point else at_facility,
            Report.submitted_at >= bindparam("since"),
            Report.intent.in_(PUBLIC_INTENTS),
        )
        .order_by(Report.id.desc())
        .limit(MOST_READ)
    )


def _values(thing: Thing, metres: float, since: datetime) -> dict[str, Any]:
    if thing.latitude is None or thing.longitude is None:
        return {"since": since, "facility": thing.facility_id}
    north = metres / METRES_A_DEGREE
    east = north / max(0.01, cos(radians(thing.latitude)))
    return {
        "since": since,
        "south": thing.latitude - north, "north": thing.latitude + north,
        "west": thing.longitude - east, "east": thing.longitude + east,
    }  # fmt: skip
