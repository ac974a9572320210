"""Looking again at reports whose category, place or facility was corrected: once for each correction.

Runs where routing runs, skips rows that somebody holds, and never swaps a unit that is at work: it proposes.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from sqlalchemy import select

from district import clock
from district.errors import DistrictError
from district.extensions import db
from district.facilities.models import Facility
from district.reference import Reference, reference
from district.reports import guards
from district.reports import service as reports
from district.reports.models import Report
from district.reports.states import Action, Status
from district.routing import service as routing
from district.routing.standing import standing

log = logging.getLogger(__name__)

# How long a report that could not be looked at again waits for the next try.
LATER = timedelta(minutes=1)


def route_again(limit: int = 50) -> int:
    """Decide anew for up to `limit` corrected reports, longest waiting first; how many were taken up.

    Inside a unit of work. Idempotent: what was looked at is marked so in the same transaction.
    """
    rows = db.session.scalars(
        select(Report)
        .where(Report.route_again_at <= clock.now())
        .order_by(Report.route_again_at, Report.id)
        .limit(limit)
        .with_for_update(of=Report, skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    ref = reference()
    for report in rows:
        try:
            with db.session.begin_nested():
                _look_again(report, ref)
        except DistrictError as error:
            _later(report, error.code)
        except Exception as error:  # noqa: BLE001  one report that nobody foresaw must not hold up the others
            _later(report, type(error).__name__)
    return len(rows)


def _later(report: Report, reason: str) -> None:
    log.error("report not routed again", extra={"report": report.id, "reason": reason})
    report.route_again_at = clock.now() + LATER


def _look_again(report: Report, ref: Reference) -> None:
    report.route_again_at = None
    status = Status(report.status)
    if status not in (Status.TRIAGE, Status.ASSIGNED, Status.IN_PROGRESS):
        return
    facility = db.session.get(Facility, report.facility_id) if report.facility_id else None
    verdict = routing.judge(report, facility, ref)
    decision = verdict.decision
    found = standing(decision, ref)
    unit = found.unit
    unit_id = unit.id if unit is not None else None
    if verdict.category is not None and report.category_id is None:
        report.category_id = verdict.category.id
    others = [(ref.units_by_code[code].id, role) for code, role in decision.other_units]
    is_sure = unit is not None and not decision.to_triage
    if status is Status.TRIAGE and not is_sure:
        reports.keep_in_triage(
            report, reason=found.reason, proposed_unit_id=unit_id, other_units=others,
            is_unclear=decision.rule is None,
        )  # fmt: skip
    elif status is Status.TRIAGE or (is_sure and unit_id != report.unit_id and _may_move(report)):
        assert unit is not None
        reports.assign(
            report, unit.id, by=reports.SYSTEM, reason=found.reason, other_units=others, rule_code=decision.rule,
            again=True,
        )  # fmt: skip
    else:
        # What no rule is sure of leaves the unit that has it where it is.
        reports.propose_unit(report, unit_id if is_sure else None)
    routing.keep(report, verdict, found)


def _may_move(report: Report) -> bool:
    """Nobody has begun, nothing awaits a ruling, and none was given."""
    return report.status == Status.ASSIGNED and Action.ASSIGN in guards.possible(guards.SYSTEM, report)
