"""Lists of staff and of what they did. None commits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, case, cast, func, or_, select
from sqlalchemy.orm import joinedload

from district.extensions import db
from district.people.models import AuditEntry, Staff, StaffRole
from district.people.roles import Role
from district.units.models import Unit


def staff_list(*, words: str = "", role: Role | None = None, gone: bool = False, limit: int = 500) -> list[Staff]:
    """Staff by unit and name. words: part of a name, user name or unit; gone: those who left instead."""
    query = select(Staff).join(Unit, Unit.id == Staff.unit_id)
    query = query.where(Staff.left_at.is_not(None) if gone else Staff.left_at.is_(None))
    for word in words.split()[:5]:
        query = query.where(
            or_(*(column.contains(word, autoescape=True) for column in (Staff.name, Staff.username, Unit.name)))
        )
    if role is not None:
        query = query.where(Staff.id.in_(select(StaffRole.staff_id).where(StaffRole.role == role)))
    return list(db.session.scalars(query.order_by(Unit.code, Staff.username).limit(limit)))


def by_username(username: str) -> Staff | None:
    """The person with this user name, also one who left."""
    return db.session.scalar(select(Staff).where(Staff.username == username.strip().lower()))


def names_by_unit() -> list[tuple[str, str, str]]:
    """Everybody who still works here, as (unit's name, name, user name), by unit."""
    rows = db.session.execute(
        select(Unit.name, Staff.name, Staff.username)
        .join(Unit, Unit.id == Staff.unit_id)
        .where(Staff.left_at.is_(None))
        .order_by(Unit.code, Staff.username)
    )
    return [(unit, name, username) for unit, name, username in rows]


@dataclass(frozen=True)
class AuditPage:
    """Entries newest first, each with who did it (None: a command, or nobody known)."""

    entries: list[tuple[AuditEntry, Staff | None]]
    next_before: int | None


def report_in_entry() -> ColumnElement[Any]:
    """The id of the report that an entry is about; null for an entry about something else."""
    about = AuditEntry.subject.startswith("report:")
    return case((about, cast(func.substr(AuditEntry.subject, len("report:") + 1), BigInteger)))


def audit_page(
    *,
    staff_id: int | None = None,
    action: str = "",
    subject: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    shown: ColumnElement[bool] | None = None,
    before: int | None = None,
    limit: int = 50,
) -> AuditPage:
    """The audit log, by keyset. action: a whole name such as `report.assign`, or its first part, `report`.

    shown: of the entries about reports only these (`report_in_entry`).
    """
    query = select(AuditEntry, Staff).outerjoin(Staff, Staff.id == AuditEntry.staff_id).options(joinedload(Staff.unit))
    if staff_id is not None:
        query = query.where(AuditEntry.staff_id == staff_id)
    if action:
        query = query.where(
            or_(AuditEntry.action == action, AuditEntry.action.startswith(f"{action}.", autoescape=True))
        )
    if subject:
        query = query.where(AuditEntry.subject == subject)
    if since is not None:
        query = query.where(AuditEntry.at >= since)
    if until is not None:
        query = query.where(AuditEntry.at < until)
    if shown is not None:
        query = query.where(or_(~AuditEntry.subject.startswith("report:"), shown))
    if before is not None:
        query = query.where(AuditEntry.id < before)
    rows = db.session.execute(query.order_by(AuditEntry.id.desc()).limit(limit + 1)).all()
    entries: list[tuple[AuditEntry, Staff | None]] = [(entry, staff) for entry, staff in rows[:limit]]
    return AuditPage(entries, entries[-1][0].id if len(rows) > limit else None)
