"""The short words by which residents steer the chat."""

from __future__ import annotations

import pytest

from bot.chasing import LONGEST, Chase
from bot.words import is_only_pictures, language_of, words


@pytest.mark.parametrize("text", ["进度", "进度？", " 查进度。", "我的上报", "Progress", "my reports!", "修好了吗"])
def test_progress_is_asked_for(text: str) -> None:
    assert words().means("progress", text)


@pytest.mark.parametrize("text", ["进度条坏了", "我的车被刮了", "路灯修好了吗，一直没亮", ""])
def test_a_sentence_that_holds_the_word_is_no_order(text: str) -> None:
    assert not words().means("progress", text)


@pytest.mark.parametrize(
    "text, stars",
    [("5", 5), ("５", 5), ("5星", 5), ("五星", 5), ("3 分", 3), ("4 stars", 4), ("0", None), ("6", None), ("12", None),
     ("我给5分", 5), ("给个五星", 5), ("满分", 5), ("打3分", 3), ("给路灯", None),
     ("5号楼", None), ("星", None), ("", None)],
)  # fmt: skip
def test_stars_are_read(text: str, stars: int | None) -> None:
    assert words().stars(text) == stars


@pytest.mark.parametrize("text", ["😀", "[微笑]", "/::)", "😀😀！", "[Smile][Smile]", "👍🏻", "❤️"])
def test_pictures_only(text: str) -> None:
    assert is_only_pictures(text)


@pytest.mark.parametrize("text", ["路灯😀", "？？", "123", "[微笑]谢谢", ""])
def test_not_only_pictures(text: str) -> None:
    assert not is_only_pictures(text)


@pytest.mark.parametrize(
    "text, language",
    [("路灯坏了", "zh-Hans"), ("the light is broken", "en"), ("5", None), ("BH20261122-0042K", None),
     ("A栋", "zh-Hans"),
     ("[Smile]", None), ("https://example.com/f/ABC", None)],
)  # fmt: skip
def test_the_language_is_told_by_the_letters(text: str, language: str | None) -> None:
    assert language_of(text) == language


def test_numbers_and_codes_are_taken_out() -> None:
    assert words().without_number("BH20261122-0042K，还没修") == "还没修"
    assert words().without_code("23276101001000001 盖子坏了") == "盖子坏了"
    assert words().facility_in("扫出来是 HTTP://H/F/AB2CD 这个") == "HTTP://H/F/AB2CD"
    assert words().facility_in("电话13800000000") is None


def test_addresses_are_told_from_troubles() -> None:
    assert words().looks_like_place("民悦园3栋楼下")
    assert not words().looks_like_place("一直在漏水")


WHEN = (
    "什么时候修", "还要等多久？", "几天能修好", "谁负责", "这事归谁管", "哪个单位在办", "When will it be fixed?",
    "how long will it take", "who is responsible for this",
)  # fmt: skip
URGE = (
    "怎么还没人来", "都3天了还没修", "我等了一天了！", "到底管不管", "能不能快点", "催一下", "几天了也没个动静",
    "为啥还不来修", "你们什么时候来，为什么还没人管", "why is nobody coming", "hurry up please",
    "It has been 3 weeks and still not fixed",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "wanted"), [*((text, Chase.WHEN) for text in WHEN), *((text, Chase.URGE) for text in URGE)]
)
def test_who_urges_is_told_from_who_only_wants_to_know(text: str, wanted: Chase) -> None:
    assert words().chase(text) is wanted


@pytest.mark.parametrize(
    "text",
    ["没人收垃圾", "灯还没修", "什么时候来电", "几天没来水了", "井盖没了快来人", "你们什么时候扫雪", "这里没人管",
     "快", "来人", "3天了", "nobody empties the bin", "why is the light still broken", "", "？",
     "没人管" * (LONGEST // 3 + 1)],
)  # fmt: skip
def test_a_word_of_another_matter_is_no_asking_after_a_report(text: str) -> None:
    assert words().chase(text) is None


@pytest.mark.parametrize(
    ("text", "rest"),
    [("解决了，谢谢", "解决了"), ("谢谢，修好了", "修好了"), ("非常满意！谢谢你们", "非常满意"), ("谢谢", "谢谢"),
     ("路灯坏了", "路灯坏了")],
)  # fmt: skip
def test_thanks_beside_a_verdict_are_taken_off(text: str, rest: str) -> None:
    assert words().without_thanks(text) == rest
