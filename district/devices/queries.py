"""Lists of devices and of what they said."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import contains_eager, joinedload

from district import clock
from district.devices.models import Device, DeviceAlarm, DeviceAlarmKind
from district.errors import NotFound
from district.extensions import db
from district.facilities.models import Facility
from district.reference import reference
from district.reports.models import Report

PAGE_SIZE = 50
DEFAULT_SILENT_HOURS = 24


class Which(StrEnum):
    """Which devices a list shows: in use, those with an open alarm, those that have fallen silent, out of use."""

    ALL = "all"
    ALARMED = "alarmed"
    SILENT = "silent"
    GONE = "gone"


@dataclass(frozen=True)
class DevicePage:
    """next_after: the id to go on from; None at the end."""

    devices: list[Device]
    next_after: int | None


def silent_since() -> datetime:
    """Whoever was heard of last before this has fallen silent."""
    hours = int(reference().setting("devices.silent_hours", DEFAULT_SILENT_HOURS))
    return clock.now() - timedelta(hours=hours)


def is_silent(device: Device, since: datetime) -> bool:
    """since: of `silent_since`."""
    return device.retired_at is None and (device.last_seen_at or device.created_at) < since


def listed(which: Which, *, words: str = "", after: int | None = None) -> DevicePage:
    """A page of devices, newest first. words: in the device's name, its cabinet or its facility's name."""
    query = (
        select(Device)
        .join(Facility, Facility.id == Device.facility_id)
        .where(_is(which), *(_says(word) for word in words.split()[:5]))
        .options(contains_eager(Device.facility), joinedload(Device.unit))
    )
    if after is not None:
        query = query.where(Device.id < after)
    rows = list(db.session.scalars(query.order_by(Device.id.desc()).limit(PAGE_SIZE + 1)))
    return DevicePage(rows[:PAGE_SIZE], rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None)


def _says(word: str) -> ColumnElement[bool]:
    columns = (Device.code, Device.cabinet, Device.model, Facility.name)
    return or_(*(column.contains(word, autoescape=True) for column in columns))


def _is(which: Which) -> ColumnElement[bool]:
    if which is Which.GONE:
        return Device.retired_at.is_not(None)
    in_use = Device.retired_at.is_(None)
    if which is Which.ALARMED:
        open_alarm = exists().where(DeviceAlarm.device_id == Device.id, DeviceAlarm.cleared_at.is_(None))
        return and_(in_use, open_alarm)
    if which is Which.SILENT:
        return and_(in_use, func.coalesce(Device.last_seen_at, Device.created_at) < silent_since())
    return in_use


def counts() -> dict[Which, int]:
    """How many each list has."""
    return {
        which: db.session.scalar(select(func.count()).select_from(Device).where(_is(which))) or 0 for which in Which
    }


def one(device_id: int) -> Device:
    """Raises NotFound."""
    found = db.session.get(Device, device_id)
    if found is None:
        raise NotFound("smart.error.unknown")
    return found


def codes_of(ids: Collection[int]) -> dict[int, str]:
    """{id: what its platform calls it}."""
    rows = db.session.execute(select(Device.id, Device.code).where(Device.id.in_(ids))) if ids else ()
    return {row.id: row.code for row in rows}


def of_facility(facility_id: int) -> list[Device]:
    """The devices of a facility that are in use."""
    query = select(Device).where(Device.facility_id == facility_id, Device.retired_at.is_(None))
    return list(db.session.scalars(query.order_by(Device.id)))


def _whole(query: Select[Any]) -> Select[Any]:
    return query.options(
        joinedload(DeviceAlarm.kind), joinedload(DeviceAlarm.device).joinedload(Device.facility)
    )  # fmt: skip


def has_lasted() -> ColumnElement[bool]:
    """Not an alarm of which only the end was told: see `district.devices.service`."""
    return or_(
        DeviceAlarm.cleared_at.is_(None), DeviceAlarm.cleared_at != DeviceAlarm.raised_at,
        DeviceAlarm.report_id.is_not(None),
    )  # fmt: skip


def open_of(device_ids: Collection[int]) -> dict[int, list[DeviceAlarm]]:
    """What each of these alarms about now, by its id."""
    found: dict[int, list[DeviceAlarm]] = {}
    query = _whole(select(DeviceAlarm)).where(DeviceAlarm.device_id.in_(device_ids), DeviceAlarm.cleared_at.is_(None))
    for alarm in db.session.scalars(query.order_by(DeviceAlarm.raised_at)):
        found.setdefault(alarm.device_id, []).append(alarm)
    return found


def alarms_of(device_ids: Collection[int], *, limit: int = 20) -> list[DeviceAlarm]:
    """What these said, newest first."""
    query = _whole(select(DeviceAlarm)).where(DeviceAlarm.device_id.in_(device_ids), has_lasted())
    return list(db.session.scalars(query.order_by(DeviceAlarm.id.desc()).limit(limit)))


def reports_of(alarms: Collection[DeviceAlarm]) -> dict[int, Report]:
    """The reports that these became part of, by their ids."""
    ids = {alarm.report_id for alarm in alarms if alarm.report_id is not None}
    rows = db.session.scalars(select(Report).where(Report.id.in_(ids))) if ids else ()
    return {report.id: report for report in rows}


@dataclass(frozen=True)
class Story:
    """What devices have to do with a report. alarms: open ones first, at most so many as are shown of `count`."""

    alarms: list[DeviceAlarm]
    count: int
    open_count: int


def story_of(report_id: int, *, limit: int = 20) -> Story:
    """The alarms that a report was filed for or that joined it."""
    own = DeviceAlarm.report_id == report_id
    total, cleared = db.session.execute(
        select(func.count(), func.count(DeviceAlarm.cleared_at)).where(own)
    ).one()  # fmt: skip
    if not total:
        return Story([], 0, 0)
    query = _whole(select(DeviceAlarm)).where(own)
    query = query.order_by(DeviceAlarm.cleared_at.is_not(None), DeviceAlarm.raised_at, DeviceAlarm.id).limit(limit)
    return Story(list(db.session.scalars(query)), total, total - cleared)


def kinds() -> list[DeviceAlarmKind]:
    """What devices may alarm about here: by the platform's word, and then by the type of facility."""
    query = select(DeviceAlarmKind).where(DeviceAlarmKind.retired_at.is_(None))
    return list(db.session.scalars(query.order_by(DeviceAlarmKind.code, DeviceAlarmKind.facility_type_code)))
