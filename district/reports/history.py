"""What every verb leaves behind: a line of the report's history, and pictures that have become part of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, Table, Update, bindparam
from sqlalchemy.orm.util import identity_key

from district import clock, work
from district.errors import BadInput
from district.extensions import db
from district.people.models import Resident, Staff
from district.reports.guards import Actor, System
from district.reports.models import EventKind, Photo, Report, ReportEvent
from district.rows import put


def record(
    report: Report,
    kind: EventKind,
    by: Actor,
    *,
    from_status: str | None = None,
    to_status: str | None = None,
    unit_id: int | None = None,
    note: str = "",
    is_public: bool = True,
    data: dict[str, Any] | None = None,
) -> None:
    """One line of the history. from_status: given when the status has just changed."""
    actor = "staff" if isinstance(by, Staff) else "system" if isinstance(by, System) else "resident"
    put(
        ReportEvent,
        report_id=report.id,
        at=clock.now(),
        kind=kind,
        actor=actor,
        staff_id=by.id if isinstance(by, Staff) else None,
        from_status=from_status,
        to_status=to_status or (report.status if from_status is not None else None),
        unit_id=unit_id,
        note=note,
        is_public=is_public,
        data=data or {},
    )


def attach(report: Report, photo_ids: Sequence[int], by: Actor | None, *, purpose: str = "before") -> None:
    """Photos become part of the report: only loose ones, and only one's own."""
    if not photo_ids:
        return
    statement = _ATTACH["staff" if isinstance(by, Staff) else "resident" if isinstance(by, Resident) else "nobody"]
    whose = {"whose": by.id} if isinstance(by, Staff | Resident) else {}
    result = work.connection().execute(
        statement, {"photo_ids": list(photo_ids), "report": report.id, "for": purpose, **whose}
    )
    if result.rowcount != len(set(photo_ids)):
        raise BadInput(fields={"photos": "errors.photo_unknown"})
    for photo_id in photo_ids:
        loaded = db.session.identity_map.get(identity_key(Photo, photo_id))
        if loaded is not None:
            db.session.expire(loaded)


def _attachment(*owned: ColumnElement[bool]) -> Update:
    """Built once for each kind of owner."""
    return (
        _photos.update()
        .where(_photos.c.id.in_(bindparam("photo_ids", expanding=True)), _photos.c.report_id.is_(None), *owned)
        .values(report_id=bindparam("report"), purpose=bindparam("for"))
    )


_photos = cast(Table, Photo.__table__)
_ATTACH: dict[str, Update] = {
    "staff": _attachment(_photos.c.staff_id == bindparam("whose")),
    "resident": _attachment(
        _photos.c.staff_id.is_(None), (_photos.c.resident_id == bindparam("whose")) | _photos.c.resident_id.is_(None)
    ),
    "nobody": _attachment(_photos.c.resident_id.is_(None), _photos.c.staff_id.is_(None)),
}
