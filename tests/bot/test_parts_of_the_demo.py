"""A message with several problems is taken apart by what the demo district understands of its pieces."""

from __future__ import annotations

import pytest
from flask import Flask

from bot.parts import may_hold_several, split
from district.reference import reference
from district.understanding import understand

pytestmark = pytest.mark.demo


def category(piece: str) -> str | None:
    return understand(piece, reference(), has_place=True).category


def test_several_problems_are_taken_apart(app: Flask) -> None:
    found = split("兴安名苑的路灯不亮了，垃圾箱也满得冒尖了", category)
    assert [category(piece) for piece in found] == ["01037", "06042"]


@pytest.mark.parametrize("whole", ["路灯不亮了，黑了半个月，老人都不敢出门", "井盖没了，快来人", "路灯坏了"])
def test_one_problem_is_left_whole(app: Flask, whole: str) -> None:
    assert not may_hold_several(whole) or split(whole, category) == [whole]
