"""Words → place: asserted only when they name one."""

from __future__ import annotations

import pytest

from district.geo.gazetteer import Found, Gazetteer, NamedPoint, plain

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


def test_an_empty_gazetteer_finds_nothing() -> None:
    assert Gazetteer([]).find("人民路") == Found()


def test_texts_are_compared_without_width_case_and_spaces() -> None:
    assert plain(" ＫＴＶ 门口\n") == "ktv门口"
