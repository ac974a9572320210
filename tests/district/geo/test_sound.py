"""How characters sound, and which sounds are taken for one another."""

from __future__ import annotations

import pytest

from district.geo.sound import folded, spelt, syllable


@pytest.mark.parametrize(
    ("character", "expected"),
    [
        ("民", "min"), ("路", "lu"), ("胜", "sheng"), ("绿", "lv"), ("座", "zuo"), ("鑫", "xin"), ("a", ""), ("。", ""),
        ("7", ""),
    ],
)  # fmt: skip
def test_a_character_has_the_syllable_it_stands_under(character: str, expected: str) -> None:
    assert syllable(character) == expected


@pytest.mark.parametrize(
    ("one", "other"), [("知", "资"), ("产", "惨"), ("是", "四"), ("南", "兰"), ("明", "民"), ("胜", "森"), ("堂", "谈")]
)
def test_what_is_easily_confused_sounds_alike(one: str, other: str) -> None:
    assert folded(one) == folded(other)


@pytest.mark.parametrize(("one", "other"), [("人", "民"), ("路", "街"), ("胡", "福"), ("a", "b"), ("囍", "㐀")])
def test_what_is_not_confused_sounds_different(one: str, other: str) -> None:
    assert folded(one) != folded(other)


def test_a_name_is_written_in_latin_letters_without_spaces() -> None:
    assert spelt("人民路") == "renminlu"
    assert spelt("兴安名苑2号楼") == "xinganmingyuan2haolou"
    assert spelt("㐀路") == ""
