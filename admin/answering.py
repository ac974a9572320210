"""What a report's page and its forms say about whose the report is: rulings, duty, stand-ins, own parts."""

from __future__ import annotations

from typing import Any

from district import clock
from district.duty import service as duty
from district.errors import BadInput
from district.messages import t
from district.people.models import Staff
from district.people.roles import Role
from district.people.service import unit_and_below
from district.reference import reference
from district.replies import service as replies
from district.reports import hand_backs, mentions, parts, precedents, queries, spot
from district.reports.models import Report
from district.reports.states import WAITING_FOR_DISPATCH, WITH_UNIT, Action, Status

# Who may read who is on duty, beside the unit itself.
_COMMAND = frozenset({Role.ACCEPTOR, Role.DISPATCHER, Role.SHIFT_LEAD})
_RULES = (Action.UPHOLD_HAND_BACK, Action.REFUSE_HAND_BACK, Action.ASSIGN)


def standing_of(report: Report, staff: Staff) -> dict[str, Any]:
    """What the card about responsibility shows to this person."""
    status = Status(report.status)
    is_open = status in WITH_UNIT
    commands = bool(staff.roles & _COMMAND)
    is_ours = report.unit_id is not None and report.unit_id in unit_and_below(staff.unit_id)
    asked = report.hand_back_pending or status in WAITING_FOR_DISPATCH
    return {
        "commands": commands,
        "final": is_open and report.ruled_at is not None,
        "unclear": report.is_unclear,
        "is_with_unit": is_open,
        "on_duty": duty.on_duty(report.unit_id) if is_open and report.unit_id and (commands or is_ours) else None,
        "stand_in": duty.stand_in_for(report.unit_id) if is_open and report.unit_id and commands else None,
        "precedents": precedents.like(report) if commands and asked else [],
        "proposed": report.proposed_unit if is_open and staff.roles & {Role.DISPATCHER, Role.SHIFT_LEAD} else None,
    }


def for_form(report: Report, action: Action) -> dict[str, Any]:
    """What the form of an action needs beside its fields."""
    if action is Action.HAND_BACK:
        until = hand_backs.in_time_until(report.assigned_at) if report.assigned_at is not None else None
        return {
            "hand_back_reasons": hand_backs.reasons(),
            "in_time_until": until,
            "is_late_now": until is not None and clock.now() > until,
            "deciding": precedents.deciding(report),
        }
    if action in _RULES:
        return {"precedents": precedents.like(report)}
    if action is Action.RESOLVE:
        units = reference().units_by_id
        return {"open_parts": [units[part.unit_id].name for part in parts.open_parts(report) if part.unit_id in units]}
    if action is Action.REPLY:
        return {"offers": replies.offers(report), "longest_reply": replies.LONGEST_REPLY} | shown_reply(report, "")
    if action in (Action.VERIFY, Action.REFUSE_VERIFICATION):
        return {"spot_limit": spot.limit_m()}
    if action is Action.REMOVE_CO:
        return {"co_parts": parts.open_parts(report)}
    if action is Action.COMMENT:
        return {"colleagues": mentions.colleagues(report)}
    if action is Action.SPLIT:
        return {"movable": queries.kept_photos(report, "before")}
    return {}


def shown_reply(report: Report, text: str) -> dict[str, Any]:
    """The bubble under the reply's form: how it will look in WeChat, or why it cannot go out so."""
    if not text.strip():
        return {"bubble": "", "bubble_problem": "", "reply_length": 0}
    try:
        bubble, problem = replies.preview(report, text), ""
    except BadInput as error:
        key = error.key if error.params else next(iter(error.fields.values()), error.key)
        bubble, problem = "", t(key, **error.params)
    return {"bubble": bubble, "bubble_problem": problem, "reply_length": len(text.strip())}
