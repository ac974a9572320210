"""Who is on duty now, and who stands in for a unit that is away. None commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import joinedload

from district import audit, clock, settings
from district.duty.models import DutyShift, UnitAbsence
from district.errors import BadInput, NotAllowed, NotFound
from district.extensions import db
from district.people.models import Staff
from district.people.roles import Role
from district.people.service import unit_and_below
from district.reference import Reference, UnitRef, reference
from district.words import clean

# Who keeps the roster of every unit; a unit's manager keeps that of their own and of those under it.
KEEPS_ALL = frozenset({Role.ADMINISTRATOR, Role.SHIFT_LEAD})
LONGEST_NAME, LONGEST_PHONE = 60, 40
# A stand-in may be away itself; whoever has to ask further than this is asking in a circle.
_MOST_STEPS = 3


@dataclass(frozen=True, slots=True)
class _Absence:
    stand_in_id: int
    starts_at: datetime
    ends_at: datetime | None

    def holds(self, moment: datetime) -> bool:
        return self.starts_at <= moment and (self.ends_at is None or moment < self.ends_at)


def stand_in_for(unit_id: int, at: datetime | None = None) -> UnitRef | None:
    """The open unit that gets what is `unit_id`'s while that one is away or closed; None when it answers itself.

    at: the moment that matters, now when left out.
    """
    ref, moment = reference(), at or clock.now()
    absences = _absences(ref)
    here, seen = unit_id, {unit_id}
    for _ in range(_MOST_STEPS):
        unit = ref.units_by_id.get(here)
        following = next(
            (one for one in absences.get(here, ()) if one.holds(moment) or (unit is not None and unit.is_closed)), None
        )
        if following is None or following.stand_in_id in seen:
            break
        here = following.stand_in_id
        seen.add(here)
    unit = ref.units_by_id.get(here)
    return unit if here != unit_id and unit is not None and not unit.is_closed else None


def answering_units(ref: Reference) -> Mapping[str, UnitRef]:
    """The units by code as rules see them: a closed one for which another stands in can still be named."""
    absences = _absences(ref)
    return {
        code: replace(unit, is_closed=False) if unit.is_closed and absences.get(unit.id) else unit
        for code, unit in ref.units_by_code.items()
    }


def _absences(ref: Reference) -> Mapping[int, tuple[_Absence, ...]]:
    return ref.once("duty.absences", _read_absences)


def _read_absences(ref: Reference) -> Mapping[int, tuple[_Absence, ...]]:
    table = UnitAbsence.__table__
    found: dict[int, tuple[_Absence, ...]] = {}
    # As the snapshot itself: on a connection of its own, of what is committed.
    with db.engine.connect() as connection:
        for row in connection.execute(select(table).order_by(table.c.starts_at.desc(), table.c.id.desc())):
            found[row.unit_id] = (*found.get(row.unit_id, ()), _Absence(row.stand_in_id, row.starts_at, row.ends_at))
    return found


def on_duty(unit_id: int, at: datetime | None = None) -> list[DutyShift]:
    """Who answers for the unit at this moment, who began last first."""
    moment = at or clock.now()
    return list(
        db.session.scalars(
            select(DutyShift)
            .where(DutyShift.unit_id == unit_id, DutyShift.starts_at <= moment, DutyShift.ends_at > moment)
            .order_by(DutyShift.starts_at.desc(), DutyShift.id)
        )
    )


def shifts(units: Collection[int] | None, *, limit: int = 300) -> list[DutyShift]:
    """Shifts that are not over, soonest first. units: ids, None for all."""
    query = select(DutyShift).where(DutyShift.ends_at > clock.now()).options(joinedload(DutyShift.unit))
    if units is not None:
        query = query.where(DutyShift.unit_id.in_(list(units)))
    return list(db.session.scalars(query.order_by(DutyShift.starts_at, DutyShift.id).limit(limit)))


def absences(units: Collection[int] | None, *, limit: int = 300) -> list[UnitAbsence]:
    """Absences that are not over, soonest first. units: ids, None for all."""
    query = (
        select(UnitAbsence)
        .where(or_(UnitAbsence.ends_at.is_(None), UnitAbsence.ends_at > clock.now()))
        .options(joinedload(UnitAbsence.unit), joinedload(UnitAbsence.stand_in))
    )
    if units is not None:
        query = query.where(UnitAbsence.unit_id.in_(list(units)))
    return list(db.session.scalars(query.order_by(UnitAbsence.starts_at, UnitAbsence.id).limit(limit)))


def kept_by(staff: Staff) -> frozenset[int] | None:
    """The units whose roster this person keeps, as ids; None: every unit's. Empty for somebody who keeps none."""
    if staff.roles & KEEPS_ALL:
        return None
    return unit_and_below(staff.unit_id) if Role.UNIT_MANAGER in staff.roles else frozenset()


def add_shift(unit_id: int, name: str, phone: str, starts_at: datetime, ends_at: datetime, *, by: Staff) -> DutyShift:
    """Put somebody on the roster. Raises NotAllowed, BadInput."""
    _require(unit_id, by)
    name, phone = clean(name), clean(phone)
    fields: dict[str, str] = {}
    if not name or len(name) > LONGEST_NAME:
        fields["name"] = "handback.roster.name_missing"
    if not phone or len(phone) > LONGEST_PHONE:
        fields["phone"] = "handback.roster.phone_missing"
    if ends_at <= starts_at:
        fields["ends_at"] = "handback.roster.ends_early"
    _refuse(unit_id, fields)
    row = DutyShift(unit_id=unit_id, name=name, phone=phone, starts_at=starts_at, ends_at=ends_at)
    db.session.add(row)
    db.session.flush()
    audit.record(by, "unit.add_shift", f"unit:{unit_id}", shift=row.id)
    return row


def end_shift(shift_id: int, *, by: Staff) -> None:
    """Take somebody off the roster. Raises NotFound, NotAllowed."""
    row = db.session.get(DutyShift, shift_id)
    if row is None:
        raise NotFound()
    _require(row.unit_id, by)
    db.session.delete(row)
    audit.record(by, "unit.end_shift", f"unit:{row.unit_id}", shift=shift_id)


def set_away(
    unit_id: int, stand_in_id: int, starts_at: datetime, ends_at: datetime | None, *, by: Staff
) -> UnitAbsence:
    """From then on another unit gets what would be this one's. Raises NotAllowed, BadInput."""
    _require(unit_id, by)
    fields: dict[str, str] = {}
    other = reference().units_by_id.get(stand_in_id)
    if other is None or other.is_closed or stand_in_id == unit_id:
        fields["stand_in"] = "handback.roster.stand_in_odd"
    if ends_at is not None and ends_at <= starts_at:
        fields["ends_at"] = "handback.roster.ends_early"
    _refuse(unit_id, fields)
    row = UnitAbsence(unit_id=unit_id, stand_in_id=stand_in_id, starts_at=starts_at, ends_at=ends_at)
    db.session.add(row)
    db.session.flush()
    audit.record(by, "unit.set_away", f"unit:{unit_id}", stand_in=stand_in_id)
    settings.changed("units")
    return row


def end_away(absence_id: int, *, by: Staff) -> None:
    """The unit answers for itself again. Raises NotFound, NotAllowed."""
    row = db.session.get(UnitAbsence, absence_id)
    if row is None:
        raise NotFound()
    _require(row.unit_id, by)
    db.session.delete(row)
    audit.record(by, "unit.end_away", f"unit:{row.unit_id}")
    settings.changed("units")


def bring(
    shifts_wanted: set[tuple[int, str, str, datetime, datetime]],
    absences_wanted: set[tuple[int, int, datetime, datetime | None]],
) -> tuple[int, int, int]:
    """Make the rows that came from the district's folder these; what was made in the panel stays.

    Returns how many were created, unchanged and taken away.
    """
    created = unchanged = gone = 0
    model: Any
    for model, names, wanted in (
        (DutyShift, ("unit_id", "name", "phone", "starts_at", "ends_at"), shifts_wanted),
        (UnitAbsence, ("unit_id", "stand_in_id", "starts_at", "ends_at"), absences_wanted),
    ):
        old = {
            tuple(getattr(row, name) for name in names): row.id
            for row in db.session.scalars(select(model).where(model.from_file.is_(True)))
        }
        extra = [key for values, key in old.items() if values not in wanted]
        if extra:
            db.session.execute(delete(model).where(model.id.in_(extra)))
        for values in sorted(wanted - old.keys(), key=str):
            db.session.add(model(**dict(zip(names, values, strict=True)), from_file=True))
        created += len(wanted - old.keys())
        unchanged += len(wanted & old.keys())
        gone += len(extra)
    db.session.flush()
    return created, unchanged, gone


def _require(unit_id: int, by: Staff) -> None:
    kept = kept_by(by)
    if kept is not None and unit_id not in kept:
        raise NotAllowed()


def _refuse(unit_id: int, fields: dict[str, str]) -> None:
    if unit_id not in reference().units_by_id:
        fields["unit"] = "errors.unit_unknown"
    if fields:
        raise BadInput(fields=fields)
