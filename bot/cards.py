"""What the chat reads of a report to show it to its resident, in one statement past the session (`district.quick`).

"Where is my report?" is asked often, and whole reports with all their columns cost several times the few it needs.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from district import work
from district.rows import moment_for, moment_from, send

# Of what was closed lately; one of these is the one that is rated.
MOST_CLOSED = 5


class Row(NamedTuple):
    """A report. `shown_*`, is_handed_back, is_paused and due_at are those of the report it joined, if it joined one."""

    id: int
    number: str
    access_key: str
    resident_id: int | None
    description: str
    status: str
    reopen_count: int
    parent_id: int | None
    category_id: int | None
    shown_status: str
    shown_unit_id: int | None
    shown_resolution: str
    is_handed_back: bool | int  # SQLite's truth is a number
    is_rated: bool | int
    is_paused: bool | int
    due_at: datetime | None


def by_number(number: str) -> Row | None:
    """The report with this number, properly spelt."""
    return next(iter(_rows("report.number = ?", number)), None)


def of_resident(resident_id: int, *, limit: int) -> list[Row]:
    """A resident's own reports and those they follow, newest first."""
    return _rows(
        "report.resident_id = ? or report.id in (select report_id from report_follower where resident_id = ?) "
        "order by report.id desc limit ?",
        resident_id, resident_id, limit,
    )  # fmt: skip


def closed_lately(resident_id: int, *, now: datetime, days: int) -> list[Row]:
    """A resident's own reports that were closed within so many days, the last one first."""
    since = moment_for(work.connection(), now - timedelta(days=days))
    return _rows(
        "report.resident_id = ? and report.status = 'closed' and report.closed_at > ? "
        "order by report.closed_at desc limit ?",
        resident_id, since, MOST_CLOSED,
    )  # fmt: skip


def _rows(where: str, *values: Any) -> list[Row]:
    rows = map(Row._make, send(_SELECT + where, values))
    return [row._replace(due_at=moment_from(row.due_at)) if row.due_at else row for row in rows]


_SELECT = """
select report.id, report.number, report.access_key, report.resident_id, report.description, report.status,
       report.reopen_count, report.parent_id, report.category_id, shown.status, shown.unit_id, shown.resolution,
       shown.hand_back_pending, report.rated_at is not null, shown.clock_paused_at is not null, shown.handling_due_at
from report join report as shown on shown.id = coalesce(report.parent_id, report.id)
where """
