"""How much of one outline lies in another, by cutting both into thin strips. Pure; geometry is WGS-84 GeoJSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import cos, radians
from typing import Any

from district.geo.index import Edge, edges_of
from district.geo.measure import METRES_A_DEGREE

# Enough for a share to be right to about a part in a thousand for outlines as people draw them.
STRIPS = 400

Outline = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cover:
    """The size of an outline and how much of it lies in another, both in square metres."""

    whole: float
    shared: float

    @property
    def share(self) -> float:
        """The part of it that lies in the other, 0 to 1."""
        return self.shared / self.whole if self.whole else 0.0


def cover(outline: Outline, other: Outline) -> Cover:
    """How large `outline` is, and how much of it lies in `other`. Both Polygons or MultiPolygons, holes included."""
    own, others = edges_of(outline), edges_of(other)
    if not own:
        return Cover(0.0, 0.0)
    south, north = min(edge[1] for edge in own), max(edge[3] for edge in own)
    step = (north - south) / STRIPS
    own_rows, other_rows = _by_strip(own, south, step), _by_strip(others, south, step)
    whole = shared = 0.0
    for strip in range(STRIPS):
        y = south + (strip + 0.5) * step
        spans = _spans(own_rows.get(strip, ()), y)
        whole += sum(right - left for left, right in spans)
        if strip in other_rows:
            shared += _common(spans, _spans(other_rows[strip], y))
    square = METRES_A_DEGREE**2 * cos(radians((south + north) / 2)) * step
    return Cover(whole * square, shared * square)


def square_metres(outline: Outline) -> float:
    """How large an outline is."""
    return cover(outline, {"type": "MultiPolygon", "coordinates": []}).whole


def boxes_meet(outline: Outline, other: Outline) -> bool:
    """Whether the two can have anything in common at all: quickly told."""
    own, others = edges_of(outline), edges_of(other)
    if not own or not others:
        return False
    return all(
        min(min(edge[low], edge[high]) for edge in some) < max(max(edge[low], edge[high]) for edge in rest)
        for some, rest in ((own, others), (others, own))
        for low, high in ((0, 2), (1, 3))
    )


def _by_strip(edges: Iterable[Edge], south: float, step: float) -> dict[int, list[Edge]]:
    """The edges that each strip's middle line may cross."""
    rows: dict[int, list[Edge]] = {}
    for edge in edges:
        first = max(0, int((edge[1] - south) / step) - 1) if step else 0
        last = min(STRIPS - 1, int((edge[3] - south) / step) + 1) if step else 0
        for strip in range(first, last + 1):
            rows.setdefault(strip, []).append(edge)
    return rows


def _spans(edges: Iterable[Edge], y: float) -> list[tuple[float, float]]:
    """Where a line to the east at y is inside, from west to east."""
    crossings = sorted(x1 + (x2 - x1) * (y - y1) / (y2 - y1) for x1, y1, x2, y2 in edges if y1 <= y < y2)
    return list(zip(crossings[::2], crossings[1::2], strict=False))


def _common(some: Sequence[tuple[float, float]], others: Sequence[tuple[float, float]]) -> float:
    return sum(
        max(0.0, min(right, other_right) - max(left, other_left))
        for left, right in some
        for other_left, other_right in others
    )
