"""完好率 and 亮灯率: how much of the time what the district looks after is in order. See docs/care.md.

In order is a share of time: the time that facilities were in use and without a known fault, of the time they were in
use. A fault counts from the report or the check that found it until it is fixed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
from typing import Any

from flask import current_app
from sqlalchemy import ColumnElement, Select, case, func, literal, literal_column, or_, select
from sqlalchemy.orm import aliased

from district import clock
from district.care.due import NOT_IN_USE, of_units, start_of
from district.extensions import db
from district.facilities.models import Facility, MaintenanceEntry
from district.numbers.periods import Period
from district.reference import reference
from district.reports.models import Report
from district.reports.sight import Sight
from district.reports.states import Status

# Reports about a thing that is broken; praise and questions about it are not.
FAULT_INTENTS = ("report", "emergency")
# Of fewer facilities a share says nothing (setting `numbers.care_least`).
LEAST = 5
# Those who were told "no", or took it back, reported nothing that was broken.
_NO_FAULT = (Status.REJECTED, Status.WITHDRAWN)


class Dimension(StrEnum):
    STREET = "street"
    UNIT = "unit"
    TYPE = "type"


@dataclass(frozen=True)
class Tally:
    """Sums of some facilities over a period. facilities: in use at its end (now, while it runs); faulty: of these,
    with a fault then; faults: how many began in it. in_use_s, fault_s: seconds of all of them together.
    """

    facilities: int = 0
    faulty: int = 0
    faults: int = 0
    in_use_s: float = 0.0
    fault_s: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.facilities + other.facilities, self.faulty + other.faulty, self.faults + other.faults,
            self.in_use_s + other.in_use_s, self.fault_s + other.fault_s,
        )  # fmt: skip

    @property
    def share(self) -> float | None:
        """The share of time in order, 0 to 1; None for too few facilities."""
        if self.facilities < least() or self.in_use_s <= 0:
            return None
        return max(0.0, 1 - self.fault_s / self.in_use_s)


@dataclass(frozen=True)
class Line:
    """A part of the district. lights: of its facilities that give light."""

    key: str
    whole: Tally = Tally()
    lights: Tally = Tally()


@dataclass(frozen=True)
class Faulty:
    """A facility that was not in order. since: when its last fault in the period began; is_open: at its end."""

    facility_id: int
    seconds: float
    faults: int
    since: datetime
    is_open: bool


@dataclass(frozen=True)
class _Part:
    """What a facility is counted under."""

    area_code: str
    unit_id: int | None
    type_id: int

    def key(self, dimension: Dimension) -> str:
        if dimension is Dimension.STREET:
            return self.area_code
        value = self.unit_id if dimension is Dimension.UNIT else self.type_id
        return "" if value is None else str(value)


@dataclass(frozen=True)
class _Fault:
    """One span of one facility's; ended_at None: not fixed."""

    facility_id: int
    part: _Part
    begun_at: datetime
    ended_at: datetime | None


def least() -> int:
    """From how many facilities on a share is shown."""
    return int(reference().setting("numbers.care_least", LEAST))


def span_of(period: Period) -> tuple[datetime, datetime]:
    """When a period begins and ends, in UTC; one that runs ends now."""
    return start_of(period.first), min(start_of(period.last + timedelta(days=1)), clock.now())


def table(period: Period, dimension: Dimension, seen: Sight) -> tuple[Line, dict[str, Line]]:
    """The whole of what somebody sees, and a line for each part, by its key: a street's code, an id, "" for none."""
    start, end = span_of(period)
    found: dict[str, Line] = {}
    lights = _lights()

    def add(part: _Part, tally: Tally) -> None:
        key = part.key(dimension)
        line = found.get(key, Line(key))
        lit = line.lights + tally if part.type_id in lights else line.lights
        found[key] = replace(line, whole=line.whole + tally, lights=lit)

    for part, count, seconds, is_there in _in_use(start, end, seen):
        add(part, Tally(facilities=count if is_there else 0, in_use_s=seconds * count))
    for part, spans in _by_facility(start, end, seen):
        joined = _union(spans, start, end)
        add(
            part,
            Tally(
                faulty=int(any(one.ended_at is None or one.ended_at >= end for one in spans)),
                faults=sum(one.begun_at >= start for one in spans),
                fault_s=sum((until - since).total_seconds() for since, until in joined),
            ),
        )
    whole = Line("")
    for line in found.values():
        whole = replace(whole, whole=whole.whole + line.whole, lights=whole.lights + line.lights)
    return whole, found


def faulty(
    period: Period, seen: Sight, *, dimension: Dimension | None = None, key: str = "", only_lights: bool = False
) -> list[Faulty]:
    """The facilities behind a share: those with a fault in the period, out of order for longest first."""
    start, end = span_of(period)
    lights = _lights() if only_lights else frozenset()
    found = []
    for part, spans in _by_facility(start, end, seen):
        if (dimension is not None and part.key(dimension) != key) or (only_lights and part.type_id not in lights):
            continue
        joined = _union(spans, start, end)
        is_open = any(one.ended_at is None or one.ended_at >= end for one in spans)
        seconds = sum((until - since).total_seconds() for since, until in joined)
        begun = max(one.begun_at for one in spans)
        found.append(Faulty(spans[0].facility_id, seconds, len(spans), begun, is_open))
    return sorted(found, key=lambda one: (-one.seconds, one.facility_id))


# ---------------------------------------------------------------- what is in use


def within(seen: Sight) -> list[ColumnElement[bool]]:
    """The facilities of somebody's streets and units."""
    found: list[ColumnElement[bool]] = []
    if seen.areas is not None:
        found.append(Facility.area_code.in_(seen.areas))
    if seen.units is not None:
        found.append(of_units(seen.units))
    return found


def _unit() -> ColumnElement[int | None]:
    return func.coalesce(Facility.maintainer_unit_id, Facility.owner_unit_id)


def _counted(start: datetime, end: datetime, seen: Sight) -> list[ColumnElement[bool]]:
    """Facilities that were in use for some of the time."""
    return [
        Facility.state.not_in(NOT_IN_USE),
        or_(Facility.retired_at.is_(None), Facility.retired_at > start),
        or_(Facility.installed_on.is_(None), Facility.installed_on <= _day(end)),
        *within(seen),
    ]


def _in_use(start: datetime, end: datetime, seen: Sight) -> Iterator[tuple[_Part, int, float, bool]]:
    """Equal facilities: how many, for how many seconds each was in use, whether it was at the end.

    Only those that came or went in between have moments of their own; all others are one row for each part.
    """
    came: Any = case((Facility.installed_on > _day(start), Facility.installed_on))
    went: Any = case((Facility.retired_at < end, Facility.retired_at))
    query = (
        select(Facility.area_code, _unit(), Facility.type_id, came, went, func.count())
        .where(*_counted(start, end, seen))
        .group_by(Facility.area_code, _unit(), Facility.type_id, came, went)
    )
    for area, unit_id, type_id, installed_on, retired_at, count in db.session.execute(query):
        since = max(start, start_of(installed_on)) if installed_on else start
        until = min(end, retired_at) if retired_at else end
        if until > since:
            yield _Part(area, unit_id, type_id), count, (until - since).total_seconds(), retired_at is None


# ---------------------------------------------------------------- faults


def _by_facility(start: datetime, end: datetime, seen: Sight) -> Iterator[tuple[_Part, list[_Fault]]]:
    """The faults of each facility that had any in this time, by when they began."""
    faults = [*_faults(_reported(start, end, seen)), *_faults(_missing(start, end, seen))]
    faults.sort(key=lambda one: (one.facility_id, one.begun_at))
    for _, spans in groupby(faults, attrgetter("facility_id")):
        of_one = list(spans)
        yield of_one[0].part, of_one


def _faults(query: Select[*tuple[Any, ...]]) -> Iterator[_Fault]:
    """A facility is not out of order before it is there, nor after it has gone."""
    for facility_id, area, unit_id, type_id, installed_on, retired_at, begun_at, ended_at in db.session.execute(query):
        since = max(begun_at, start_of(installed_on)) if installed_on else begun_at
        until = min(ended_at or retired_at, retired_at) if retired_at else ended_at
        yield _Fault(facility_id, _Part(area, unit_id, type_id), since, until)


def _of_facility(begun_at: Any, ended_at: Any) -> Select[*tuple[Any, ...]]:
    return select(
        Facility.id, Facility.area_code, _unit(), Facility.type_id, Facility.installed_on, Facility.retired_at,
        begun_at, ended_at,
    )  # fmt: skip


def _reported(start: datetime, end: datetime, seen: Sight) -> Select[*tuple[Any, ...]]:
    """Reports on facilities. One that joined another is fixed when that one is; a reopened one never was."""
    eldest = aliased(Report)
    fixed_at = case((Report.parent_id.is_not(None), eldest.resolved_at), else_=Report.resolved_at)
    status = func.coalesce(eldest.status, Report.status)
    return (
        _of_facility(Report.submitted_at, fixed_at)
        .join(Report, Report.facility_id == Facility.id)
        .outerjoin(eldest, eldest.id == Report.parent_id)
        .where(
            Report.submitted_at < end,
            or_(fixed_at.is_(None), fixed_at > start),
            status.not_in(_NO_FAULT),
            Report.intent.in_(FAULT_INTENTS),
            *_counted(start, end, seen),
        )
    )


def _missing(start: datetime, end: datetime, seen: Sight) -> Select[*tuple[Any, ...]]:
    """Checks that did not find the facility: it is missing until somebody finds or repairs it."""
    later = aliased(MaintenanceEntry)
    found_at = (
        select(func.min(later.at))
        .where(
            later.facility_id == MaintenanceEntry.facility_id,
            later.at > MaintenanceEntry.at,
            or_(later.kind == "repair", later.result.in_(("fine", "faulty"))),
        )
        .correlate(MaintenanceEntry)
        .scalar_subquery()
    )
    return (
        _of_facility(MaintenanceEntry.at, found_at)
        .join(MaintenanceEntry, MaintenanceEntry.facility_id == Facility.id)
        .where(
            MaintenanceEntry.result == literal_column("'not_found'"),
            MaintenanceEntry.at < end,
            func.coalesce(found_at, literal(end, type_=MaintenanceEntry.at.type)) > start,
            *_counted(start, end, seen),
        )
    )


def _union(spans: Iterable[_Fault], start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """The time that any of them lasted, within the period; two faults at once count once."""
    joined: list[tuple[datetime, datetime]] = []
    for one in spans:
        since, until = max(start, one.begun_at), min(end, one.ended_at or end)
        if until <= since:
            continue
        if joined and since <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(until, joined[-1][1]))
        else:
            joined.append((since, until))
    return joined


def _lights() -> frozenset[int]:
    return frozenset(kind.id for kind in reference().facility_types_by_id.values() if kind.gives_light)


def _day(moment: datetime) -> date:
    return clock.local_day(moment, current_app.config["DISTRICT_TIMEZONE"])
