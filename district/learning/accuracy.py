"""How often the router was right, week by week and by version of the model. Reads only.

Every figure is about a report's first decision, in the week it was made. What staff correct later still counts for
that week, so that a young week looks better than it will.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Integer, and_, cast, exists, func, select
from sqlalchemy.orm import aliased

from district.extensions import db
from district.reports.models import EventKind, ReportEvent
from district.routing.models import RoutingDecision


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Counts of first decisions in [since, until).

    decisions: all. sent: given to a unit without anybody. triaged: left to people. with_category: whose category was
    known. category_corrected: of those, whose category staff changed later. unit_corrected: of those sent, which staff
    moved to another unit later.
    """

    since: datetime
    until: datetime
    decisions: int = 0
    sent: int = 0
    triaged: int = 0
    with_category: int = 0
    category_corrected: int = 0
    unit_corrected: int = 0

    @property
    def sent_share(self) -> float | None:
        return _share(self.sent, self.decisions)

    @property
    def triage_share(self) -> float | None:
        return _share(self.triaged, self.decisions)

    @property
    def category_share(self) -> float | None:
        return _share(self.category_corrected, self.with_category)

    @property
    def unit_share(self) -> float | None:
        return _share(self.unit_corrected, self.sent)


def by_week(now: datetime, zone: str, weeks: int = 12) -> list[Accuracy]:
    """The last weeks, newest first. A week begins on Monday, midnight in the district's zone."""
    local = now.astimezone(ZoneInfo(zone))
    monday = (local - timedelta(days=local.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
    found = []
    for back in range(weeks):
        # On the wall clock: a week with a change of the clocks is an hour longer or shorter.
        since = monday - timedelta(weeks=back)
        found.append(between(since, since + timedelta(weeks=1)))
    return found


def by_version(
    uses: Sequence[tuple[int, datetime, datetime | None]], since: datetime, now: datetime
) -> list[tuple[int, Accuracy]]:
    """(version, what was decided while it was in use) within [since, now), newest version first.

    uses: as `versions.uses`. Times of use of the same version are added up.
    """
    found: dict[int, Accuracy] = {}
    for version, start, end in uses:
        if (end or now) > since:
            part = between(max(start, since), end or now)
            found[version] = _sum(found[version], part) if version in found else part
    return sorted(found.items(), reverse=True)


def between(since: datetime, until: datetime) -> Accuracy:
    """The first decisions made in [since, until)."""
    earlier = aliased(RoutingDecision)
    first = ~exists().where(earlier.report_id == RoutingDecision.report_id, earlier.id < RoutingDecision.id)
    has_category = RoutingDecision.inputs["category"].as_string().is_not(None)
    corrected = _changed_later(EventKind.CORRECTED) & ReportEvent.data["category"].as_string().is_not(None)
    sent = ~RoutingDecision.to_triage
    row = db.session.execute(
        select(
            func.count(),
            _count(sent),
            _count(has_category),
            _count(and_(has_category, exists().where(corrected))),
            _count(and_(sent, exists().where(_changed_later(EventKind.REASSIGNED)))),
        ).where(RoutingDecision.at >= since, RoutingDecision.at < until, first)
    ).one()
    decisions, sent_count, with_category, category_corrected, unit_corrected = (int(value or 0) for value in row)
    return Accuracy(
        since, until, decisions, sent_count, decisions - sent_count, with_category, category_corrected, unit_corrected
    )


def _changed_later(kind: EventKind) -> Any:
    """Staff changed it after the decision."""
    return and_(
        ReportEvent.report_id == RoutingDecision.report_id,
        ReportEvent.kind == kind,
        ReportEvent.actor == "staff",
        ReportEvent.at >= RoutingDecision.at,
    )


def _count(condition: Any) -> Any:
    return func.sum(cast(condition, Integer))


def _sum(one: Accuracy, other: Accuracy) -> Accuracy:
    return Accuracy(
        min(one.since, other.since),
        max(one.until, other.until),
        one.decisions + other.decisions,
        one.sent + other.sent,
        one.triaged + other.triaged,
        one.with_category + other.with_category,
        one.category_corrected + other.category_corrected,
        one.unit_corrected + other.unit_corrected,
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
