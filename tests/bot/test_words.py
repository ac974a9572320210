"""The short words by which residents steer the chat."""

from __future__ import annotations

import pytest

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
