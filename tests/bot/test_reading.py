"""Places in links, several problems in one message, corrections: what is read out of a text without asking anybody."""

from __future__ import annotations

import pytest

from bot import parts, place_link
from bot.corrections import Correction, mend
from bot.words import words

HERE = (50.428391, 124.128641)


@pytest.mark.parametrize(
    "address",
    [
        "https://uri.amap.com/marker?position=124.128641,50.428391&name=x",
        "https://wb.amap.com/?p=B0FF,50.428391,124.128641,x,y",
        "https://apis.map.qq.com/uri/v1/marker?marker=coord:50.428391,124.128641;title:x",
        "https://map.qq.com/?type=marker&pointx=124.128641&pointy=50.428391",
        "https://maps.google.com/maps?q=50.428391,124.128641",
        "https://www.google.com/maps/@50.428391,124.128641,17z",
        "https://maps.apple.com/?ll=50.428391,124.128641",
        "https://example.com/m?lat=50.428391&lng=124.128641",
        "https://example.com/m?coord=50.428391%2C124.128641",
        "geo:50.428391,124.128641?z=17",
    ],
)
def test_a_forwarded_place_is_read_in_any_order(address: str) -> None:
    found = place_link.read(address)
    assert found is not None
    assert (found.latitude, found.longitude) == HERE


@pytest.mark.parametrize(
    "address",
    [
        "https://example.com/news/1", "https://example.com/?q=7.99,12.50", "https://example.com/?lat=abc&lng=1",
        "https://api.map.baidu.com/marker?location=50.428391,124.128641", "http://[", "",
        "https://example.com/?location=50.428391,124.128641&coord_type=bd09ll",
    ],
)  # fmt: skip
def test_other_links_hold_no_place(address: str) -> None:
    assert place_link.read(address) is None


def test_a_link_names_its_place() -> None:
    found = place_link.read("https://apis.map.qq.com/x?marker=coord:50.428391,124.128641;title:%E5%95%86%E5%BA%97")
    assert found is not None
    assert found.name == "商店"
    assert place_link.address_in("在这 https://a.b/c?q=1，快来") == "https://a.b/c?q=1"


def category_of(piece: str) -> str | None:
    known = {"路灯": "lamp", "垃圾": "bin", "井盖": "cover", "灯不亮": "lamp"}
    return next((code for word, code in known.items() if word in piece), None)


def things_in(clause: str) -> list[str]:
    return [thing for thing in ("路灯", "垃圾", "井盖") if thing in clause]


@pytest.mark.parametrize(
    "text, found",
    [
        ("路灯不亮，垃圾没人收，井盖响", ["路灯不亮", "垃圾没人收", "井盖响"]),
        ("1. 路灯不亮 2. 垃圾没人收", ["路灯不亮", "垃圾没人收"]),
        ("①路灯不亮②井盖响", ["路灯不亮", "井盖响"]),
        ("路灯不亮，垃圾没人收", ["路灯不亮", "垃圾没人收"]),
        ("我们小区，路灯不亮，黑得很。垃圾也没人收", ["我们小区，路灯不亮，黑得很", "垃圾也没人收"]),
    ],
)
def test_several_problems_are_taken_apart(text: str, found: list[str]) -> None:
    assert parts.may_hold_several(text, things_in)
    assert parts.split(text, category_of) == found


@pytest.mark.parametrize(
    "text",
    [
        "路灯不亮，晚上黑得很", "路灯不亮，路灯还歪", "路灯不亮，好几天了，快来看看", "路灯不亮，垃圾挡着，路灯还歪",
        "路灯3.5米高，灯不亮。谢谢", "路灯不亮。", "",
    ],
)  # fmt: skip
def test_one_problem_stays_whole(text: str) -> None:
    assert not parts.may_hold_several(text, things_in) or parts.split(text, category_of) == [text]


@pytest.mark.parametrize(
    "text, found",
    [
        ("不是路灯，是井盖", Correction("", "路灯", "井盖")),
        ("不是路灯是井盖坏了", Correction("", "路灯", "井盖坏了")),
        ("不是这，在鑫源小区", Correction("place", "这", "鑫源小区")),
        ("地方错了", Correction("place")),
        ("地方错了，在人民路", Correction("place", "", "人民路")),
        ("位置不对！", Correction("place")),
        ("应该是井盖", Correction("", "", "井盖")),
        ("说错了", Correction("what")),
        ("说错了，是井盖", Correction("", "", "井盖")),
        ("It's not the light, it's the cover", Correction("", "the light", "cover")),
        ("wrong place", Correction("place")),
        ("not here, it's at the school", Correction("place", "here", "the school")),
        ("路灯不亮", None), ("路灯不是坏了，是被偷了", None), ("", None), ("不是", None),
    ],
)  # fmt: skip
def test_corrections_are_read(text: str, found: Correction | None) -> None:
    assert words().correction(text) == found


def test_the_wrong_word_is_exchanged_or_the_right_one_added() -> None:
    said = "不是路灯，是井盖"
    correction = Correction("", "路灯", "井盖")
    assert mend("门口路灯坏了", correction, said) == "门口井盖坏了"
    assert mend("门口灯坏了", correction, said) == "门口灯坏了\n不是路灯，是井盖"


@pytest.mark.parametrize(
    "text, number",
    [("2", 2), ("第二个", 2), ("第2件", 2), ("二", 2), ("2号", 2), ("２", 2), ("第二个吧台", None), ("two", 2)],
)
def test_a_line_is_chosen_as_people_say_it(text: str, number: int | None) -> None:
    assert words().choice(text) == number
