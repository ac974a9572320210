"""Reports of one thing become one: the others join it, its residents hear of every step, and each can leave again.

A report that joined another has the status `merged` and no unit; its residents see the status of the one it joined.
There are no chains: what had joined a report moves along when that joins another. All rows of a merge are locked by
one statement in the order of their ids, so that two merges at once wait for each other and never lock each other out.
None of these commits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm.util import identity_key

from district import audit, clock
from district.categories.models import Urgency
from district.deadlines import service as deadlines
from district.errors import BadInput, NotFound, StaleVersion, WrongState
from district.extensions import db
from district.notifications import service as notifications
from district.people.models import Staff
from district.reports import clocks, extensions, incidents, questions, standards
from district.reports.guards import SYSTEM, Actor, require
from district.reports.history import record
from district.reports.models import EventKind, HandBack, Report, ReportEvent, ReportFollower, ReportUnit
from district.reports.states import OPEN, Action, Status
from district.work import hurry

# What a report takes over that goes on in the place of another.
_CLOCK = (
    "assigned_at", "handling_due_at", "limit_value", "limit_unit", "clock_from", "standard_code", "alarm_at",
    "alarm_step", "first_seen_at", "look_due_at", "look_level",
)  # fmt: skip
_RANK = {Urgency.NORMAL: 0, Urgency.URGENT: 1, Urgency.CRITICAL: 2}


def merge(report_id: int, into_id: int, *, by: Actor, version: int | None = None) -> Report:
    """`report_id` is about the same thing as `into_id` and becomes part of it. Returns the former.

    Doing it twice does it once. version: the report's, as whoever decides has seen it.
    Raises NotFound, NotAllowed, WrongState (also when the other is over or has itself joined one), StaleVersion
    when somebody changed it meanwhile, BadInput for a report and itself.
    """
    if report_id == into_id:
        raise BadInput(fields={"into": "incidents.error.itself"})
    moving = _joined_ids(report_id)
    locked = _lock([report_id, into_id, *moving])
    report, into = locked[report_id], locked[into_id]
    if report.parent_id == into_id:
        return report
    if version is not None and report.version != version:
        raise StaleVersion()
    if _joined_ids(report_id) != moving:
        raise StaleVersion()
    require(by, Action.MERGE, report)
    if Status(into.status) not in OPEN:
        raise WrongState("incidents.error.over")
    before = report.status
    _leave_work(report, by)
    report.status, report.parent_id = Status.MERGED, into_id
    record(report, EventKind.MERGED, by, from_status=before, data={"into": into.number})
    for other_id in moving:
        _move(locked[other_id], into, by)
    into.has_followers = True
    raise_urgency(into, [locked[one].urgency for one in (report_id, *moving)])
    record(into, EventKind.SUPPORTED, by, data={"joined": report.number, "count": len(moving) + 1})
    if isinstance(by, Staff):
        audit.record(by, "report.merge", f"report:{report_id}", into=into.number)
    db.session.flush()
    was_incident = incidents.latest_of(report_id)
    if was_incident is not None and was_incident.ended_at is None:
        incidents.follow_head(report_id, into_id)
    else:
        incidents.grow(into_id, [(locked[one].latitude, locked[one].longitude) for one in (report_id, *moving)])
    notifications.tell(report, "merged", others=_count(into_id) - len(moving))
    return report


def join(report: Report, parent: Any, *, how: str, others: int, unit: str) -> None:
    """The router found that a waiting report is about the same thing as `parent`, of which it knows the number.

    report, parent: locked; parent.has_followers is set. how: `facility` or `incident`. others: how many reported it
    before. unit: the name of the unit that has it, "" while none has.
    """
    require(SYSTEM, Action.MERGE, report)
    before = report.status
    _leave_work(report, SYSTEM)
    report.status, report.parent_id = Status.MERGED, parent.id
    record(report, EventKind.MERGED, SYSTEM, from_status=before, data={"into": parent.number, "how": how})
    notifications.tell(report, "joined_with_unit" if unit else "joined", others=others, unit=unit)


def unmerge(report_id: int, *, by: Actor) -> Report:
    """It is a thing of its own after all: it waits for dispatch with a new clock and is routed again.

    The router leaves it alone from then on. Raises NotFound, NotAllowed, WrongState.
    """
    parent_id = db.session.scalar(select(Report.parent_id).where(Report.id == report_id))
    locked = _lock([report_id] if parent_id is None else [report_id, parent_id])
    report = locked[report_id]
    require(by, Action.UNMERGE, report)
    if report.parent_id != parent_id or parent_id is None:
        raise StaleVersion()
    before = report.status
    report.status, report.parent_id = Status.SUBMITTED, None
    _wait_for_dispatch(report)
    record(report, EventKind.UNMERGED, by, from_status=before, data={"from": locked[parent_id].number})
    if isinstance(by, Staff):
        audit.record(by, "report.unmerge", f"report:{report_id}", of=locked[parent_id].number)
    incidents.shrink(parent_id)
    notifications.tell(report, "unmerged")
    return report


def pass_on(report: Report) -> None:
    """A report that others have joined is withdrawn: the eldest of them takes its place, with its unit and clock.

    report: locked, about to be withdrawn; it still has its unit. Does nothing where nothing joined it.
    """
    if not report.has_followers:
        return
    ids = _joined_ids(report.id)
    if not ids:
        return
    locked = _lock(ids)
    eldest, others = locked[min(ids)], [locked[one] for one in sorted(ids)[1:]]
    before = eldest.status
    eldest.parent_id = None
    eldest.has_followers = True
    eldest.category_id = eldest.category_id or report.category_id
    raise_urgency(eldest, [report.urgency])
    if report.unit_id is not None:
        eldest.status, eldest.unit_id, eldest.reason = Status.ASSIGNED, report.unit_id, report.reason
        for name in _CLOCK:
            setattr(eldest, name, getattr(report, name))
    else:
        eldest.status = Status.SUBMITTED
        _wait_for_dispatch(eldest)
    record(eldest, EventKind.UNMERGED, SYSTEM, from_status=before, unit_id=eldest.unit_id, data={"from": report.number})
    for other in others:
        _move(other, eldest, SYSTEM)
    incidents.follow_head(report.id, eldest.id)


def pass_words(report: Report, text: str, by: Actor, more: Mapping[str, Any] | None = None) -> None:
    """Whoever works on what this report joined reads, too, what was added to it. Does nothing for one by itself.

    more: what else a sentence in the history needs.
    """
    parent = db.session.get(Report, report.parent_id) if report.parent_id is not None else None
    if parent is not None:
        data = {"joined": report.number, **(more or {})}
        record(parent, EventKind.COMMENTED, by, note=text, is_public=False, data=data)


def raise_urgency(report: Report, urgencies: Sequence[str]) -> None:
    """What somebody called dangerous is dangerous for the whole; what is due comes no later for it. report: locked."""
    most = max((Urgency(one) for one in (report.urgency, *urgencies)), key=_RANK.__getitem__)
    if most is Urgency(report.urgency):
        return
    report.urgency = most
    report.dispatch_due_at = min(report.dispatch_due_at, deadlines.dispatch_due_at(most, report.submitted_at))
    if report.handling_due_at is not None and report.assigned_at is not None:
        if report.handling_due_at > clock.now():
            standards.renew(report)
    else:
        report.alarm_at = clocks.next_alarm(report)


def need_raising(urgency: str, newcomers: Sequence[str]) -> bool:
    """Whether one of these is more urgent."""
    return any(_RANK[Urgency(one)] > _RANK[Urgency(urgency)] for one in newcomers)


def _lock(ids: Sequence[int]) -> dict[int, Report]:
    rows = db.session.scalars(
        select(Report)
        .where(Report.id.in_(set(ids)))
        .order_by(Report.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    if len(rows) != len(set(ids)):
        raise NotFound("errors.report_unknown")
    return {row.id: row for row in rows}


def _joined_ids(report_id: int) -> list[int]:
    return list(db.session.scalars(select(Report.id).where(Report.parent_id == report_id).order_by(Report.id)))


def _count(report_id: int) -> int:
    return incidents.joined_counts([report_id]).get(report_id, 0)


def _leave_work(report: Report, by: Actor) -> None:
    """No unit has it any more; what was asked and what awaited a ruling is dropped with it."""
    questions.drop(report, by=by)
    extensions.drop(report)
    if report.hand_back_pending:
        db.session.execute(delete(HandBack).where(HandBack.report_id == report.id, HandBack.ruled_at.is_(None)))
        report.hand_back_pending = False
    if report.unit_id is not None or report.status != Status.SUBMITTED:
        # The other's units have it now; were it routed again, it would get its own.
        db.session.execute(delete(ReportUnit).where(ReportUnit.report_id == report.id))
        loaded = db.session.identity_map.get(identity_key(Report, report.id))
        if loaded is not None and "other_units" in loaded.__dict__:
            db.session.expire(loaded, ["other_units"])
    report.unit_id = report.assigned_at = report.handling_due_at = report.accepted_at = None
    report.first_seen_at = report.look_due_at = report.proposed_unit_id = report.route_again_at = None
    report.overdue_noted_at = report.alarm_at = report.clock_paused_at = None


def _move(report: Report, into: Report, by: Actor) -> None:
    report.parent_id = into.id
    record(report, EventKind.MERGED, by, is_public=False, data={"into": into.number})


def _wait_for_dispatch(report: Report) -> None:
    now = clock.now()
    report.reason = {}
    report.dispatch_due_at = deadlines.dispatch_due_at(Urgency(report.urgency), now)
    report.route_after, report.route_tries = now, 0
    report.alarm_step, report.alarm_at = 0, clocks.next_alarm(report)
    hurry("route_reports")


def count_followers(report_id: int) -> int:
    """How many residents follow the report without having reported it themselves."""
    return (
        db.session.scalar(select(func.count()).select_from(ReportFollower).where(ReportFollower.report_id == report_id))
        or 0
    )


def how_joined(report_ids: Collection[int]) -> dict[int, str]:
    """What made each of these join, by its id: `facility`, `incident`, or `staff` where somebody decided it."""
    rows = db.session.execute(
        select(ReportEvent.report_id, ReportEvent.data)
        .where(ReportEvent.report_id.in_(list(report_ids)), ReportEvent.kind == EventKind.MERGED)
        .order_by(ReportEvent.id)
    )
    return {report_id: str((data or {}).get("how") or "staff") for report_id, data in rows}
