"""The district on the ground, for words that describe a place by others: crossings, stretches, numbers, sides.

Without the base map's roads (a small district, a test) crossings still are known by their rows, and sides and
distances are taken as the crow flies.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import floor, hypot

from district.geo.lines import XY, Drawn, Line, Plane, Roads
from district.geo.names import WORDS, Mention, NamedPoint, Names, plain

# Kinds too large to be the place of a report; they still narrow down what else was named.
LARGE = frozenset({"road", "river", "area", "community"})
# A road no longer than this is a place all the same: whoever goes there sees it all.
SHORT_ROAD_M = 600.0
# What lies so near to a road's centre line stands on that road.
ON_ROAD_M = 70.0

COMPASS: Mapping[str, XY] = {
    "东": (1.0, 0.0), "西": (-1.0, 0.0), "南": (0.0, -1.0), "北": (0.0, 1.0),
    "东北": (0.707, 0.707), "东南": (0.707, -0.707), "西北": (-0.707, 0.707), "西南": (-0.707, -0.707),
}  # fmt: skip
_SIDES: Mapping[str, XY] = {"north": (0.0, 1.0), "east": (1.0, 0.0), "south": (0.0, -1.0), "west": (-1.0, 0.0)}
_LARGE_NAMES = tuple(WORDS["names"]["large"])
_PONDS = tuple(WORDS["names"]["ponds"])
_CELL = 0.004  # degrees: some 440 m north, 280 m east at 50° north
_NUMBER = re.compile(r"^(\D+?)(\d+)号$")
# So far from a road may a place be and still face it; its point may lie at the back of it.
_ACROSS_M = 220.0
_FACING_M = 60.0
# Between two known numbers no farther apart than this, a number's place is reckoned from both.
_NUMBERS_APART = 120


@dataclass(frozen=True, slots=True)
class HouseNumbers:
    """How a district numbers its houses. metres: of road for each pair (1 and 2, 3 and 4 ...), from its start.

    odd: the sides on which the odd numbers stand, of north, east, south and west. A road that runs east and west
    has a north side, one that runs north and south an east side.
    """

    metres: float = 0.0
    odd: tuple[str, ...] = ("north", "east")


@dataclass(frozen=True, slots=True)
class Spot:
    """A place and how far from it the true one may well be, in metres."""

    place: NamedPoint
    precision_m: float


class Town:
    """Names and the ground they stand on. Immutable."""

    def __init__(
        self,
        points: Iterable[NamedPoint],
        roads: Iterable[Drawn] = (),
        outlines: Mapping[str, Sequence[tuple[float, float]]] | None = None,
        numbers: HouseNumbers | None = None,
    ) -> None:
        rows = list(points)
        self.rows = frozenset(rows)
        self.names = Names(rows)
        middle = rows[len(rows) // 2] if rows else NamedPoint("", "", 0.0, 0.0)
        self.plane = Plane(middle.latitude, middle.longitude)
        drawn = list(roads)
        self.roads = Roads((line for line in drawn if not line.is_water), self.plane)
        waters = Roads((line for line in drawn if line.is_water), self.plane)
        self._waters = {line.name: line for line in waters.all()}
        self._rule = numbers or HouseNumbers()
        self._outlines = {
            name: [self.plane.metres(latitude, longitude) for longitude, latitude in ring]
            for name, ring in (outlines or {}).items()
        }
        self.road_rows = {plain(row.name): row for row in rows if row.kind == "road"}
        self._read_crossings(row for row in rows if row.kind == "crossing")
        self._cells: dict[tuple[int, int], list[NamedPoint]] = {}
        self._numbers: dict[str, list[tuple[int, float, NamedPoint]]] = {}
        for row in rows:
            if row.kind not in LARGE:
                self._cells.setdefault(_cell(row), []).append(row)
            self._read_number(row)
        for known in self._numbers.values():
            known.sort(key=lambda one: one[:2])
        self._bases: dict[str, list[NamedPoint]] = {}
        self._base_of: dict[str, str] = {}
        for name, row in self.road_rows.items():
            for ending in sorted(WORDS["names"]["roads"], key=len, reverse=True):
                if name.endswith(ending):
                    self._bases.setdefault(name[: -len(ending)], []).append(row)
                    self._base_of[row.name] = name[: -len(ending)]
                    break

    # What there is

    def roads_called(self, base: str) -> Sequence[NamedPoint]:
        """Roads by the name without its ending: 人民 for 人民路."""
        return self._bases.get(base, ())

    def roads_in(self, words: str) -> list[Mention]:
        """Roads alone, whatever else is named there."""
        return self._road_names.exactly(words)

    def line(self, road: NamedPoint) -> Line | None:
        return self.roads.get(road.name)

    def is_point(self, place: NamedPoint) -> bool:
        """Whether the place is small enough to be where something is."""
        if place.kind == "road":
            return self.road_metres(place) <= SHORT_ROAD_M
        if place.kind == "river":
            return place.name.endswith(_PONDS)
        if len(place.name) <= 3 and place.name.endswith(_LARGE_NAMES):
            return False
        return place.kind not in LARGE

    def road_metres(self, road: NamedPoint) -> float:
        line = self.line(road)
        return line.length if line else self._road_metres.get(plain(road.name), SHORT_ROAD_M + 1)

    def radius(self, place: NamedPoint) -> float:
        """How far the place reaches from its point, in metres."""
        if place.kind == "road":
            return self.road_metres(place) / 2
        outline = self._outline(place)
        if not outline:
            return 60.0
        x, y = self.plane.metres(place.latitude, place.longitude)
        return max(hypot(px - x, py - y) for px, py in outline)

    def near(self, place: NamedPoint, within_m: float) -> list[NamedPoint]:
        """Small places about another, nearest first, within some 400 m."""
        column, row = _cell(place)
        found = [
            (metres, other.name, other)
            for x in range(column - 1, column + 2)
            for y in range(row - 1, row + 2)
            for other in self._cells.get((x, y), ())
            if (metres := other.metres_to(place)) <= within_m
        ]
        return [other for _, _, other in sorted(found, key=lambda one: one[:2])]

    def is_on(self, place: NamedPoint, road: NamedPoint) -> bool:
        """Whether the place stands on the road, by the map or by its address."""
        line = self.line(road)
        if line is not None and line.may_be_within(self._xy(place), 2 * ON_ROAD_M):
            off = line.nearest(self._xy(place))[1]
            if off <= ON_ROAD_M or (off <= 2 * ON_ROAD_M and self._nearest_road(place) is line):
                return True
        return place.address.startswith(road.name) or road.name in place.name or (line is None and _tells(place, road))

    def is_named_after(self, place: NamedPoint, road: NamedPoint) -> bool:
        """晓光口袋公园 of 晓光路."""
        base = self._base_of.get(road.name, "")
        return bool(base) and place.name.startswith(base)

    def crossing(self, one: NamedPoint, other: NamedPoint) -> NamedPoint | None:
        """Where the two roads meet: the district's own row, else by the map."""
        row = self._crossings.get(frozenset((plain(one.name), plain(other.name))))
        if row is not None or one is other:
            return row
        line, second = self.line(one), self.line(other)
        at = line.meets(second) if line and second else None
        return self._made(f"{one.name}与{other.name}路口", "crossing", at, one) if at else None

    def crossings_of(self, road: NamedPoint) -> list[NamedPoint]:
        return list(self._crossings_of.get(plain(road.name), ()))

    def roads_of(self, crossing: NamedPoint) -> tuple[NamedPoint, ...]:
        """The roads that meet there, as far as its name says."""
        names = self._crossed.get(plain(crossing.name), ())
        return tuple(self.road_rows[name] for name in names if name in self.road_rows)

    def bridge(self, road: NamedPoint, river: NamedPoint) -> NamedPoint | None:
        """Where the road crosses the water."""
        line, water = self.line(road), self._waters.get(river.name)
        at = line.meets(water) if line and water else None
        if at is None:
            return None
        made = self._made(f"{road.name}{river.name}桥", "bridge", at, road)
        rows = [row for row in self.near(made, 120) if row.kind == "bridge"]
        return rows[0] if rows else made

    def first_that_way(self, place: NamedPoint, direction: str, others: Sequence[NamedPoint]) -> NamedPoint | None:
        """The nearest of the others that lies in that direction, give or take 30 degrees."""
        x, y = self._xy(place)
        dx, dy = COMPASS[direction]
        ways = [(other, ox - x, oy - y) for other in others for ox, oy in (self._xy(other),)]
        there = [(hypot(ex, ey), other) for other, ex, ey in ways if ex * dx + ey * dy > 0.86 * hypot(ex, ey)]
        return min(there, key=lambda one: one[0])[1] if there else None

    # Places made of others

    def stretch(self, road: NamedPoint, start: NamedPoint, end: NamedPoint) -> Spot | None:
        """The middle of a road between two others that cross it, or two places on it."""
        line = self.line(road)
        if line is None:
            return None
        ends = [self._along(line, road, place) for place in (start, end)]
        if ends[0] is None or ends[1] is None or abs(ends[0] - ends[1]) < 10:
            return None
        at = line.at((ends[0] + ends[1]) / 2)
        name = f"{road.name}（{start.name}至{end.name}段）"
        return Spot(self._made(name, "stretch", at, road), max(40.0, abs(ends[0] - ends[1]) / 2))

    def between(self, one: NamedPoint, other: NamedPoint) -> Spot:
        """Half way between two places: along the road on which both stand, else as the crow flies."""
        a, b = self._xy(one), self._xy(other)
        at = (a[0] + b[0]) / 2, (a[1] + b[1]) / 2
        found = self.roads.nearest(a)
        if found and found[2] <= ON_ROAD_M:
            along, off = found[0].nearest(b)
            if off <= ON_ROAD_M:
                at = found[0].at((found[1] + along) / 2)
        name = f"{one.name}与{other.name}之间"
        return Spot(self._made(name, "stretch", at, one), max(40.0, one.metres_to(other) / 2))

    def offset(self, place: NamedPoint, direction: str, metres: float | None) -> Spot:
        """So many metres from a place: from a crossing along a road that goes there, else straight.

        metres: None where the words only name a side.
        """
        x, y = self._xy(place)
        dx, dy = COMPASS[direction]
        name = f"{place.name}{direction}侧" if metres is None else f"{place.name}往{direction}{metres:g}米"
        if place.kind == "crossing":
            go = 20.0 if metres is None else metres
            lines = [line for road in self.roads_of(place) if (line := self.line(road))]
            ways = [way for line in lines if (way := line.toward(line.nearest((x, y))[0], (dx, dy), go))]
            best = max(zip(lines, ways, strict=False), key=lambda one: one[1][1], default=None) if ways else None
            if len(direction) == 1 and len(ways) == len(lines) and best is not None and best[1][1] > 0.6:
                return Spot(self._made(name, "offset", best[0].at(best[1][0]), place), max(30.0, go / 3))
            return Spot(self._made(name, "offset", (x + dx * go, y + dy * go), place), max(40.0, go / 2))
        outline = self._outline(place)
        edge = max((max(px * dx + py * dy for px, py in outline) - x * dx - y * dy), 0.0) if outline else 15.0
        go = max(edge + 15.0, metres or 0.0)
        return Spot(self._made(name, "offset", (x + dx * go, y + dy * go), place), max(50.0, go / 2))

    def opposite(self, place: NamedPoint, roads: Sequence[NamedPoint] = ()) -> Spot:
        """Across the road from a place; roads: those the words name, one of which is the one to cross."""
        x, y = self._xy(place)
        named = [(line, *line.nearest((x, y))) for road in roads if (line := self.line(road))]
        named = [one for one in named if one[2] <= _ACROSS_M]
        found = min(named, key=lambda one: one[2], default=None) or self.roads.nearest((x, y))
        if found is None or not 3 < found[2] <= _ACROSS_M:
            return Spot(place, 80.0)
        line, along, off = found
        rx, ry = line.at(along)
        # Of a large place the point is far from the road that it faces: then the road itself is near enough.
        beyond = line.width / 2 + 6 if off <= _FACING_M else 0.0
        at = rx + (rx - x) / off * beyond, ry + (ry - y) / off * beyond
        return Spot(self._made(f"{place.name}对面", "offset", at, place), 60.0)

    def gate(self, place: NamedPoint, which: str) -> Spot:
        """A gate of a compound, school or park: the district's own row, else where its outline is on that side."""
        for name in (f"{place.name}{which}门", f"{place.name}{which}大门"):
            rows = [row for row in self.names.get(plain(name)) if row.metres_to(place) < 1000]
            if len(rows) == 1:
                return Spot(rows[0], 30.0)
        outline = self._outline(place)
        if which not in COMPASS or not outline:
            return Spot(place, self.radius(place))
        x, y = self._xy(place)
        dx, dy = COMPASS[which]
        edge = max(px * dx + py * dy for px, py in outline) - x * dx - y * dy
        return Spot(self._made(f"{place.name}{which}门", "gate", (x + dx * edge, y + dy * edge), place), 60.0)

    def building(self, compound: NamedPoint, number: str) -> Spot:
        """A numbered house of a compound; the compound itself where the district has no row for it."""
        for ending in ("号楼", "栋"):
            rows = self.names.get(plain(f"{compound.name}{number}{ending}"))
            if len(rows) == 1:
                return Spot(rows[0], 30.0)
        return Spot(compound, self.radius(compound))

    def end(self, road: NamedPoint, direction: str) -> Spot | None:
        line = self.line(road)
        if line is None:
            return None
        return Spot(self._made(f"{road.name}{direction}头", "offset", line.end(COMPASS[direction]), road), 60.0)

    def middle(self, road: NamedPoint) -> Spot | None:
        line = self.line(road)
        if line is None:
            return None
        at = line.at(line.length / 2)
        return Spot(self._made(f"{road.name}中段", "stretch", at, road), max(60.0, line.length / 6))

    def number(self, road: NamedPoint, number: int) -> Spot | None:
        """A house by its number: the district's own row, else by its rule, else between known numbers."""
        known = self._numbers.get(plain(road.name), [])
        for value, _, row in known:
            if value == number and row.kind == "address":
                return Spot(row, 25.0)
        line = self.line(road)
        if line is None or number < 1:
            return None
        name = f"{road.name}{number}号"
        if self._rule.metres > 0:
            along = ((number + 1) // 2 - 0.5) * self._rule.metres
            if along > line.length + self._rule.metres:
                return None
            return Spot(self._made(name, "address", self._beside(line, along, number), road), 40.0)
        below = max((one for one in known if one[0] <= number), key=lambda one: one[0], default=None)
        above = min((one for one in known if one[0] >= number), key=lambda one: one[0], default=None)
        if below is None or above is None or above[0] - below[0] > _NUMBERS_APART:
            return None
        part = (number - below[0]) / (above[0] - below[0]) if above[0] > below[0] else 0.0
        along = below[1] + part * (above[1] - below[1])
        return Spot(self._made(name, "address", self._beside(line, along, number), road), 80.0)

    # Inside

    def _nearest_road(self, place: NamedPoint) -> Line | None:
        found = self.roads.nearest(self._xy(place))
        return found[0] if found else None

    def _xy(self, place: NamedPoint) -> XY:
        return self.plane.metres(place.latitude, place.longitude)

    def _made(self, name: str, kind: str, at: XY, base: NamedPoint) -> NamedPoint:
        latitude, longitude = self.plane.degrees(at)
        return NamedPoint(name, kind, round(latitude, 6), round(longitude, 6), base.area_code, base.community_code)

    def _outline(self, place: NamedPoint) -> Sequence[XY]:
        return self._outlines.get(place.name, ()) if place.kind not in ("gate", "building", "bus_stop") else ()

    def _along(self, line: Line, road: NamedPoint, place: NamedPoint) -> float | None:
        if place.kind == "road":
            crossing = self.crossing(road, place)
            return line.nearest(self._xy(crossing))[0] if crossing else None
        along, off = line.nearest(self._xy(place))
        return along if off <= 250 else None

    def _beside(self, line: Line, along: float, number: int) -> XY:
        """On the pavement of the side on which the number stands."""
        x, y = line.at(along)
        hx, hy = line.heading(along)
        left = (-hy, hx)
        sides = [_SIDES[side] for side in self._rule.odd if side in _SIDES] or [(0.0, 1.0), (1.0, 0.0)]
        fits = max(sides, key=lambda side: abs(side[0] * left[0] + side[1] * left[1]))
        sign = 1.0 if fits[0] * left[0] + fits[1] * left[1] > 0 else -1.0
        if number % 2 == 0:
            sign = -sign
        out = line.width / 2 + 4
        return x + sign * left[0] * out, y + sign * left[1] * out

    def _read_crossings(self, rows: Iterable[NamedPoint]) -> None:
        self._crossings: dict[frozenset[str], NamedPoint] = {}
        self._crossings_of: dict[str, list[NamedPoint]] = {}
        self._crossed: dict[str, tuple[str, ...]] = {}
        self._road_metres: dict[str, float] = {}
        self._road_names = Names(self.road_rows.values())
        for row in rows:
            name = plain(row.name)
            mentions = self._road_names.exactly(name)
            crossed = tuple(dict.fromkeys(plain(one.points[0].name) for one in mentions))
            self._crossed[name] = crossed
            if len(crossed) == 2:
                self._crossings.setdefault(frozenset(crossed), row)
            for road in crossed:
                self._crossings_of.setdefault(road, []).append(row)
                # A road's point is its middle: a crossing so far from it makes the road twice as long.
                reach = 2 * row.metres_to(self.road_rows[road])
                self._road_metres[road] = max(self._road_metres.get(road, 0.0), reach)

    def _read_number(self, row: NamedPoint) -> None:
        found = _NUMBER.match(plain(row.name if row.kind == "address" else row.address))
        road = self.road_rows.get(found[1]) if found else None
        if found is None or road is None:
            return
        line = self.line(road)
        along = line.nearest(self._xy(row))[0] if line else 0.0
        self._numbers.setdefault(found[1], []).append((int(found[2]), along, row))


def _tells(place: NamedPoint, road: NamedPoint) -> bool:
    return road.name in place.address


def _cell(place: NamedPoint) -> tuple[int, int]:
    return floor(place.longitude / _CELL), floor(place.latitude / _CELL)
