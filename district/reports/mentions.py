"""Internal notes that call colleagues by name. None commits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from district.extensions import db
from district.notices import service as notices
from district.people.models import Staff
from district.reports import service as reports
from district.reports import sight
from district.reports.models import Report

MARK = "@"


@dataclass(frozen=True)
class Colleague:
    """Somebody who can be mentioned. handle: what stands behind the `@`: the name, told apart where two share it."""

    staff: Staff
    handle: str


def colleagues(report: Report) -> list[Colleague]:
    """Everybody who may see this report, its own units first."""
    query = select(Staff).where(Staff.left_at.is_(None)).options(joinedload(Staff.unit), selectinload(Staff.role_rows))
    seeing = [row for row in db.session.scalars(query) if row.roles and sight.may_see(row, report)]
    names = Counter(row.name for row in seeing)
    units = {report.unit_id, *(part.unit_id for part in report.other_units)}
    seeing.sort(key=lambda row: (row.unit_id not in units, row.unit.code, row.name, row.id))
    return [Colleague(row, row.name if names[row.name] == 1 else f"{row.name}({row.username})") for row in seeing]


def named_in(text: str, among: Sequence[Colleague]) -> list[Staff]:
    """Who is called by name in `text`; a longer name wins over a shorter one that it begins with."""
    found = []
    for one in sorted(among, key=lambda colleague: -len(colleague.handle)):
        call = MARK + one.handle
        if call in text:
            found.append(one.staff)
            text = text.replace(call, " ")
    return found


def note(report: Report, *, by: Staff, text: str, photo_ids: Sequence[int] = ()) -> None:
    """An internal note: residents never read it; whoever it mentions is told. report: locked.

    Raises NotAllowed, WrongState, BadInput as `reports.comment` does.
    """
    reports.comment(report, by=by, text=text, photo_ids=photo_ids, is_public=False)
    if MARK in text:
        told = {staff.id for staff in named_in(text, colleagues(report))}
        notices.tell("mentioned", told, report_id=report.id, but=by.id, who=by.name)
