"""Which condition of its category a report is: it decides how long the unit may take. None commits."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from district import audit, clock
from district.categories.models import Urgency
from district.deadlines import service as deadlines
from district.deadlines.running import Limit
from district.errors import BadInput, WrongState
from district.people.models import Staff
from district.reference import StandardRef, reference
from district.reports import clocks
from district.reports.guards import require
from district.reports.history import record
from district.reports.models import EventKind, Report
from district.reports.states import WITH_UNIT, Action, Status


def choose(report: Report, *, by: Staff, standard_code: str) -> Report:
    """Say which condition of its category this report is; "" for the category's general limit.

    With a unit, the new limit counts from when the unit was given the report; where it would be over by that, from
    now, so that nobody is late at a stroke. report: locked.
    Raises NotAllowed, WrongState when the time is over already, BadInput for a condition of another category.
    """
    require(by, Action.CHOOSE_STANDARD, report)
    code, now = checked(report, standard_code), clock.now()
    with_unit = Status(report.status) in WITH_UNIT and report.handling_due_at is not None
    before, due_before = clocks.limit_of(report), report.handling_due_at
    if with_unit and due_before is not None and due_before <= (report.clock_paused_at or now):
        raise WrongState("deadlines.problem.over")
    report.standard_code = code
    if with_unit:
        renew(report)
    chosen = chosen_for(report)
    data: dict[str, Any] = {"standard": chosen.condition if chosen else "", "code": code}
    if with_unit:
        data |= moved(due_before, before, report)
    record(report, EventKind.STANDARD_CHOSEN, by, unit_id=report.unit_id, is_public=False, data=data)
    audit.record(by, "report.choose_standard", f"report:{report.id}", standard=code)
    return report


def renew(report: Report) -> None:
    """The handling clock goes by what category, condition and urgency are now. report: locked, with a unit.

    The limit counts from when the clock began; where it would be over by that, from now.
    """
    limit = deadlines.handling_limit(report.category_id, Urgency(report.urgency), report.standard_code)
    report.limit_value, report.limit_unit = limit.value, limit.unit
    clocks.settle(report, steps_again=True)
    assert report.handling_due_at is not None
    now = report.clock_paused_at or clock.now()
    if report.handling_due_at <= now:
        report.clock_from = now
        clocks.settle(report, steps_again=True)


def checked(report: Report, standard_code: str) -> str:
    """The code, if it is "" or a condition in use of the report's category. Raises BadInput."""
    if standard_code and standard_code not in {one.code for one in of_category(report.category_id)}:
        raise BadInput(fields={"standard": "deadlines.problem.standard_unknown"})
    return standard_code


def of_category(category_id: int | None) -> tuple[StandardRef, ...]:
    category = reference().categories_by_id.get(category_id) if category_id is not None else None
    return category.standards if category else ()


def chosen_for(report: Report) -> StandardRef | None:
    """The condition that was chosen, as long as it is one of the report's category."""
    return next((one for one in of_category(report.category_id) if one.code == report.standard_code), None)


def moved(due_before: datetime | None, limit_before: Limit, report: Report) -> dict[str, Any]:
    """What a line of the history says of a deadline that moved: before and after, limits and moments (ISO 8601)."""
    after = clocks.limit_of(report)
    return {
        "due_before": _iso(due_before), "due": _iso(report.handling_due_at),
        "limit_before": [limit_before.value, limit_before.unit], "limit": [after.value, after.unit],
    }  # fmt: skip


def _iso(moment: datetime | None) -> str:
    return moment.isoformat() if moment is not None else ""
