"""A message with several problems is taken apart by what the demo district understands of its pieces."""

from __future__ import annotations

import pytest
from flask import Flask

from bot.world import DistrictWorld
from district import clock
from district.reference import reference
from district.understanding import understand

pytestmark = pytest.mark.demo


def category(piece: str) -> str | None:
    return understand(piece, reference(), has_place=True).category


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("兴安名苑的路灯不亮了，垃圾桶满了没人清", ["01037", "06042"]),
        ("人民路墙上贴满小广告，有人占道摆摊", ["07001", "09006"]),
    ],
)
def test_several_problems_are_taken_apart(app: Flask, text: str, about: list[str]) -> None:
    assert [category(piece) for piece in DistrictWorld(1, clock.now()).parts(text)] == about


@pytest.mark.parametrize(
    "whole",
    [
        "路灯不亮了，黑了半个月，老人都不敢出门",
        "井盖没了，快来人",
        "路灯坏了",
        "垃圾桶满了，臭死了",
        "人民路路口，路灯不亮了",
        "扫的码，灯不亮",
    ],
)
def test_one_problem_is_left_whole(app: Flask, whole: str) -> None:
    assert list(DistrictWorld(1, clock.now()).parts(whole)) == [whole]
