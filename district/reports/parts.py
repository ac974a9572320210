"""Co-units (协办) with their own part of the work. None commits."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from district import audit, clock
from district.errors import BadInput
from district.extensions import db
from district.people.models import Staff
from district.reports.guards import own_open_parts, require
from district.reports.history import attach, record
from district.reports.models import EventKind, Report, ReportUnit
from district.reports.states import Action
from district.words import clean

LONGEST_PART_NOTE = 1000
CO = "co"


def finish_part(report: Report, *, by: Staff, note: str, photo_ids: Sequence[int] = ()) -> list[ReportUnit]:
    """The co-unit has done its own part; the responsible unit still answers for the whole.

    report: locked. Raises NotAllowed, WrongState (also when the part is done already), BadInput.
    """
    require(by, Action.FINISH_PART, report)
    note = clean(note)
    if not note:
        raise BadInput(fields={"note": "errors.note_missing"})
    if len(note) > LONGEST_PART_NOTE:
        raise BadInput(fields={"note": "errors.note_long"})
    attach(report, photo_ids, by, purpose="after")
    done = own_open_parts(by, report)
    for part in done:
        part.done_at, part.done_by_id, part.note = clock.now(), by.id, note
        record(report, EventKind.PART_DONE, by, unit_id=part.unit_id, note=note, is_public=False)
    audit.record(by, "report.finish_part", f"report:{report.id}")
    return done


def open_parts(report: Report) -> list[ReportUnit]:
    """Parts of co-units that are not done: said to whoever reports the work done, and never in the way."""
    query = select(ReportUnit).where(
        ReportUnit.report_id == report.id, ReportUnit.role == CO, ReportUnit.done_at.is_(None)
    )
    rows = db.session.scalars(query.options(joinedload(ReportUnit.unit)).order_by(ReportUnit.unit_id))
    return [row for row in rows if row.unit_id != report.unit_id]
