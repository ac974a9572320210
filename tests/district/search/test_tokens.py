"""How texts are cut and queries read: cases by hand."""

from __future__ import annotations

import pytest

from district.search.tokens import Wanted, read_query, tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("路灯不亮", ["路灯", "灯不", "不亮", "亮"]),
        ("路灯，不亮", ["路灯", "灯", "不亮", "亮"]),
        ("人民路１７号", ["人民", "民路", "路", "17", "号"]),
        ("LED灯 Broken", ["led", "灯", "broken"]),
        ("BH20261122-0042K", ["bh20261122", "0042k"]),
        ("《》 -- !", []),
        ("", []),
    ],
)
def test_a_text_becomes_pairs_of_letters_and_whole_words(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("路灯", [Wanted(("路灯",), False)]),
        ("路灯不亮", [Wanted(("路灯", "灯不", "不亮"), False)]),
        ("路 17号", [Wanted(("路",), True), Wanted(("17", "号"), True)]),
        ("人民路17", [Wanted(("人民", "民路", "路", "17"), True)]),
        ('"人民路 17号楼"', [Wanted(("人民", "民路", "路", "17", "号楼"), False)]),
        ("“broken light”", [Wanted(("broken", "light"), False)]),
        ("broken", [Wanted(("broken",), True)]),
        ('"没有收尾', [Wanted(("没有", "有收", "收尾"), False)]),
        ("灯 灯", [Wanted(("灯",), True)]),
        ('% * \' ""', []),
    ],
)
def test_a_query_is_words_that_must_all_be_there(query: str, expected: list[Wanted]) -> None:
    assert read_query(query) == expected
