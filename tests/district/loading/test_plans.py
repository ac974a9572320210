"""inspection_plans.csv: what is looked at how often, from the folder."""

from __future__ import annotations

from datetime import date

import pytest
from flask import Flask
from sqlalchemy import select

from district.care import plans
from district.care.models import InspectionPlan
from district.extensions import db
from district.facilities.models import FacilityType
from district.people.models import Staff
from district.units.models import Unit
from district.work import unit_of_work
from tests.district.loading.conftest import SpoiltFolder

FILE = "inspection_plans.csv"


def test_loading_brings_the_files_plans_and_the_types_that_give_light(app: Flask, folder: SpoiltFolder) -> None:
    assert folder.load().counts["inspection_plans"]["created"] == 3
    covers = db.session.scalars(select(InspectionPlan).where(InspectionPlan.code == "JG-Q")).one()
    unit = db.session.scalars(select(Unit).where(Unit.code == "PS")).one()
    assert (covers.unit_id, covers.crew, covers.every, covers.every_unit) == (unit.id, "own", 2, "weeks")
    assert (covers.months, covers.starts_on) == ([4, 5, 6, 7, 8, 9, 10, 11], date(2026, 4, 6))
    lit = db.session.scalars(select(FacilityType.code).where(FacilityType.gives_light).order_by(FacilityType.code))
    assert lit.all() == ["01037", "01038", "01039"]
    with unit_of_work():
        by = db.session.scalars(select(Staff).where(Staff.username == "admin")).one()
        plans.end(covers.id, by=by)
    folder.drop(FILE, "LD-M")
    assert folder.load().counts["inspection_plans"]["retired"] == 1
    assert [one.code for one in plans.all_plans()] == ["GC-W"], "what was ended in the panel stays ended"


def test_a_district_does_without(app: Flask, folder: SpoiltFolder) -> None:
    (folder.path / FILE).unlink()
    assert folder.problems() == []


@pytest.mark.parametrize(
    ("column", "value", "part"),
    [
        ("facility_types", "01037;99999", "facility_types.csv has no '99999'"),
        ("facility_types", "", "empty"),
        ("area_codes", "1", "grids.geojson has no '1'"),
        ("crew", "everybody", "'everybody'"),
        ("crew", "all", "empty"),
        ("unit", "NOBODY", "units.csv has no 'NOBODY'"),
        ("every", "0", "from 1"),
        ("every_unit", "moons", "'moons'"),
        ("months", "0", "'0'"),
        ("starts_on", "2026-02-30", "2026-02-30"),
        ("code", "路灯", "LD-M"),
        ("code", "JG-Q", "more than once"),
    ],
)
def test_a_mistake_is_named_with_its_line(folder: SpoiltFolder, column: str, value: str, part: str) -> None:
    folder.put(FILE, 2, column, value)
    found = [one for one in folder.problems() if part in str(one)]
    assert found
    assert found[0].file == FILE
    assert found[0].column in (column, "unit")
