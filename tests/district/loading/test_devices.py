"""device_alarms.csv and devices.csv: what devices alarm about and which stand where, from the folder."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import func, select

from district import clock
from district.devices import service as devices
from district.devices.models import Device, DeviceAlarmKind
from district.extensions import db
from district.facilities.models import Facility
from district.units.models import Unit
from district.work import unit_of_work
from tests.district.loading.conftest import SpoiltFolder


def test_loading_brings_kinds_and_devices_and_leaves_those_of_the_panel(app: Flask, folder: SpoiltFolder) -> None:
    counts = folder.load().counts
    assert (counts["alarm_kinds"]["created"], counts["devices"]["created"]) == (17, 4)
    lamp = devices.kind_for("outage", "01037")
    cabinet = devices.kind_for("outage", "01060")
    assert lamp is not None
    assert cabinet is not None
    assert (lamp.category_code, lamp.flood_threshold, cabinet.category_code) == ("01037", 5, "01060")
    assert devices.kind_for("overflow", "01037") is None
    with unit_of_work():
        unit, place = db.session.scalars(select(Unit)).first(), db.session.scalars(select(Facility)).first()
        assert unit is not None
        assert place is not None
        db.session.add(Device(unit_id=unit.id, code="own", facility_id=place.id, created_at=clock.now()))
    folder.drop("devices.csv", "JG-010010")
    folder.put("devices.csv", 2, "cabinet", "NEW")
    assert folder.load().counts["devices"] == {"created": 0, "updated": 1, "unchanged": 2, "retired": 1}
    gone = db.session.scalars(select(Device.code).where(Device.retired_at.is_not(None))).all()
    assert gone == ["JG-010010"]


def test_a_district_may_do_without_them(app: Flask, folder: SpoiltFolder) -> None:
    for name in ("devices.csv", "device_alarms.csv"):
        (folder.path / name).unlink()
    folder.load()
    assert db.session.scalar(select(func.count()).select_from(DeviceAlarmKind)) == 0


@pytest.mark.parametrize(
    ("file", "column", "value", "part"),
    [
        ("device_alarms.csv", "alarm", "No Light", "No Light"),
        ("device_alarms.csv", "facility_type", "99999", "facility_types.csv has no '99999'"),
        ("device_alarms.csv", "category_code", "99999", "categories.csv has no '99999'"),
        ("device_alarms.csv", "wait_s", "soon", "soon"),
        ("device_alarms.csv", "is_critical", "1", "critical"),
        ("device_alarms.csv", "flood_threshold", "1", "no flood"),
        ("device_alarms.csv", "flood_s", "0", "0"),
        ("device_alarms.csv", "name_zh", "", "empty"),
        ("devices.csv", "unit_code", "XX", "units.csv has no 'XX'"),
        ("devices.csv", "facility_code", "1", "facilities.csv has no '1'"),
        ("devices.csv", "device", "", "empty"),
    ],
)
def test_a_mistake_is_named_with_its_line(folder: SpoiltFolder, file: str, column: str, value: str, part: str) -> None:
    folder.put(file, 2, column, value)
    problem = folder.the_problem()
    line = (problem.file, problem.line)
    assert line == (file, 2)
    assert problem.column in (column, "wait_s")
    assert part in str(problem)


def test_two_lines_for_the_same_device_are_one_too_many(folder: SpoiltFolder) -> None:
    folder.put("devices.csv", 3, "device", "JG-010010")
    folder.put("devices.csv", 3, "unit_code", "GS")
    assert folder.the_problem().line == 3
