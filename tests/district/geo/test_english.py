"""English sentences about places: the part that says where, in Chinese."""

from __future__ import annotations

import pytest

from district.geo.english import in_chinese, is_english
from district.geo.names import NamedPoint, Names

NAMES = Names(
    [
        NamedPoint("人民路", "road", 50.42, 124.13),
        NamedPoint("胜利路", "road", 50.42, 124.13),
        NamedPoint("健康街", "road", 50.42, 124.13),
        NamedPoint("鑫源小区", "compound", 50.43, 124.14),
        NamedPoint("第三中学", "school", 50.43, 124.14),
        NamedPoint("兴安名苑", "compound", 50.43, 124.14),
    ]
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("The lamp at Renmin Road and Shengli Road crossing", "人民路和胜利路路口"),
        ("at the corner of Renmin Rd. and Shengli Rd.", "人民路和胜利路路口"),
        ("corner of Renmin Rd and Shengli Rd", "人民路和胜利路路口"),
        ("on ren min lu between Shengli Road and Jiankang Street", "人民路从胜利路到健康街之间"),
        ("Renmin Lu and Shengli Lu, light is out", "人民路和胜利路路口"),
        ("lights on Renmin Road and Shengli Road are out", "人民路，胜利路"),
        ("Xinyuan Community phase 2", "鑫源小区2期"),
        ("opposite the train station", "火车站对面"),
        ("100 meters north of the intersection of Renmin Road and Shengli Road", "人民路和胜利路路口往北100米"),
        ("the east gate of Xinyuan Community", "鑫源小区东门"),
        ("Xing'an Mingyuan, building 3", "兴安名苑3号楼"),
        ("No. 23 Renmin Road", "人民路23号"),
        ("behind No. 3 Middle School", "第三中学后面"),
        ("I live in Xinyuan Xiaoqu", "我住鑫源小区"),
        ("Nothing at all", ""),
    ],
)
def test_the_place_is_said_in_chinese(text: str, said: str) -> None:
    assert in_chinese(text, NAMES) == said


def test_only_sentences_are_english() -> None:
    assert is_english("the lamp is broken")
    assert not is_english("KTV门口")
    assert not is_english("路灯 abc")
