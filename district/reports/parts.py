"""Co-units (协办) with their own part of the work. None commits."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from district import audit, clock
from district.errors import BadInput
from district.extensions import db
from district.notices import service as notices
from district.people.models import Staff
from district.reference import reference
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


def add(report: Report, *, by: Staff, unit_id: int, note: str = "") -> ReportUnit:
    """Another unit does a part of the work, beside the one that answers for the whole; its people are told.

    report: locked. note: what is theirs to do. Raises NotAllowed, WrongState, BadInput.
    """
    require(by, Action.ADD_CO, report)
    unit = reference().units_by_id.get(unit_id)
    if unit is None or unit.is_closed:
        raise BadInput(fields={"unit": "errors.unit_unknown"})
    if unit_id == report.unit_id:
        raise BadInput(fields={"unit": "errors.unit_the_same"})
    if db.session.get(ReportUnit, (report.id, unit_id, CO)) is not None:
        raise BadInput(fields={"unit": "reportpage.problem.co_already"})
    note = clean(note)
    if len(note) > LONGEST_PART_NOTE:
        raise BadInput(fields={"note": "errors.note_long"})
    row = ReportUnit(report_id=report.id, unit_id=unit_id, role=CO, note="")
    report.other_units.append(row)
    record(report, EventKind.CO_ADDED, by, unit_id=unit_id, note=note, is_public=False)
    audit.record(by, "report.add_co", f"report:{report.id}", unit=unit.code)
    notices.tell("co_added", notices.people_of(unit_id), report_id=report.id, but=by.id, unit=unit.name)
    return row


def remove(report: Report, *, by: Staff, unit_id: int, reason: str) -> None:
    """A co-unit has no part in it any more; its people are told. What is done already stays with who did it.

    report: locked. reason: kept in the history for staff. Raises NotAllowed, WrongState, BadInput.
    """
    require(by, Action.REMOVE_CO, report)
    row = next((part for part in report.other_units if part.role == CO and part.unit_id == unit_id), None)
    if row is None or row.done_at is not None:
        raise BadInput(fields={"unit": "reportpage.problem.co_unknown"})
    reason = clean(reason)
    if not reason:
        raise BadInput(fields={"reason": "errors.reason_missing"})
    if len(reason) > LONGEST_PART_NOTE:
        raise BadInput(fields={"reason": "errors.note_long"})
    unit = reference().units_by_id[unit_id]
    report.other_units.remove(row)
    record(report, EventKind.CO_REMOVED, by, unit_id=unit_id, note=reason, is_public=False)
    audit.record(by, "report.remove_co", f"report:{report.id}", unit=unit.code)
    notices.tell("co_removed", notices.people_of(unit_id), report_id=report.id, but=by.id, unit=unit.name)


def open_parts(report: Report) -> list[ReportUnit]:
    """Parts of co-units that are not done: said to whoever reports the work done, and never in the way."""
    query = select(ReportUnit).where(
        ReportUnit.report_id == report.id, ReportUnit.role == CO, ReportUnit.done_at.is_(None)
    )
    rows = db.session.scalars(query.options(joinedload(ReportUnit.unit)).order_by(ReportUnit.unit_id))
    return [row for row in rows if row.unit_id != report.unit_id]
