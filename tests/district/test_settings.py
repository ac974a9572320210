"""The district's settings and the versions of its reference data."""

from __future__ import annotations

import pytest
from flask import Flask

from district import settings
from district.extensions import db
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.support.threads import in_threads

VALUES = ["文字", 15, 1.5, True, None, ["a", {"b": [1]}], {"zh-Hans": "区", "en": "district"}]


@both_databases
@pytest.mark.parametrize("value", VALUES)
def test_a_setting_holds_any_value(app: Flask, value: object) -> None:
    with unit_of_work():
        settings.put("x", value)
    db.session.expire_all()
    assert settings.get("x", "not there") == value
    assert settings.get("y", "not there") == "not there"


def test_a_setting_can_be_changed_inside(app: Flask) -> None:
    with unit_of_work():
        settings.put("limits", {"reopen_days": 15})
    with unit_of_work():
        settings.put("limits", {"reopen_days": 3})
    db.session.expire_all()
    assert settings.get("limits") == {"reopen_days": 3}


@both_databases
def test_versions_count_every_change_even_at_once(app: Flask) -> None:
    with unit_of_work():
        settings.changed("rules", "map")

    def change() -> None:
        with app.app_context():
            for _ in range(5):
                with unit_of_work():
                    settings.changed("rules")
            db.session.remove()

    in_threads([change] * 4)
    db.session.expire_all()
    assert settings.versions() == {"rules": 21, "map": 1}


def test_a_change_that_was_taken_back_does_not_count(app: Flask) -> None:
    with pytest.raises(ZeroDivisionError), unit_of_work():
        settings.changed("rules")
        raise ZeroDivisionError
    assert settings.versions() == {}
