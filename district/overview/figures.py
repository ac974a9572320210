"""Counts over all work or over some units' work: today, by unit and street, on the map, and over the last days.

Open work is read from its partial index; what happened, from report_event's indexes of closings and ratings. Every
screen of a process that shows the same scope shares one reading of at most `FRESH_S` seconds; the days before today,
which hardly change, are kept for `SETTLED_S`.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy import ColumnElement, Integer, Select, and_, cast, func, select, text
from sqlalchemy.orm import joinedload

from district import clock
from district.extensions import db
from district.reports import incidents, queries
from district.reports.models import Report, ReportEvent
from district.reports.queries import Filters
from district.reports.sight import Sight
from district.reports.states import WAITING_FOR_DISPATCH, Status

FRESH_S = 10
SETTLED_S = 300
TREND_DAYS = 14
RATED_DAYS = 30
# About 130 m each way at the middle latitudes: one bubble of the map.
_CELLS_PER_DEGREE = (800, 550)
_MOST_CELLS = 600
_MOST_ROWS = 8
# Written out as the partial indexes are, so that SQLite sees that they apply.
_CLOSING = text("report_event.to_status = 'closed'")
_RATING = text("report_event.kind = 'rated'")
# No plain column: sorted by one, PostgreSQL would walk its index past all that was ever closed, eldest first.
_CAME_IN = func.coalesce(Report.submitted_at, Report.dispatch_due_at)
_T = TypeVar("_T")


@dataclass(frozen=True)
class Flow:
    """How often something happened today, and up to the same time of the same day last week."""

    today: int
    last_week: int


@dataclass(frozen=True)
class Load:
    """Open work of a unit or a street. key: the unit's id, or the street's code, "" where it is not known."""

    key: int | str | None
    open: int
    overdue: int


@dataclass(frozen=True)
class Cell:
    """Open work around one spot (WGS-84), about a block wide. oldest: the number of the eldest report of it."""

    latitude: float
    longitude: float
    open: int
    critical: int
    urgent: int
    overdue: int
    oldest: str


@dataclass(frozen=True)
class Item:
    """One open report as a screen may show it: nothing of the resident. since: when it came in."""

    number: str
    category_id: int | None
    address: str
    area_code: str
    unit_id: int | None
    urgency: str
    status: str
    since: datetime
    due: datetime
    is_overdue: bool


@dataclass(frozen=True)
class Day:
    """What came in and what was closed on a day of the district's zone."""

    day: date
    received: int
    closed: int


@dataclass(frozen=True)
class Ratings:
    """Residents' ratings of the last `RATED_DAYS` days: how many, how many said solved, and the mean of their stars."""

    count: int
    solved: int
    stars: float | None

    @property
    def share(self) -> int | None:
        """Percent that said solved, rounded down so that 100 means all; None without ratings."""
        return self.solved * 100 // self.count if self.count else None


@dataclass(frozen=True)
class Emergency:
    """An incident that is going on. members: how many reports it is."""

    incident_id: int
    category_id: int
    address: str
    members: int
    since: datetime


@dataclass(frozen=True)
class Overview:
    """Everything that one screen shows. units: most overdue first, then most open; days: eldest first, today last."""

    received: Flow
    closed: Flow
    open: int
    overdue: int
    critical: int
    urgent: int
    waiting: int
    to_verify: int
    units: list[Load]
    streets: list[Load]
    cells: list[Cell]
    pressing: list[Item]
    oldest: list[Item]
    critical_items: list[Item]
    emergencies: list[Emergency]
    days: list[Day]
    ratings: Ratings


def look(sight: Sight) -> Overview:
    """The figures of now, at most `FRESH_S` seconds old, of as much work as somebody of this sight sees."""
    return _kept(("now", sight), FRESH_S, lambda: _read(sight, clock.now()))


def forget() -> None:
    """Read everything again when next asked."""
    current_app.extensions.pop("overview", None)


def _read(sight: Sight, now: datetime) -> Overview:
    filters = Filters(units=sight.units, areas=sight.areas)
    by_unit: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
    by_street: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
    by_status: dict[str, int] = defaultdict(int)
    by_urgency: dict[str, int] = defaultdict(int)
    late = func.count().filter(queries.overdue())
    groups = (Report.unit_id, Report.area_code, Report.status, Report.urgency)
    rows = db.session.execute(
        queries.narrowed(select(*groups, func.count(), late).where(queries.OPEN_WORK), filters).group_by(*groups)
    )
    total = overdue = 0
    for unit_id, area_code, status, urgency, count, count_late in rows:
        total, overdue = total + count, overdue + count_late
        by_status[status] += count
        by_urgency[urgency] += count
        for load in (by_unit[unit_id], by_street[area_code]):
            load[0] += count
            load[1] += count_late
    days = _days(sight, now)
    midnight = _midnight(now)
    return Overview(
        received=Flow(days[-1].received, _count(_submissions, filters, midnight, now, weeks=1)),
        closed=Flow(days[-1].closed, _count(_closings, filters, midnight, now, weeks=1)),
        open=total,
        overdue=overdue,
        critical=by_urgency["critical"],
        urgent=by_urgency["urgent"],
        waiting=sum(by_status[status] for status in WAITING_FOR_DISPATCH),
        to_verify=by_status[Status.RESOLVED],
        units=_loads(by_unit),
        streets=_loads(by_street),
        cells=_cells(filters),
        pressing=[_item(report, now) for report in queries.pressing(filters, limit=_MOST_ROWS).reports],
        oldest=_oldest(filters, now),
        critical_items=_critical(filters, now),
        emergencies=_emergencies() if sight.is_whole else [],
        days=days,
        ratings=_kept(("ratings", sight), SETTLED_S, lambda: _ratings(filters, now - timedelta(days=RATED_DAYS))),
    )


def _loads(counts: dict[Any, list[int]]) -> list[Load]:
    loads = [Load(key, *numbers) for key, numbers in counts.items()]
    return sorted(loads, key=lambda load: (-load.overdue, -load.open, str(load.key)))


def _cells(filters: Filters) -> list[Cell]:
    down, across = _CELLS_PER_DEGREE
    cell = (cast(Report.latitude * down, Integer), cast(Report.longitude * across, Integer))
    critical = func.count().filter(Report.urgency == "critical")
    urgent = func.count().filter(Report.urgency == "urgent")
    query = select(
        func.avg(Report.latitude), func.avg(Report.longitude), func.count(), critical, urgent,
        func.count().filter(queries.overdue()), func.min(Report.number),
    ).where(queries.OPEN_WORK, Report.latitude.is_not(None))  # fmt: skip
    query = queries.narrowed(query, filters).group_by(*cell)
    rows = db.session.execute(query.order_by(critical.desc(), urgent.desc(), func.count().desc()).limit(_MOST_CELLS))
    # Four digits are about ten metres: enough for a map of the town, and no door.
    return [Cell(round(latitude, 4), round(longitude, 4), *rest) for latitude, longitude, *rest in rows]


def _oldest(filters: Filters, now: datetime) -> list[Item]:
    return _items(select(Report), filters, _CAME_IN, now)


def _critical(filters: Filters, now: datetime) -> list[Item]:
    return _items(select(Report).where(Report.urgency == "critical"), filters, _CAME_IN.desc(), now)


def _items(query: Select[Any], filters: Filters, order: Any, now: datetime) -> list[Item]:
    query = queries.narrowed(query.where(queries.OPEN_WORK), filters).options(joinedload(Report.facility))
    return [_item(report, now) for report in db.session.scalars(query.order_by(order, Report.id).limit(_MOST_ROWS))]


def _item(report: Report, now: datetime) -> Item:
    place = report.address or (report.facility.address or report.facility.name if report.facility else "")
    due = report.handling_due_at or report.dispatch_due_at
    stands = report.waiting_for_resident or report.hand_back_pending or report.status not in _CLOCKED
    return Item(
        report.number, report.category_id, place, report.area_code, report.unit_id, report.urgency, report.status,
        report.submitted_at, due, due < now and not stands,
    )  # fmt: skip


_CLOCKED = WAITING_FOR_DISPATCH | {Status.ASSIGNED, Status.IN_PROGRESS}


def _emergencies() -> list[Emergency]:
    return [
        Emergency(row.id, row.category_id, row.report.address, row.members, row.since)
        for row in incidents.newest(limit=_MOST_ROWS)
    ]


# What happened


def _submissions(filters: Filters, *columns: Any) -> tuple[Select[Any], Any]:
    return queries.narrowed(select(*columns).select_from(Report), filters), Report.submitted_at


def _closings(filters: Filters, *columns: Any) -> tuple[Select[Any], Any]:
    query = select(*columns).select_from(ReportEvent).where(_CLOSING)
    if filters.units is not None or filters.areas is not None:
        query = queries.narrowed(query.join(Report, Report.id == ReportEvent.report_id), filters)
    return query, ReportEvent.at


_Happened = Callable[..., tuple[Select[Any], Any]]


def _count(what: _Happened, filters: Filters, since: datetime, until: datetime, *, weeks: int = 0) -> int:
    """How often it happened between two moments, or between the same times of the day so many weeks earlier."""
    if weeks:
        since, until = (_weeks_before(moment, weeks) for moment in (since, until))
    query, at = what(filters, func.count())
    return db.session.scalar(query.where(at >= since, at < until)) or 0


def _per_day(what: _Happened, filters: Filters, edges: list[datetime]) -> list[int]:
    """How often it happened between each two of these moments, in one query."""
    _, at = what(filters)
    parts: list[ColumnElement[int]] = [
        func.count().filter(and_(at >= begin, at < end)) for begin, end in pairwise(edges)
    ]
    query, _ = what(filters, *parts)
    return list(db.session.execute(query.where(at >= edges[0], at < edges[-1])).one())


def _days(sight: Sight, now: datetime) -> list[Day]:
    filters = Filters(units=sight.units, areas=sight.areas)
    today = now.astimezone(_zone()).date()

    def before() -> list[Day]:
        dates = [today - timedelta(days=back) for back in range(TREND_DAYS - 1, 0, -1)]
        edges = [datetime.combine(day, time(), _zone()) for day in (*dates, today)]
        received, closed = (_per_day(what, filters, edges) for what in (_submissions, _closings))
        return [Day(*row) for row in zip(dates, received, closed, strict=True)]

    midnight = _midnight(now)
    after = now + timedelta(seconds=1)
    of_today = [_count(what, filters, midnight, after) for what in (_submissions, _closings)]
    return [*_kept(("days", sight, today), SETTLED_S, before), Day(today, *of_today)]


def _ratings(filters: Filters, since: datetime) -> Ratings:
    solved = ReportEvent.data["solved"].as_boolean()
    stars = ReportEvent.data["stars"].as_integer()
    columns = (func.count(), func.count().filter(solved.is_(True)), func.avg(stars))
    query = select(*columns).select_from(ReportEvent).where(_RATING, ReportEvent.at >= since)
    if filters.units is not None or filters.areas is not None:
        query = queries.narrowed(query.join(Report, Report.id == ReportEvent.report_id), filters)
    count, good, mean = db.session.execute(query).one()
    return Ratings(count, good, round(float(mean), 1) if mean is not None else None)


def _zone() -> ZoneInfo:
    return ZoneInfo(current_app.config["DISTRICT_TIMEZONE"])


def _midnight(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(_zone()).date(), time(), _zone())


def _weeks_before(moment: datetime, weeks: int) -> datetime:
    """The same time of the day in the district's zone, so many weeks earlier."""
    return moment.astimezone(_zone()) - timedelta(weeks=weeks)


# Read once for all screens


class _Shelf:
    """What was read, with the time it was; one reader at a time for each thing."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.locks: dict[Any, threading.Lock] = {}
        self.kept: dict[Any, tuple[datetime, Any]] = {}


def _kept(key: Any, seconds: int, read: Callable[[], _T]) -> _T:
    shelf: _Shelf = current_app.extensions.setdefault("overview", _Shelf())
    with shelf.guard:
        lock = shelf.locks.setdefault(key, threading.Lock())
    with lock:
        found = shelf.kept.get(key)
        now = clock.now()
        if found is not None and timedelta() <= now - found[0] < timedelta(seconds=seconds):
            return found[1]  # type: ignore[no-any-return]
        value = read()
        with shelf.guard:
            # Days gone by and units nobody looks at any more.
            old = [name for name, (at, _) in shelf.kept.items() if now - at > timedelta(seconds=4 * SETTLED_S)]
            for name in old:
                shelf.kept.pop(name, None)
            shelf.kept[key] = (now, value)
        return value
