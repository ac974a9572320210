"""Lists of facilities. None commits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import cos, radians, sqrt
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    and_,
    cast,
    column,
    false,
    func,
    literal,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.orm import joinedload

from district.extensions import db
from district.facilities import heaps
from district.facilities.heaps import Heap
from district.facilities.models import Facility, FacilityToken, FacilityType
from district.geo.measure import METRES_A_DEGREE, metres_between
from district.search.tokens import read_query
from district.search.written import fts5, tsquery

PAGE_SIZE = 30
# Fewer digits than this are a house number rather than the beginning of a code.
_SHORTEST_CODE = 6
# A shorter number may be a part of a name as well.
_SURELY_CODE = 11
# Looked at for the nearest ones before the circle is drawn wider.
_ENOUGH = 400
_FIRST_CIRCLE_M = 60.0
_SQLITE_WORDS = "facility_words"
_TOKEN = re.compile(r"[A-Za-z0-9]{8,20}")


@dataclass(frozen=True)
class Wanted:
    """What a list is narrowed to; empty: not by this.

    words: a code or its beginning, a token, or parts of name and address. unit_id: whose it is, owned or maintained.
    is_gone: those taken out of the register instead of those in it.
    """

    words: str = ""
    type_code: str = ""
    area_code: str = ""
    state: str = ""
    unit_id: int | None = None
    is_gone: bool = False

    @property
    def is_all(self) -> bool:
        return self == Wanted()


@dataclass(frozen=True)
class FacilityPage:
    """One page of a list, in the order they were entered. next_after: None at the end."""

    facilities: list[Facility]
    next_after: int | None


def search(
    *,
    words: str = "",
    type_code: str = "",
    area_code: str = "",
    state: str = "",
    unit_id: int | None = None,
    is_gone: bool = False,
    after: int | None = None,
    limit: int = PAGE_SIZE,
) -> FacilityPage:
    """A page of the list that `Wanted` describes, after the one with this id."""
    query = ids_of(Wanted(words, type_code, area_code, state, unit_id, is_gone))
    if after is not None:
        query = query.where(Facility.id > after)
    ids = db.session.scalars(query.order_by(Facility.id).limit(limit + 1)).all()
    rows = db.session.scalars(
        select(Facility)
        .where(Facility.id.in_(ids[:limit]))
        .options(joinedload(Facility.maintainer))
        .order_by(Facility.id)
    )
    return FacilityPage(list(rows), ids[limit - 1] if len(ids) > limit else None)


def ids_of(wanted: Wanted) -> Select[int]:
    """The ids of a whole list, to be read in steps or counted."""
    return _narrowed(select(Facility.id), wanted)


def _narrowed(query: Select[Any], wanted: Wanted) -> Select[Any]:
    query = query.where(Facility.retired_at.is_not(None) if wanted.is_gone else Facility.retired_at.is_(None))
    said = []
    for word in wanted.words.split()[:5]:
        if word.isdecimal() and word.isascii() and len(word) >= _SHORTEST_CODE:
            # As a range both databases find the beginning of a code in their index.
            ways = [_begins(Facility.code, word), _begins(Facility.code17, word)]
            query = query.where(or_(*ways, _by_words(word)) if len(word) < _SURELY_CODE else or_(*ways))
        else:
            said.append(word)
    if said:
        query = query.where(_by_words(" ".join(said)))
    if wanted.type_code:
        query = query.where(Facility.type_id.in_(select(FacilityType.id).where(FacilityType.code == wanted.type_code)))
    if wanted.area_code:
        query = query.where(Facility.area_code == wanted.area_code)
    if wanted.state:
        query = query.where(Facility.state == wanted.state)
    if wanted.unit_id is not None:
        query = query.where(
            or_(Facility.maintainer_unit_id == wanted.unit_id, Facility.owner_unit_id == wanted.unit_id)
        )
    return query


def _begins(code: Any, digits: str) -> ColumnElement[bool]:
    return code.between(digits, digits + "9" * (17 - len(digits))) if len(digits) <= 17 else false()


def _by_words(said: str) -> ColumnElement[bool]:
    """Found by all these words in name or address, or by a token; in those nobody has read yet, letter by letter."""
    wanted = read_query(said)
    ways: list[ColumnElement[bool]] = []
    if wanted and db.engine.dialect.name == "sqlite":
        found = text(f"{_SQLITE_WORDS} match :wanted").bindparams(wanted=fts5(wanted))
        ways.append(Facility.id.in_(select(column("rowid")).select_from(table(_SQLITE_WORDS)).where(found)))
    elif wanted:
        ways.append(Facility.words.op("@@", is_comparison=True)(cast(literal(tsquery(wanted)), TSQUERY)))
    # Each further way costs the index its order, so they are asked only where they can find something.
    if _TOKEN.fullmatch(said):
        ways.append(Facility.id.in_(select(FacilityToken.facility_id).where(FacilityToken.token == said.upper())))
    if db.session.scalar(select(Facility.id).where(Facility.words.is_(None)).limit(1)) is not None:
        letters = [
            or_(Facility.name.contains(word, autoescape=True), Facility.address.contains(word, autoescape=True))
            for word in said.split()
        ]
        ways.append(Facility.id.in_(select(Facility.id).where(Facility.words.is_(None), *letters)))
    return or_(*ways) if ways else false()


def near(
    latitude: float, longitude: float, *, metres: float, limit: int, only: ColumnElement[bool] | None = None
) -> list[tuple[Facility, float]]:
    """Facilities in the register within `metres` of a point, nearest first, each with its distance in metres.

    only: a further condition they must meet.
    """
    circle = min(metres, _FIRST_CIRCLE_M)
    while True:
        query = _in_circle(latitude, longitude, circle)
        query = query if only is None else query.where(only)
        rows = db.session.execute(query.limit(_ENOUGH * 5)).all()
        found = sorted(
            (away, row.id)
            for row in rows
            if (away := metres_between(latitude, longitude, row.latitude, row.longitude)) <= circle
        )
        if len(found) >= limit or circle >= metres:
            break
        circle = min(metres, circle * 2)
    chosen = found[:limit]
    by_id = {
        row.id: row for row in db.session.scalars(select(Facility).where(Facility.id.in_([one for _, one in chosen])))
    }
    return [(by_id[one], away) for away, one in chosen]


def alternatives(facility: Facility, *, metres: float, limit: int = 3) -> list[tuple[Facility, float]]:
    """Others of its kind that are intact, nearest first, with the distance in metres."""
    like_it = and_(Facility.type_id == facility.type_id, Facility.state == "intact", Facility.id != facility.id)
    return near(facility.latitude, facility.longitude, metres=metres, limit=limit, only=like_it)


def _in_circle(latitude: float, longitude: float, metres: float) -> Select[int, float, float]:
    """Id and place of what lies in the square around a circle."""
    degrees = metres / METRES_A_DEGREE
    return select(Facility.id, Facility.latitude, Facility.longitude).where(
        Facility.retired_at.is_(None),
        Facility.latitude.between(latitude - degrees, latitude + degrees),
        # Wide enough up to 60 degrees north; what is too far away goes afterwards.
        Facility.longitude.between(longitude - 2 * degrees, longitude + 2 * degrees),
    )


@dataclass(frozen=True)
class Box:
    """A part of the map, WGS-84 degrees."""

    south: float
    west: float
    north: float
    east: float


# So many are drawn one by one; more of them as heaps, each of a square piece of ground.
MOST_DOTS = 400


def on_map(wanted: Wanted, box: Box, most_heaps: int = 100) -> tuple[list[Facility], list[Heap]]:
    """What a part of the map shows: the facilities themselves, or heaps of them where they are too many."""
    inside = (
        Facility.latitude.between(box.south, box.north),
        Facility.longitude.between(box.west, box.east),
    )
    ids = db.session.scalars(ids_of(wanted).where(*inside).limit(MOST_DOTS + 1)).all()
    if len(ids) <= MOST_DOTS:
        return list(db.session.scalars(select(Facility).where(Facility.id.in_(ids)).order_by(Facility.id))), []
    narrower = max(0.01, cos(radians((box.south + box.north) / 2)))
    side = sqrt((box.north - box.south) * (box.east - box.west) * narrower / most_heaps)
    if wanted.is_all:
        found = heaps.among(box.south, box.west, box.north, box.east, side, side / narrower)
        if found is not None:
            return [], found
    row, col = _cell(Facility.latitude, box.south, side), _cell(Facility.longitude, box.west, side / narrower)
    query = _narrowed(select(func.avg(Facility.latitude), func.avg(Facility.longitude), func.count()), wanted)
    # One number for both: the databases sort by it much faster than by two.
    rows = db.session.execute(query.where(*inside).group_by(row * 4096 + col))
    return [], [Heap(latitude, longitude, count) for latitude, longitude, count in rows]


def _cell(place: Any, start: float, step: float) -> ColumnElement[int]:
    """In which row or column a place lies. PostgreSQL rounds where SQLite cuts off."""
    moved = 0.5 if db.engine.dialect.name == "postgresql" else 0.0
    return cast((place - start) / step - moved, Integer)


def tokens(facility_id: int) -> list[FacilityToken]:
    """Every code ever issued for a facility, newest first, revoked ones included."""
    return list(
        db.session.scalars(
            select(FacilityToken)
            .where(FacilityToken.facility_id == facility_id)
            .order_by(FacilityToken.issued_at.desc(), FacilityToken.token)
        )
    )
