"""Which street, community, unit grid and compound a point lies in, in microseconds and without a library.

The plane is cut into cells. A cell that no border of a shape crosses lies wholly inside or outside of it,
which is known beforehand; only in a cell that a border crosses are the few edges near the point looked at.

Borders: every edge is taken from its southern end to its northern end whatever the shape's winding, and a
point counts as east or west of it by one and the same sum. Two shapes that share an edge therefore never both
hold a point on it and never both miss it. Where shapes overlap, the lowest code wins; a point in a gap, or just
outside the district (a telephone's position is no better), goes to the nearest shape within `SNAP_M`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, hypot, radians, sqrt
from typing import Any

from district.geo.measure import METRES_A_DEGREE

SNAP_M = 20.0
# A telephone in a street is right to some 5 to 50 m: so near to a border both sides are worth naming.
NEAR_BORDER_M = 25.0

AREA, COMMUNITY, GRID, COMPOUND = "area", "community", "grid", "compound"

Edge = tuple[float, float, float, float]  # x and y of the southern end, x and y of the northern end


@dataclass(frozen=True, slots=True)
class Shape:
    """One polygon to be found again. level: area, community, grid or compound.

    geometry: GeoJSON, longitude first. parent: the code of the community a grid lies in, of the area a
    community lies in. key: a compound's id.
    """

    level: str
    code: str
    geometry: Mapping[str, Any]
    area_code: str = ""
    parent: str = ""
    key: int | None = None


@dataclass(frozen=True, slots=True)
class Located:
    """Where a point lies; codes are empty and compound_id is None where nothing holds it.

    near_border: the codes of the other areas whose border is within NEAR_BORDER_M, nearest first.
    """

    area_code: str = ""
    community_code: str = ""
    grid_code: str = ""
    compound_id: int | None = None
    in_district: bool = False
    near_border: tuple[str, ...] = ()


class _Cell:
    """What one cell knows: shapes that fill it, shapes whose border crosses it, area borders close by."""

    __slots__ = ("area_edges", "crossed", "filled")

    def __init__(self) -> None:
        self.filled: list[int] = []
        self.crossed: list[int] = []
        self.area_edges: list[tuple[str, Edge]] = []


class Locator:
    """An immutable index over the district's shapes."""

    def __init__(self, shapes: Iterable[Shape]) -> None:
        self._shapes = sorted(shapes, key=lambda shape: (shape.level, shape.code))
        self._rings = [edges_of(shape.geometry) for shape in self._shapes]
        self._cells: dict[int, _Cell] = {}
        self._has_areas = any(shape.level != COMPOUND for shape in self._shapes)
        every = [edge for edges in self._rings for edge in edges]
        if not every:
            self._columns = self._rows = 0
            return
        west, east = min(min(e[0], e[2]) for e in every), max(max(e[0], e[2]) for e in every)
        south, north = min(e[1] for e in every), max(e[3] for e in every)
        self._x_metres = METRES_A_DEGREE * cos(radians((south + north) / 2))
        margin = max(SNAP_M, NEAR_BORDER_M) * 2
        self._west, self._south = west - margin / self._x_metres, south - margin / METRES_A_DEGREE
        width = east - west + 2 * margin / self._x_metres
        height = north - south + 2 * margin / METRES_A_DEGREE
        # About four cells a shape keeps both the cells and the lists inside them short; none is narrower than
        # the distances above, so that whatever is near lies in the eight cells around.
        across = min(1000, int(sqrt(len(self._shapes)) * 2) + 2)
        self._columns = max(1, min(across, int(width * self._x_metres / margin)))
        self._rows = max(1, min(across, int(height * METRES_A_DEGREE / margin)))
        self._x_step, self._y_step = width / self._columns, height / self._rows
        self._row_edges = [self._by_row(edges) for edges in self._rings]
        for number in range(len(self._shapes)):
            self._rasterise(number)

    def locate(self, latitude: float, longitude: float) -> Located:
        """Where the WGS-84 point lies. Without any area loaded every point counts as inside the district."""
        if not self._columns:
            return Located(in_district=True)
        column = int((longitude - self._west) / self._x_step) if longitude >= self._west else -1
        row = int((latitude - self._south) / self._y_step) if latitude >= self._south else -1
        if not (0 <= column < self._columns and 0 <= row < self._rows):
            return Located(in_district=not self._has_areas)
        cell = self._cells.get(row * self._columns + column)
        found: dict[str, Shape] = {}
        if cell is not None:
            for number in self._holding(cell, row, latitude, longitude):
                # Numbers follow level and code, so the first of a level is the lowest code.
                found.setdefault(self._shapes[number].level, self._shapes[number])
        compound = found.pop(COMPOUND, None)
        innermost = found.get(GRID) or found.get(COMMUNITY) or found.get(AREA)
        if innermost is None or innermost.level != GRID:
            nearest = self._nearest(row, column, latitude, longitude, within_m=SNAP_M)
            if nearest is not None and (innermost is None or self._lies_in(nearest, innermost)):
                innermost = nearest
        if innermost is None:
            return Located(
                compound_id=compound.key if compound else None,
                in_district=not self._has_areas or compound is not None,
            )
        grid_code = innermost.code if innermost.level == GRID else ""
        community_code = {GRID: innermost.parent, COMMUNITY: innermost.code}.get(innermost.level, "")
        area_code = innermost.code if innermost.level == AREA else innermost.area_code
        near = self._near_areas(cell, latitude, longitude) if cell is not None else {}
        return Located(
            area_code=area_code,
            community_code=community_code,
            grid_code=grid_code,
            compound_id=compound.key if compound else None,
            in_district=True,
            near_border=tuple(code for code in sorted(near, key=lambda c: (near[c], c)) if code != area_code),
        )

    def neighbours(self, latitude: float, longitude: float, within_m: float = NEAR_BORDER_M) -> tuple[str, ...]:
        """The codes of the areas on the other side of a border within the metres (at most NEAR_BORDER_M), nearest
        first; none for a point that no area holds.
        """
        if not self._columns or longitude < self._west or latitude < self._south:
            return ()
        row, column = self._row(latitude), self._column(longitude)
        cell = self._cells.get(row * self._columns + column) if row < self._rows and column < self._columns else None
        # Most points are far from every border: that is found sooner than where they lie.
        near = self._near_areas(cell, latitude, longitude) if cell is not None and cell.area_edges else {}
        if not any(metres <= within_m for metres in near.values()):
            return ()
        here = self.locate(latitude, longitude)
        return tuple(code for code in here.near_border if near[code] <= within_m)

    def _holding(self, cell: _Cell, row: int, latitude: float, longitude: float) -> list[int]:
        """The numbers of the shapes that hold the point, lowest first."""
        held = [
            number for number in cell.crossed if is_inside(self._row_edges[number].get(row, ()), longitude, latitude)
        ]
        if not held:
            return cell.filled
        return sorted(held + cell.filled) if cell.filled else held

    def _lies_in(self, inner: Shape, outer: Shape) -> bool:
        return outer.code in (inner.code, inner.parent, inner.area_code)

    def _nearest(self, row: int, column: int, latitude: float, longitude: float, *, within_m: float) -> Shape | None:
        """The innermost shape, no compound, whose border is nearest; of two equally near the lowest code."""
        best: tuple[int, float, str] | None = None
        chosen: Shape | None = None
        depth = {GRID: 0, COMMUNITY: 1, AREA: 2}
        for number in sorted(
            {
                number
                for y in (row - 1, row, row + 1)
                for x in (column - 1, column, column + 1)
                if (cell := self._cells.get(y * self._columns + x)) is not None
                for number in cell.crossed
            }
        ):
            shape = self._shapes[number]
            if shape.level == COMPOUND:
                continue
            edges = {edge for y in (row - 1, row, row + 1) for edge in self._row_edges[number].get(y, ())}
            metres = min((self._metres(edge, latitude, longitude) for edge in edges), default=within_m + 1)
            if metres <= within_m:
                rank = (depth[shape.level], metres, shape.code)
                if best is None or rank < best:
                    best, chosen = rank, shape
        return chosen

    def _near_areas(self, cell: _Cell, latitude: float, longitude: float) -> dict[str, float]:
        near: dict[str, float] = {}
        for code, edge in cell.area_edges:
            metres = self._metres(edge, latitude, longitude)
            if metres <= NEAR_BORDER_M and metres < near.get(code, NEAR_BORDER_M + 1):
                near[code] = metres
        return near

    def _metres(self, edge: Edge, latitude: float, longitude: float) -> float:
        """Metres from the point to the edge."""
        ax, ay = (edge[0] - longitude) * self._x_metres, (edge[1] - latitude) * METRES_A_DEGREE
        bx, by = (edge[2] - longitude) * self._x_metres, (edge[3] - latitude) * METRES_A_DEGREE
        dx, dy = bx - ax, by - ay
        square = dx * dx + dy * dy
        along = 0.0 if square == 0 else min(1.0, max(0.0, -(ax * dx + ay * dy) / square))
        return hypot(ax + along * dx, ay + along * dy)

    def _by_row(self, edges: Sequence[Edge]) -> dict[int, tuple[Edge, ...]]:
        rows: dict[int, list[Edge]] = {}
        for edge in edges:
            for row in range(self._row(edge[1]), self._row(edge[3]) + 1):
                rows.setdefault(row, []).append(edge)
        return {row: tuple(found) for row, found in rows.items()}

    def _row(self, latitude: float) -> int:
        return int((latitude - self._south) / self._y_step)

    def _column(self, longitude: float) -> int:
        return int((longitude - self._west) / self._x_step)

    def _cell(self, row: int, column: int) -> _Cell:
        return self._cells.setdefault(row * self._columns + column, _Cell())

    def _rasterise(self, number: int) -> None:
        """Note in every cell whether the shape fills it or its border crosses it."""
        shape = self._shapes[number]
        crossed: dict[int, set[int]] = {}
        for row, edges in self._row_edges[number].items():
            for edge in edges:
                low, high = self._span_in_row(edge, row)
                crossed.setdefault(row, set()).update(range(low, high + 1))
        for row, columns in crossed.items():
            for column in columns:
                self._cell(row, column).crossed.append(number)
            middle = self._south + (row + 0.5) * self._y_step
            edges = self._row_edges[number][row]
            ordered = sorted(columns)
            for left, right in pairwise(ordered):
                if right - left < 2:
                    continue
                # No border runs between two crossed cells of a row: one look tells for all between them.
                if is_inside(edges, self._west + (left + 1.5) * self._x_step, middle):
                    for column in range(left + 1, right):
                        self._cell(row, column).filled.append(number)
        if shape.level == AREA:
            self._note_borders(shape.code, number)

    def _span_in_row(self, edge: Edge, row: int) -> tuple[int, int]:
        """First and last column that the edge touches within a row, a hair more for rounding."""
        x1, y1, x2, y2 = edge
        low_y, high_y = self._south + row * self._y_step, self._south + (row + 1) * self._y_step
        if y2 > y1:
            start = x1 + (x2 - x1) * max(0.0, (low_y - y1) / (y2 - y1))
            end = x1 + (x2 - x1) * min(1.0, (high_y - y1) / (y2 - y1))
        else:
            start, end = x1, x2
        hair = 1e-9
        return self._column(min(start, end) - hair), self._column(max(start, end) + hair)

    def _note_borders(self, code: str, number: int) -> None:
        """Put the area's edges into every cell from which they may be near."""
        x_reach, y_reach = NEAR_BORDER_M / self._x_metres, NEAR_BORDER_M / METRES_A_DEGREE
        for edge in self._rings[number]:
            west, east = min(edge[0], edge[2]) - x_reach, max(edge[0], edge[2]) + x_reach
            for row in range(self._row(edge[1] - y_reach), self._row(edge[3] + y_reach) + 1):
                for column in range(self._column(west), self._column(east) + 1):
                    self._cell(row, column).area_edges.append((code, edge))


def edges_of(geometry: Mapping[str, Any]) -> tuple[Edge, ...]:
    """The edges of a Polygon or MultiPolygon, holes included, each from south to north."""
    kind = geometry.get("type")
    if kind == "Polygon":
        polygons = [geometry["coordinates"]]
    elif kind == "MultiPolygon":
        polygons = list(geometry["coordinates"])
    else:
        raise ValueError(f"a Polygon or MultiPolygon is needed, not {kind!r}")
    found: list[Edge] = []
    for polygon in polygons:
        for ring in polygon:
            points = [(float(point[0]), float(point[1])) for point in ring]
            if points and points[0] != points[-1]:
                points.append(points[0])
            for (x1, y1), (x2, y2) in pairwise(points):
                if (y1, x1) > (y2, x2):
                    x1, y1, x2, y2 = x2, y2, x1, y1
                if (x1, y1) != (x2, y2):
                    found.append((x1, y1, x2, y2))
    return tuple(found)


def is_inside(edges: Sequence[Edge], x: float, y: float) -> bool:
    """Whether the ray from the point to the east crosses the edges an odd number of times.

    An edge holds its southern end and not its northern one, so that a ray through a corner counts once.
    """
    inside = False
    for x1, y1, x2, y2 in edges:
        if y1 <= y < y2 and (x2 - x1) * (y - y1) > (x - x1) * (y2 - y1):
            inside = not inside
    return inside
