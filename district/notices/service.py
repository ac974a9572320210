"""Telling staff inside the panel: a row for a role and a unit, seen once by one of them. None commits."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, or_, select, update
from sqlalchemy.orm import joinedload

from district import clock
from district.extensions import db
from district.notices.models import StaffNotice
from district.people.models import Staff
from district.people.roles import Role
from district.people.service import unit_and_below
from district.rows import put


def tell(role: Role, kind: str, *, report_id: int, unit_id: int | None, **params: Any) -> None:
    """Tell the people of a role: a unit's managers of their own unit, every other role of the whole district.

    kind: names the sentence `handback.notice.<kind>`; params fill it and hold no personal data.
    """
    put(
        StaffNotice,
        role=role,
        unit_id=unit_id,
        report_id=report_id,
        kind=kind,
        params=params,
        created_at=clock.now(),
    )


def for_staff(staff: Staff, *, read: bool = False, limit: int = 100) -> list[StaffNotice]:
    """What this person is told of, newest first. read: what was seen already instead."""
    query = select(StaffNotice).where(
        _concerns(staff), StaffNotice.read_at.is_not(None) if read else StaffNotice.read_at.is_(None)
    )
    query = query.options(joinedload(StaffNotice.unit), joinedload(StaffNotice.read_by))
    return list(db.session.scalars(query.order_by(StaffNotice.id.desc()).limit(limit)))


def unread_count(staff: Staff) -> int:
    """How many notices wait for this person."""
    query = select(func.count()).select_from(StaffNotice).where(StaffNotice.read_at.is_(None), _concerns(staff))
    return db.session.scalar(query) or 0


def mark_read(*, by: Staff, up_to: int) -> int:
    """This person has seen all that was shown. up_to: the id of the newest of it. Returns how many were new."""
    result = db.session.execute(
        update(StaffNotice)
        .where(StaffNotice.read_at.is_(None), StaffNotice.id <= up_to, _concerns(by))
        .values(read_at=clock.now(), read_by_id=by.id)
        .execution_options(synchronize_session=False)
    )
    return int(result.rowcount)  # type: ignore[attr-defined]


def _concerns(staff: Staff) -> ColumnElement[bool]:
    parts: list[ColumnElement[bool]] = []
    whole = sorted(staff.roles - {Role.UNIT_MANAGER})
    if whole:
        parts.append(StaffNotice.role.in_(whole))
    if Role.UNIT_MANAGER in staff.roles:
        units = sorted(unit_and_below(staff.unit_id))
        parts.append(and_(StaffNotice.role == Role.UNIT_MANAGER, StaffNotice.unit_id.in_(units)))
    return or_(*parts) if parts else false()
