"""Reminding staff of clocks: each step once for each clock, whoever runs it however often and however late."""

from __future__ import annotations

from sqlalchemy import select, update

from district import clock
from district.deadlines.running import Step
from district.extensions import db
from district.notices import service as notices
from district.people.roles import Role
from district.reports import clocks
from district.reports.guards import SYSTEM
from district.reports.history import record
from district.reports.models import EventKind, Report
from district.reports.states import WITH_UNIT, Status

HANDLING, DISPATCH = "handling", "dispatch"


def remind(limit: int = 200) -> int:
    """Take the step that each clock has come to, in the order of their moments. Returns how many clocks were looked at.

    Where several steps have been passed (the job did not run for a while), people are told of the newest alone; the
    history names the others.
    """
    now = clock.now()
    due = db.session.scalars(
        select(Report)
        .where(Report.alarm_at <= now)
        .order_by(Report.alarm_at, Report.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    told = _Told()
    for report in due:
        reached = [step for step, at in clocks.alarms(report) if step > report.alarm_step and at <= now]
        values: dict[str, object] = {}
        if reached:
            values["alarm_step"] = reached[-1]
            if reached[-1] >= Step.OVERDUE and Status(report.status) in WITH_UNIT and report.overdue_noted_at is None:
                values["overdue_noted_at"] = now
            _take(report, reached, told)
        last = reached[-1] if reached else report.alarm_step
        values["alarm_at"] = next((at for step, at in clocks.alarms(report) if step > last), None)
        # Past the session: a reminder is no change that makes a form stale which somebody is just filling in.
        db.session.execute(
            update(Report).where(Report.id == report.id).values(values).execution_options(synchronize_session=False)
        )
        db.session.expire(report)
    return len(due)


class _Told:
    """Whom to tell, looked up once for each unit of a run."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int | None], list[int]] = {}

    def of(self, report: Report, step: Step) -> list[int]:
        if Status(report.status) not in WITH_UNIT:
            role = Role.INSPECTOR if step is Step.SUPERVISION else Role.SHIFT_LEAD
            return self._once(str(role), None)
        if step is Step.SUPERVISION:
            return self._once(str(Role.INSPECTOR), None)
        return self._once("head" if step is Step.HEAD else "people", report.unit_id)

    def _once(self, who: str, unit_id: int | None) -> list[int]:
        key = (who, unit_id)
        if key not in self._found:
            if who == "head":
                self._found[key] = notices.head_of(unit_id)
            elif who == "people":
                self._found[key] = notices.people_of(unit_id)
            else:
                self._found[key] = notices.with_role(Role(who))
        return self._found[key]


def _take(report: Report, reached: list[Step], told: _Told) -> None:
    """Write down the newest step and tell those whom it is for."""
    newest = reached[-1]
    which = HANDLING if Status(report.status) in WITH_UNIT else DISPATCH
    name = newest.name.lower()
    record(
        report, EventKind.REMINDED, SYSTEM, unit_id=report.unit_id, is_public=False,
        data={"what": name, "clock": which, "passed": [step.name.lower() for step in reached[:-1]]},
    )  # fmt: skip
    notices.tell(
        name if which == HANDLING else f"dispatch_{name}", told.of(report, newest), report_id=report.id,
        due=(report.handling_due_at if which == HANDLING else report.dispatch_due_at).isoformat(),  # type: ignore[union-attr]
    )  # fmt: skip
