"""Who may do what to which report: reads the table of transitions, decides, raises."""

from __future__ import annotations

from sqlalchemy import select

from district.errors import NotAllowed, WrongState
from district.extensions import db
from district.people.models import Resident, Staff
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
    if row.scope is Scope.NOT_INVOLVED:
        return actor.id != report.resolved_by_id and actor.unit_id not in involved_units(report)
    return True


def _answers_for(staff: Staff, report: Report) -> bool:
    return report.unit_id is not None and report.unit_id in unit_and_below(staff.unit_id)


def possible(actor: Actor, report: Report) -> list[Action]:
    """What this actor can do to this report now, in the table's order: the buttons of a page."""
    status = Status(report.status)
    return [
        row.action
        for row in BY_ACTION.values()
        if status in row.sources and may(actor, row.action, report) and not _blocked(row.action, report)
    ]


def require(actor: Actor, action: Action, report: Report) -> None:
    """Raise NotAllowed or WrongState unless `actor` can do `action` to `report` now."""
    if not may(actor, action, report):
        raise NotAllowed()
    if Status(report.status) not in BY_ACTION[action].sources or _blocked(action, report):
        raise WrongState()


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
    return False
