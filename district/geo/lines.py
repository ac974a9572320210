"""Roads as lines on the ground: how far along, which way, where they meet, what lies across them.

Everything is in metres on a flat plane about the district's middle: right to a percent within a city.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, floor, hypot, radians
from typing import Any

from district.geo.measure import METRES_A_DEGREE

XY = tuple[float, float]  # metres east and north of the plane's origin

# Ends of two lines so near each other are one place: a road drawn in pieces, or one that ends on another.
_TOUCH_M = 15.0
_MEET_M = 30.0
_CELL_M = 250.0
_WIDTH_M = 10.0  # of a road whose width the map does not say


@dataclass(frozen=True, slots=True)
class Plane:
    """Degrees to metres and back. latitude, longitude: the origin, WGS-84."""

    latitude: float
    longitude: float

    def metres(self, latitude: float, longitude: float) -> XY:
        east = (longitude - self.longitude) * METRES_A_DEGREE * cos(radians(self.latitude))
        return east, (latitude - self.latitude) * METRES_A_DEGREE

    def degrees(self, point: XY) -> tuple[float, float]:
        """(latitude, longitude)."""
        x, y = point
        longitude = self.longitude + x / (METRES_A_DEGREE * cos(radians(self.latitude)))
        return self.latitude + y / METRES_A_DEGREE, longitude


@dataclass(frozen=True, slots=True)
class Drawn:
    """A named road, or the middle of a river, as the base map draws it.

    points: (longitude, latitude), from its start to its end.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    width_m: float = _WIDTH_M
    is_water: bool = False


class Line:
    """One road's centre line."""

    __slots__ = ("_box", "along", "length", "name", "points", "width")

    def __init__(self, name: str, points: Sequence[XY], width: float) -> None:
        self.name = name
        self.width = width
        self.points = [points[0], *(b for a, b in pairwise(points) if a != b)]
        self.along = [0.0]
        for (ax, ay), (bx, by) in pairwise(self.points):
            self.along.append(self.along[-1] + hypot(bx - ax, by - ay))
        self.length = self.along[-1]
        xs, ys = [x for x, _ in self.points], [y for _, y in self.points]
        self._box = min(xs), min(ys), max(xs), max(ys)

    def may_be_within(self, point: XY, metres: float) -> bool:
        """False where the line certainly is farther off: much quicker than measuring."""
        west, south, east, north = self._box
        return west - metres <= point[0] <= east + metres and south - metres <= point[1] <= north + metres

    def at(self, along: float) -> XY:
        """The point so many metres from the start; an end for what lies beyond it."""
        along = min(max(along, 0.0), self.length)
        i = min(bisect_right(self.along, along), len(self.points) - 1)
        if i == 0:
            return self.points[0]
        (ax, ay), (bx, by) = self.points[i - 1], self.points[i]
        part = (along - self.along[i - 1]) / (self.along[i] - self.along[i - 1])
        return ax + part * (bx - ax), ay + part * (by - ay)

    def nearest(self, point: XY) -> tuple[float, float]:
        """(metres along the line, metres off it) of the line's point nearest to `point`."""
        x, y = point
        best, found = float("inf"), 0.0
        for i, ((ax, ay), (bx, by)) in enumerate(pairwise(self.points)):
            off, part = _to_segment(x, y, ax, ay, bx, by)
            if off < best:
                best, found = off, self.along[i] + part * (self.along[i + 1] - self.along[i])
        return found, best

    def heading(self, along: float, over: float = 40.0) -> XY:
        """The direction in which the line runs there, of length 1."""
        ax, ay = self.at(along - over)
        bx, by = self.at(along + over)
        length = hypot(bx - ax, by - ay) or 1.0
        return (bx - ax) / length, (by - ay) / length

    def toward(self, along: float, direction: XY, metres: float) -> tuple[float, float] | None:
        """So far along from there, in the sense nearer to `direction`: (metres along, how well it fits, to 1)."""
        best: tuple[float, float] | None = None
        for sign in (1, -1):
            end = min(max(along + sign * metres, 0.0), self.length)
            if abs(end - along) < min(10.0, metres / 2):
                continue  # the road ends here
            (ax, ay), (bx, by) = self.at(along), self.at(end)
            length = hypot(bx - ax, by - ay) or 1.0
            fit = ((bx - ax) * direction[0] + (by - ay) * direction[1]) / length
            if best is None or fit > best[1]:
                best = end, fit
        return best

    def end(self, direction: XY) -> XY:
        """The one of the two ends that lies farther in the direction."""
        first, last = self.points[0], self.points[-1]
        return max(first, last, key=lambda p: p[0] * direction[0] + p[1] * direction[1])

    def meets(self, other: Line) -> XY | None:
        """Where the two roads cross or touch; None where they do neither."""
        for (ax, ay), (bx, by) in pairwise(self.points):
            for (cx, cy), (dx, dy) in pairwise(other.points):
                if max(ax, bx) < min(cx, dx) or max(cx, dx) < min(ax, bx):
                    continue
                if max(ay, by) < min(cy, dy) or max(cy, dy) < min(ay, by):
                    continue
                whole = (bx - ax) * (dy - cy) - (by - ay) * (dx - cx)
                if whole == 0:
                    continue
                t = ((cx - ax) * (dy - cy) - (cy - ay) * (dx - cx)) / whole
                u = ((cx - ax) * (by - ay) - (cy - ay) * (bx - ax)) / whole
                if 0 <= t <= 1 and 0 <= u <= 1:
                    return ax + t * (bx - ax), ay + t * (by - ay)
        ends = [(other.nearest(p), p) for p in (self.points[0], self.points[-1])]
        ends += [(self.nearest(p), p) for p in (other.points[0], other.points[-1])]
        (_, off), point = min(ends, key=lambda end: end[0][1])
        return point if off <= _MEET_M else None


class Roads:
    """Every drawn road, by name and by where it runs."""

    def __init__(self, drawn: Iterable[Drawn], plane: Plane) -> None:
        self.plane = plane
        parts: dict[str, list[list[XY]]] = {}
        widths: dict[str, float] = {}
        for road in drawn:
            points = [plane.metres(latitude, longitude) for longitude, latitude in road.points]
            if road.name and len(points) > 1 and any(point != points[0] for point in points):
                parts.setdefault(road.name, []).append(points)
                widths[road.name] = max(road.width_m, widths.get(road.name, 0.0))
        self._by_name = {
            # The longest piece is the road; what does not touch it is a stub of the same name.
            name: max((Line(name, piece, widths[name]) for piece in _joined(pieces)), key=lambda line: line.length)
            for name, pieces in parts.items()
        }
        self._cells: dict[tuple[int, int], set[str]] = {}
        for name, line in self._by_name.items():
            for a, b in pairwise(line.points):
                steps = int(hypot(b[0] - a[0], b[1] - a[1]) / (_CELL_M / 2)) + 1
                for step in range(steps + 1):
                    x, y = a[0] + (b[0] - a[0]) * step / steps, a[1] + (b[1] - a[1]) * step / steps
                    self._cells.setdefault((floor(x / _CELL_M), floor(y / _CELL_M)), set()).add(name)

    def get(self, name: str) -> Line | None:
        return self._by_name.get(name)

    def all(self) -> Iterable[Line]:
        return self._by_name.values()

    def nearest(self, point: XY) -> tuple[Line, float, float] | None:
        """(road, metres along it, metres off it) of the road nearest to the point, within some 250 m."""
        column, row = floor(point[0] / _CELL_M), floor(point[1] / _CELL_M)
        names = {
            name
            for x in range(column - 1, column + 2)
            for y in range(row - 1, row + 2)
            for name in self._cells.get((x, y), ())
        }
        found = [(line, *line.nearest(point)) for name in sorted(names) if (line := self._by_name[name])]
        return min(found, key=lambda one: one[2], default=None)


def read_base_map(base: Mapping[str, Any]) -> tuple[list[Drawn], dict[str, list[tuple[float, float]]]]:
    """(roads and waters, outlines by name) of a finished base map (see `district.geo.basemap`); longitude first."""
    scale, (x0, y0) = base["scale"], base["origin"]

    def decoded(flat: Sequence[int]) -> list[tuple[float, float]]:
        x, y = x0, y0
        points = []
        for dx, dy in zip(flat[::2], flat[1::2], strict=True):
            x, y = x + dx, y + dy
            points.append((x / scale, y / scale))
        return points

    roads: list[Drawn] = []
    outlines: dict[str, list[tuple[float, float]]] = {}
    for kind, _, items in base["layers"]:
        for item in items:
            if kind in ("road", "waterline") and len(item) > 1 and item[1]:
                width = item[2] if len(item) > 2 else _WIDTH_M
                roads.append(Drawn(item[1], tuple(decoded(item[0])), width, kind == "waterline"))
            elif kind == "park" and len(item) > 1:
                outlines[item[1]] = decoded(item[0][0])
    for rings, name, *_ in base.get("compounds", ()):
        if name:
            outlines[name] = decoded(rings[0])
    return roads, outlines


def _joined(pieces: Sequence[list[XY]]) -> list[list[XY]]:
    """The pieces of a road, end to end where they touch, whichever way each is drawn."""
    left, chains = list(pieces), []
    while left:
        chain = list(left.pop(0))
        while (at := next((at for at, piece in enumerate(left) if _join(chain, piece)), None)) is not None:
            left.pop(at)
        chains.append(chain)
    return chains


def _join(chain: list[XY], piece: Sequence[XY]) -> bool:
    """Make the chain longer by the piece, if they touch."""
    for new in (piece, piece[::-1]):
        if _near(chain[-1], new[0]):
            chain.extend(new)
            return True
        if _near(chain[0], new[-1]):
            chain[:0] = new
            return True
    return False


def _near(a: XY, b: XY) -> bool:
    return hypot(a[0] - b[0], a[1] - b[1]) <= _TOUCH_M


def _to_segment(x: float, y: float, ax: float, ay: float, bx: float, by: float) -> tuple[float, float]:
    """(distance, part of the segment at which it is nearest)."""
    dx, dy = bx - ax, by - ay
    square = dx * dx + dy * dy
    part = min(max(((x - ax) * dx + (y - ay) * dy) / square, 0.0), 1.0) if square else 0.0
    return hypot(ax + part * dx - x, ay + part * dy - y), part
