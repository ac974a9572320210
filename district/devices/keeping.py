"""Devices added, changed, taken out of use and imported by administrators. None commits."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select, update

from district import audit, clock
from district.devices.models import Device, DeviceAlarm
from district.errors import BadInput, NotAllowed, NotFound, WrongState
from district.extensions import db
from district.facilities.models import Facility
from district.loading.device_rows import DEVICE_COLUMNS, read_device
from district.loading.files import Row
from district.loading.problems import Problem, Report, did_you_mean
from district.messages import t
from district.people.models import Staff
from district.people.roles import Role
from district.reference import reference
from district.words import clean

LONGEST = 80
LARGEST_FILE = 2_000_000
MOST_ROWS = 20_000


@dataclass(frozen=True)
class Given:
    """What a form says of a device. facility: a code of either scheme."""

    code: str
    unit_id: int | None
    facility: str
    cabinet: str = ""
    model: str = ""


@dataclass(frozen=True)
class Imported:
    """What a file did; problems: why it did nothing."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    problems: tuple[Problem, ...] = ()


def add(given: Given, *, by: Staff) -> Device:
    """A new device. Raises NotAllowed, and BadInput naming each field that cannot be used."""
    _require(by)
    values = _checked(given, None)
    device = Device(created_at=clock.now(), **values)
    db.session.add(device)
    db.session.flush()
    audit.record(by, "device.add", f"device:{device.id}", after=values)
    return device


def change(device_id: int, given: Given, *, by: Staff) -> Device:
    """Change where it stands and what it is called. Raises as `add` does, and NotFound."""
    _require(by)
    device = _locked(device_id)
    values = _checked(given, device.id)
    before = _told(device)
    for name, value in values.items():
        setattr(device, name, value)
    db.session.flush()
    if before != values:
        audit.record(by, "device.change", f"device:{device.id}", before=before, after=values)
    return device


def retire(device_id: int, *, by: Staff) -> Device:
    """It is gone: what it says is not taken any more, and what it said is over. Its reports stay as they are."""
    _require(by)
    device = _locked(device_id)
    if device.retired_at is not None:
        raise WrongState()
    now = clock.now()
    device.retired_at = now
    db.session.execute(
        update(DeviceAlarm)
        .where(DeviceAlarm.device_id == device.id, DeviceAlarm.cleared_at.is_(None))
        .values(cleared_at=now, due_at=None)
    )
    audit.record(by, "device.retire", f"device:{device.id}")
    return device


def restore(device_id: int, *, by: Staff) -> Device:
    """It is there again. Raises WrongState for one that never went."""
    _require(by)
    device = _locked(device_id)
    if device.retired_at is None:
        raise WrongState()
    device.retired_at = None
    audit.record(by, "device.restore", f"device:{device.id}")
    return device


def bring(name: str, text: str, *, by: Staff) -> Imported:
    """Take over a file with the columns of `devices.csv`: all of it, or nothing and why not.

    A device is known by its unit and its own name; one that was out of use is in use again.
    """
    _require(by)
    report = Report()
    rows = _rows(name, text, report)
    units = reference().units_by_code
    codes = {row.text("facility_code", required=False) for row in rows}
    places = _places(codes)
    # Codes are looked up rather than listed: a register has hundreds of thousands.
    where = {"units": t("admin.nav.units"), "facilities": t("admin.nav.facilities")}
    wanted: dict[str, dict[str, Any]] = {}
    for row in rows:
        key, record = read_device(row, units, places, where)
        if key and key in wanted:
            row.wrong("device", "duplicate", value=record["code"])
        elif key:
            wanted[key] = record
    if report.problems:
        return Imported(problems=tuple(report.problems))
    owners = {units[record["unit_code"]].id for record in wanted.values()}
    known = {
        (device.unit_id, device.code): device
        for device in db.session.scalars(select(Device).where(Device.unit_id.in_(owners)))
    }
    created = updated = 0
    for record in wanted.values():
        values = {
            "unit_id": units[record["unit_code"]].id, "code": record["code"],
            "facility_id": places[record["facility_code"]], "cabinet": record["cabinet"], "model": record["model"],
        }  # fmt: skip
        device = known.get((values["unit_id"], values["code"]))
        if device is None:
            db.session.add(Device(created_at=clock.now(), **values))
            created += 1
        elif _told(device) != values or device.retired_at is not None:
            for column, value in values.items():
                setattr(device, column, value)
            device.retired_at = None
            updated += 1
    db.session.flush()
    audit.record(by, "device.import", f"staff:{by.id}", file=name, created=created, updated=updated)
    return Imported(created, updated, len(wanted) - created - updated)


def _rows(name: str, text: str, report: Report) -> list[Row]:
    """The file's rows; what is wrong with it as a whole is noted."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    try:
        header = [column.strip() for column in reader.fieldnames or ()]
        missing = [column for column in DEVICE_COLUMNS[:3] if column not in header]
        for column in missing:
            report.add(name, 1, column, "missing_column", column=column, hint=did_you_mean(column, header))
        if missing:
            return []
        reader.fieldnames = header
        rows = []
        for cells in reader:
            line = reader.line_num
            if any(value for key, value in cells.items() if isinstance(value, str)):
                given = {key: value or "" for key, value in cells.items() if key is not None}
                rows.append(Row(name, line, given, report))
            if len(rows) > MOST_ROWS:
                report.add(name, line, None, "too_many_rows", most=MOST_ROWS)
                return []
    except csv.Error as error:
        report.add(name, reader.line_num, None, "bad_csv", reason=str(error))
        return []
    return rows


def _places(codes: set[str]) -> dict[str, int]:
    """{code of either scheme: facility's id} of those that there are."""
    found: dict[str, int] = {}
    wanted = sorted(codes - {""})
    for start in range(0, len(wanted), 500):
        part = wanted[start : start + 500]
        rows = db.session.execute(
            select(Facility.id, Facility.code, Facility.code17).where(
                or_(Facility.code.in_(part), Facility.code17.in_(part)), Facility.retired_at.is_(None)
            )
        )
        for row in rows:
            found |= {row.code17: row.id, row.code: row.id}
    return found


def _require(by: Staff) -> None:
    if Role.ADMINISTRATOR not in by.roles:
        raise NotAllowed()


def _locked(device_id: int) -> Device:
    device = db.session.get(Device, device_id, with_for_update={"of": Device}, populate_existing=True)
    if device is None:
        raise NotFound("smart.error.unknown")
    return device


def _checked(given: Given, device_id: int | None) -> dict[str, Any]:
    wrong: dict[str, str] = {}
    code, cabinet, model = clean(given.code), clean(given.cabinet), clean(given.model)
    if not 0 < len(code) <= LONGEST:
        wrong["code"] = "smart.problem.code"
    for name, value in (("cabinet", cabinet), ("model", model)):
        if len(value) > LONGEST:
            wrong[name] = "smart.problem.long"
    unit = reference().units_by_id.get(given.unit_id) if given.unit_id is not None else None
    if unit is None or unit.is_closed:
        wrong["unit"] = "smart.problem.unit"
    place_id = _places({given.facility.strip()}).get(given.facility.strip())
    if place_id is None:
        wrong["facility"] = "errors.facility_unknown"
    if not wrong and unit is not None:
        same = db.session.scalar(select(Device.id).where(Device.unit_id == unit.id, Device.code == code))
        if same is not None and same != device_id:
            wrong["code"] = "smart.problem.taken"
    if wrong or unit is None or place_id is None:
        raise BadInput(fields=wrong)
    return {"unit_id": unit.id, "code": code, "facility_id": place_id, "cabinet": cabinet, "model": model}


def _told(device: Device) -> dict[str, Any]:
    return {
        "unit_id": device.unit_id, "code": device.code, "facility_id": device.facility_id, "cabinet": device.cabinet,
        "model": device.model,
    }  # fmt: skip


def columns() -> Sequence[str]:
    """What a file to import may have."""
    return DEVICE_COLUMNS


def form_of(device: Device) -> Mapping[str, str]:
    """As its form shows it."""
    return {
        "code": device.code, "unit": str(device.unit_id), "facility": device.facility.code17,
        "cabinet": device.cabinet, "model": device.model,
    }  # fmt: skip
