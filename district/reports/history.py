"""What every verb leaves behind: a line of the report's history, and pictures that have become part of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy.orm.util import identity_key

from district import clock
from district.errors import BadInput
from district.extensions import db
from district.people.models import Resident, Staff
from district.reports.guards import Actor, System
from district.reports.models import EventKind, Photo, ReportEvent
from district.rows import put, send


class Subject(Protocol):
    """A report, as far as its history has to know it."""

    @property
    def id(self) -> int: ...

    @property
    def status(self) -> str: ...


def record(
    report: Subject,
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


def attach(report: Subject, photo_ids: Sequence[int], by: Actor | None, *, purpose: str = "before") -> None:
    """Photos become part of the report: only loose ones, and only one's own."""
    if not photo_ids:
        return
    owner = "staff" if isinstance(by, Staff) else "resident" if isinstance(by, Resident) else "nobody"
    whose = [by.id] if isinstance(by, Staff | Resident) else []
    wanted = set(photo_ids)
    statement = _ATTACH.format(ids=",".join("?" * len(wanted)), owned=_OWNED[owner])
    if len(send(statement, [report.id, purpose, *wanted, *whose])) != len(wanted):
        raise BadInput(fields={"photos": "errors.photo_unknown"})
    # A session that nobody has used yet holds none of them, and would be made only to be asked.
    for photo_id in photo_ids if db.session.registry.has() else ():
        loaded = db.session.identity_map.get(identity_key(Photo, photo_id))
        if loaded is not None:
            db.session.expire(loaded)


_ATTACH = """
update photo set report_id = ?, purpose = ? where id in ({ids}) and report_id is null and {owned} returning id
"""
# Whose pictures somebody may attach.
_OWNED = {
    "staff": "staff_id = ?",
    "resident": "staff_id is null and (resident_id = ? or resident_id is null)",
    "nobody": "resident_id is null and staff_id is null",
}
