"""Who may do what to which report: reads the table of transitions, decides, raises."""

from __future__ import annotations

from sqlalchemy import select

from district.errors import NotAllowed, WrongState
from district.extensions import db
from district.people.models import Resident, Staff
from district.people.roles import Role
from district.people.service import unit_and_below
from district.reports.models import Report, ReportUnit
from district.reports.states import BY_ACTION, Action, Scope, Status, Who


class System:
    """The router and the clock: acts without a person."""

    def __repr__(self) -> str:
        return "SYSTEM"


SYSTEM = System()


class KeyHolder:
    """Somebody who opened the report's private link: its resident, without an account."""

    def __repr__(self) -> str:
        return "KEY_HOLDER"


KEY_HOLDER = KeyHolder()

Actor = Staff | Resident | System | KeyHolder


def involved_units(report: Report) -> frozenset[int]:
    """The responsible unit and the co-units: none of their staff may verify."""
    rows = db.session.scalars(
        select(ReportUnit.unit_id).where(ReportUnit.report_id == report.id, ReportUnit.role == "co")
    )
    return frozenset([*rows, *([report.unit_id] if report.unit_id else [])])


def may(actor: Actor, action: Action, report: Report) -> bool:
    """Whether this actor may ever do `action` to this report, whatever its status."""
    row = BY_ACTION[action]
    if isinstance(actor, System):
        return Who.SYSTEM in row.who
    if isinstance(actor, KeyHolder):
        return Who.RESIDENT in row.who
    if isinstance(actor, Resident):
        return Who.RESIDENT in row.who and report.resident_id == actor.id
    if actor.left_at is not None:
        return False
    if row.unit_roles & actor.roles and _answers_for(actor, report):
        return True
    if not row.roles & actor.roles:
        return False
    if row.scope is Scope.RESPONSIBLE_UNIT:
        return _answers_for(actor, report)
    if row.scope is Scope.CO_UNIT:
        return bool(own_open_parts(actor, report))
    if row.scope is Scope.NOT_INVOLVED:
        return actor.id != report.resolved_by_id and actor.unit_id not in involved_units(report)
    return True


def _answers_for(staff: Staff, report: Report) -> bool:
    return report.unit_id is not None and report.unit_id in unit_and_below(staff.unit_id)


def own_open_parts(staff: Staff, report: Report) -> list[ReportUnit]:
    """The parts of this person's unit, or of units under it, that are not done yet."""
    query = select(ReportUnit).where(
        ReportUnit.report_id == report.id, ReportUnit.role == "co", ReportUnit.done_at.is_(None)
    )
    rows = db.session.scalars(query.order_by(ReportUnit.unit_id)).all()
    units = unit_and_below(staff.unit_id) if rows else frozenset()
    return [row for row in rows if row.unit_id in units and row.unit_id != report.unit_id]


def is_settled(actor: Actor, action: Action, report: Report) -> bool:
    """Whether a ruling stands in the way: it is final for everybody, and only a shift lead may still move the report.

    So it is with the first unit that took on a case nobody is known to answer for (首接负责), until it is ruled on.
    """
    if action is Action.HAND_BACK:
        return report.ruled_at is not None
    if action is not Action.ASSIGN or report.unit_id is None:
        return False
    if report.ruled_at is None and not (report.is_unclear and report.accepted_at is not None):
        return False
    return not (isinstance(actor, Staff) and Role.SHIFT_LEAD in actor.roles)


def possible(actor: Actor, report: Report) -> list[Action]:
    """What this actor can do to this report now, in the table's order: the buttons of a page."""
    status = Status(report.status)
    return [
        row.action
        for row in BY_ACTION.values()
        if status in row.sources
        and not _blocked(row.action, report)
        and not is_settled(actor, row.action, report)
        and may(actor, row.action, report)
    ]


def require(actor: Actor, action: Action, report: Report) -> None:
    """Raise NotAllowed or WrongState unless `actor` can do `action` to `report` now."""
    if not may(actor, action, report):
        raise NotAllowed()
    if Status(report.status) not in BY_ACTION[action].sources or _blocked(action, report):
        raise WrongState()
    if is_settled(actor, action, report):
        raise WrongState("handback.settled")


def _blocked(action: Action, report: Report) -> bool:
    """A hand-back that awaits its ruling stops the unit's clock and its work; one question waits at a time."""
    if action in (Action.UPHOLD_HAND_BACK, Action.REFUSE_HAND_BACK):
        return not report.hand_back_pending
    if action in (Action.HAND_BACK, Action.RESOLVE, Action.ACCEPT, Action.ASSIGN):
        return report.hand_back_pending
    if action is Action.ASK:
        return report.waiting_for_resident or report.hand_back_pending
    if action in (Action.ANSWER, Action.WITHDRAW_QUESTION):
        return not report.waiting_for_resident
    if action in (Action.GRANT_EXTENSION, Action.REFUSE_EXTENSION):
        return not report.extension_pending
    if action in (Action.ASK_EXTENSION, Action.SUSPEND):
        return report.hand_back_pending or report.extension_pending
    if action is Action.CALL_BACK:
        return report.rated_at is not None
    if action is Action.REMOVE_CO:
        return not any(part.role == "co" and part.done_at is None for part in report.other_units)
    return False
