"""A place on the border between two streets: both are named and a person decides, where the rules would differ."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from flask import Flask

from district import settings
from district.extensions import db
from district.geo.index import Locator, Shape
from district.messages import t
from district.reports.models import Report
from district.reports.states import Status
from district.routing import service as routing
from district.routing import story
from district.routing.queries import latest_decision
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.factories import MIDDLE, SmallDistrict, forget_reference, make_area, make_report, make_rule, make_unit

DEMO = Path(__file__).parents[3] / "demo"
# The small district's street ends half a side east of its middle; the next one begins there.
BORDER = MIDDLE[1] + 0.02
EAST = "990000002"
METRE = 1 / 71_000  # degrees of longitude, about, at this latitude


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    district = SmallDistrict()
    with unit_of_work():
        make_area(EAST, middle=(MIDDLE[0], MIDDLE[1] + 0.04), name="东边街道")
        make_unit("J002", kind="street", name="东边街道办", area_codes=[EAST])
        make_rule("R0", "@area.street", priority=900, category_codes=["01037"], condition="text contains 雪")
    forget_reference()
    return district


def routed(district: SmallDistrict, metres_east: float, text: str) -> Report:
    report = make_report(
        district, description=text, latitude=MIDDLE[0], longitude=BORDER + metres_east * METRE, resident=None
    )
    with unit_of_work():
        routing.route_waiting()
    db.session.refresh(report)
    return report


@both_databases
@pytest.mark.parametrize("metres", [-6, 0, 6])
def test_where_the_streets_differ_both_are_named_and_a_person_decides(district: SmallDistrict, metres: int) -> None:
    report = routed(district, metres, "路上的雪没人扫")
    assert report.status == Status.TRIAGE
    sentence = t(report.reason["key"], **report.reason["params"])
    assert "中心街道办" in sentence
    assert "东边街道办" in sentence
    decision = latest_decision(report.id)
    assert decision is not None
    assert (decision.rule_code, decision.to_triage) == ("R0", True)
    outcomes = {entry["outcome"]: entry.get("unit") for entry in decision.trace}
    assert {outcomes["won"], outcomes["border"]} == {"J001", "J002"}
    told = " ".join(story.tell(decision.trace) + story.short(decision.trace, decision.inputs))
    assert "边界另一侧" in told
    assert "这里在边界上" in told


def test_where_both_sides_have_one_unit_it_goes_there_at_once(district: SmallDistrict) -> None:
    report = routed(district, 3, "路灯不亮")
    assert (report.status, report.unit_id) == (Status.ASSIGNED, district.lamps.id)


@pytest.mark.parametrize(("metres", "unit"), [(-15, "中心街道办"), (15, "东边街道办")])
def test_away_from_the_border_there_is_no_doubt(district: SmallDistrict, metres: int, unit: str) -> None:
    report = routed(district, metres, "路上的雪没人扫")
    assert report.status == Status.ASSIGNED
    assert report.unit is not None
    assert report.unit.name == unit


def test_a_district_says_how_near_is_on_the_border(district: SmallDistrict) -> None:
    with unit_of_work():
        settings.put("routing", {"backstop_unit": "CMD", "border_metres": 0})
        settings.changed("settings")
    forget_reference()
    assert routed(district, 0, "路上的雪没人扫").status == Status.ASSIGNED


def test_what_would_happen_names_both_too(district: SmallDistrict) -> None:
    answer = routing.decide_for("路上的雪没人扫", MIDDLE[0], BORDER, category_code="01037")
    assert answer["triage"]
    assert "东边街道办" in answer["reason"]
    assert {entry.get("unit") for entry in answer["trace"]} >= {"J001", "J002"}


def test_a_point_on_the_line_of_a_road_that_is_a_border_lies_on_the_border() -> None:
    """The demo's streets meet in the middle of roads: whichever way a point on the line is counted, both are known."""
    grids = json.loads((DEMO / "grids.geojson").read_text(encoding="utf-8"))["features"]
    shapes = [
        Shape(one["properties"]["level"], one["properties"]["code"], one["geometry"], one["properties"]["area_code"])
        for one in grids
        if one["properties"]["level"] == "area"
    ]
    locator = Locator(shapes)
    base = json.loads((DEMO / "basemap.geojson").read_text(encoding="utf-8"))["features"]
    on_border = 0
    for road in base:
        if road["properties"].get("kind") != "road" or road["geometry"]["type"] != "LineString":
            continue
        for (x1, y1), (x2, y2) in pairwise(road["geometry"]["coordinates"]):
            longitude, latitude = (x1 + x2) / 2, (y1 + y2) / 2
            sides = locator.neighbours(latitude, longitude, 1.0)
            on_border += bool(sides)
            assert locator.locate(latitude, longitude).area_code not in sides
    assert on_border > 50
