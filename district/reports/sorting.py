"""Pictures that went to the wrong one of a resident's reports. Does not commit."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import update

from district.extensions import db
from district.people.models import Resident
from district.reports import following
from district.reports import service as reports
from district.reports.guards import require
from district.reports.history import record
from district.reports.models import EventKind, Photo
from district.reports.states import Action


def move_photos(
    from_id: int, to_id: int, *, by: Resident, media_ids: Sequence[str] = (), photo_ids: Sequence[int] = ()
) -> int:
    """Move this resident's pictures from one report of theirs, or that they follow, to another; how many were moved.

    media_ids, photo_ids: which, by WeChat's names or by ours. Both histories say so.
    Raises NotAllowed, WrongState once nothing can be added to either, NotFound.
    """
    # Always in one order: two who move at the same time must not wait for each other.
    found = {report_id: reports.lock(report_id) for report_id in sorted({from_id, to_id})}
    source, target = found[from_id], found[to_id]
    for report in (source, target):
        if report.resident_id == by.id:
            require(by, Action.COMMENT, report)
        else:
            following.require(report, by)
    if source is target:
        return 0
    theirs = update(Photo).where(
        Photo.report_id == source.id,
        Photo.resident_id == by.id,
        Photo.purpose == "before",
        Photo.media_id.in_(list(media_ids)) | Photo.id.in_(list(photo_ids)),
    )
    moved = int(db.session.execute(theirs.values(report_id=target.id)).rowcount)  # type: ignore[attr-defined]
    if moved:
        record(source, EventKind.CORRECTED, by, is_public=False, data={"photos_to": target.number})
        is_theirs = target.resident_id == by.id
        record(target, EventKind.PHOTO_ADDED, by, is_public=is_theirs, data={"photos_from": source.number})
    return moved
