"""One report that turned out to be two things becomes two reports. None commits."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import update

from district import audit
from district.errors import BadInput
from district.extensions import db
from district.notifications import service as notifications
from district.people.models import Resident, Staff
from district.reports import service as reports
from district.reports.guards import require
from district.reports.history import record
from district.reports.models import EventKind, Photo, PlaceSource, Report, Source
from district.reports.states import Action
from district.words import clean


def split(
    report: Report, *, by: Staff, description: str, category_code: str = "", photo_ids: Sequence[int] = ()
) -> Report:
    """File the second thing as a report of its own, of the same resident and place; routing is hurried.

    report: locked. description: the second thing in words. photo_ids: pictures of it, which move over.
    Returns the new report. Raises NotAllowed, WrongState, BadInput.
    """
    require(by, Action.SPLIT, report)
    if not clean(description):
        raise BadInput(fields={"description": "reportpage.problem.split_words"})
    resident = db.session.get(Resident, report.resident_id) if report.resident_id else None
    filed = reports.file(
        reports.NewReport(
            source=Source(report.source),
            description=description,
            category_code=category_code,
            latitude=report.latitude,
            longitude=report.longitude,
            address=report.address,
            place_source=PlaceSource(report.place_source) if report.place_source else None,
            language=report.language,
            intent=report.intent,
            client_id=report.client_id,
        ),
        by=resident,
    )
    second = reports.lock(filed.id)
    second.contact_sealed = report.contact_sealed
    _move(report, second, photo_ids)
    record(report, EventKind.SPLIT, by, unit_id=report.unit_id, data={"into": second.number})
    record(second, EventKind.SPLIT, by, data={"from": report.number})
    audit.record(by, "report.split", f"report:{report.id}", into=second.number)
    notifications.tell(report, "split", other=second.number)
    return second


def _move(report: Report, second: Report, photo_ids: Sequence[int]) -> None:
    wanted = set(photo_ids)
    if not wanted:
        return
    moved = db.session.execute(
        update(Photo)
        .where(Photo.id.in_(wanted), Photo.report_id == report.id, Photo.purpose == "before")
        .values(report_id=second.id)
        .returning(Photo.id)
    ).all()
    if len(moved) != len(wanted):
        raise BadInput(fields={"photos": "errors.photo_unknown"})
