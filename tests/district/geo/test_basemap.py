"""The base map's files: small, whole, and drawn from the bottom up."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from district.geo import basemap

DEMO = Path(__file__).resolve().parents[3] / "demo"


def layer(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((DEMO / f"{name}.geojson").read_text(encoding="utf-8"))
    return read


@pytest.fixture(scope="module")
def demo() -> dict[str, Any]:
    return basemap.base_map(layer("basemap"), layer("grids"), layer("compounds"))


def square(west: float, south: float, side: float) -> list[list[list[float]]]:
    east, north = west + side, south + side
    return [[[west, south], [east, south], [east, north], [west, north], [west, south]]]


def feature(geometry: str, coordinates: Any, **properties: Any) -> dict[str, Any]:
    return {"properties": properties, "geometry": {"type": geometry, "coordinates": coordinates}}


def points(file: dict[str, Any], deltas: list[int]) -> list[tuple[float, float]]:
    """A line of the file back in degrees, the way the map unpacks it."""
    x = y = 0
    found = []
    for index in range(0, len(deltas), 2):
        x, y = x + deltas[index], y + deltas[index + 1]
        found.append(((x + file["origin"][0]) / file["scale"], (y + file["origin"][1]) / file["scale"]))
    return found


def test_a_telephone_fetches_less_than_60_kilobytes(demo: dict[str, Any]) -> None:
    assert len(gzip.compress(json.dumps(demo, ensure_ascii=False, separators=(",", ":")).encode())) < 60 * 1024


def test_layers_come_in_drawing_order(demo: dict[str, Any]) -> None:
    kinds = [kind for kind, _, _ in demo["layers"]]
    assert kinds == sorted(kinds, key=basemap.DRAWING_ORDER.index)
    roads = [class_ for kind, class_, _ in demo["layers"] if kind == "road"]
    assert roads == ["rural", "lane", "street", "main"]


def test_every_feature_is_there_once(demo: dict[str, Any]) -> None:
    given_counts = Counter(f["properties"]["kind"] for f in layer("basemap")["features"])
    kept: Counter[str] = Counter()
    for kind, _, items in demo["layers"]:
        kept[kind] += len(items)
    assert kept == {kind: n for kind, n in given_counts.items() if kind != "building"}
    houses = basemap.buildings(layer("basemap"))
    assert sum(len(items) for _, _, items in houses["layers"]) == given_counts["building"]


def test_points_stay_where_they_are_to_a_metre_or_so() -> None:
    line = [[124.1, 50.4], [124.1123456, 50.4123456], [124.2, 50.41]]
    file = basemap.base_map({"features": [feature("LineString", line, kind="road", **{"class": "main"}, width=20)]})
    kept = points(file, file["layers"][0][2][0][0])
    assert len(kept) == 3
    for (x, y), (a, b) in zip(kept, line, strict=True):
        assert abs(x - a) < 1e-5
        assert abs(y - b) < 1e-5


def test_a_border_between_two_areas_is_drawn_once() -> None:
    grids = {
        "features": [
            feature("Polygon", square(124.0, 50.0, 0.1), level="area", name="West", code="1"),
            feature("Polygon", square(124.1, 50.0, 0.1), level="area", name="East", code="2"),
        ]
    }
    ground = {"features": [feature("Polygon", square(123.9, 49.9, 0.5), kind="background")]}
    file = basemap.base_map(ground, grids)
    edges: Counter[tuple[Any, ...]] = Counter()
    for line in file["borders"]["area"]:
        along = points(file, line)
        for a, b in pairwise(along):
            edges[tuple(sorted((a, b)))] += 1
    assert set(edges.values()) == {1}
    assert len(edges) == 7


def test_a_community_does_not_draw_its_streets_border_again(demo: dict[str, Any]) -> None:
    def edges(level: str) -> set[tuple[Any, ...]]:
        found = set()
        for line in demo["borders"][level]:
            along = points(demo, line)
            found |= {tuple(sorted(pair)) for pair in pairwise(along)}
        return found

    assert edges("area")
    assert edges("community")
    assert not edges("area") & edges("community")


def test_borders_are_long_lines_so_that_dashes_run_on(demo: dict[str, Any]) -> None:
    assert len(demo["borders"]["area"]) < 40


def test_areas_parks_and_compounds_are_named(demo: dict[str, Any]) -> None:
    assert len(demo["areas"]["area"]) == 8
    assert len(demo["areas"]["community"]) == 30
    assert len(demo["compounds"]) == 64
    parks = [item for kind, class_, items in demo["layers"] if (kind, class_) == ("park", "park") for item in items]
    assert all(len(item) == 4 for item in parks)


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), min_size=3, max_size=3, unique=True),
    st.integers(1, 200),
)
def test_a_label_sits_inside_its_polygon(corners: list[tuple[int, int]], notch: int) -> None:
    (ax, ay), (bx, by), (cx, cy) = corners
    doubled_area = abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay))
    ring = corners if doubled_area > 8000 else [(0, 0), (400, 0), (400, notch), (notch, notch), (notch, 400), (0, 400)]
    x, y = basemap.label_point([ring])
    assert basemap._distance_to_edge(x, y, basemap._edges([ring])) > -1


def test_a_label_keeps_out_of_a_hole() -> None:
    outer = [(0, 0), (1000, 0), (1000, 1000), (0, 1000)]
    hole = [(200, 200), (950, 200), (950, 950), (200, 950)]
    x, y = basemap.label_point([outer, hole])
    assert x < 200 or y < 200


def test_thinning_keeps_corners_and_drops_what_lies_on_a_line() -> None:
    line = [(0, 0), (10, 0), (20, 0), (30, 0), (30, 10), (30, 20)]
    assert basemap._thin(line) == [(0, 0), (30, 0), (30, 20)]
    ring = [(0, 0), (5, 0), (10, 0), (10, 5), (10, 10), (0, 10)]
    assert set(basemap._thin(ring, closed=True)) == {(0, 0), (10, 0), (10, 10), (0, 10)}


def test_a_geometry_the_map_cannot_draw_is_refused() -> None:
    odd = feature("GeometryCollection", [], kind="road")
    with pytest.raises(ValueError, match="GeometryCollection"):
        basemap.base_map({"features": [odd]})


def test_shapes_of_areas_carry_code_and_name() -> None:
    shapes = basemap.area_shapes(layer("grids"))
    assert [len(code) for code, _, _ in shapes["areas"]] == [9] * 8
    assert all(rings and len(rings[0]) >= 6 for _, _, rings in shapes["areas"])
