"""Handing back by the district's rules: reasons to choose from, when it is late, and how often a unit does it.

The numbers are defined in docs/handback.md. None of these commits.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import joinedload

from district.categories.models import LimitUnit
from district.deadlines import service as deadlines
from district.extensions import db
from district.messages import CHINESE, language, t
from district.reference import reference
from district.reports import keys
from district.reports.models import EventKind, HandBack, Report, ReportEvent

# Where the district says nothing: setting `hand_backs.reasons`, and words for each under `handback.reason_code`.
DEFAULT_REASONS = (
    "not_our_area", "not_our_facility", "not_our_duty", "needs_another_first", "wrong_place", "duplicate", "other",
)  # fmt: skip
# A reason of this code says nothing by itself: it needs words.
OTHER = "other"
_DEFAULT_LIMIT = (8, LimitUnit.WORKING_HOURS)
# With fewer dispatches than this in the period a share says more about chance than about the unit.
DEFAULT_LEAST = 5


def reasons() -> list[tuple[str, str]]:
    """What a unit can choose from, as (code, words in the present language); `other` comes last and is always there."""
    own = reference().setting("hand_backs.reasons", [])
    found = [(str(row["code"]), str(row["name"].get(language()) or row["name"][CHINESE])) for row in own]
    if not found:
        return [(code, t(f"handback.reason_code.{code}")) for code in DEFAULT_REASONS]
    if OTHER not in dict(found):
        found.append((OTHER, t("handback.reason_code.other")))
    return found


def reason_words(code: str) -> str:
    """The words of a reason, "" for `other` and for a code that the district has since given up."""
    return "" if code == OTHER else dict(reasons()).get(code, "")


def in_time_until(assigned_at: datetime) -> datetime:
    """Until when a unit that was given a report at `assigned_at` hands it back in time."""
    limit = reference().setting("limits.hand_back", {})
    value = int(limit.get("value", _DEFAULT_LIMIT[0]))
    unit = LimitUnit(limit.get("unit", _DEFAULT_LIMIT[1]))
    return deadlines.working_calendar().due_at(assigned_at, value, unit)


def was_handed_back_by(report_id: int, unit_id: int | None) -> bool:
    """Whether this unit has handed this report back before, whatever became of it."""
    query = select(HandBack.id).where(HandBack.report_id == report_id, HandBack.unit_id == unit_id)
    return db.session.scalar(query.limit(1)) is not None


@dataclass(frozen=True)
class UnitRate:
    """A unit's hand-backs in a period. dispatched: how often it was given a report.

    shirked: hand-backs that were refused or late, or that repeat one and await their ruling, each once; rate: their
    share of the dispatches, None below the district's least number of them.
    """

    unit_id: int
    dispatched: int
    asked: int
    upheld: int
    refused: int
    late: int
    repeated: int
    shirked: int
    rate: float | None


def least_dispatches() -> int:
    return int(reference().setting("limits.hand_back_rate_least", DEFAULT_LEAST))


def rates(
    since: datetime, until: datetime, *, units: Collection[int] | None = None, areas: Collection[str] | None = None
) -> list[UnitRate]:
    """The 推诿率 of every unit that handed something back in the period, worst first; those without a rate last.

    since, until: aware, the second not included. units: ids, areas: codes of streets; None for all.
    """
    given = (
        select(ReportEvent.unit_id, func.count())
        .where(
            ReportEvent.at >= since,
            ReportEvent.at < until,
            ReportEvent.kind.in_((EventKind.ROUTED, EventKind.ASSIGNED, EventKind.REASSIGNED)),
            ReportEvent.unit_id.is_not(None),
        )
        .group_by(ReportEvent.unit_id)
    )
    if areas is not None:
        given = given.join(Report, Report.id == ReportEvent.report_id).where(Report.area_code.in_(list(areas)))
    dispatched = dict(db.session.execute(given).all())
    shirked = or_(
        HandBack.upheld.is_(False),
        HandBack.is_late.is_(True),
        and_(HandBack.is_repeated.is_(True), HandBack.upheld.is_(None)),
    )
    counted = select(
        HandBack.unit_id,
        func.count(),
        func.count().filter(HandBack.upheld.is_(True)),
        func.count().filter(HandBack.upheld.is_(False)),
        func.count().filter(HandBack.is_late.is_(True)),
        func.count().filter(HandBack.is_repeated.is_(True)),
        func.count().filter(shirked),
    ).where(HandBack.asked_at >= since, HandBack.asked_at < until)
    if units is not None:
        counted = counted.where(HandBack.unit_id.in_(list(units)))
    if areas is not None:
        counted = counted.join(Report, Report.id == HandBack.report_id).where(Report.area_code.in_(list(areas)))
    least = least_dispatches()
    found = []
    for unit_id, asked, upheld, refused, late, repeated, bad in db.session.execute(counted.group_by(HandBack.unit_id)):
        number = int(dispatched.get(unit_id, 0))
        rate = bad / number if number >= least else None
        found.append(UnitRate(unit_id, number, asked, upheld, refused, late, repeated, bad, rate))
    return sorted(found, key=lambda row: (row.rate is None, -(row.rate or 0), -row.shirked, row.unit_id))


def waiting(
    *, units: Collection[int] | None = None, areas: Collection[str] | None = None, after: str = "", limit: int = 100
) -> list[tuple[HandBack, Report]]:
    """Hand-backs to rule on, longest waiting first, each with its report. units, areas: whose, where; None for all.

    after: the key (`district.reports.keys`) of the last one that was shown.
    """
    query = (
        select(HandBack, Report)
        .join(Report, Report.id == HandBack.report_id)
        .where(HandBack.ruled_at.is_(None))
        .options(
            joinedload(HandBack.unit), joinedload(HandBack.suggested_unit), joinedload(Report.category),
            joinedload(Report.facility),
        )
        .order_by(HandBack.asked_at, HandBack.id)
        .limit(limit)
    )  # fmt: skip
    behind = keys.behind(after, HandBack.asked_at, HandBack.id)
    if behind is not None:
        query = query.where(behind)
    if units is not None:
        query = query.where(HandBack.unit_id.in_(list(units)))
    if areas is not None:
        query = query.where(Report.area_code.in_(list(areas)))
    return [(row, report) for row, report in db.session.execute(query)]


def proposals(*, areas: Collection[str] | None = None, after: int = 0, limit: int = 100) -> list[Report]:
    """Reports whose corrected facts make them another unit's while one is at work: the dispatcher decides.

    areas: codes of streets, None for all. after: the id of the last one that was shown.
    """
    query = select(Report).where(Report.proposed_unit_id.is_not(None), Report.status.in_(("assigned", "in_progress")))
    if areas is not None:
        query = query.where(Report.area_code.in_(list(areas)))
    query = query.where(Report.id > after)
    parts = (joinedload(Report.category), joinedload(Report.unit), joinedload(Report.proposed_unit))
    return list(db.session.scalars(query.options(*parts).order_by(Report.id).limit(limit)))


def newest_of(report_id: int) -> HandBack | None:
    """The last hand-back of a report, ruled on or not."""
    return db.session.scalar(
        select(HandBack)
        .where(HandBack.report_id == report_id)
        .options(joinedload(HandBack.unit), joinedload(HandBack.suggested_unit))
        .order_by(HandBack.id.desc())
        .limit(1)
    )
