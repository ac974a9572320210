"""What people type, made safe to keep."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from district.words import clean


@pytest.mark.parametrize(
    "typed, kept",
    [
        ("  路灯不亮 ", "路灯不亮"),
        ("人民路　路灯坏了", "人民路 路灯坏了"),
        ("street\u00a0lamp", "street lamp"),
        ("第一行\r\n第二行", "第一行\n第二行"),
        ("a\x00b\x07c\x1b[31m", "abc[31m"),
        ("\ud800半个字", "半个字"),
        ("\u202e倒着写", "倒着写"),
        ("一家人👨‍👩‍👧来报", "一家人👨‍👩‍👧来报"),
        ("㐂𠮷野家", "㐂𠮷野家"),
        ("\u2028\ufeff", ""),
    ],
)
def test_only_what_can_be_read_stays(typed: str, kept: str) -> None:
    assert clean(typed) == kept


@given(st.text(alphabet=st.characters()))
def test_the_result_can_always_be_encoded_and_is_clean_already(text: str) -> None:
    result = clean(text)
    result.encode("utf-8")
    assert "\x00" not in result
    assert clean(result) == result
