"""What goes back to a resident is always one well-formed text message that WeChat accepts."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.protocol.inbound import read
from bot.protocol.reply import text_reply
from bot.protocol.xml import clean
from district.wechat.text import cut, shorten
from tests.support.wechat_platform import xml_of

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
MESSAGE = read(
    xml_of(
        {
            "ToUserName": "gh_1",
            "FromUserName": "oA",
            "CreateTime": 1,
            "MsgType": "text",
            "Content": "x",
            "MsgId": 1,
        }
    )
)


def parsed(content: str) -> dict[str, str]:
    root = ElementTree.fromstring(text_reply(MESSAGE, content, now=NOW))
    names = [one.tag for one in root]
    assert sorted(names) == ["Content", "CreateTime", "FromUserName", "MsgType", "ToUserName"]
    return {one.tag: one.text or "" for one in root}


def test_sender_and_receiver_are_swapped_and_the_time_is_whole() -> None:
    got = parsed("好")
    assert (got["ToUserName"], got["FromUserName"], got["MsgType"]) == ("oA", "gh_1", "text")
    assert got["CreateTime"] == str(int(NOW.timestamp()))


def test_a_resident_cannot_break_out_of_the_reply() -> None:
    attack = "x]]></Content><MsgType>event</MsgType><Content><![CDATA["
    assert parsed(attack)["Content"] == attack


def test_control_characters_are_dropped() -> None:
    assert parsed("a\x08\x00b\ufffe\ud800c")["Content"] == "abc"


@given(st.text(max_size=1500))
def test_any_words_come_out_as_they_went_in(text: str) -> None:
    got = parsed(text)["Content"]
    expected = clean(text).replace("\r\n", "\n").replace("\r", "\n")
    if len(clean(text).encode()) <= 2048:
        assert got == expected
    assert len(got.encode()) <= 2048


@pytest.mark.parametrize("character", ["a", "é", "井", "😀"])
@pytest.mark.parametrize("extra", range(5))
def test_a_long_text_is_cut_between_characters(character: str, extra: int) -> None:
    got = cut("x" * extra + character * 2049)
    assert len(got.encode()) <= 2048
    assert got.endswith("…")
    assert set(got) <= {"x", character, "…"}


def test_a_text_of_exactly_2048_bytes_is_left_alone() -> None:
    assert cut("x" * 2048) == "x" * 2048
    assert cut("x" * 2049) != "x" * 2049


def test_half_a_link_is_dropped_whole() -> None:
    got = cut("x" * 2000 + '<a href="https://example.com/a-rather-long-address">open</a>' + "y" * 100)
    assert "<a" not in got


def test_a_template_value_is_shortened_on_one_line() -> None:
    assert shorten("a\nb  c", 20) == "a b c"
    assert shorten("井" * 21, 20) == "井" * 19 + "…"
