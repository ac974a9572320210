"""Writing changes down and reading them back. Verbs flush and never commit.

Taking a change back is the business of whoever keeps that kind of thing: it begins with `to_undo` and ends with
`record(..., undoes=...)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from district import audit, clock
from district.changes.models import Change
from district.errors import NotFound, WrongState
from district.extensions import db
from district.people.models import Staff

Record = Mapping[str, Any]
PAGE = 30


def record(
    by: Staff,
    kind: str,
    subject: str,
    *,
    act: str,
    before: Record | None,
    after: Record | None,
    undoes: Change | None = None,
) -> Change:
    """Write a change down, with its line in the audit log (`settings.<act>`), in the unit of work of the change.

    before, after: JSON, without residents' personal data.
    """
    change = Change(
        at=clock.now(),
        staff_id=by.id,
        kind=kind,
        subject=subject,
        before=dict(before) if before is not None else None,
        after=dict(after) if after is not None else None,
    )
    db.session.add(change)
    # For the id, which the log and the change that is taken back name.
    db.session.flush()
    if undoes is not None:
        undoes.undone_by_id = change.id
    audit.record(by, f"settings.{act}", f"change:{change.id}", what=kind, code=subject)
    return change


def to_undo(change_id: int) -> Change:
    """The change, locked until the commit. Raises NotFound, and WrongState for one that was taken back already."""
    found = db.session.get(Change, change_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound()
    if found.undone_by_id is not None:
        raise WrongState("upkeep.undo.twice")
    return found


def of_subject(kind: str, subject: str, *, limit: int = 50) -> list[Change]:
    """What was changed about one thing, newest first."""
    return _newest(select(Change).where(Change.kind == kind, Change.subject == subject), limit)


def page(*, kind: str = "", before: int | None = None, limit: int = PAGE) -> list[Change]:
    """All changes, newest first. kind: of this kind only. before: only those with a lower id."""
    query = select(Change)
    if kind:
        query = query.where(Change.kind == kind)
    return _newest(query if before is None else query.where(Change.id < before), limit)


def by_ids(ids: set[int]) -> list[Change]:
    """These changes, in no particular order."""
    return list(db.session.scalars(select(Change).where(Change.id.in_(ids)))) if ids else []


def undone_ids(changes: list[Change]) -> dict[int, int]:
    """For those of the changes that took another back: which one, by their own id."""
    ids = [change.id for change in changes]
    rows = db.session.execute(select(Change.undone_by_id, Change.id).where(Change.undone_by_id.in_(ids)))
    return {by: of for by, of in rows if by is not None}


def _newest(query: Any, limit: int) -> list[Change]:
    return list(db.session.scalars(query.options(joinedload(Change.staff)).order_by(Change.id.desc()).limit(limit)))
