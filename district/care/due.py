"""What is to be inspected now, and by whom. Nothing here is stored: it follows from the plans and the last checks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy import ColumnElement, Select, and_, exists, func, literal_column, or_, select
from sqlalchemy.orm import joinedload

from district import clock
from district.care import plans
from district.care.models import InspectionPlan
from district.care.periods import Window, window
from district.extensions import db
from district.facilities import queries as facility_lists
from district.facilities.code_states import LIVE
from district.facilities.models import Facility, FacilityToken, MaintenanceEntry
from district.facilities.queries import Wanted
from district.geo.measure import METRES_A_DEGREE, metres_between
from district.people.models import Staff
from district.people.roles import Role
from district.people.service import unit_and_below
from district.reference import reference

PAGE_SIZE = 30
# Facilities that are not there any more, or not meant to work, are looked at by nobody.
NOT_IN_USE = ("disused", "removed")
# Those who see to it that others go, and may go themselves.
OVERSEES = frozenset({Role.ADMINISTRATOR, Role.LEADER, Role.INSPECTOR})
GOES = frozenset({Role.HANDLER, Role.UNIT_MANAGER})
# More than this is said to be "more than".
MOST_COUNTED = 1000
_FIRST_CIRCLE_M, _WIDEST_M = 200.0, 5000.0


@dataclass(frozen=True)
class Round:
    """A plan in one of its periods. since, before: when this period and the last one before it began, in UTC."""

    plan: InspectionPlan
    window: Window
    since: datetime
    before: datetime | None


@dataclass(frozen=True)
class DueBy:
    """Why a facility is due: by which plan, when it was last checked by it, whether the period before was missed."""

    round: Round
    last_at: datetime | None
    is_overdue: bool


@dataclass(frozen=True)
class Due:
    """One facility to go to. token: of its label, None without one. metres: from where somebody stands, if said."""

    facility: Facility
    by: list[DueBy]
    token: str | None
    metres: float | None = None


@dataclass(frozen=True)
class DuePage:
    """next_after: what to ask for the next page with, "" at the end."""

    rows: list[Due]
    next_after: str = ""


@dataclass(frozen=True)
class Narrowed:
    """What somebody wants to see of it; empty: not narrowed by this. plan: its code."""

    words: str = ""
    plan: str = ""
    type_code: str = ""
    area_code: str = ""
    is_overdue: bool = False


@dataclass(frozen=True)
class Progress:
    """How far a plan's period is: facilities in all, still due, and of these missed in the period before, too."""

    total: int
    due: int
    overdue: int

    @property
    def done(self) -> int:
        return self.total - self.due


def today() -> date:
    """The district's day."""
    return clock.local_day(clock.now(), current_app.config["DISTRICT_TIMEZONE"])


def start_of(day: date) -> datetime:
    """When a day of the district begins, in UTC."""
    return datetime.combine(day, time(), ZoneInfo(current_app.config["DISTRICT_TIMEZONE"])).astimezone(UTC)


def round_of(plan: InspectionPlan) -> Round | None:
    """The plan in its period of today; None when nothing is due by it now."""
    found = window(plan.starts_on, plan.every, plan.every_unit, plan.months, today())
    if plan.ended_at is not None or found is None:
        return None
    made = clock.local_day(plan.created_at, current_app.config["DISTRICT_TIMEZONE"])
    # What was over before there was the plan has been missed by nobody.
    counts = found.before is not None and found.before_last is not None and found.before_last >= made
    return Round(plan, found, start_of(found.first), start_of(found.before) if counts and found.before else None)


def rounds_of(staff: Staff) -> list[Round]:
    """What this person's units go out for now; for who oversees the district all of it."""
    found = [one for plan in plans.all_plans() if (one := round_of(plan))]
    return [one for one in found if _theirs(one.plan, staff) is not None]


def page(staff: Staff, narrowed: Narrowed, *, after: str = "", limit: int = PAGE_SIZE) -> DuePage:
    """What is due, street by street, in the order the facilities were entered there."""
    chosen = _chosen(staff, narrowed)
    if not chosen:
        return DuePage([])
    query = _query(staff, narrowed, chosen)
    begin = _read_after(after)
    if begin is not None:
        area, number = begin
        query = query.where(or_(Facility.area_code > area, and_(Facility.area_code == area, Facility.id > number)))
    found = db.session.execute(
        query.add_columns(Facility.area_code).order_by(Facility.area_code, Facility.id).limit(limit + 1)
    ).all()
    last = found[limit - 1] if len(found) > limit else None
    rows = _told(staff, [row.id for row in found[:limit]], chosen)
    return DuePage(rows, f"{last.area_code}-{last.id}" if last else "")


def near(staff: Staff, narrowed: Narrowed, latitude: float, longitude: float, *, limit: int = PAGE_SIZE) -> list[Due]:
    """What is due within a few kilometres of a point (WGS-84 degrees), nearest first."""
    chosen = _chosen(staff, narrowed)
    if not chosen:
        return []
    base = _query(staff, narrowed, chosen).add_columns(Facility.latitude, Facility.longitude)
    circle = _FIRST_CIRCLE_M
    while True:
        degrees = circle / METRES_A_DEGREE
        rows = db.session.execute(
            base.where(
                Facility.latitude.between(latitude - degrees, latitude + degrees),
                Facility.longitude.between(longitude - 2 * degrees, longitude + 2 * degrees),
            ).limit(2000)
        ).all()
        away = sorted((metres_between(latitude, longitude, row.latitude, row.longitude), row.id) for row in rows)
        inside = [pair for pair in away if pair[0] <= circle]
        if len(inside) >= limit or circle >= _WIDEST_M:
            break
        circle = min(_WIDEST_M, circle * 3)
    metres = {number: distance for distance, number in inside[:limit]}
    told = {one.facility.id: one for one in _told(staff, list(metres), chosen)}
    return [Due(told[one].facility, told[one].by, told[one].token, metres[one]) for one in metres if one in told]


def count(staff: Staff, narrowed: Narrowed) -> int:
    """How many are due, up to one more than MOST_COUNTED."""
    chosen = _chosen(staff, narrowed)
    if not chosen:
        return 0
    few = _query(staff, narrowed, chosen).limit(MOST_COUNTED + 1).subquery()
    return db.session.scalar(select(func.count()).select_from(few)) or 0


def progress(one: Round, staff: Staff) -> Progress:
    """How far a plan's period is: of the facilities that this person may go to, or sees to it that others do."""
    crew = _theirs(one.plan, staff)
    if crew is None:
        return Progress(0, 0, 0)

    def counted(*more: ColumnElement[bool]) -> int:
        query = select(func.count()).select_from(Facility).where(*_covered(one), *crew, *_scope(staff), *more)
        return db.session.scalar(query) or 0

    overdue = counted(_is_overdue(one)) if one.before else 0
    return Progress(counted(), counted(_unchecked(one, one.since)), overdue)


def of_facility(staff: Staff, facility: Facility) -> list[tuple[Round, bool, datetime | None]]:
    """The plans by which this person may check this facility now: whether it is due, and when it was last checked."""
    found = []
    for one in rounds_of(staff):
        crew = _theirs(one.plan, staff) or []
        row = db.session.execute(
            select(Facility.id, _unchecked(one, one.since).label("is_due")).where(
                Facility.id == facility.id, *_covered(one), *crew, *_scope(staff)
            )
        ).first()
        if row is not None:
            found.append((one, bool(row.is_due), _last_checks([facility.id], [one]).get((facility.id, one.plan.id))))
    return found


# ---------------------------------------------------------------- conditions


def of_units(units: Collection[int]) -> ColumnElement[bool]:
    """The facilities of these units: whoever maintains one, or owns it where nobody does."""
    return or_(
        Facility.maintainer_unit_id.in_(units),
        and_(Facility.maintainer_unit_id.is_(None), Facility.owner_unit_id.in_(units)),
    )


def _theirs(plan: InspectionPlan, staff: Staff) -> list[ColumnElement[bool]] | None:
    """Which of a plan's facilities are this person's to go to; None: the plan is not theirs at all."""
    below = unit_and_below(staff.unit_id)
    whole = frozenset[int]() if plan.unit_id is None else unit_and_below(plan.unit_id)
    planned = [of_units(whole)] if plan.crew == "own" else []
    if staff.roles & OVERSEES:
        return planned
    if not staff.roles & GOES:
        return None
    if plan.crew == "maintainer":
        return [of_units(below)]
    if plan.unit_id not in below and staff.unit_id not in whole:
        return None
    return [of_units(whole & below)] if plan.crew == "own" else []


def _scope(staff: Staff) -> list[ColumnElement[bool]]:
    """The streets and units that the person is limited to."""
    found: list[ColumnElement[bool]] = []
    if staff.area_scope:
        found.append(Facility.area_code.in_(staff.area_scope))
    if staff.unit_scope:
        found.append(of_units(frozenset[int]().union(*(unit_and_below(one) for one in staff.unit_scope))))
    return found


def _covered(one: Round) -> list[ColumnElement[bool]]:
    """The facilities that a plan is about."""
    kinds = reference().facility_types_by_code
    found: list[ColumnElement[bool]] = [
        Facility.retired_at.is_(None),
        Facility.state.not_in(NOT_IN_USE),
        Facility.type_id.in_([kinds[code].id for code in one.plan.type_codes if code in kinds]),
        or_(Facility.installed_on.is_(None), Facility.installed_on <= today()),
    ]
    if one.plan.area_codes:
        found.append(Facility.area_code.in_(one.plan.area_codes))
    return found


def _unchecked(one: Round, since: datetime) -> ColumnElement[bool]:
    """Nobody has checked it by this plan since then; who could not get to it has not checked it."""
    return ~exists().where(
        MaintenanceEntry.plan_id == one.plan.id,
        MaintenanceEntry.facility_id == Facility.id,
        MaintenanceEntry.at >= since,
        # In words of the index, which SQLite does not recognise behind a parameter.
        MaintenanceEntry.result != literal_column("'unreachable'"),
    )


def _is_overdue(one: Round) -> ColumnElement[bool]:
    """It was missed in the period before as well, when it was there already."""
    assert one.before is not None
    there = or_(Facility.installed_on.is_(None), Facility.installed_on < one.window.first)
    return and_(_unchecked(one, one.before), there)


def _chosen(staff: Staff, narrowed: Narrowed) -> list[Round]:
    found = [one for one in rounds_of(staff) if not narrowed.plan or one.plan.code == narrowed.plan]
    return [one for one in found if not narrowed.is_overdue or one.before is not None]


def _query(staff: Staff, narrowed: Narrowed, chosen: Sequence[Round]) -> Select[Any]:
    """The ids of what is due by any of these plans."""
    wanted = Wanted(words=narrowed.words, type_code=narrowed.type_code, area_code=narrowed.area_code)
    return facility_lists.ids_of(wanted).where(
        or_(*(_due_by(one, staff, narrowed.is_overdue) for one in chosen)), *_scope(staff)
    )


def _due_by(one: Round, staff: Staff, is_overdue: bool = False) -> ColumnElement[bool]:
    crew = _theirs(one.plan, staff) or []
    return and_(*_covered(one), *crew, _is_overdue(one) if is_overdue else _unchecked(one, one.since))


# ---------------------------------------------------------------- a page's rows


def _told(staff: Staff, ids: Sequence[int], chosen: Sequence[Round]) -> list[Due]:
    """The facilities with why they are due: some queries for each plan, whatever the number of facilities."""
    if not ids:
        return []
    last = _last_checks(ids, chosen)
    by: dict[int, list[DueBy]] = {number: [] for number in ids}
    for one in chosen:
        late = _is_overdue(one) if one.before else None
        query = select(Facility.id).where(Facility.id.in_(ids), _due_by(one, staff))
        overdue = set(db.session.scalars(query.where(late))) if late is not None else set()
        for number in db.session.scalars(query):
            by[number].append(DueBy(one, last.get((number, one.plan.id)), number in overdue))
    rows = db.session.scalars(select(Facility).where(Facility.id.in_(ids)).options(joinedload(Facility.maintainer)))
    facilities = {row.id: row for row in rows}
    tokens = tokens_of(ids)
    return [Due(facilities[number], by[number], tokens.get(number)) for number in ids if number in facilities]


def _last_checks(ids: Sequence[int], rounds: Sequence[Round]) -> dict[tuple[int, int], datetime]:
    query = (
        select(MaintenanceEntry.facility_id, MaintenanceEntry.plan_id, func.max(MaintenanceEntry.at).label("last_at"))
        .where(
            MaintenanceEntry.facility_id.in_(ids),
            MaintenanceEntry.plan_id.in_([one.plan.id for one in rounds]),
            MaintenanceEntry.result != literal_column("'unreachable'"),
        )
        .group_by(MaintenanceEntry.facility_id, MaintenanceEntry.plan_id)
    )
    return {(row.facility_id, row.plan_id or 0): at for row in db.session.execute(query) if (at := row.last_at)}


def tokens_of(ids: Sequence[int]) -> dict[int, str]:
    """The code in use of each of these facilities, the newest."""
    rows = db.session.execute(
        select(FacilityToken.facility_id, FacilityToken.token)
        .where(FacilityToken.facility_id.in_(ids), FacilityToken.state.in_(LIVE))
        .order_by(FacilityToken.issued_at, FacilityToken.token)
    )
    return dict(rows.all())


def _read_after(text: str) -> tuple[str, int] | None:
    area, dash, number = text.rpartition("-")
    return (area[:40], int(number)) if dash and number.isascii() and number.isdecimal() and len(number) < 19 else None
