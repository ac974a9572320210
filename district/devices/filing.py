"""How alarms become reports: joined to what their facility has open, filed, or gathered by their cabinet.

Whoever calls these holds the unit's devices (`district.devices.service.hold`). None commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from district import clock
from district.categories.models import Urgency
from district.devices.models import Device, DeviceAlarm, DeviceAlarmKind
from district.errors import BadInput
from district.extensions import db
from district.facilities.models import Facility
from district.messages import CHINESE, speaking, t
from district.notices import service as notices
from district.people.roles import Role
from district.reference import reference
from district.reports import merging
from district.reports import service as reports
from district.reports.guards import SYSTEM
from district.reports.history import record
from district.reports.models import EventKind, PlaceSource, Report, ReportEvent, Source
from district.reports.states import ENDED, OPEN, WAITING_FOR_DISPATCH, WITH_UNIT, Status

# Named in the report's words; the page lists all of them.
_MOST_NAMED = 12
_MOST_PARENTS = 5
# Nobody has begun: these may become part of a cabinet's report. What is being worked on is never taken away.
_UNTOUCHED = frozenset({Status.SUBMITTED, Status.TRIAGE, Status.ASSIGNED})
_WHOLE = (
    joinedload(DeviceAlarm.device).joinedload(Device.facility),
    joinedload(DeviceAlarm.kind),
)


@dataclass(frozen=True)
class Parcel:
    """Alarms that are looked at together. cabinet: empty for one alarm by itself."""

    unit_id: int
    cabinet: str
    kind_code: str
    alarm_ids: tuple[int, ...]


def due(limit: int = 2000) -> list[Parcel]:
    """What has lasted long enough to be reported now, longest first."""
    rows = db.session.scalars(
        select(DeviceAlarm)
        .options(*_WHOLE)
        .where(DeviceAlarm.due_at.is_not(None), DeviceAlarm.due_at <= clock.now())
        .order_by(DeviceAlarm.due_at, DeviceAlarm.id)
        .limit(limit)
    )
    return parcels(rows)


def parcels(alarms: Iterable[DeviceAlarm]) -> list[Parcel]:
    """The same, by what they hang on and what they say."""
    found: dict[tuple[int, str, str, int], list[int]] = {}
    for alarm in alarms:
        gathers = alarm.device.cabinet and alarm.kind.flood_threshold
        cabinet, alone = (alarm.device.cabinet, 0) if gathers else ("", alarm.id)
        found.setdefault((alarm.device.unit_id, cabinet, alarm.kind.code, alone), []).append(alarm.id)
    return [Parcel(unit, cabinet, code, tuple(ids)) for (unit, cabinet, code, _), ids in found.items()]


def report(parcel: Parcel) -> None:
    """Report what of the parcel is still open and still due."""
    alarms = db.session.scalars(
        select(DeviceAlarm)
        .options(*_WHOLE)
        .where(DeviceAlarm.id.in_(parcel.alarm_ids), DeviceAlarm.due_at.is_not(None))
        .order_by(DeviceAlarm.id)
        .execution_options(populate_existing=True)
    ).all()
    if not alarms:
        return
    left: Sequence[DeviceAlarm] = _of_cabinet(parcel, alarms) if parcel.cabinet else alarms
    for alarm in left:
        facility = alarm.device.facility
        head = _open_at(facility, alarm.kind.category_code)
        if head is not None:
            _attach([alarm], head, "joined")
            _note(head, alarm.kind, devices=1)
        else:
            head = _file(alarm.kind, facility, _words_of(alarm), alarm.client_id, alarm.kind.category_code)
            _attach([alarm], head, "filed")


def _of_cabinet(parcel: Parcel, alarms: Sequence[DeviceAlarm]) -> Sequence[DeviceAlarm]:
    """The cabinet's own report takes these; those that it does not are given back."""
    head = _running(parcel)
    kind = alarms[0].kind
    if head is not None:
        _attach(alarms, head, "flood")
        _note(head, kind, devices=len(alarms), cabinet=parcel.cabinet)
        return ()
    flood = _flood(parcel, kind)
    if not {alarm.id for alarm in alarms} & {alarm.id for alarm in flood}:
        return alarms
    before = {
        found.id: found for alarm in flood if (found := reported(alarm)) is not None and Status(found.status) in OPEN
    }
    facility = _cabinet_facility(parcel)
    category = _category_at(facility, kind) if facility is not None else kind.category_code
    head = _open_at(facility, category) if facility is not None else None
    if head is None:
        first = flood[0]
        place = facility or _middle(flood)
        head = _file(kind, place, _words_of_flood(parcel, flood), first.client_id, category)
    else:
        _note(head, kind, devices=len(flood), cabinet=parcel.cabinet)
    _attach([alarm for alarm in flood if alarm.report_id is None], head, "flood")
    for earlier in before.values():
        if earlier.id != head.id and _is_untouched(earlier):
            merging.merge(earlier.id, head.id, by=SYSTEM)
            _attach([alarm for alarm in flood if alarm.report_id == earlier.id], head, "flood")
    taken = {alarm.id for alarm in flood}
    return [alarm for alarm in alarms if alarm.id not in taken]


def _running(parcel: Parcel) -> Report | None:
    """The cabinet's report of this trouble that is still open."""
    found = db.session.scalars(
        select(Report)
        .join(DeviceAlarm, DeviceAlarm.report_id == Report.id)
        .join(Device, Device.id == DeviceAlarm.device_id)
        .join(DeviceAlarmKind, DeviceAlarmKind.id == DeviceAlarm.kind_id)
        .where(
            Device.unit_id == parcel.unit_id, Device.cabinet == parcel.cabinet, DeviceAlarm.how == "flood",
            DeviceAlarmKind.code == parcel.kind_code,
        )
        .order_by(Report.id.desc())
        .limit(1)
    ).one_or_none()  # fmt: skip
    head = _head_of(found) if found is not None else None
    if head is None or Status(head.status) not in OPEN:
        return None
    head = reports.lock(head.id)
    return head if Status(head.status) in OPEN else None


def _flood(parcel: Parcel, kind: DeviceAlarmKind) -> list[DeviceAlarm]:
    """Which of the cabinet's open alarms came together, so many within so long; empty when none did."""
    alarms = db.session.scalars(
        select(DeviceAlarm)
        .options(*_WHOLE)
        .join(Device, Device.id == DeviceAlarm.device_id)
        .join(DeviceAlarmKind, DeviceAlarmKind.id == DeviceAlarm.kind_id)
        .where(
            Device.unit_id == parcel.unit_id, Device.cabinet == parcel.cabinet,
            DeviceAlarmKind.code == parcel.kind_code, DeviceAlarm.cleared_at.is_(None),
        )
        .order_by(DeviceAlarm.raised_at, DeviceAlarm.id)
    ).all()  # fmt: skip
    within, most = timedelta(seconds=kind.flood_s), kind.flood_threshold
    together: set[int] = set()
    for begin in range(len(alarms) - most + 1):
        run = alarms[begin : begin + most]
        if run[-1].raised_at - run[0].raised_at <= within:
            together.update(alarm.id for alarm in run)
    return [alarm for alarm in alarms if alarm.id in together]


def _cabinet_facility(parcel: Parcel) -> Facility | None:
    """The facility that the cabinet is: by a device with its name, or by its own code of either scheme."""
    found = db.session.scalar(
        select(Facility)
        .join(Device, Device.facility_id == Facility.id)
        .where(Device.unit_id == parcel.unit_id, Device.code == parcel.cabinet, Device.retired_at.is_(None))
    )
    if found is None:
        found = db.session.scalar(
            select(Facility).where((Facility.code == parcel.cabinet) | (Facility.code17 == parcel.cabinet))
        )
    return found if found is not None and found.retired_at is None else None


def _category_at(facility: Facility, kind: DeviceAlarmKind) -> str:
    """As what the trouble is reported on the cabinet itself, where the district has a line for its type."""
    own = db.session.scalar(
        select(DeviceAlarmKind.category_code).where(
            DeviceAlarmKind.code == kind.code,
            DeviceAlarmKind.facility_type_code == facility.type.code,
            DeviceAlarmKind.retired_at.is_(None),
        )
    )
    return own or kind.category_code


@dataclass(frozen=True)
class _Middle:
    """In the middle of several facilities, WGS-84."""

    latitude: float
    longitude: float
    address: str


def _middle(alarms: Sequence[DeviceAlarm]) -> _Middle:
    places = [alarm.device.facility for alarm in alarms]
    return _Middle(
        sum(place.latitude for place in places) / len(places),
        sum(place.longitude for place in places) / len(places),
        places[0].address,
    )


def _open_at(facility: Facility, category_code: str) -> Report | None:
    """What is open there of this category, the eldest; what waits for its check counts, its checker wants to know."""
    category = reference().categories_by_code.get(category_code)
    if category is None:
        return None
    return db.session.scalar(
        select(Report)
        .where(
            Report.facility_id == facility.id, Report.category_id == category.id,
            Report.status.in_([str(status) for status in sorted(OPEN)]),
        )
        .order_by(Report.id)
        .limit(1)
        .with_for_update(of=Report)
        .execution_options(populate_existing=True)
    )  # fmt: skip


def _file(
    kind: DeviceAlarmKind, place: Facility | _Middle, words: str, client_id: int | None, category_code: str
) -> Report:
    """File it. Where the register or the categories have changed since, less is said rather than nothing."""
    new = reports.NewReport(
        source=Source.DEVICE,
        description=words,
        category_code=category_code,
        facility_id=place.id if isinstance(place, Facility) else None,
        latitude=place.latitude,
        longitude=place.longitude,
        address=place.address,
        place_source=PlaceSource.FACILITY,
        urgency=Urgency.CRITICAL if kind.is_critical else None,
        client_id=client_id,
    )
    without = {
        "facility": {"facility_id": None},
        "category": {"category_code": ""},
        "latitude": {"latitude": None, "longitude": None, "facility_id": None, "place_source": None},
        "address": {"address": ""},
    }
    try:
        return reports.submit(new, by=None)
    except BadInput as error:
        for name in error.fields:
            new = replace(new, **without.get(name, {}))  # type: ignore[arg-type]
        return reports.submit(new, by=None)


def _words_of(alarm: DeviceAlarm) -> str:
    """What the report says, in Chinese: units read it."""
    with speaking(CHINESE):
        said = t(
            "smart.report.one", kind=alarm.kind.name, facility=alarm.device.facility.name, device=alarm.device.code
        )  # fmt: skip
        return said + (t("smart.report.message", words=alarm.message) if alarm.message else "")


def _words_of_flood(parcel: Parcel, alarms: Sequence[DeviceAlarm]) -> str:
    names = list(dict.fromkeys(alarm.device.facility.name for alarm in alarms))
    with speaking(CHINESE):
        named = t("admin.between").join(names[:_MOST_NAMED])
        more = t("smart.report.more") if len(names) > _MOST_NAMED else ""
        return t(
            "smart.report.flood", cabinet=parcel.cabinet, n=len(alarms), kind=alarms[0].kind.name,
            facilities=named + more,
        )  # fmt: skip


def _attach(alarms: Sequence[DeviceAlarm], head: Report, how: str) -> None:
    for alarm in alarms:
        alarm.report_id, alarm.how, alarm.due_at = head.id, how, None
    db.session.flush()


# What a report hears of its devices later


def note_back(alarm: DeviceAlarm) -> None:
    """It was clear and is raised again. Said once: a stammering device must not fill the history."""
    head = reported(alarm)
    if head is not None and alarm.again == 1 and Status(head.status) in OPEN:
        _note(head, alarm.kind, devices=1, came_back=True)


def note_cleared(alarm: DeviceAlarm) -> None:
    """All of a report's devices are well again: its history says so, and whoever works on it is told, once.

    A report is never closed by a machine: somebody has to look.
    """
    head = reported(alarm)
    if head is None or Status(head.status) not in OPEN or (alarm.again > 0 and _was_said(head)):
        return
    rows = db.session.scalars(select(DeviceAlarm.cleared_at).where(DeviceAlarm.report_id == alarm.report_id)).all()
    if any(cleared_at is None for cleared_at in rows):
        return
    record(
        head, EventKind.DEVICE_CLEARED, SYSTEM, is_public=False,
        data={"alarm": _name(alarm.kind), "devices": len(rows)},
    )  # fmt: skip
    told = notices.people_of(head.unit_id) if head.unit_id is not None else notices.with_role(Role.DISPATCHER)
    notices.tell("device_cleared", told, report_id=head.id, n=len(rows))


def _was_said(head: Report) -> bool:
    said = select(ReportEvent.id).where(
        ReportEvent.report_id == head.id, ReportEvent.kind == EventKind.DEVICE_CLEARED
    )  # fmt: skip
    return db.session.scalar(said.limit(1)) is not None


def is_over(alarm: DeviceAlarm) -> bool:
    """Whether its report has ended; one that has none yet is not over."""
    found = reported(alarm)
    return found is not None and Status(found.status) in ENDED


def closed_at(alarm: DeviceAlarm | None) -> datetime | None:
    """When its report was closed; None where it has none or ended otherwise."""
    found = reported(alarm) if alarm is not None else None
    return found.closed_at if found is not None else None


def reported(alarm: DeviceAlarm) -> Report | None:
    """The report that it is part of, or the one that this has joined."""
    found = db.session.get(Report, alarm.report_id) if alarm.report_id is not None else None
    return _head_of(found) if found is not None else None


def _head_of(found: Report) -> Report:
    for _ in range(_MOST_PARENTS):
        if found.status != Status.MERGED or found.parent is None:
            break
        found = found.parent
    return found


def _is_untouched(found: Report) -> bool:
    return (
        Status(found.status) in _UNTOUCHED
        and found.source == Source.DEVICE
        and not found.hand_back_pending
        and not found.has_followers
    )


def _note(head: Report, kind: DeviceAlarmKind, *, devices: int, cabinet: str = "", came_back: bool = False) -> None:
    data = {"alarm": _name(kind), "devices": devices}
    data |= ({"cabinet": cabinet} if cabinet else {}) | ({"came_back": True} if came_back else {})
    record(head, EventKind.DEVICE_ALARM, SYSTEM, is_public=False, data=data)
    if kind.is_critical and Status(head.status) in WAITING_FOR_DISPATCH | WITH_UNIT:
        merging.raise_urgency(head, [Urgency.CRITICAL])


def _name(kind: DeviceAlarmKind) -> dict[str, str]:
    return {"zh-Hans": kind.name, "en": kind.name_en}
