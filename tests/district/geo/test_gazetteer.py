"""Words → place: asserted only when they name one."""

from __future__ import annotations

import pytest

from district.geo.gazetteer import Drawn, Found, Gazetteer, HouseNumbers, NamedPoint, plain

# A small town: two long roads crossing in the middle, a lane, places along them. 0.001° is some 111 m north.
NORTH_ROAD = NamedPoint("东环路", "road", 50.420, 124.120, "A1", "A1C1", ("环路",))
LONG_ROAD = NamedPoint("人民路", "road", 50.420, 124.130, "A1", "A1C1")
SECOND_ROAD = NamedPoint("胜利路", "road", 50.425, 124.135, "A1", "A1C1")
LANE = NamedPoint("豆腐胡同", "road", 50.4205, 124.1301, "A1", "A1C1")
CROSSING = NamedPoint("人民路与胜利路路口", "crossing", 50.420, 124.135, "A1", "A1C1")
LANE_CROSSING = NamedPoint("人民路与豆腐胡同路口", "crossing", 50.4202, 124.1301, "A1", "A1C1")
COMPOUND = NamedPoint("鑫源小区", "compound", 50.430, 124.140, "A1", "A1C2", address="胜利路12号")
GATE = NamedPoint("鑫源小区东门", "gate", 50.4305, 124.1405, "A1", "A1C2", address="鑫源小区")
BANK_EAST = NamedPoint("胜利路工行", "shop", 50.422, 124.135, "A1", "A1C1", ("工行",), "胜利路东侧")
BANK_WEST = NamedPoint("人民路工行", "shop", 50.420, 124.110, "A2", "A2C1", ("工行",), "人民路北侧")
RIVER = NamedPoint("甘河", "river", 50.410, 124.130, "A1", "A1C1")
AREA = NamedPoint("东山街道", "area", 50.430, 124.130, "A1", "", ("东山",))
OTHER_AREA = NamedPoint("卫东街道", "area", 50.420, 124.110, "A2", "", ("卫东",))
STATION = NamedPoint("火车站", "station", 50.433, 124.127, "A1", "A1C1", ("k1站",))

TOWN = Gazetteer(
    [
        NORTH_ROAD, LONG_ROAD, SECOND_ROAD, LANE, CROSSING, LANE_CROSSING, COMPOUND, GATE, BANK_EAST, BANK_WEST,
        RIVER, AREA, OTHER_AREA, STATION,
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("鑫源小区里灯不亮", COMPOUND),
        ("鑫源小区东门的灯不亮", GATE),
        ("火车站前面有个坑", STATION),
        ("Ｋ１站 前面有个坑", STATION),
        ("胜利路和人民路路口灯不亮", CROSSING),
        ("人民路、胜利路交叉口", CROSSING),
        ("人民路胜利路那个十字口", CROSSING),
        ("人民路与胜利路路口", CROSSING),
        ("豆腐胡同里没有灯", LANE),
        ("人民路工行门口", BANK_WEST),
        ("胜利路上的工行门口", BANK_EAST),
        ("卫东的工行门口", BANK_WEST),
        ("鑫源小区，就是胜利路那个", COMPOUND),
        ("东山的鑫源小区", COMPOUND),
    ],
)
def test_words_that_name_one_place_find_it(text: str, place: NamedPoint) -> None:
    found = TOWN.find(text)
    assert found.place == place
    assert found.candidates[0] == place


@pytest.mark.parametrize(
    ("text", "candidates"),
    [
        ("工行门口有垃圾", {BANK_EAST, BANK_WEST}),
        ("人民路的灯都不亮", {LONG_ROAD}),
        ("人民路和胜利路的灯都不亮", {LONG_ROAD, SECOND_ROAD}),
        ("人民路到胜利路路口", {LONG_ROAD, SECOND_ROAD}),
        ("甘河里有垃圾", {RIVER}),
        ("东山的路都坏了", {AREA}),
        ("火车站到鑫源小区的公交不来", {STATION, COMPOUND}),
        ("环路没有灯", {NORTH_ROAD}),
    ],
)
def test_words_that_do_not_name_one_place_give_candidates_only(text: str, candidates: set[NamedPoint]) -> None:
    found = TOWN.find(text)
    assert found.place is None
    assert set(found.candidates) == candidates


@pytest.mark.parametrize("text", ["", "路灯不亮", "我家门口", "hello", "民路"])
def test_words_without_a_name_find_nothing(text: str) -> None:
    assert TOWN.find(text) == Found()


@pytest.mark.parametrize(
    ("text", "how", "place"),
    [
        ("鑫源小区里灯不亮", "name", COMPOUND),
        ("新源小区里灯不亮", "sound", COMPOUND),
        ("仁民路和胜力路路口", "crossing", CROSSING),
        ("鑫源小区的东门", "part", GATE),
    ],
)
def test_a_place_says_how_it_was_found(text: str, how: str, place: NamedPoint) -> None:
    found = TOWN.find(text)
    assert found.place is not None
    assert (found.place.name, found.how) == (place.name, how)


def test_words_with_a_slip_are_less_certain_and_become_an_alias() -> None:
    right, wrong = TOWN.find("鑫源小区的灯"), TOWN.find("新源小区的灯")
    assert right.confidence > wrong.confidence > 0
    assert wrong.place is not None
    assert "新源小区" in wrong.place.aliases


def test_the_span_leaves_the_matter() -> None:
    text = "昨晚鑫源小区门口灯不亮"
    found = TOWN.find(text)
    assert found.span is not None
    start, end = found.span
    assert (text[:start], text[start:end], text[end:]) == ("昨晚", "鑫源小区门口", "灯不亮")


def test_without_a_map_a_side_is_taken_as_the_crow_flies() -> None:
    found = TOWN.find("火车站往北100米")
    assert found.place is not None
    assert found.place.latitude == pytest.approx(STATION.latitude + 100 / 111_320, abs=2e-5)
    assert found.place.longitude == pytest.approx(STATION.longitude, abs=2e-5)
    assert found.place.aliases == ("火车站往北100米",)


@pytest.mark.parametrize("text", ["人民路23号", "人民路从胜利路到豆腐胡同那一段", "人民路东头"])
def test_without_a_map_what_needs_a_line_is_not_asserted(text: str) -> None:
    assert TOWN.find(text).place is None


@pytest.mark.parametrize(
    "again", ["那个", "那", "的", "门口", "一直", "旁边", "和", "renmin road ", "工行", "人民路和胜利路"]
)
@pytest.mark.parametrize("start", ["人民路", "鑫源小区", "工行", "人民路和胜利路路口"])
def test_a_text_that_repeats_itself_is_read_in_time(start: str, again: str) -> None:
    """It would not end within anybody's patience if the patterns could read it in endlessly many ways."""
    TOWN.find(start + again * 500 + start)


def test_a_street_office_is_not_the_road_of_that_name() -> None:
    town = Gazetteer([NamedPoint("东山街", "road", 50.42, 124.12), NamedPoint("东山街道", "area", 50.43, 124.13, "A1")])
    assert {point.kind for point in town.find("东山街办的人来过").candidates} == set()
    assert {point.kind for point in town.find("东山街的灯").candidates} == {"road"}


def test_numbers_are_reckoned_between_known_ones_where_the_district_names_no_rule() -> None:
    road = Drawn("长街", ((124.0, 50.0), (124.1, 50.0)))
    rows = [
        NamedPoint("长街", "road", 50.0, 124.05),
        NamedPoint("长街11号", "address", 50.0001, 124.01),
        NamedPoint("长街51号", "address", 50.0001, 124.03),
    ]
    town = Gazetteer(rows, roads=[road])
    found = town.find("长街31号门前")
    assert found.place is not None
    assert found.place.longitude == pytest.approx(124.02, abs=2e-4)
    assert found.place.latitude > 50.0  # odd numbers stand in the north
    assert town.find("长街11号").place == rows[1]
    assert town.find("长街401号").place is None
    ruled = Gazetteer(rows[:1], roads=[road], numbers=HouseNumbers(20, ("south", "west")))
    found = ruled.find("长街401号")
    assert found.place is not None
    assert found.place.longitude == pytest.approx(124.0 + 200.5 * 20 / (111_320 * 0.6428), abs=2e-4)
    assert found.place.latitude < 50.0


def test_an_empty_gazetteer_finds_nothing() -> None:
    assert Gazetteer([]).find("人民路") == Found()


def test_texts_are_compared_without_width_case_and_spaces() -> None:
    assert plain(" ＫＴＶ 门口\n") == "ktv门口"
