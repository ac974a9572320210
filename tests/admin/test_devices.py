"""Devices in the panel: the list, one device, by hand and by file; what a facility's record and a report show."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from district import clock
from district.api_keys.service import Client
from district.devices import service as devices
from district.devices.models import Device, DeviceAlarm
from district.devices.service import Message, State
from district.extensions import db
from district.people.models import AuditEntry
from district.reports import service as reports
from district.reports.guards import SYSTEM
from district.reports.models import Report
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person, words_of
from tests.conftest import both_databases
from tests.factories import PASSWORD, SmallDistrict, forget_reference, make_area, make_staff
from tests.support.devices import Field, report_due, wait_over


@pytest.fixture
def field(district: SmallDistrict) -> Field:
    return Field(district)


def say(field: Field, device: str, alarm: str = "outage", state: State = State.RAISED) -> None:
    client = Client(1, "平台", field.district.lamps.id, frozenset(), 60, is_use_due=False)
    with unit_of_work():
        devices.take(Message(device=device, kind=alarm, state=state, words="电压 0"), client=client)


def only_report() -> Report:
    db.session.rollback()
    return db.session.scalars(select(Report)).one()


def device_id(code: str = "L-1") -> int:
    return db.session.scalars(select(Device.id).where(Device.code == code)).one()


def audited() -> list[str]:
    db.session.rollback()
    actions = db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id))
    return [action for action in actions if action.startswith("device.")]


@both_databases
def test_the_list_says_what_alarms_and_who_has_fallen_silent(
    district: SmallDistrict, field: Field, log_in: LogIn
) -> None:
    now = clock.now()
    field.lamp("QUIET-1", created_at=now - timedelta(days=9), last_seen_at=now - timedelta(days=2))
    field.lamp("FRESH-1", cabinet="K-7")
    say(field, "L-1")
    person = log_in("handler")
    page = words_of(person.get("/admin/devices"))
    for code in ("L-1", "QUIET-1", "FRESH-1", "K-7", "不亮", "报警中"):
        assert code in page
    alarmed = words_of(person.get("/admin/devices?tab=alarmed"))
    assert "L-1" in alarmed
    assert "FRESH-1" not in alarmed
    silent = words_of(person.get("/admin/devices?tab=silent"))
    assert "QUIET-1" in silent
    assert "FRESH-1" not in silent
    assert "L-1" not in silent
    found = words_of(person.get("/admin/devices?q=K-7"))
    assert "FRESH-1" in found
    assert "QUIET-1" not in found


def test_the_list_is_leafed_through_whole(field: Field, log_in: LogIn) -> None:
    for n in range(60):
        field.lamp(f"P-{n:03d}")
    person = log_in("leader")
    first = person.get("/admin/devices").get_data(as_text=True)
    (after,) = {part.split('"')[0] for part in first.split("after=")[1:]}
    second = person.get(f"/admin/devices?after={after}").get_data(as_text=True)
    shown = [f"P-{n:03d}" in first for n in range(60)], [f"P-{n:03d}" in second for n in range(60)]
    assert all(one != other for one, other in zip(*shown, strict=True))


@both_databases
def test_a_report_and_a_facility_tell_what_their_devices_said(
    district: SmallDistrict, field: Field, log_in: LogIn
) -> None:
    say(field, "L-1")
    with wait_over():
        report_due()
        found = only_report()
        with unit_of_work():
            reports.assign(reports.lock(found.id), district.lamps.id, by=SYSTEM)
        number = found.number
        person = log_in("handler")
        page = words_of(person.get(f"/admin/reports/{number}"))
        assert "L-1" in page
        assert "电压 0" in page
        assert "设备显示已恢复" not in page
        say(field, "L-1", state=State.CLEARED)
        assert "设备显示已恢复" in words_of(person.get(f"/admin/reports/{number}"))
        assert "1 个设备显示已恢复" in words_of(person.get("/admin/notices"))
        say(field, "L-1")
        for verb in (
            lambda r: reports.accept(r, by=district.staff["handler"]),
            lambda r: reports.resolve(r, by=district.staff["handler"], note="修好了"),
        ):
            with unit_of_work():
                verb(reports.lock(found.id))
        assert "设备还在报警" in words_of(person.get(f"/admin/reports/{number}"))
        record = words_of(person.get(f"/admin/facilities/{field.facility.code17}"))
        assert "L-1" in record
        assert number in record
        assert number in words_of(person.get(f"/admin/devices/{device_id()}"))


def test_whoever_may_not_see_a_report_does_not_read_its_number_here(
    district: SmallDistrict, field: Field, app: Flask, log_in: LogIn
) -> None:
    say(field, "L-1", "tilt")
    number = only_report().number
    with unit_of_work():
        make_area("990000002", middle=(50.6, 124.4), name="远方街道")
        limited = make_staff("far", district.command, *district.staff["dispatcher"].roles, password=PASSWORD)
        limited.area_scope = ["990000002"]
    forget_reference()
    person = log_in("dispatcher")
    paths = ("/admin/devices", f"/admin/devices/{device_id()}", f"/admin/facilities/{field.facility.code17}")
    assert all(number in words_of(person.get(path)) for path in paths)
    person = Person(app).sit_down(limited)
    assert not any(number in words_of(person.get(path)) for path in paths)


GIVEN = {"code": "N-1", "cabinet": "K-2", "model": "SLC"}


def form(field: Field, **more: Any) -> dict[str, Any]:
    return {**GIVEN, "unit": str(field.district.lamps.id), "facility": field.facility.code17} | more


def test_an_administrator_registers_changes_and_retires_a_device(field: Field, log_in: LogIn) -> None:
    person = log_in("administrator")
    made = person.post("/admin/devices/new", **form(field))
    assert made.status_code == 302
    found = device_id("N-1")
    person.post(f"/admin/devices/{found}", **form(field, cabinet="K-3"))
    assert db.session.get_one(Device, found).cabinet == "K-3"
    say(field, "N-1")
    person.post(f"/admin/devices/{found}/retire")
    alarm = db.session.scalars(select(DeviceAlarm)).one()
    assert alarm.cleared_at is not None
    assert alarm.due_at is None
    assert "N-1" in words_of(person.get("/admin/devices?tab=gone"))
    person.post(f"/admin/devices/{found}/restore")
    assert "N-1" not in words_of(person.get("/admin/devices?tab=gone"))
    assert audited() == ["device.add", "device.change", "device.retire", "device.restore"]
    assert "N-1" in words_of(person.get("/admin/audit?subject=device"))


@pytest.mark.parametrize(
    "field_name, value",
    [("code", ""), ("code", "x" * 81), ("unit", ""), ("facility", "1"), ("cabinet", "x" * 81), ("code", "L-1")],
)
def test_what_cannot_be_used_is_said_at_its_field_and_nothing_typed_is_lost(
    field: Field, log_in: LogIn, field_name: str, value: str
) -> None:
    person = log_in("administrator")
    answer = person.post("/admin/devices/new", **(form(field) | {field_name: value}))
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    assert f'id="error-{field_name}"' in page
    assert "SLC" in page
    assert len(db.session.scalars(select(Device)).all()) == 1


def test_the_same_name_is_another_device_of_another_unit(district: SmallDistrict, field: Field, log_in: LogIn) -> None:
    person = log_in("administrator")
    made = person.post("/admin/devices/new", **form(field, code="L-1", unit=str(district.street.id)))
    assert made.status_code == 302


def upload(person: Any, text: str | bytes) -> TestResponse:
    content = text if isinstance(text, bytes) else text.encode()
    answer: TestResponse = person.post("/admin/devices/import", file=(io.BytesIO(content), "d.csv"))
    return answer


def test_a_file_is_imported_whole_and_again_changes_nothing(field: Field, log_in: LogIn) -> None:
    person = log_in("administrator")
    code = field.facility.code17
    text = f"device,unit_code,facility_code,cabinet,model\nA-1,SZ-LD,{code},K-1,灯控\nL-1,SZ-LD,{code},K-1,\n"
    assert "新增 1 个，更新 1 个，没变 0 个" in words_of(upload(person, text))
    assert "新增 0 个，更新 0 个，没变 2 个" in words_of(upload(person, text.encode("gb18030")))
    assert db.session.scalars(select(Device.cabinet)).all() == ["K-1", "K-1"]
    assert audited() == ["device.import", "device.import"]


def test_a_file_with_mistakes_brings_nothing_and_names_them_all(field: Field, log_in: LogIn) -> None:
    person = log_in("administrator")
    code = field.facility.code17
    text = f"device,unit_code,facility_code\nA-1,SZ-LD,{code}\nA-2,NOBODY,{code}\nA-3,SZ-LD,123\nA-1,SZ-LD,{code}\n"
    answer = upload(person, text)
    assert answer.status_code == 422
    page = words_of(answer)
    for line in ("第 3 行", "第 4 行", "第 5 行", "NOBODY", "123"):
        assert line in page
    assert len(db.session.scalars(select(Device)).all()) == 1
    assert upload(person, "a,b\n1,2\n").status_code == 422
    assert upload(person, "").status_code == 422


def test_only_administrators_find_the_forms(field: Field, log_in: LogIn) -> None:
    person = log_in("handler")
    assert person.get("/admin/devices/new").status_code == 403
    assert "devices/import" not in person.get("/admin/devices").get_data(as_text=True)
    assert person.post("/admin/devices/new", **form(field)).status_code == 403
