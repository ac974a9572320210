"""Telling staff, finding whom to tell, and what they have read. None commits."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, bindparam, func, or_, select, update

from district import clock
from district.extensions import db
from district.notices.models import StaffNotice
from district.people.models import Staff, StaffRole
from district.people.roles import Role
from district.reference import reference
from district.rows import put

_Query = TypeVar("_Query", bound=Select[Any])
_OF_A_UNIT = (Role.HANDLER, Role.UNIT_MANAGER)
# Whoever asks the table for a loop of parents must come to an end.
_MOST_PARENTS = 10


def tell(kind: str, staff_ids: Iterable[int], *, report_id: int | None, but: int | None = None, **params: Any) -> int:
    """Tell each of these people once. Returns how many. but: who did it and so knows."""
    receivers = sorted(set(staff_ids) - {but})
    for staff_id in receivers:
        put(
            StaffNotice, staff_id=staff_id, report_id=report_id, kind=kind, params=params, at=clock.now(), read_at=None
        )  # fmt: skip
    return len(receivers)


def people_of(unit_id: int | None) -> list[int]:
    """Whoever works on a unit's reports; where nobody does, the head above it."""
    return (_staff(_OF_A_UNIT, unit_id) if unit_id is not None else []) or head_of(unit_id)


def head_of(unit_id: int | None) -> list[int]:
    """The managers of the unit, else of the nearest unit above that has some, else the shift leads."""
    units = reference().units_by_id
    for _ in range(_MOST_PARENTS):
        if unit_id is None:
            break
        found = _staff((Role.UNIT_MANAGER,), unit_id)
        if found:
            return found
        unit = units.get(unit_id)
        unit_id = unit.parent_id if unit is not None else None
    return with_role(Role.SHIFT_LEAD)


def with_role(*roles: Role) -> list[int]:
    """Everybody who has one of these roles; where nobody has, the administrators."""
    return _staff(roles) or _staff((Role.ADMINISTRATOR,))


def _staff(roles: Iterable[Role], unit_id: int | None = None) -> list[int]:
    query = (
        select(Staff.id)
        .join(StaffRole, StaffRole.staff_id == Staff.id)
        .where(StaffRole.role.in_([str(role) for role in roles]), Staff.left_at.is_(None))
    )
    if unit_id is not None:
        query = query.where(Staff.unit_id == unit_id)
    return list(db.session.scalars(query.distinct().order_by(Staff.id)))


def unread(staff_id: int, *, shown: ColumnElement[bool] | None = None) -> int:
    """How many notices this person has not read, at most 100. shown: what `listed` is narrowed to."""
    return db.session.scalar(_counting(shown), {"staff_id": staff_id}) or 0


@lru_cache(maxsize=64)
def _counting(shown: ColumnElement[bool] | None) -> Select[int]:
    """The question of `unread`, built once for each condition: every page of the panel asks it."""
    rows = select(StaffNotice.id).where(StaffNotice.staff_id == bindparam("staff_id"), StaffNotice.read_at.is_(None))
    return select(func.count()).select_from(_shown(rows, shown).limit(100).subquery())


def listed(
    staff_id: int,
    *,
    read: bool = False,
    shown: ColumnElement[bool] | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[StaffNotice]:
    """A person's notices, newest first: unread ones, or those already read. before: the id to go on from.

    shown: of the notices about reports only these. What somebody was told before they were limited is not shown.
    """
    query = select(StaffNotice).where(
        StaffNotice.staff_id == staff_id,
        StaffNotice.read_at.is_not(None) if read else StaffNotice.read_at.is_(None),
    )
    query = _shown(query, shown)
    if before is not None:
        query = query.where(StaffNotice.id < before)
    return list(db.session.scalars(query.order_by(StaffNotice.id.desc()).limit(limit)))


def _shown(query: _Query, shown: ColumnElement[bool] | None) -> _Query:
    return query if shown is None else query.where(or_(StaffNotice.report_id.is_(None), shown))


def mark_read(by: Staff, *, up_to: int, only: int | None = None) -> None:
    """This person has seen their notices up to the id `up_to`, or the one named."""
    query = update(StaffNotice).where(StaffNotice.staff_id == by.id, StaffNotice.read_at.is_(None))
    query = query.where(StaffNotice.id == only if only is not None else StaffNotice.id <= up_to)
    db.session.execute(query.values(read_at=clock.now()))
