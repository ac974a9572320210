"""What reports say about one facility: what is open there, and its last year in short. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from district import clock
from district.extensions import db
from district.reports.models import Report
from district.reports.similar import PUBLIC_INTENTS
from district.reports.states import Status

YEAR_DAYS = 365
# They stay between whoever reported and the district.
_PRIVATE = (Status.REJECTED, Status.WITHDRAWN)


@dataclass(frozen=True)
class Fix:
    """One report that was dealt with and checked. description: its words, for `usual_problem` alone."""

    reported_at: datetime
    fixed_at: datetime
    category_id: int | None
    description: str


@dataclass(frozen=True)
class LastYear:
    """reports: how many everybody may know of. fixes: the last ones, newest first."""

    reports: int
    fixes: tuple[Fix, ...]


def last_year(facility_id: int, *, fixes: int = 3) -> LastYear:
    """A facility's last 365 days: two queries over the index of reports by facility."""
    theirs = (
        Report.facility_id == facility_id,
        Report.submitted_at >= clock.now() - timedelta(days=YEAR_DAYS),
        Report.intent.in_(PUBLIC_INTENTS),
    )
    count = select(func.count()).where(*theirs, Report.status.not_in(_PRIVATE))
    rows = db.session.execute(
        select(Report.submitted_at, Report.resolved_at, Report.category_id, Report.description)
        .where(*theirs, Report.status == Status.CLOSED, Report.resolved_at.is_not(None))
        .order_by(Report.resolved_at.desc(), Report.id.desc())
        .limit(fixes)
    )
    return LastYear(db.session.scalar(count) or 0, tuple(Fix(row[0], row[1] or row[0], row[2], row[3]) for row in rows))


def usual_problem(description: str, problems: Iterable[str], things: Iterable[str] = ()) -> str:
    """Which of the usual problems a report is about, where its words are nothing but that; "" for words of its own.

    A choice from a list that everybody sees is no secret; what somebody wrote stays with them. things: what the kind
    of facility is called, which the chosen words may begin with.
    """
    said = description.strip()
    name = next((thing for thing in things if thing and said.startswith(thing)), "")
    said = said.removeprefix(name).lstrip(":： ")
    return said if said in set(problems) else ""
