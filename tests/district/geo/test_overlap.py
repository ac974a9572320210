"""How much of one outline lies in another."""

from __future__ import annotations

from math import cos, radians
from typing import Any

import pytest

from district.geo.measure import METRES_A_DEGREE
from district.geo.overlap import boxes_meet, cover, square_metres


def box(west: float, south: float, east: float, north: float) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def polygon(*rings: list[list[float]]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


SQUARE = polygon(box(0, 50, 1, 51))
HOLED = polygon(box(0, 50, 1, 51), box(0.25, 50.25, 0.75, 50.75))
TRIANGLE = polygon([[0, 50], [1, 50], [0, 51], [0, 50]])
TWO = {"type": "MultiPolygon", "coordinates": [[box(0, 50, 0.5, 50.5)], [box(0.5, 50.5, 1, 51)]]}


@pytest.mark.parametrize(
    ("outline", "other", "share"),
    [
        (SQUARE, SQUARE, 1.0),
        (SQUARE, polygon(box(2, 50, 3, 51)), 0.0),
        (SQUARE, polygon(box(1, 50, 2, 51)), 0.0),
        (SQUARE, polygon(box(0.5, 50, 1.5, 51)), 0.5),
        (SQUARE, polygon(box(0.5, 50.5, 1.5, 51.5)), 0.25),
        (SQUARE, polygon(box(-1, 49, 2, 52)), 1.0),
        (polygon(box(-1, 49, 2, 52)), SQUARE, 1 / 9),
        (SQUARE, TRIANGLE, 0.5),
        (TRIANGLE, SQUARE, 1.0),
        (SQUARE, HOLED, 0.75),
        (SQUARE, TWO, 0.5),
        (TWO, HOLED, 0.75),
        (polygon(box(0.3, 50.3, 0.7, 50.7)), HOLED, 0.0),
    ],
)
def test_the_share_of_an_outline_in_another(outline: Any, other: Any, share: float) -> None:
    assert cover(outline, other).share == pytest.approx(share, abs=0.002)


def test_the_size_is_in_square_metres() -> None:
    small = polygon(box(124.1, 50.4, 124.11, 50.41))
    expected = (0.01 * METRES_A_DEGREE) ** 2 * cos(radians(50.405))
    assert square_metres(small) == pytest.approx(expected, rel=0.001)
    assert square_metres(HOLED) == pytest.approx(0.75 * square_metres(SQUARE), rel=0.002)
    assert square_metres({"type": "MultiPolygon", "coordinates": []}) == 0


@pytest.mark.parametrize(
    ("other", "meet"),
    [(polygon(box(0.9, 50.9, 2, 52)), True), (polygon(box(1, 50, 2, 51)), False), (polygon(box(0, 52, 1, 53)), False)],
)
def test_boxes_that_cannot_overlap_are_told_quickly(other: Any, meet: bool) -> None:
    assert boxes_meet(SQUARE, other) is meet
    assert boxes_meet(other, SQUARE) is meet
