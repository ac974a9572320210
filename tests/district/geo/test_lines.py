"""Roads as lines: along, beside, across."""

from __future__ import annotations

import pytest

from district.geo.basemap import base_map
from district.geo.lines import Drawn, Line, Plane, Roads, read_base_map

EAST = Line("east", [(0.0, 0.0), (100.0, 0.0), (300.0, 0.0)], 10.0)
NORTH = Line("north", [(200.0, -100.0), (200.0, 100.0)], 10.0)


def test_a_point_is_found_by_how_far_along_it_lies() -> None:
    assert EAST.length == 300
    assert EAST.at(50) == (50, 0)
    assert EAST.at(200) == (200, 0)
    assert EAST.at(-5) == (0, 0)
    assert EAST.at(999) == (300, 0)
    assert EAST.nearest((120, 30)) == (120, 30)
    assert EAST.nearest((-30, 40)) == (0, 50)


def test_one_walks_along_a_road_in_the_sense_nearer_to_the_direction() -> None:
    assert EAST.toward(100, (1, 0), 50) == (150, 1.0)
    assert EAST.toward(100, (-1, 0), 50) == (50, 1.0)
    end = EAST.toward(300, (1, 0), 50)  # the road ends there: only the way back is left
    assert end is not None
    assert end[1] == -1.0


def test_roads_meet_where_they_cross_or_where_one_ends_on_the_other() -> None:
    assert EAST.meets(NORTH) == (200, 0)
    ends_short = Line("ends short", [(50.0, 10.0), (50.0, 90.0)], 10.0)
    assert EAST.meets(ends_short) == (50, 10)
    assert EAST.meets(Line("far", [(50.0, 60.0), (50.0, 90.0)], 10.0)) is None
    assert EAST.meets(Line("beside", [(0.0, 60.0), (300.0, 60.0)], 10.0)) is None


def test_a_line_drawn_twice_at_the_same_point_still_has_directions() -> None:
    line = Line("twice", [(0.0, 0.0), (0.0, 0.0), (0.0, 100.0)], 10.0)
    assert line.at(30) == (0, 30)
    assert line.heading(50) == (0, 1)
    assert line.end((0, -1)) == (0, 0)


def test_pieces_of_a_road_are_joined_whichever_way_they_are_drawn() -> None:
    plane = Plane(50.0, 124.0)

    def piece(*metres: float) -> Drawn:
        points = tuple(plane.degrees((east, 0.0))[::-1] for east in metres)
        return Drawn("路", points)

    roads = Roads([piece(0, 100), piece(300, 200), piece(105, 195)], plane)
    line = roads.get("路")
    assert line is not None
    assert line.length == pytest.approx(300, abs=0.5)
    roads = Roads([piece(0, 100), piece(200, 101)], plane)
    line = roads.get("路")
    assert line is not None
    assert line.length == pytest.approx(200, abs=0.5)


def test_the_nearest_road_is_found_only_near_by() -> None:
    plane = Plane(50.0, 124.0)
    road = Drawn("路", tuple(plane.degrees((east, 0.0))[::-1] for east in (0.0, 2000.0)), 12.0)
    roads = Roads([road], plane)
    found = roads.nearest((1000.0, 40.0))
    assert found is not None
    line, along, off = found
    assert (line.name, line.width) == ("路", 12.0)
    assert (along, off) == pytest.approx((1000, 40), abs=0.5)
    assert roads.nearest((1000.0, 900.0)) is None
    assert Roads([], plane).nearest((0.0, 0.0)) is None


def test_lines_and_outlines_are_read_back_from_the_finished_map() -> None:
    def feature(kind: str, shape: str, coordinates: object, **more: object) -> dict[str, object]:
        properties = {"kind": kind, "class": "main", **more}
        return {"properties": properties, "geometry": {"type": shape, "coordinates": coordinates}}

    square = [[[124.0, 50.0], [124.01, 50.0], [124.01, 50.01], [124.0, 50.01], [124.0, 50.0]]]
    ground = {
        "features": [
            feature("background", "Polygon", [[[123, 49], [125, 49], [125, 51], [123, 51], [123, 49]]]),
            feature("road", "LineString", [[124.0, 50.0], [124.02, 50.0]], name="人民路", width=24),
            feature("road", "LineString", [[124.0, 50.1], [124.02, 50.1]]),
            feature("waterline", "LineString", [[124.0, 50.2], [124.02, 50.2]], name="甘河", width=90),
        ]
    }
    compounds = {
        "features": [{"properties": {"name": "鑫源小区"}, "geometry": {"type": "Polygon", "coordinates": square}}]
    }
    roads, outlines = read_base_map(base_map(ground, None, compounds))
    water, road = roads
    assert (water.name, water.width_m, water.is_water) == ("甘河", 90, True)
    assert (road.name, road.width_m, road.is_water) == ("人民路", 24, False)
    assert road.points[0] == pytest.approx((124.0, 50.0), abs=2e-5)
    assert road.points[-1] == pytest.approx((124.02, 50.0), abs=2e-5)
    assert len(outlines["鑫源小区"]) == 4
