"""Is a GeoJSON geometry whole? Pure; coordinates are longitude, latitude."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from district.loading.files import Bounds

# Crossings are looked for on a grid of whole numbers: about a centimetre, and free of rounding.
_FINE = 10_000_000
_Whole = tuple[int, int]

# Every finite number.
_ANYWHERE = (-sys.float_info.max, -sys.float_info.max, sys.float_info.max, sys.float_info.max)

Fault = tuple[str, dict[str, Any]]


def fault_of(geometry: Any, kinds: Sequence[str], bounds: Bounds | None, *, whole: bool = True) -> Fault | None:
    """What is wrong with a geometry, as the key of a problem and what it needs; None when it is whole.

    kinds: the GeoJSON types that may stand here. Polygons need closed rings of four points or more. whole: rings must
    also enclose something and not cross themselves; what is only drawn need not.
    """
    if not isinstance(geometry, dict) or geometry.get("type") not in kinds:
        kind = geometry.get("type") if isinstance(geometry, dict) else None
        return "bad_geometry_type", {"kind": kind or "null", "allowed": ", ".join(kinds)}
    coordinates = geometry.get("coordinates")
    match geometry["type"]:
        case "Point":
            return _positions_fault([coordinates], bounds)
        case "LineString":
            if not isinstance(coordinates, list) or len(coordinates) < 2:
                return "line_too_short", {}
            return _positions_fault(coordinates, bounds)
        case "Polygon":
            polygons = [coordinates]
        case _:
            polygons = coordinates if isinstance(coordinates, list) and coordinates else [None]
    for rings in polygons:
        if not isinstance(rings, list) or not rings:
            return "ring_too_short", {"count": 0}
        for ring in rings:
            if fault := _ring_fault(ring, bounds, whole=whole):
                return fault
    return None


def _positions_fault(positions: Any, bounds: Bounds | None) -> Fault | None:
    west, south, east, north = (bounds.west, bounds.south, bounds.east, bounds.north) if bounds else _ANYWHERE
    for position in positions:
        # Nearly all are as they should be: that is seen at once.
        if type(position) is list and len(position) >= 2:
            x, y = position[0], position[1]
            if type(x) is float and type(y) is float and west <= x <= east and south <= y <= north:
                continue
        if not isinstance(position, list) or len(position) < 2 or not all(_is_number(value) for value in position[:2]):
            return "bad_position", {"value": str(position)[:60]}
        if bounds is not None and not bounds.hold(position[0], position[1]):
            return "position_out_of_bounds", {"longitude": position[0], "latitude": position[1]}
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _ring_fault(ring: Any, bounds: Bounds | None, *, whole: bool) -> Fault | None:
    if not isinstance(ring, list) or len(ring) < 4:
        return "ring_too_short", {"count": len(ring) if isinstance(ring, list) else 0}
    if fault := _positions_fault(ring, bounds):
        return fault
    if ring[0][:2] != ring[-1][:2]:
        return "ring_open", {"longitude": ring[0][0], "latitude": ring[0][1]}
    if not whole:
        return None
    points = [(round(x * _FINE), round(y * _FINE)) for x, y, *_ in ring]
    if crossing := _first_crossing(points):
        return "ring_crosses", {"longitude": crossing[0] / _FINE, "latitude": crossing[1] / _FINE}
    return ("ring_flat", {}) if _double_area(points) == 0 else None


def _double_area(points: Sequence[_Whole]) -> int:
    return sum(ax * by - bx * ay for (ax, ay), (bx, by) in pairwise(points))


def _first_crossing(points: Sequence[_Whole]) -> _Whole | None:
    """The beginning of an edge that crosses another edge; edges that only touch are let through."""
    edges = sorted((min(a[0], b[0]), max(a[0], b[0]), a, b) for a, b in pairwise(points) if a != b)
    # Each with its eastern, southern and northern end.
    open_edges: list[tuple[int, int, int, _Whole, _Whole]] = []
    for left, right, a, b in edges:
        low, high = (a[1], b[1]) if a[1] < b[1] else (b[1], a[1])
        open_edges = [edge for edge in open_edges if edge[0] >= left]
        for _, bottom, top, c, d in open_edges:
            if bottom <= high and low <= top and _cross(a, b, c, d):
                return a
        open_edges.append((right, low, high, a, b))
    return None


def _cross(a: _Whole, b: _Whole, c: _Whole, d: _Whole) -> bool:
    return _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0


def _turn(a: _Whole, b: _Whole, c: _Whole) -> int:
    """1 when a, b, c turn left, -1 when they turn right, 0 on a line."""
    value = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return (value > 0) - (value < 0)
