"""One snapshot of reference data a process, read again when it changed."""

from __future__ import annotations

from datetime import date

import pytest
from flask import Flask

from district import clock, messages, settings
from district import reference as reference_module
from district.deadlines.models import CalendarDay
from district.extensions import db
from district.reference import Reference, forget, reference
from district.units.models import Unit
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.factories import MIDDLE, make_area, make_category, make_rule, make_unit


def add_unit(code: str) -> None:
    with unit_of_work():
        make_unit(code, name=f"name of {code}")


@both_databases
def test_a_snapshot_holds_what_is_committed(app: Flask) -> None:
    with unit_of_work():
        make_area("990000001")
        make_unit("LAMPS")
        make_category("01037")
        make_rule("R1", "LAMPS", priority=1)
        make_rule("R2", "LAMPS", priority=9)
        settings.put("limits", {"reopen_days": 7})
        db.session.add(CalendarDay(day=date(2026, 10, 1), kind="holiday", name="National Day"))
    found = reference()
    assert found.units_by_code["LAMPS"] == found.units_by_id[found.units_by_code["LAMPS"].id]
    assert found.categories_by_code["01037"].keywords == ("路灯", "灯不亮")
    assert [rule.code for rule in found.rules] == ["R2", "R1"]
    assert found.areas_by_code["990000001"].level == "area"
    assert found.calendar == ((date(2026, 10, 1), "holiday"),)
    assert found.setting("limits.reopen_days", 15) == 7
    assert found.setting("limits.nothing", 15) == 15
    assert found.setting("nothing.at.all") is None
    assert found.locator.locate(*MIDDLE).area_code == "990000001"
    assert found.gazetteer.find("nowhere").place is None


def test_it_is_the_same_object_until_something_changes(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_module, "CHECK_EVERY_S", 0.0)
    add_unit("ONE")
    first = reference()
    assert reference() is first
    add_unit("TWO")
    assert "TWO" in reference().units_by_code
    assert "TWO" not in first.units_by_code


def test_changes_elsewhere_are_looked_for_only_now_and_then(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_module, "CHECK_EVERY_S", 3600.0)
    add_unit("ONE")
    first = reference()
    add_unit("TWO")
    assert reference() is first
    forget()
    assert "TWO" in reference().units_by_code


def test_the_map_is_built_once_while_it_stays_the_same(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_module, "CHECK_EVERY_S", 0.0)
    with unit_of_work():
        make_area("990000001")
    locator = reference().locator
    add_unit("ONE")
    assert reference().locator is locator
    with unit_of_work():
        make_area("990000002", middle=(50.5, 124.5))
    assert reference().locator.locate(50.5, 124.5).area_code == "990000002"


@both_databases
def test_asking_inside_a_unit_of_work_leaves_it_alone(app: Flask) -> None:
    add_unit("ONE")
    with unit_of_work() as session:
        session.add(Unit(code="TWO", name="two", kind="k", role="handler", area_codes=["*"]))
        session.flush()
        assert "TWO" not in reference().units_by_code
        assert db.session().in_transaction()
    forget()
    assert "TWO" in reference().units_by_code


def test_asking_outside_of_one_opens_no_transaction(app: Flask) -> None:
    add_unit("ONE")
    db.session.remove()
    forget()
    reference()
    assert not db.session().in_transaction()


def test_closed_units_and_retired_categories_stay_known_for_old_reports(app: Flask) -> None:
    with unit_of_work():
        make_unit("GONE", closed_at=clock.now())
        old = make_category("01001", retired_at=clock.now())
        old_id = old.id
    found = reference()
    assert found.units_by_code["GONE"].is_closed
    assert "01001" not in found.categories_by_code
    assert found.categories_by_id[old_id].is_retired


def test_the_districts_own_wording_is_taken_over(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "routing.reason.confirm"
    monkeypatch.setattr(messages, "_wording", messages._wording)
    with unit_of_work():
        settings.put("wording", {"zh-Hans": {key: "own words"}})
        settings.changed("wording")
    forget()
    reference()
    assert messages.t(key) == "own words"


def test_what_is_derived_is_made_once_a_snapshot(app: Flask) -> None:
    made: list[str] = []

    def make(_ref: Reference) -> int:
        made.append("once")
        return 42

    assert [reference().once("test.number", make) for _ in range(3)] == [42, 42, 42]
    assert made == ["once"]
