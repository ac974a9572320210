"""Point → grid, community, area, compound, against a slow and obvious reference."""

from __future__ import annotations

import csv
import json
from math import atan2, cos, pi, sin
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from district.geo.index import AREA, COMMUNITY, COMPOUND, GRID, Located, Locator, Shape, edges_of, is_inside

# One ten-thousandth of a degree is 11 m north and, at 50° N, 7 m east.
STEP = 0.0001
WEST, SOUTH = 124.0, 50.0


def ring(*points: tuple[float, float]) -> list[list[float]]:
    """A closed ring of (east, north) steps from the corner of the test's plane."""
    closed = [*points, points[0]]
    return [[WEST + x * STEP, SOUTH + y * STEP] for x, y in closed]


def polygon(*points: tuple[float, float]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [ring(*points)]}


def square(x: float, y: float, size: float) -> dict[str, Any]:
    return polygon((x, y), (x + size, y), (x + size, y + size), (x, y + size))


def at(x: float, y: float) -> tuple[float, float]:
    """(latitude, longitude) of a point given in steps."""
    return SOUTH + y * STEP, WEST + x * STEP


@pytest.fixture(scope="module")
def town() -> Locator:
    """Two areas side by side, each 200 steps wide; the western has two communities, one of them two grids."""
    return Locator(
        [
            Shape(AREA, "A1", square(0, 0, 200), "A1"),
            Shape(AREA, "A2", square(200, 0, 200), "A2"),
            Shape(COMMUNITY, "A1C1", polygon((0, 0), (100, 0), (100, 200), (0, 200)), "A1", "A1"),
            Shape(COMMUNITY, "A1C2", polygon((100, 0), (200, 0), (200, 200), (100, 200)), "A1", "A1"),
            Shape(GRID, "A1C1G1", polygon((0, 0), (100, 0), (100, 100), (0, 100)), "A1", "A1C1"),
            Shape(GRID, "A1C1G2", polygon((0, 100), (100, 100), (100, 200), (0, 200)), "A1", "A1C1"),
            Shape(COMPOUND, "XQ1", square(20, 20, 30), "A1", key=7),
        ]
    )


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (10, 10, ("A1", "A1C1", "A1C1G1", None)),
        (30, 30, ("A1", "A1C1", "A1C1G1", 7)),
        (10, 150, ("A1", "A1C1", "A1C1G2", None)),
        (150, 50, ("A1", "A1C2", "", None)),
        (300, 50, ("A2", "", "", None)),
    ],
)
def test_a_point_is_given_its_grid_community_area_and_compound(
    town: Locator, x: float, y: float, expected: tuple[str, str, str, int | None]
) -> None:
    found = town.locate(*at(x, y))
    assert (found.area_code, found.community_code, found.grid_code, found.compound_id) == expected
    assert found.in_district


def test_a_point_far_outside_is_in_no_area(town: Locator) -> None:
    assert town.locate(39.9, 116.4) == Located()
    assert town.locate(*at(-100, 50)) == Located()


def test_a_point_a_few_metres_outside_belongs_to_the_nearest_grid(town: Locator) -> None:
    found = town.locate(*at(-1, 150))
    assert (found.grid_code, found.in_district) == ("A1C1G2", True)


def test_near_the_border_of_two_areas_the_other_one_is_named(town: Locator) -> None:
    assert town.locate(*at(199, 50)).near_border == ("A2",)
    assert town.locate(*at(201, 50)).near_border == ("A1",)
    assert town.locate(*at(150, 50)).near_border == ()


def test_a_point_on_a_shared_border_goes_to_exactly_one_side(town: Locator) -> None:
    found = {town.locate(*at(200, y)).area_code for y in range(0, 200, 7)}
    assert len(found) == 1
    assert found <= {"A1", "A2"}


def test_a_hole_is_outside_and_an_island_in_it_is_inside() -> None:
    ground = {
        "type": "MultiPolygon",
        "coordinates": [
            [
                ring((0, 0), (300, 0), (300, 300), (0, 300)),
                ring((100, 100), (200, 100), (200, 200), (100, 200)),
            ],
            [ring((140, 140), (160, 140), (160, 160), (140, 160))],
        ],
    }
    locator = Locator([Shape(AREA, "A", ground, "A")])
    assert locator.locate(*at(50, 50)).area_code == "A"
    assert locator.locate(*at(120, 150)) == Located()
    assert locator.locate(*at(150, 150)).area_code == "A"


def test_without_a_map_no_point_is_called_outside() -> None:
    assert Locator([]).locate(50.0, 124.0) == Located(in_district=True)
    only_compounds = Locator([Shape(COMPOUND, "XQ1", square(0, 0, 10), key=1)])
    assert only_compounds.locate(*at(5, 5)) == Located(compound_id=1, in_district=True)
    assert only_compounds.locate(39.9, 116.4).in_district


def test_a_geometry_that_is_no_polygon_is_refused() -> None:
    with pytest.raises(ValueError, match="Polygon"):
        Locator([Shape(AREA, "A", {"type": "Point", "coordinates": [1, 2]}, "A")])


def winds_around(points: list[tuple[float, float]], x: float, y: float) -> bool:
    """The obvious reference: the angles under which a point inside sees the corners add up to a full turn."""
    total = 0.0
    for (x1, y1), (x2, y2) in zip(points, points[1:] + points[:1], strict=True):
        turn = atan2(y2 - y, x2 - x) - atan2(y1 - y, x1 - x)
        total += turn - 2 * pi if turn > pi else turn + 2 * pi if turn < -pi else turn
    return abs(total) > pi


# Stars around a centre: simple polygons of any shape, with corners on whole steps.
@st.composite
def stars(draw: st.DrawFn) -> list[tuple[float, float]]:
    count = draw(st.integers(3, 12))
    reach = draw(st.lists(st.integers(20, 150), min_size=count, max_size=count))
    return [
        (round(200 + reach[k] * cos(2 * pi * k / count)), round(200 + reach[k] * sin(2 * pi * k / count)))
        for k in range(count)
    ]


@settings(max_examples=60)
@given(st.lists(stars(), min_size=1, max_size=4), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400))))
def test_every_point_is_found_in_the_shapes_that_wind_around_it(
    shapes: list[list[tuple[float, float]]], points: list[tuple[int, int]]
) -> None:
    locator = Locator([Shape(COMPOUND, f"X{n}", polygon(*corners), key=n) for n, corners in enumerate(shapes)])
    for x, y in points:
        px, py = x + 0.37, y + 0.41
        holding = [n for n, corners in enumerate(shapes) if winds_around(corners, px, py)]
        assert locator.locate(*at(px, py)).compound_id == (holding[0] if holding else None)


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 400), min_size=2, max_size=8, unique=True),
    st.lists(st.tuples(st.integers(1, 399), st.integers(0, 100)), min_size=1, max_size=40),
)
def test_areas_that_share_a_crooked_border_split_the_plane_between_them(
    heights: list[int], points: list[tuple[int, int]]
) -> None:
    """The border runs from west to east; what the southern area does not hold, the northern one does."""
    border = [(400 * k / (len(heights) - 1), 100 + height) for k, height in enumerate(heights)]
    sides = {
        "S": polygon((0, 0), (400, 0), *reversed(border)),
        "N": polygon(*border, (400, 600), (0, 600)),
    }
    locator = Locator([Shape(AREA, code, geometry, code) for code, geometry in sides.items()])
    corners = [(x, y) for x, y in border if 0 < x < 400]
    for x, y in [*corners, *points]:
        latitude, longitude = at(x, y)
        holding = [code for code, geometry in sides.items() if is_inside(edges_of(geometry), longitude, latitude)]
        assert len(holding) == 1
        assert locator.locate(latitude, longitude).area_code == holding[0]


def test_every_demo_facility_is_found_in_its_own_grid() -> None:
    demo = Path(__file__).parents[3] / "demo"
    features = json.loads((demo / "grids.geojson").read_text(encoding="utf-8"))["features"]
    locator = Locator(
        Shape(
            properties["level"],
            properties["code"],
            feature["geometry"],
            properties["area_code"],
            properties["parent"],
        )
        for feature in features
        for properties in [feature["properties"]]
    )
    with (demo / "facilities.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found = locator.locate(float(row["lat"]), float(row["lon"]))
            assert (found.grid_code, found.area_code) == (row["grid_code"], row["area_code"]), row["code"]
