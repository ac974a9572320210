"""Keeping what has come of an act on many reports. Each row is done in a unit of work of its own, and noted in it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from district import clock
from district.bulk.models import BulkRun
from district.errors import BadInput, DistrictError, NotFound
from district.extensions import db
from district.people.models import Staff

MOST_ROWS = 100


def begin(token: str, action: str, *, by: Staff) -> BulkRun:
    """The run of this form, begun when it is sent first. Raises NotFound for somebody else's."""
    found = db.session.get(BulkRun, token)
    if found is None:
        found = BulkRun(token=token, staff_id=by.id, action=action, started_at=clock.now(), results={})
        db.session.add(found)
        db.session.flush()
    return _own(found, by)


def take(token: str, *, by: Staff) -> BulkRun:
    """The run, locked: of a form that is sent twice at once, one waits for the other row by row."""
    return _own(db.session.scalar(select(BulkRun).where(BulkRun.token == token).with_for_update()), by)


def read(token: str, *, by: Staff) -> BulkRun:
    """The run as it stands. Raises NotFound."""
    return _own(db.session.get(BulkRun, token), by)


def note(run: BulkRun, number: str, problem: DistrictError | None = None) -> None:
    """What came of one report: done, or why not."""
    key, params = "", {}
    if problem is not None:
        fields = problem.fields if isinstance(problem, BadInput) else {}
        key, params = next(iter(fields.values()), problem.key), _plain(problem.params)
    run.results = {**run.results, number: {"key": key, "params": params}}


def _own(found: BulkRun | None, by: Staff) -> BulkRun:
    if found is None or found.staff_id != by.id:
        raise NotFound()
    return found


def _plain(params: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in params.items()}
