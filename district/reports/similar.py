"""Open reports that may be about the same thing: asked before another is filed, by one query over an index.

The same facility is certain. Else category, distance, age and wording each count for a part, and pictures that look
alike for some more; what is enough, and how near and how old a report may be, is the district's to say (`similar.*` in
district.toml). Chat, pages, API and panel all ask here. What is joined without asking is the router's business
(`district.routing.gathering`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from math import cos, isfinite, radians
from typing import Any, NamedTuple

from sqlalchemy import select

from district import work
from district.geo.gazetteer import plain
from district.geo.measure import METRES_A_DEGREE, metres_between
from district.reference import Reference
from district.reports.looks import alike
from district.reports.models import Photo, Report
from district.rows import moment_for, moment_from, send

# What the district leaves unsaid.
DEFAULT_METRES, DEFAULT_DAYS, DEFAULT_ENOUGH = 60, 30, 0.6
MOST = 3
# Read at most this many of the newest: where more is open around one point, three good ones are among them.
MOST_READ = 40
# Somebody's question or praise is not a thing that two people can report; nor is it anybody else's business.
PUBLIC_INTENTS = ("report", "emergency")

# How much each kind of evidence counts; they add up to one.
_CATEGORY, _NEAR, _NEW, _WORDING = 0.45, 0.25, 0.1, 0.2
# On top of that: most reports have no picture, and none shall count for less because of it.
_PHOTO = 0.25
_SAME_FACILITY, _SAME_FACILITY_OTHER_TROUBLE = 1.0, 0.8
# Not yet routed, or told too vaguely: then nearly all of the wording must agree, not the name of a place alone.
_CATEGORY_UNKNOWN = 0.1
# In the databases' own language: most chats ask before they file. The statuses are written out as the index over open
# places is: with bound values SQLite cannot see that it applies.
_FIND = """
select report.id, report.number, report.status, report.unit_id, report.category_id, report.resident_id,
       report.facility_id, report.latitude, report.longitude, report.description, report.submitted_at
from report
where report.status not in ('closed','rejected','merged','withdrawn') and {where} and report.submitted_at >= ?
  and report.intent in ({intents}) order by report.id desc limit {most}
"""


@dataclass(frozen=True)
class Thing:
    """What is about to be reported. latitude, longitude: WGS-84, a facility's own; both None when none is known.

    looks: how its pictures look (`district.reports.looks`). report_id: its own, where it is filed already.
    """

    words: str
    category_id: int | None = None
    facility_id: int | None = None
    latitude: float | None = None
    longitude: float | None = None
    looks: tuple[str, ...] = ()
    report_id: int | None = None


@dataclass(frozen=True)
class Similar:
    """An open report with how sure it is the same (0..1) and how far away, in whole metres.

    parts: what made the score, by name: `facility`, or `category`, `near`, `new`, `wording`, `photo`.
    """

    id: int
    number: str
    status: str
    unit_id: int | None
    category_id: int | None
    resident_id: int | None
    metres: int
    score: float
    parts: Mapping[str, float] = field(default_factory=dict)


class _Row(NamedTuple):
    """What the query gives of a report."""

    id: int
    number: str
    status: str
    unit_id: int | None
    category_id: int | None
    resident_id: int | None
    facility_id: int | None
    latitude: float | None
    longitude: float | None
    description: str
    submitted_at: datetime


def find(thing: Thing, ref: Reference, *, now: datetime, limit: int = MOST) -> list[Similar]:
    """Open reports likely to be about the same thing, likeliest first.

    Costs one query, one more where there are pictures to compare; none without a place.
    """
    if thing.facility_id is None and (thing.latitude is None or thing.longitude is None):
        return []
    metres = float(ref.setting("similar.metres", DEFAULT_METRES))
    days = float(ref.setting("similar.days", DEFAULT_DAYS))
    enough = float(ref.setting("similar.enough", DEFAULT_ENOUGH))
    since = now - timedelta(days=days)
    found = []
    rows = [row for row in _open_near(thing, metres, since) if row.id != thing.report_id]
    looks = _looks_of([row.id for row in rows]) if thing.looks and rows else {}
    for row in rows:
        away = _away(thing, row)
        parts = _parts(thing, row, away / metres if metres else 1.0, (now - row.submitted_at) / timedelta(days=days))
        if parts and looks:
            parts["photo"] = _PHOTO * alike(thing.looks, looks.get(row.id, ()))
        score = min(1.0, sum(parts.values()))
        if score >= enough:
            found.append(
                Similar(
                    row.id, row.number, row.status, row.unit_id, row.category_id, row.resident_id,
                    round(away) if isfinite(away) else 0, round(score, 3),
                    {name: round(part, 3) for name, part in parts.items() if part > 0},
                )
            )  # fmt: skip
    return sorted(found, key=lambda one: (-one.score, one.metres, -one.id))[:limit]


def of_report(report: Report) -> Thing:
    """A report that is filed already, its kept pictures included."""
    return Thing(
        words=report.description,
        category_id=report.category_id,
        facility_id=report.facility_id,
        latitude=report.latitude,
        longitude=report.longitude,
        looks=tuple(photo.look for photo in report.photos if photo.look and photo.purpose == "before"),
        report_id=report.id,
    )


def wording(one: str, other: str) -> float:
    """How much two texts say the same: the share of the shorter one's letter pairs that the longer has too, 0..1."""
    first, second = _pairs(one), _pairs(other)
    if not first or not second:
        return 0.0
    return len(first & second) / min(len(first), len(second))


def _pairs(words: str) -> set[str]:
    letters = plain(words)
    return {letters[at : at + 2] for at in range(len(letters) - 1)}


def _parts(thing: Thing, row: _Row, distance: float, age: float) -> dict[str, float]:
    """What speaks for the same thing, 0..1 in all; empty when it cannot be. distance, age: parts of what is allowed."""
    if thing.facility_id is not None and row.facility_id is not None:
        # Two lamps side by side are two lamps.
        if thing.facility_id != row.facility_id:
            return {}
        other = None not in (thing.category_id, row.category_id) and thing.category_id != row.category_id
        return {"facility": _SAME_FACILITY_OTHER_TROUBLE if other else _SAME_FACILITY}
    if distance > 1.0:
        return {}
    if thing.category_id is None or row.category_id is None:
        category = _CATEGORY_UNKNOWN
    elif thing.category_id == row.category_id:
        category = _CATEGORY
    else:
        return {}
    return {
        "category": category,
        "near": _NEAR * (1.0 - distance),
        "new": _NEW * max(0.0, 1.0 - age),
        "wording": _WORDING * wording(thing.words, row.description),
    }


def _looks_of(report_ids: list[int]) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    rows: Any = work.connection().execute(
        select(Photo.report_id, Photo.look).where(
            Photo.report_id.in_(report_ids), Photo.look.is_not(None), Photo.purpose == "before"
        )
    )
    for report_id, look in rows:
        found[report_id] = (*found.get(report_id, ()), look)
    return found


def _away(thing: Thing, row: _Row) -> float:
    if thing.facility_id is not None and thing.facility_id == row.facility_id:
        return 0.0
    if thing.latitude is None or thing.longitude is None or row.latitude is None or row.longitude is None:
        return float("inf")
    return metres_between(thing.latitude, thing.longitude, row.latitude, row.longitude)


def _open_near(thing: Thing, metres: float, since: datetime) -> list[_Row]:
    """The newest open reports around it, or of its facility. A report about a facility lies where the facility does,
    so a box around it finds those, too."""
    values: tuple[Any, ...]
    if thing.latitude is None or thing.longitude is None:
        where, values = "report.facility_id = ?", (thing.facility_id,)
    else:
        north = metres / METRES_A_DEGREE
        east = north / max(0.01, cos(radians(thing.latitude)))
        where = "report.latitude between ? and ? and report.longitude between ? and ?"
        values = (thing.latitude - north, thing.latitude + north, thing.longitude - east, thing.longitude + east)
    rows = send(_statement(where), (*values, moment_for(work.connection(), since)))
    return [_Row._make((*row[:-1], moment_from(row[-1]))) for row in rows]


@cache
def _statement(where: str) -> str:
    intents = ", ".join(f"'{intent}'" for intent in PUBLIC_INTENTS)
    return _FIND.format(where=where, intents=intents, most=MOST_READ)
