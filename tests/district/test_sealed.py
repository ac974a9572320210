"""Personal data at rest."""

from __future__ import annotations

import pytest
from flask import Flask

from district import sealed


def test_what_was_sealed_opens_and_cannot_be_read_before(app: Flask) -> None:
    closed = sealed.seal("王小明 13812345678")
    assert "13812345678" not in closed
    assert sealed.open_sealed(closed) == "王小明 13812345678"
    assert sealed.seal("王小明 13812345678") != closed


def test_nothing_stays_nothing(app: Flask) -> None:
    assert sealed.seal("") == sealed.open_sealed("") == ""


@pytest.mark.parametrize("damaged", ["x", "gAAAAA", "路灯"])
def test_what_another_key_sealed_or_what_is_damaged_opens_as_nothing(app: Flask, damaged: str) -> None:
    closed = sealed.seal("13812345678")
    assert sealed.open_sealed(damaged) == ""
    app.config["SECRET_KEY"] = "another key altogether"
    assert sealed.open_sealed(closed) == ""


@pytest.mark.parametrize(
    "whole, shown",
    [
        ("13812345678", "138****5678"),
        ("0457-5559100", "045****9100"),
        ("5559100", "5****00"),
        ("王小明", "***"),
        ("", ""),
    ],
)
def test_a_masked_number_can_be_recognised_and_not_called(whole: str, shown: str) -> None:
    assert sealed.masked(whole) == shown
    assert sum(character.isdigit() for character in shown) <= sum(character.isdigit() for character in whole) * 0.7
